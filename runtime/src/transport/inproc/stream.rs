//! One stream within the process: a queue each way, and what either side can do to end it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::link::Session;
use crate::transport::{Event, RecvStream, STREAM_WINDOW, StreamError, server};
use crate::waker_slot::WakerSlot;

/// How much of what one side sends may stand unread, in bytes.
const WINDOW: usize = STREAM_WINDOW as usize;
/// CANCEL of RFC 9113 section 7.
const CANCEL: h2::Reason = h2::Reason::CANCEL;

/// What the halves of both sides share.
#[derive(Debug)]
pub(super) struct Stream {
    id: u64,
    session: Weak<Session>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: Queue,
    responses: Queue,
    /// Why the stream ended before the response did.
    error: Option<StreamError>,
    /// Who waits at the server for the stream to be reset.
    reset: WakerSlot,
}

/// What goes one way.
#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    /// Bytes of data in `events`.
    size: usize,
    /// Nothing more will be sent.
    ended: bool,
    /// Nobody will read it.
    unread: bool,
    reader: WakerSlot,
    writer: WakerSlot,
}

impl Queue {
    fn push(&mut self, event: Event) {
        if self.unread {
            return;
        }
        if let Event::Data(data) = &event {
            self.size += data.len();
        }
        self.events.push_back(event);
        self.reader.wake();
    }

    /// Sends as much of `data` as there is room for; ready when that is all of it.
    fn poll_push(&mut self, cx: &Context<'_>, data: &mut Bytes) -> Poll<()> {
        if self.unread {
            data.clear();
            return Poll::Ready(());
        }
        let part = data.split_to(data.len().min(WINDOW.saturating_sub(self.size)));
        if !part.is_empty() {
            self.push(Event::Data(part));
        }
        if data.is_empty() {
            return Poll::Ready(());
        }
        self.writer.keep(cx);
        Poll::Pending
    }

    fn end(&mut self) {
        self.ended = true;
        self.reader.wake();
    }

    fn poll(&mut self, cx: &Context<'_>, error: Option<&StreamError>) -> Poll<Result<Event, StreamError>> {
        if let Some(event) = self.events.pop_front() {
            if let Event::Data(data) = &event {
                self.size -= data.len();
                self.writer.wake();
            }
            return Poll::Ready(Ok(event));
        }
        match error {
            _ if self.ended => Poll::Ready(Ok(Event::End)),
            Some(error) => Poll::Ready(Err(error.clone())),
            None => {
                self.reader.keep(cx);
                Poll::Pending
            }
        }
    }

    fn abandon(&mut self) {
        self.unread = true;
        self.events.clear();
        self.size = 0;
        self.writer.wake();
    }

    fn wake_all(&mut self) {
        self.reader.wake();
        self.writer.wake();
    }
}

impl Stream {
    pub(super) fn new(id: u64, session: Weak<Session>) -> Stream {
        Stream { id, session, state: Mutex::default() }
    }

    /// Ends the stream in both directions, unless the response has ended already.
    pub(super) fn fail(&self, error: StreamError) {
        let mut state = self.lock();
        if state.responses.ended || state.error.is_some() {
            return;
        }
        state.error = Some(error);
        state.requests.wake_all();
        state.responses.wake_all();
        state.reset.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(session) = self.session.upgrade() {
            session.forget(self.id);
        }
    }
}

impl State {
    /// Why nothing more can be sent to the server.
    fn request_error(&self) -> Option<StreamError> {
        match &self.error {
            Some(error) => Some(error.clone()),
            None if self.responses.ended || self.requests.ended => Some(StreamError::ended()),
            None => None,
        }
    }

    /// Why nothing more can be sent to the client.
    fn response_error(&self) -> Option<StreamError> {
        match &self.error {
            Some(error) => Some(error.clone()),
            None if self.responses.ended => Some(StreamError::ended()),
            None => None,
        }
    }
}

/// All halves of a new stream: the client's sending and receiving one, the server's receiving and sending one.
pub(super) fn halves(stream: Arc<Stream>) -> (SendHalf, RecvHalf, RecvHalf, ResponseHalf) {
    let client = Arc::new(Client { stream: stream.clone() });
    (
        SendHalf { client: client.clone() },
        RecvHalf { side: Side::Client(client) },
        RecvHalf { side: Side::Server(stream.clone()) },
        ResponseHalf { stream },
    )
}

