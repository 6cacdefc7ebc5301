//! One call's stream: a queue each way, and what either side can do to end it.
//!
//! Within the process, the client's halves and the server's are the two ends of it. Over HTTP/2 each process has one end, and
//! the [driver](super::http2) of the connection is the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use callwright_http2::ErrorCode;
use http::{HeaderMap, StatusCode};

use super::{STREAM_WINDOW, StreamError};
use crate::waker_slot::WakerSlot;

/// What arrives on a stream, in this order: headers, data any number of times, trailers or a bare end.
#[derive(Debug)]
pub(crate) enum Event {
    /// The response's headers; only a client sees them, a server has them with the stream.
    Headers {
        status: u16,
        headers: HeaderMap,
        end: bool,
    },
    Data(Bytes),
    Trailers(HeaderMap),
    /// The peer half-closed without trailers.
    End,
}

/// What the halves share.
#[derive(Debug)]
pub(super) struct Stream {
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

/// One of the two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Requests,
    Responses,
}

impl Way {
    fn back(self) -> Way {
        match self {
            Way::Requests => Way::Responses,
            Way::Responses => Way::Requests,
        }
    }
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
    /// Who waits for room.
    writer: WakerSlot,
    /// Who wants to know when nobody reads any more.
    carrier: WakerSlot,
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

    fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Data(data) = &event {
            self.size -= data.len();
            self.writer.wake();
        }
        Some(event)
    }

    /// Sends as much of `data` as there is room for; ready when that is all of it.
    fn poll_push(&mut self, cx: &Context<'_>, data: &mut Bytes) -> Poll<()> {
        if self.unread {
            data.clear();
            return Poll::Ready(());
        }
        let part = data.split_to(data.len().min(STREAM_WINDOW.saturating_sub(self.size)));
        if !part.is_empty() {
            self.push(Event::Data(part));
        }
        if data.is_empty() {
            return Poll::Ready(());
        }
        self.writer.keep(cx.waker());
        Poll::Pending
    }

    fn end(&mut self) {
        self.ended = true;
        self.reader.wake();
    }

    fn poll(&mut self, cx: &Context<'_>, error: Option<&StreamError>) -> Poll<Result<Event, StreamError>> {
        if let Some(event) = self.pop() {
            return Poll::Ready(Ok(event));
        }
        match error {
            _ if self.ended => Poll::Ready(Ok(Event::End)),
            Some(error) => Poll::Ready(Err(error.clone())),
            None => {
                self.reader.keep(cx.waker());
                Poll::Pending
            }
        }
    }

    fn abandon(&mut self) {
        self.unread = true;
        self.events.clear();
        self.size = 0;
        self.writer.wake();
        self.carrier.wake();
    }

    fn wake_all(&mut self) {
        self.reader.wake();
        self.writer.wake();
    }
}

impl State {
    fn queue(&mut self, way: Way) -> &mut Queue {
        match way {
            Way::Requests => &mut self.requests,
            Way::Responses => &mut self.responses,
        }
    }

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

impl Stream {
    pub(super) fn new() -> Arc<Stream> {
        Arc::new(Stream { state: Mutex::default() })
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

/// How a stream stands, for whoever carries it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// What was taken is all there is.
    pub(super) sent: bool,
    /// There is more, for which there was no room.
    pub(super) more: bool,
    /// This end gave the stream up, or it broke.
    pub(super) failed: bool,
    /// Nobody reads what arrives.
    pub(super) unread: bool,
    /// How many bytes that arrived are not read.
    pub(super) waiting: usize,
}

/// For whoever carries the stream to the other process; `way` is the one that leaves here.
impl Stream {
    /// Takes what is to be sent, until that is `room` bytes or more, and says how the stream stands. `waker` is woken when
    /// there is more to send, when the stream is given up, and when something was read of more than `ahead` bytes that
    /// arrived. What reads less wakes nobody: a handler that then works without a pause may have the waked task's turn.
    pub(super) fn take(&self, way: Way, room: usize, ahead: usize, waker: &Waker, to: &mut Vec<Event>) -> Standing {
        let mut state = self.lock();
        let mut taken = 0;
        let leaving = state.queue(way);
        while taken < room
            && let Some(event) = leaving.pop()
        {
            if let Event::Data(data) = &event {
                taken += data.len();
            }
            to.push(event);
        }
        let more = !leaving.events.is_empty();
        let sent = leaving.ended && !more;
        leaving.reader.keep(waker);
        let arriving = state.queue(way.back());
        arriving.carrier.keep(waker);
        if arriving.size > ahead {
            arriving.writer.keep(waker);
        }
        let (unread, waiting) = (arriving.unread, arriving.size);
        Standing { sent, more, failed: state.error.is_some(), unread, waiting }
    }

