//! The client's halves of a stream.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use callwright_http2::ErrorCode;

use super::{Event, State, Stream};
use crate::status::Status;
use crate::transport::StreamError;

/// The client's halves of a stream that sends `first`, and with `end` no more.
pub(in crate::transport) fn client_halves(
    stream: &Arc<Stream>,
    first: Option<Bytes>,
    end: bool,
) -> (SendStream, ReplyStream) {
    let mut state = stream.lock();
    state.client_halves = 2;
    state.requests.push(first.unwrap_or_default());
    if end {
        state.requests.end();
    }
    drop(state);
    (SendStream { stream: stream.clone() }, ReplyStream { stream: stream.clone() })
}

/// The half of a client that sends. Dropping it before [`finish`](Self::finish) together with the other half resets the stream
/// with CANCEL.
#[derive(Debug)]
pub(crate) struct SendStream {
    stream: Arc<Stream>,
}

impl SendStream {
    /// Sends as much of `data` as the windows allow; ready when all of it is on its way.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<Result<(), StreamError>> {
        let mut state = self.stream.lock();
        if let Some(error) = state.request_error() {
            return Poll::Ready(Err(error));
        }
        let sent = state.requests.poll_join(cx, data).map(Ok);
        state.call_carrier();
        sent
    }

    /// Sends data without waiting for the windows: for the one message of a call, which is at hand anyway.
    pub(crate) fn send_now(&mut self, data: Bytes, end: bool) -> Result<(), StreamError> {
        let mut state = self.stream.lock();
        if let Some(error) = state.request_error() {
            return Err(error);
        }
        state.requests.join(data);
        if end {
            state.requests.end();
        }
        state.call_carrier();
        Ok(())
    }

    /// Whether so many bytes can be sent without waiting for the windows.
    pub(crate) fn has_room_for(&self, size: usize) -> bool {
        let state = self.stream.lock();
        state.request_error().is_none() && state.requests.has_room_for(size)
    }

    /// Sends what `write` writes, which is `size` bytes that there is room for, beside what waits already. Says whether nothing
    /// waited, so that the connection's task had to be called.
    pub(crate) fn send_small(
        &mut self,
        size: usize,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<bool, Status> {
        let mut state = self.stream.lock();
        let waits = state.requests.size() > 0;
        state.requests.append(size, write)?;
        if !waits {
            state.call_carrier();
        }
        Ok(!waits)
    }

    /// Half-closes: the server sees the end of the messages.
    pub(crate) fn finish(&mut self) -> Result<(), StreamError> {
        self.send_now(Bytes::new(), true)
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        half_is_gone(&self.stream);
    }
}

/// The half of a client that receives.
#[derive(Debug)]
pub(crate) struct ReplyStream {
    stream: Arc<Stream>,
}

impl ReplyStream {
    /// What arrives next; [`Event::End`] again and again once the server has ended the call.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
        let mut state = self.stream.lock();
        let State { responses, error, .. } = &mut *state;
        let event = responses.poll(cx, error.as_ref());
        if state.carrier_waits && matches!(event, Poll::Ready(Ok(Event::Data { .. }))) {
            state.call_carrier();
        }
        event
    }
}

impl Drop for ReplyStream {
    fn drop(&mut self) {
        half_is_gone(&self.stream);
    }
}

/// Without either half, the call is cancelled.
fn half_is_gone(stream: &Stream) {
    let mut state = stream.lock();
    state.client_halves -= 1;
    if state.client_halves == 0 {
        state.fail(StreamError::reset(ErrorCode::CANCEL));
        state.responses.abandon();
        state.call_carrier();
    }
}
