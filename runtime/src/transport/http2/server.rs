//! A server's side: a client's connection, and the streams that it opens.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use super::preface::{FirstFrame, Watched};
use super::stream::{RecvHalf, SendHalf};
use crate::transport::io::Io;
use crate::transport::{MAX_HEADER_LIST_SIZE, StreamError};

/// A connection from a client.
pub(crate) struct Connection {
    connection: h2::server::Connection<Watched<Io>, Bytes>,
    first: Arc<OnceLock<FirstFrame>>,
}

impl Connection {
    pub(in crate::transport) async fn handshake(io: Io, max_concurrent_streams: u32) -> Result<Connection, h2::Error> {
        let (io, first) = Watched::client(io);
        let connection = h2::server::Builder::new()
            .initial_window_size(super::STREAM_WINDOW)
            .initial_connection_window_size(super::SERVER_CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER_LIST_SIZE)
            .max_send_buffer_size(super::SEND_BUFFER)
            .data_frame_budget(super::SMALL_FRAME_BUDGET)
            .max_concurrent_streams(max_concurrent_streams)
            .max_concurrent_reset_streams(super::REMEMBERED_RESETS)
            .max_pending_accept_reset_streams(super::UNSEEN_RESETS)
            .handshake(io)
            .await?;
        Ok(Connection { connection, first })
    }

    /// The next call; `None` when the connection is at its end. It has to be polled for the connection to move at all.
    pub(in crate::transport) fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(Parts, RecvHalf, ResponseHalf)>> {
        // An error ends the connection; each of its calls learns of it by itself.
        Poll::Ready(match ready!(self.connection.poll_accept(cx)) {
            Some(Ok((request, respond))) => {
                let (head, body) = request.into_parts();
                Some((head, RecvHalf::new(body), ResponseHalf::new(respond, self.first.clone())))
            }
            Some(Err(_)) | None => None,
        })
    }

    /// Takes no more calls, and ends when those that are here have ended.
    pub(in crate::transport) fn graceful_shutdown(&mut self) {
        self.connection.graceful_shutdown();
    }
}

/// The response of a call.
#[derive(Debug)]
pub(crate) struct ResponseHalf {
    state: State,
    first: Arc<OnceLock<FirstFrame>>,
    waiting: Arc<Waiting>,
    /// Wakes all of `waiting`.
    waker: Waker,
}

#[derive(Debug)]
enum State {
    Head(h2::server::SendResponse<Bytes>),
    Body(SendHalf),
    Ended,
}

/// Who waits on the sending side of one stream. The library keeps one waker for both, the latest, and a handler that
/// sends from a future of its own (one of a `FuturesUnordered`, say) does not have the waker of its task.
#[derive(Debug, Default)]
struct Waiting {
    sender: AtomicWaker,
    reset: AtomicWaker,
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.sender.wake();
        self.reset.wake();
    }
}

impl ResponseHalf {
    fn new(respond: h2::server::SendResponse<Bytes>, first: Arc<OnceLock<FirstFrame>>) -> Self {
        let waiting = Arc::new(Waiting::default());
        ResponseHalf { state: State::Head(respond), first, waker: Waker::from(waiting.clone()), waiting }
    }

    /// The largest header list that the client takes, in bytes.
    pub(in crate::transport) fn header_limit(&self) -> usize {
        FirstFrame::header_limit(&self.first)
    }

    /// Sends the head; with `end` it is all there is.
    pub(in crate::transport) fn send_head(
        &mut self,
        status: StatusCode,
        headers: HeaderMap,
        end: bool,
    ) -> Result<(), StreamError> {
        let State::Head(respond) = &mut self.state else {
            return Err(StreamError::ended());
        };
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        let stream = respond.send_response(response, end).map_err(StreamError::from_h2)?;
        // A finished stream is still watched for nothing more; dropping both halves lets the library forget it.
        self.state = if end { State::Ended } else { State::Body(SendHalf::new(stream)) };
        Ok(())
    }

    pub(in crate::transport) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<Result<(), StreamError>> {
        self.waiting.sender.register(cx.waker());
        match &mut self.state {
            State::Body(stream) => stream.poll_send(&mut Context::from_waker(&self.waker), data),
            State::Head(_) | State::Ended => Poll::Ready(Err(StreamError::ended())),
        }
    }

    pub(in crate::transport) fn send_now(&mut self, data: Bytes) -> Result<(), StreamError> {
        match &mut self.state {
            State::Body(stream) => stream.send_now(data, false),
            State::Head(_) | State::Ended => Err(StreamError::ended()),
        }
    }

    pub(in crate::transport) fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), StreamError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Body(mut stream) => stream.send_trailers(trailers),
            State::Head(_) | State::Ended => Err(StreamError::ended()),
        }
    }

    /// Ends the call at once in both directions, with CANCEL.
    pub(in crate::transport) fn reset(&mut self) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Head(mut respond) => respond.send_reset(h2::Reason::CANCEL),
            State::Body(mut stream) => stream.reset(),
            State::Ended => {}
        }
    }

    /// Ready when the client has cancelled the call or its connection is gone.
    pub(in crate::transport) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<StreamError> {
        self.waiting.reset.register(cx.waker());
        self.poll_state_reset()
    }

    /// Whether the client has cancelled the call or its connection is gone; who waits for that goes on waiting.
    pub(in crate::transport) fn is_reset(&mut self) -> bool {
        self.poll_state_reset().is_ready()
    }

    fn poll_state_reset(&mut self) -> Poll<StreamError> {
        let cx = &mut Context::from_waker(&self.waker);
        match &mut self.state {
            State::Head(respond) => respond.poll_reset(cx).map(|reset| match reset {
                Ok(reason) => StreamError::reset(reason),
                Err(error) => StreamError::from_h2(error),
            }),
            State::Body(stream) => stream.poll_reset(cx),
            State::Ended => Poll::Pending,
        }
    }
}