    /// Hands over what arrived; with `end` it is all. Says how many bytes that arrived are not read, and whether anybody
    /// reads at all.
    pub(super) fn deliver(&self, way: Way, event: Option<Event>, end: bool) -> (usize, bool) {
        let mut state = self.lock();
        let arriving = state.queue(way.back());
        if let Some(event) = event {
            arriving.push(event);
        }
        let (waiting, unread) = (arriving.size, arriving.unread);
        if end {
            arriving.end();
            if way == Way::Requests {
                // Who still sends learns that nobody listens.
                state.requests.writer.wake();
            }
        }
        (waiting, unread)
    }
}

/// The client's halves of a stream.
pub(super) fn client_halves(stream: &Arc<Stream>) -> (SendStream, RecvStream) {
    let client = Arc::new(Client { stream: stream.clone() });
    (SendStream { client: client.clone() }, RecvStream { side: Side::Client(client) })
}

/// The server's halves of a stream; the client takes headers of so many bytes.
pub(super) fn server_halves(stream: &Arc<Stream>, header_limit: usize) -> (RecvStream, ResponseStream) {
    (RecvStream { side: Side::Server(stream.clone()) }, ResponseStream { stream: stream.clone(), header_limit })
}

/// What both halves of the client hold: without either, the call is cancelled.
#[derive(Debug)]
struct Client {
    stream: Arc<Stream>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stream.fail(StreamError::reset(ErrorCode::CANCEL));
        self.stream.lock().responses.abandon();
    }
}

/// The half of a client that sends. Dropping it before [`finish`](Self::finish) together with the other half resets the stream
/// with CANCEL.
#[derive(Debug)]
pub(crate) struct SendStream {
    client: Arc<Client>,
}

impl SendStream {
    /// Sends as much of `data` as the windows allow; ready when all of it is on its way.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<Result<(), StreamError>> {
        let mut state = self.client.stream.lock();
        match state.request_error() {
            Some(error) => Poll::Ready(Err(error)),
            None => state.requests.poll_push(cx, data).map(Ok),
        }
    }

    /// Sends data without waiting for the windows: for the one message of a call, which is at hand anyway.
    pub(crate) fn send_now(&mut self, data: Bytes, end: bool) -> Result<(), StreamError> {
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

    /// Half-closes: the server sees the end of the messages.
    pub(crate) fn finish(&mut self) -> Result<(), StreamError> {
        self.send_now(Bytes::new(), true)
    }
}

/// The half of either side that receives.
#[derive(Debug)]
pub(crate) struct RecvStream {
    side: Side,
}

#[derive(Debug)]
enum Side {
    Client(Arc<Client>),
    Server(Arc<Stream>),
}

impl RecvStream {
    /// What arrives next; [`Event::End`] again and again once the peer has half-closed.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
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

impl Drop for RecvStream {
    fn drop(&mut self) {
        if let Side::Server(stream) = &self.side {
            stream.lock().requests.abandon();
        }
    }
}

/// The response of a call. Dropping it before its end breaks the call.
#[derive(Debug)]
pub(crate) struct ResponseStream {
    stream: Arc<Stream>,
    header_limit: usize,
}

impl ResponseStream {
    /// The largest header list that the client takes, in bytes.
    pub(crate) fn header_limit(&self) -> usize {
        self.header_limit
    }

    /// Sends the head; with `end` it is all there is.
    pub(crate) fn send_head(&mut self, status: StatusCode, headers: HeaderMap, end: bool) -> Result<(), StreamError> {
        self.send(Event::Headers { status: status.as_u16(), headers, end }, end)
    }

    /// Sends as much of `data` as the client's window allows; ready when all of it is on its way.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<Result<(), StreamError>> {
        let mut state = self.stream.lock();
        match state.response_error() {
            Some(error) => Poll::Ready(Err(error)),
            None => state.responses.poll_push(cx, data).map(Ok),
        }
    }

    /// Sends data without waiting for the window.
    pub(crate) fn send_now(&mut self, data: Bytes) -> Result<(), StreamError> {
        self.send(Event::Data(data), false)
    }

    /// Ends the call with trailers.
    pub(crate) fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), StreamError> {
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

    /// Ends the call at once in both directions, with CANCEL.
    pub(crate) fn reset(&mut self) {
        self.stream.fail(StreamError::reset(ErrorCode::CANCEL));
    }

    /// Ends the call because the server stops, connection and all.
    pub(crate) fn stop(&mut self) {
        self.stream.fail(StreamError::closed("the server stopped"));
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

impl Drop for ResponseStream {
    /// Whoever serves the call ends it: without an end it was never served, or its task was dropped.
    fn drop(&mut self) {
        self.stop();
    }
}
