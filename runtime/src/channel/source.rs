//! Where a call's responses come from: its stream, or the interceptors around it.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use super::intercepted::Intercepted;
use super::reader::Reader;
use crate::codec::SharedCodec;
use crate::metadata::Metadata;
use crate::status::Status;

/// The responses of a call.
pub(super) enum Source<T: 'static> {
    Wire { reader: Reader, codec: SharedCodec<T> },
    Intercepted(Box<Intercepted>),
}

impl<T: 'static> Source<T> {
    /// The initial metadata, once the headers are here; empty where the server sent none.
    pub(super) fn initial_metadata(&self) -> Option<&Metadata> {
        match self {
            Source::Wire { reader, .. } => reader.initial_metadata(),
            Source::Intercepted(intercepted) => intercepted.initial_metadata(),
        }
    }

    /// How the call ended, once it has: its trailing metadata, or its status.
    pub(super) fn outcome(&self) -> Option<&Result<Metadata, Status>> {
        match self {
            Source::Wire { reader, .. } => reader.outcome(),
            Source::Intercepted(intercepted) => intercepted.outcome(),
        }
    }

    /// Whether the last message came compressed.
    pub(super) fn last_was_compressed(&self) -> bool {
        match self {
            Source::Wire { reader, .. } => reader.last_was_compressed(),
            Source::Intercepted(intercepted) => intercepted.last_was_compressed(),
        }
    }

    /// Waits until the call has left the queue.
    pub(super) async fn left_queue(&mut self) -> Result<(), Status> {
        match self {
            Source::Wire { reader, .. } => reader.left_queue().await,
            Source::Intercepted(intercepted) => intercepted.started().await,
        }
    }

    /// Ready when the headers are here, or the call is over.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Source::Wire { reader, .. } => reader.poll_head(cx),
            Source::Intercepted(intercepted) => intercepted.poll_head(cx),
        }
    }

    /// The next message; `None` at the end of a call that succeeded.
    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Status>>> {
        match self {
            Source::Wire { reader, codec } => reader.poll_message(cx, codec.codec()),
            Source::Intercepted(intercepted) => {
                let message = ready!(intercepted.poll_message(cx));
                Poll::Ready(message.map(|message| intercepted.typed(message?)))
            }
        }
    }

    /// The one message of a unary response.
    pub(super) async fn single(&mut self) -> Result<T, Status> {
        match self {
            Source::Wire { reader, codec } => reader.single(codec).await,
            Source::Intercepted(intercepted) => {
                let Some(message) = poll_fn(|cx| intercepted.poll_message(cx)).await.transpose()? else {
                    return Err(Status::unimplemented("an interceptor answered without a message"));
                };
                let message = intercepted.typed(message)?;
                match poll_fn(|cx| intercepted.poll_message(cx)).await.transpose()? {
                    None => Ok(message),
                    Some(_) => Err(Status::unimplemented("an interceptor answered with more than one message")),
                }
            }
        }
    }
}

impl<T: 'static> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Wire { reader, .. } => fmt::Debug::fmt(reader, f),
            Source::Intercepted(intercepted) => fmt::Debug::fmt(intercepted, f),
        }
    }
}
