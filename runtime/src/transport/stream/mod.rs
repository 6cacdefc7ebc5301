//! One call's stream: a queue each way, and what either side can do to end it.
//!
//! Within the process, the client's halves and the server's are the two ends of it. Over HTTP/2 each process has one end, and
//! the [driver](super::http2) of the connection, which carries the stream, is the other.

mod client;
mod queue;
mod server;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::ready::{Carrier, Ready};
use super::{Fields, StreamError};
use crate::waker_slot::WakerSlot;

pub(in crate::transport) use client::client_halves;
pub(crate) use client::{ReplyStream, SendStream};
pub(crate) use queue::Event;
use queue::Queue;
pub(super) use queue::{Head, Leaving};
pub(in crate::transport) use server::server_halves;
pub(crate) use server::{RequestStream, ResponseStream};

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
    /// Who carries it to the other process, once it does.
    carrier: Option<Carrier>,
    /// Whether the carrier waits for what arrived to be read.
    carrier_waits: bool,
    /// Whether the server's handler has paused, so that nobody flushes what it notes.
    paused: bool,
    /// How many of the client's halves there are.
    client_halves: u8,
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

    /// Ends the stream in both directions, unless the response has ended already.
    fn fail(&mut self, error: StreamError) {
        if self.responses.ended || self.error.is_some() {
            return;
        }
        self.error = Some(error);
        self.requests.wake_all();
        self.responses.wake_all();
        self.reset.wake();
    }

    fn call_carrier(&mut self) {
        if let Some(carrier) = &mut self.carrier {
            carrier.call();
        }
    }

    /// Has the carrier come some time, and not at once.
    fn note_change(&mut self) {
        if let Some(carrier) = &mut self.carrier {
            carrier.list();
        }
    }

    fn call_noted_carrier(&mut self) {
        if let Some(carrier) = &mut self.carrier {
            carrier.call_if_listed();
        }
    }
}

impl Stream {
    pub(super) fn new() -> Arc<Stream> {
        Arc::new(Stream { state: Mutex::default() })
    }

    /// Makes a stream as new again, if nobody else has it.
    fn renew(stream: &mut Arc<Stream>) -> bool {
        let Some(Stream { state }) = Arc::get_mut(stream) else { return false };
        *state.get_mut().unwrap_or_else(PoisonError::into_inner) = State::default();
        true
    }

    /// Ends the stream in both directions, unless the response has ended already.
    pub(super) fn fail(&self, error: StreamError) {
        self.lock().fail(error);
    }

    /// As [`fail`](Self::fail), from this side: the peer has to be told.
    fn give_up(&self, error: StreamError) {
        let mut state = self.lock();
        state.fail(error);
        state.call_carrier();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Streams that have ended, to be used again: most calls last no longer than it takes to make one.
#[derive(Debug, Default)]
pub(super) struct Spare(Vec<Arc<Stream>>);

impl Spare {
    /// How many are kept.
    const MOST: usize = 4;

    pub(super) fn take(&mut self) -> Arc<Stream> {
        self.0.pop().unwrap_or_else(Stream::new)
    }

    pub(super) fn keep(&mut self, mut stream: Arc<Stream>) {
        if self.0.len() < Spare::MOST && Stream::renew(&mut stream) {
            self.0.push(stream);
        }
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

/// A part of a message that arrives.
#[derive(Debug)]
pub(super) enum Part {
    Head(Head),
    Data(Bytes),
    Trailers(Fields),
}

/// For whoever carries the stream to the other process; `way` is the one that leaves here.
impl Stream {
    /// Takes what is to be sent, data until that is `room` bytes or more, and says how the stream stands. Unless that is all,
    /// and all was `received`, the stream goes into `ready` as `id` when there is more to send, when it is given up, and
    /// when something was read of more than `ahead` bytes that arrived. What reads less calls nobody: a handler that then
    /// works without a pause may have the called task's turn.
    pub(super) fn take(
        &self,
        way: Way,
        (room, ahead): (usize, usize),
        received: bool,
        (ready, id): (&Arc<Ready>, u32),
        to: &mut Leaving,
    ) -> Standing {
        let mut state = self.lock();
        let sent = state.queue(way).take(room, to);
        let more = state.queue(way).size() > 0;
        let arriving = state.queue(way.back());
        let (unread, waiting) = (arriving.unread, arriving.size());
        let failed = state.error.is_some();
        let is_over = failed || sent && received;
        if !is_over {
            state.carrier_waits = waiting > ahead;
            state.carrier.get_or_insert_with(|| Carrier::new(ready, id)).has_come();
        }
        Standing { sent, more, failed, unread, waiting }
    }

    /// Hands over what arrived; with `end` it is all. Says how many bytes that arrived are not read, and whether anybody
    /// reads at all.
    pub(super) fn deliver(&self, way: Way, part: Part, end: bool) -> (usize, bool) {
        let mut state = self.lock();
        let arriving = state.queue(way.back());
        match part {
            Part::Head(head) => arriving.push_head(head),
            Part::Data(data) => arriving.push(data),
            Part::Trailers(trailers) => arriving.push_trailers(trailers),
        }
        let (waiting, unread) = (arriving.size(), arriving.unread);
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
