//! The responses of a call, on their way back.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use crate::call::AnyMessage;
use crate::metadata::Metadata;
use crate::status::{Code, Status};

/// The responses of a call with the metadata around them. Dropping them cancels the call.
pub struct ResponseMessages {
    source: Box<dyn ResponseSource>,
    each: Vec<Each>,
    on_end: Vec<OnEnd>,
    /// What an interceptor ended the call with in place of the server.
    failed: Option<Status>,
    received: u64,
    began: Instant,
}

type Each = Box<dyn FnMut(&mut AnyMessage) -> Result<(), Status> + Send>;
type OnEnd = Box<dyn FnOnce(&CallEnd<'_>) + Send>;

/// Where responses come from.
pub(in crate::channel) trait ResponseSource: Send {
    /// Ready when the initial metadata is here, or the call is over.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    fn initial_metadata(&self) -> Option<&Metadata>;
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AnyMessage, Status>>>;
    /// How the call ended, once it has.
    fn outcome(&self) -> Option<&Result<Metadata, Status>>;
}

/// How a call ended.
#[derive(Debug)]
pub struct CallEnd<'a> {
    outcome: Result<&'a Metadata, &'a Status>,
    received: u64,
    elapsed: Duration,
}

impl CallEnd<'_> {
    /// The code.
    pub fn code(&self) -> Code {
        self.outcome.map_or_else(Status::code, |_| Code::Ok)
    }

    /// The status of a call that failed.
    pub fn status(&self) -> Option<&Status> {
        self.outcome.err()
    }

    /// What the server sent after the last message.
    pub fn trailing_metadata(&self) -> &Metadata {
        self.outcome.unwrap_or_else(Status::metadata)
    }

    /// How many messages were received.
    pub fn messages_received(&self) -> u64 {
        self.received
    }

    /// How long the call took, from when it was made.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl ResponseMessages {
    pub(in crate::channel) fn new(source: impl ResponseSource + 'static) -> Self {
        ResponseMessages {
            source: Box::new(source),
            each: Vec::new(),
            on_end: Vec::new(),
            failed: None,
            received: 0,
            began: Instant::now(),
        }
    }

    /// An answer of an interceptor's own: these messages, and metadata before and after them. A unary call takes one message.
    pub fn answer(
        initial_metadata: Metadata,
        messages: impl IntoIterator<Item = AnyMessage>,
        trailing_metadata: Metadata,
    ) -> Self {
        ResponseMessages::new(Prepared {
            initial: initial_metadata,
            messages: messages.into_iter().collect(),
            outcome: Ok(trailing_metadata),
        })
    }

    /// Has `each` called with every response before it goes on, which it may change; an error ends the call with it.
    pub fn for_each(mut self, each: impl FnMut(&mut AnyMessage) -> Result<(), Status> + Send + 'static) -> Self {
        self.each.push(Box::new(each));
        self
    }

    /// Has `on_end` called once, when the call has ended, in CANCELLED where it was dropped. Not called for a call that has no
    /// responses, since [`Next::run`](super::Next::run) gave an error in their place.
    pub fn on_end(mut self, on_end: impl FnOnce(&CallEnd<'_>) + Send + 'static) -> Self {
        self.on_end.push(Box::new(on_end));
        self
    }

    /// What the server sent before the first message; waits for it.
    ///
    /// # Errors
    /// The status that the call ended with, when it ended without.
    pub async fn initial_metadata(&mut self) -> Result<&Metadata, Status> {
        poll_fn(|cx| self.source.poll_head(cx)).await;
        match (self.source.initial_metadata(), self.source.outcome()) {
            (_, Some(Err(status))) => Err(status.clone()),
            (Some(initial), _) => Ok(initial),
            (None, _) => Err(Status::internal("the call has no headers")),
        }
    }

    /// The next response; `None` when the server has ended the call with OK. One that is taken out is not given on.
    ///
    /// # Errors
    /// The status that the call ended with.
    pub async fn message(&mut self) -> Result<Option<AnyMessage>, Status> {
        poll_fn(|cx| self.poll_message(cx)).await.transpose()
    }

    /// Waits until the call has ended with OK, and gives its responses on as they came. For calls of one response, which are worth
    /// another attempt when they failed: a stream would be kept in memory whole.
    ///
    /// # Errors
    /// The status that the call ended with.
    pub async fn finished(mut self) -> Result<ResponseMessages, Status> {
        let mut messages = VecDeque::new();
        while let Some(message) = self.message().await? {
            messages.push_back(message);
        }
        let initial = self.source.initial_metadata().cloned().unwrap_or_default();
        let outcome = self.source.outcome().cloned().unwrap_or_else(|| Ok(Metadata::new()));
        Ok(ResponseMessages::new(Prepared { initial, messages, outcome }))
    }

    pub(in crate::channel) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_head(cx)
    }

    pub(in crate::channel) fn initial(&self) -> Option<&Metadata> {
        self.source.initial_metadata()
    }

    pub(in crate::channel) fn outcome(&self) -> Option<Result<Metadata, Status>> {
        match &self.failed {
            Some(status) => Some(Err(status.clone())),
            None => self.source.outcome().cloned(),
        }
    }

    pub(in crate::channel) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<AnyMessage, Status>>> {
        if let Some(status) = &self.failed {
            return Poll::Ready(Some(Err(status.clone())));
        }
        let next = ready!(self.source.poll_message(cx));
        let next = next.map(|message| {
            let mut message = message?;
            self.received += 1;
            self.each.iter_mut().try_for_each(|each| each(&mut message))?;
            Ok(message)
        });
        match &next {
            Some(Ok(_)) => {}
            Some(Err(status)) => {
                self.end(Err(status));
                self.failed = Some(status.clone());
            }
            None => {
                let trailing = self.source.outcome().and_then(|outcome| outcome.as_ref().ok()).cloned();
                self.end(Ok(&trailing.unwrap_or_default()));
            }
        }
        Poll::Ready(next)
    }

    fn end(&mut self, outcome: Result<&Metadata, &Status>) {
        let end = CallEnd { outcome, received: self.received, elapsed: self.began.elapsed() };
        std::mem::take(&mut self.on_end).into_iter().for_each(|on_end| on_end(&end));
    }
}

impl Drop for ResponseMessages {
    fn drop(&mut self) {
        if !self.on_end.is_empty() {
            self.end(Err(&Status::cancelled("the call was dropped")));
        }
    }
}

impl fmt::Debug for ResponseMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseMessages").field("received", &self.received).finish_non_exhaustive()
    }
}

/// Responses that are here.
struct Prepared {
    initial: Metadata,
    messages: VecDeque<AnyMessage>,
    outcome: Result<Metadata, Status>,
}

impl ResponseSource for Prepared {
    fn poll_head(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn initial_metadata(&self) -> Option<&Metadata> {
        Some(&self.initial)
    }

    fn poll_message(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<AnyMessage, Status>>> {
        Poll::Ready(match (self.messages.pop_front(), &self.outcome) {
            (Some(message), _) => Some(Ok(message)),
            (None, Ok(_)) => None,
            (None, Err(status)) => Some(Err(status.clone())),
        })
    }

    fn outcome(&self) -> Option<&Result<Metadata, Status>> {
        self.messages.is_empty().then_some(&self.outcome)
    }
}
