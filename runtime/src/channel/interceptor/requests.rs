//! The requests of a call, on their way out.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::call::AnyMessage;
use crate::status::Status;

/// The requests of a call: one, or a stream of them.
pub struct RequestMessages {
    source: Source,
    each: Vec<Each>,
}

enum Source {
    One(Option<AnyMessage>),
    Stream(Pin<Box<dyn Stream<Item = Result<AnyMessage, Status>> + Send>>),
}

type Each = Box<dyn FnMut(&mut AnyMessage) -> Result<(), Status> + Send>;

impl RequestMessages {
    /// One request.
    pub fn one(message: AnyMessage) -> Self {
        RequestMessages { source: Source::One(Some(message)), each: Vec::new() }
    }

    /// A stream of requests; an error ends the call with it.
    pub fn stream(requests: impl Stream<Item = Result<AnyMessage, Status>> + Send + 'static) -> Self {
        RequestMessages { source: Source::Stream(Box::pin(requests)), each: Vec::new() }
    }

    /// Whether the call has one request, as unary and server-streaming ones do.
    pub fn is_one(&self) -> bool {
        matches!(self.source, Source::One(_))
    }

    /// The same requests again, for a call that is to be made more than once; `None` for a stream, which cannot be had twice, and
    /// after [`for_each`](Self::for_each), whose code cannot either.
    ///
    /// # Errors
    /// As [`AnyMessage::try_clone`].
    pub fn try_clone(&self) -> Result<Option<RequestMessages>, Status> {
        match &self.source {
            Source::One(Some(message)) if self.each.is_empty() => Ok(Some(RequestMessages::one(message.try_clone()?))),
            Source::One(_) | Source::Stream(_) => Ok(None),
        }
    }

    /// The one request, where it is one.
    pub fn message_ref(&self) -> Option<&AnyMessage> {
        match &self.source {
            Source::One(message) => message.as_ref(),
            Source::Stream(_) => None,
        }
    }

    /// Has `each` called with every request before it goes out, which it may change; an error ends the call with it.
    pub fn for_each(mut self, each: impl FnMut(&mut AnyMessage) -> Result<(), Status> + Send + 'static) -> Self {
        self.each.push(Box::new(each));
        self
    }

    /// The next request; `None` after the last.
    ///
    /// # Errors
    /// What the call is to end with in place of more requests.
    pub async fn message(&mut self) -> Result<Option<AnyMessage>, Status> {
        poll_fn(|cx| self.poll_message(cx)).await.transpose()
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AnyMessage, Status>>> {
        let next = match &mut self.source {
            Source::One(message) => message.take().map(Ok),
            Source::Stream(stream) => ready!(stream.as_mut().poll_next(cx)),
        };
        Poll::Ready(next.map(|message| {
            let mut message = message?;
            self.each.iter_mut().try_for_each(|each| each(&mut message))?;
            Ok(message)
        }))
    }
}

impl fmt::Debug for RequestMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMessages").field("is_one", &self.is_one()).finish_non_exhaustive()
    }
}
