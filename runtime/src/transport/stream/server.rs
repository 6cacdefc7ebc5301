//! The server's halves of a stream.
//!
//! What they do for the other side does not wake the connection's task at once, but when the handler has paused
//! ([`ResponseStream::flush`]), or waits here: a task that is woken by another one may be next on its thread, and would wait
//! there for a handler that goes on without a pause. Should the connection's task come for another reason, it finds it all the
//! same.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use callwright_http2::ErrorCode;
use http::StatusCode;

use super::queue::Head;
use super::{Event, State, Stream};
use crate::status::Status;
use crate::transport::{Fields, StreamError};

/// The server's halves of a stream; the client takes headers of so many bytes, and with `end` has sent its last.
pub(in crate::transport) fn server_halves(
    stream: &Arc<Stream>,
    header_limit: usize,
    end: bool,
) -> (RequestStream, ResponseStream) {
    if end {
        stream.lock().requests.end();
    }
    (RequestStream { stream: stream.clone() }, ResponseStream { stream: stream.clone(), header_limit, ended: false })
}

/// The request of a call.
#[derive(Debug)]
pub(crate) struct RequestStream {
    stream: Arc<Stream>,
}

impl RequestStream {
    /// What arrives next; [`Event::End`] again and again once the client has half-closed.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
        let mut state = self.stream.lock();
        let State { requests, error, .. } = &mut *state;
        let event = requests.poll(cx, error.as_ref());
        match event {
            Poll::Ready(Ok(Event::Data { .. })) if state.carrier_waits => state.note_change(),
            Poll::Ready(_) => {}
            Poll::Pending => state.call_noted_carrier(),
        }
        event
    }
}

impl Drop for RequestStream {
    fn drop(&mut self) {
        let mut state = self.stream.lock();
        // Of a request that is read to its end, there is nothing to be told.
        let is_read = state.requests.ended && state.requests.size() == 0;
        state.requests.abandon();
        if !is_read {
            state.note_change();
        }
        // Where it was dropped by another task than the handler's, nobody flushes.
        if state.paused {
            state.call_noted_carrier();
        }
    }
}

/// The response of a call. Dropping it before its end breaks the call.
#[derive(Debug)]
pub(crate) struct ResponseStream {
    stream: Arc<Stream>,
    header_limit: usize,
    ended: bool,
}

impl ResponseStream {
    /// The largest header list that the client takes, in bytes.
    pub(crate) fn header_limit(&self) -> usize {
        self.header_limit
    }

    /// Sends the head; with `end` it is all there is.
    pub(crate) fn send_head(&mut self, status: StatusCode, headers: Fields, end: bool) -> Result<(), StreamError> {
        self.send(end, |state| {
            state.responses.push_head(Head { status, headers, end });
            if end {
                state.end_response(None);
            }
        })
    }

    /// Sends as much of `data` as the client's window allows; ready when all of it is on its way.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<Result<(), StreamError>> {
        let mut state = self.stream.lock();
        if let Some(error) = state.response_error() {
            return Poll::Ready(Err(error));
        }
        let sent = state.responses.poll_join(cx, data).map(Ok);
        state.note_change();
        if sent.is_pending() {
            state.call_carrier();
        }
        sent
    }

    /// Sends what `write` writes, which is `size` bytes, beside what waits already; `false` where that has to wait for the client.
    pub(crate) fn send_small(
        &mut self,
        size: usize,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<bool, Status> {
        let mut state = self.stream.lock();
        if state.response_error().is_some() || !state.responses.append(size, write)? {
            return Ok(false);
        }
        state.note_change();
        Ok(true)
    }

    /// Ends the call with trailers, behind `data` that does not wait for the client's window, and behind the head if that was
    /// not sent.
    pub(crate) fn send_end(&mut self, head: Option<Fields>, data: Bytes, trailers: Fields) -> Result<(), StreamError> {
        self.send(true, |state| {
            if let Some(headers) = head {
                state.responses.push_head(Head { status: StatusCode::OK, headers, end: false });
            }
            state.responses.join(data);
            state.end_response(Some(trailers));
        })
    }

    fn send(&mut self, ends: bool, send: impl FnOnce(&mut State)) -> Result<(), StreamError> {
        let mut state = self.stream.lock();
        if let Some(error) = state.response_error() {
            return Err(error);
        }
        send(&mut state);
        state.note_change();
        drop(state);
        self.ended |= ends;
        Ok(())
    }

    /// What was sent so far leaves now. Called when the handler has paused.
    pub(crate) fn flush(&mut self) {
        let mut state = self.stream.lock();
        state.paused = true;
        state.call_noted_carrier();
    }

    /// The handler goes on.
    pub(crate) fn resume(&mut self) {
        self.stream.lock().paused = false;
    }

    /// Ends the call at once in both directions, with CANCEL.
    pub(crate) fn reset(&mut self) {
        self.stream.give_up(StreamError::reset(ErrorCode::CANCEL));
    }

    /// Ends the call because the server stops, connection and all.
    pub(crate) fn stop(&mut self) {
        self.stream.give_up(StreamError::closed("the server stopped"));
    }

    /// Ready when the client has cancelled the call or its connection is gone.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<StreamError> {
        let mut state = self.stream.lock();
        match &state.error {
            Some(error) => Poll::Ready(error.clone()),
            None => {
                state.reset.keep(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Whether the client has cancelled the call or its connection is gone; who waits for that goes on waiting.
    pub(crate) fn is_reset(&mut self) -> bool {
        self.stream.lock().error.is_some()
    }
}

impl State {
    fn end_response(&mut self, trailers: Option<Fields>) {
        match trailers {
            Some(trailers) => self.responses.push_trailers(trailers),
            None => self.responses.end(),
        }
        // A client that still sends learns that nobody listens.
        self.requests.writer.wake();
    }
}

impl Drop for ResponseStream {
    /// Whoever serves the call ends it: without an end it was never served, or its task was dropped.
    fn drop(&mut self) {
        if !self.ended {
            self.stop();
        }
    }
}
