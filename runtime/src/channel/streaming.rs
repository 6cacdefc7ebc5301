//! A stream of responses.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::source::Source;
use crate::metadata::Metadata;
use crate::status::Status;

/// The responses of a call, as they come. Dropping it before its end cancels the call at the server.
///
/// It is a [`Stream`] of `Result<T, Status>`, fused: after its end or its error come only `None`s.
#[must_use = "dropping a stream cancels its call"]
pub struct Streaming<T: 'static> {
    source: Source<T>,
    /// Sends what the call sends, where the call took a whole stream of requests.
    pump: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    finished: bool,
}

impl<T: 'static> Streaming<T> {
    pub(super) fn new(source: Source<T>) -> Self {
        Streaming { source, pump: None, finished: false }
    }

    pub(super) fn with_pump(mut self, pump: Pin<Box<dyn Future<Output = ()> + Send>>) -> Self {
        self.pump = Some(pump);
        self
    }

    /// The next message; `None` when the server has ended the call with OK.
    ///
    /// # Errors
    /// The status that the call ended with. Cancel safe: a message is never lost.
    pub async fn message(&mut self) -> Result<Option<T>, Status> {
        poll_fn(|cx| self.poll_message(cx)).await.transpose()
    }

    /// The metadata that the server sent before the first message; waits for it.
    ///
    /// # Errors
    /// The status that the call ended with, when it ended without headers.
    pub async fn initial_metadata(&mut self) -> Result<&Metadata, Status> {
        poll_fn(|cx| {
            self.poll_pump(cx);
            self.source.poll_head(cx)
        })
        .await;
        match (self.source.initial_metadata(), self.source.outcome()) {
            (_, Some(Err(status))) => Err(status.clone()),
            (Some(initial), _) => Ok(initial),
            (None, _) => Err(Status::internal("the call has no headers")),
        }
    }

    /// The metadata that the server sent after the last message; `None` until the stream is at its end.
    pub fn trailing_metadata(&self) -> Option<&Metadata> {
        match self.source.outcome()? {
            Ok(trailing) => Some(trailing),
            Err(status) => Some(status.metadata()),
        }
    }

    /// Whether the last message came compressed, as the flag byte before it said; `false` before the first.
    pub fn last_was_compressed(&self) -> bool {
        self.source.last_was_compressed()
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Status>>> {
        if self.finished {
            return Poll::Ready(None);
        }
        self.poll_pump(cx);
        let item = ready!(self.source.poll_message(cx));
        self.finished = !matches!(item, Some(Ok(_)));
        if self.finished {
            self.pump = None;
        }
        Poll::Ready(item)
    }

    fn poll_pump(&mut self, cx: &mut Context<'_>) {
        if let Some(pump) = &mut self.pump
            && pump.as_mut().poll(cx).is_ready()
        {
            self.pump = None;
        }
    }
}

impl<T: 'static> Unpin for Streaming<T> {}

impl<T: 'static> Stream for Streaming<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx)
    }
}

impl<T: 'static> fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("source", &self.source).finish_non_exhaustive()
    }
}