/// What both halves of the client hold: without either, the call is cancelled.
#[derive(Debug)]
struct Client {
    stream: Arc<Stream>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stream.fail(StreamError::reset(CANCEL));
        self.stream.lock().responses.abandon();
    }
}

/// The client's sending half.
#[derive(Debug)]
pub(crate) struct SendHalf {
    client: Arc<Client>,
}

impl SendHalf {
    pub(in crate::transport) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<Result<(), StreamError>> {
        let mut state = self.client.stream.lock();
        match state.request_error() {
            Some(error) => Poll::Ready(Err(error)),
            None => state.requests.poll_push(cx, data).map(Ok),
        }
    }

    pub(in crate::transport) fn send_now(&mut self, data: Bytes, end: bool) -> Result<(), StreamError> {
        let mut state = self.client.stream.lock();
        if let Some(error) = state.request_error() {
            return Err(error);
        }
        if !data.is_empty() {
            state.requests.push(Event::Data(data));
        }
        if end {
            state.requests.end();
        }
        Ok(())
    }

    pub(in crate::transport) fn finish(&mut self) -> Result<(), StreamError> {
        self.send_now(Bytes::new(), true)
    }
}

/// The receiving half of either side.
#[derive(Debug)]
pub(crate) struct RecvHalf {
    side: Side,
}

#[derive(Debug)]
enum Side {
    Client(Arc<Client>),
    Server(Arc<Stream>),
}

impl RecvHalf {
    pub(in crate::transport) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
        match &self.side {
            Side::Client(client) => {
                let State { responses, error, .. } = &mut *client.stream.lock();
                responses.poll(cx, error.as_ref())
            }
            Side::Server(stream) => {
                let State { requests, error, .. } = &mut *stream.lock();
                requests.poll(cx, error.as_ref())
            }
        }
    }
}

impl Drop for RecvHalf {
    fn drop(&mut self) {
        if let Side::Server(stream) = &self.side {
            stream.lock().requests.abandon();
        }
    }
}

impl From<RecvHalf> for RecvStream {
    fn from(half: RecvHalf) -> RecvStream {
        RecvStream::Inproc(half)
    }
}

/// The server's sending half.
#[derive(Debug)]
pub(crate) struct ResponseHalf {
    stream: Arc<Stream>,
}

impl From<ResponseHalf> for server::ResponseStream {
    fn from(half: ResponseHalf) -> Self {
        server::ResponseStream::Inproc(half)
    }
}

impl ResponseHalf {
    pub(in crate::transport) fn send_head(
        &mut self,
        status: StatusCode,
        headers: HeaderMap,
        end: bool,
    ) -> Result<(), StreamError> {
        self.send(Event::Headers { status: status.as_u16(), headers, end }, end)
    }

    pub(in crate::transport) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<Result<(), StreamError>> {
        let mut state = self.stream.lock();
        match state.response_error() {
            Some(error) => Poll::Ready(Err(error)),
            None => state.responses.poll_push(cx, data).map(Ok),
        }
    }

    pub(in crate::transport) fn send_now(&mut self, data: Bytes) -> Result<(), StreamError> {
        self.send(Event::Data(data), false)
    }

    pub(in crate::transport) fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), StreamError> {
        self.send(Event::Trailers(trailers), true)
    }

    fn send(&mut self, event: Event, end: bool) -> Result<(), StreamError> {
        let mut state = self.stream.lock();
        if let Some(error) = state.response_error() {
            return Err(error);
        }
        state.responses.push(event);
        if end {
            state.responses.end();
            // A client that still sends learns that nobody listens.
            state.requests.writer.wake();
        }
        Ok(())
    }

    pub(in crate::transport) fn reset(&mut self) {
        self.stream.fail(StreamError::reset(CANCEL));
    }

    /// Breaks the call: the server is gone, and with it the connection.
    pub(in crate::transport) fn stop(&mut self) {
        self.stream.fail(StreamError::closed("the server stopped"));
    }

    pub(in crate::transport) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<StreamError> {
        let mut state = self.stream.lock();
        match &state.error {
            Some(error) => Poll::Ready(error.clone()),
            None => {
                state.reset.keep(cx);
                Poll::Pending
            }
        }
    }

    pub(in crate::transport) fn is_reset(&mut self) -> bool {
        self.stream.lock().error.is_some()
    }
}

impl Drop for ResponseHalf {
    /// Whoever serves the call ends it: without an end it was never served, or its task was dropped.
    fn drop(&mut self) {
        self.stop();
    }
}
