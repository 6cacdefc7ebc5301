//! One call on the wire: waiting for a connection, open, or over; and sent again when the server never saw it.
//!
//! Both halves of a call, the one that sends and the one that receives, share the exchange. Its lock is never held
//! while the channel is called.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, header};
use tokio::time::Instant;

use super::connectivity::{Core, Lease, Started, closed};
use super::queue::{QueuedCall, Ticket};
use super::replay::Replay;
use super::subchannel::Opened;
use crate::call::{ConnectivityState, GRPC_ENCODING, GRPC_TIMEOUT, timeout};
use crate::codec::{Codec, frame};
use crate::compression::Compressor;
use crate::metadata::{self, Metadata};
use crate::stats::Moment;
use crate::status::Status;
use crate::transport::client::RequestHead;
use crate::transport::{Event, StreamError};
use crate::waker_slot::WakerSlot;

/// What a call is before it has a stream.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) path: HeaderValue,
    pub(super) metadata: Metadata,
    pub(super) wait_for_ready: Option<bool>,
    pub(super) deadline: Option<Instant>,
    pub(super) compressor: Option<Arc<dyn Compressor>>,
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// What is left to send.
    frame: Bytes,
    /// The stream on which it started.
    attempt: Option<u32>,
}

impl Outgoing {
    pub(super) fn new(frame: Bytes) -> Self {
        Outgoing { frame, attempt: None }
    }
}

/// One call on the wire.
pub(super) struct Exchange {
    lease: Arc<Lease>,
    ticket: Ticket,
    request: Request,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// What was sent so far, for as long as it may have to be sent again; `None` once that is no longer possible.
    replay: Option<Replay>,
    /// An event that the sending half came upon.
    peeked: Option<Event>,
    /// Counts the streams that the call has had.
    attempt: u32,
    /// Whether this stream's half-close is on its way.
    end_sent: bool,
    receiver: WakerSlot,
    sender: WakerSlot,
}

impl State {
    fn new(phase: Phase, replay: Option<Replay>) -> State {
        State {
            phase,
            replay,
            peeked: None,
            attempt: 0,
            end_sent: false,
            receiver: WakerSlot::default(),
            sender: WakerSlot::default(),
        }
    }

    /// Sends what is left of a message without waiting for the windows: it is the last of the call.
    fn send_rest(&mut self, rest: Outgoing) {
        if rest.attempt.is_some_and(|attempt| attempt != self.attempt) {
            return;
        }
        match (&mut self.phase, &mut self.replay) {
            // However large it is: what is kept here is the only copy there is.
            (Phase::Queued, Some(replay)) => replay.push(&rest.frame),
            (Phase::Open(opened), replay) => {
                if rest.attempt.is_none() {
                    remember(replay, &rest.frame);
                }
                // A stream that is over already says so to the receiving half.
                if opened.send.send_now(rest.frame, false).is_ok() {
                    opened.record.message_sent();
                }
            }
            (Phase::Queued | Phase::Over(_), _) => {}
        }
    }
}

enum Phase {
    Queued,
    Open(Opened),
    /// Over, for this reason; `None` when the server ended it.
    Over(Option<Status>),
}

impl Exchange {
    /// Starts the call, which queues or goes out at once. `first` goes out with the head; `finished` says that it is all.
    pub(super) fn start(lease: Arc<Lease>, request: Request, first: Option<Bytes>, finished: bool) -> Arc<Exchange> {
        let ticket = lease.core().ticket();
        let state = Mutex::new(State::new(Phase::Queued, Some(Replay::new(first, finished))));
        lease.core().stats().counter().start(Moment::now());
        let exchange = Arc::new(Exchange { lease, ticket, request, state });
        exchange.clone().enqueue();
        exchange
    }

    /// A call that could not be made: both halves find this status.
    pub(super) fn failed(lease: Arc<Lease>, status: Status) -> Arc<Exchange> {
        let ticket = lease.core().ticket();
        let request = Request {
            path: HeaderValue::from_static("/"),
            metadata: Metadata::new(),
            wait_for_ready: None,
            deadline: None,
            compressor: None,
        };
        Arc::new(Exchange { lease, ticket, request, state: Mutex::new(State::new(Phase::Over(Some(status)), None)) })
    }

    /// Gives the call to the channel. Called without the lock.
    fn enqueue(self: Arc<Self>) {
        let call: Arc<dyn QueuedCall> = self.clone();
        match self.core().start(self.ticket, &call) {
            Started::Open(opened) => self.leave_queue(Ok(opened)),
            Started::Failed(status) => self.leave_queue(Err(status)),
            // Whoever ended the call meanwhile looked for it in the queue before it was there.
            Started::Queued if matches!(self.lock().phase, Phase::Over(_)) => self.core().forget(self.ticket),
            Started::Queued => {}
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        self.lease.core()
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// Ready when the call has left the queue: with its stream, or with the status that it ended with.
    pub(super) fn poll_left_queue(&self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let mut state = self.lock();
        state.receiver.keep(cx.waker());
        match &state.phase {
            Phase::Queued => Poll::Pending,
            Phase::Over(Some(status)) => Poll::Ready(Err(status.clone())),
            Phase::Open(_) | Phase::Over(None) => Poll::Ready(Ok(())),
        }
    }

    /// The next thing that the server sent, or why the call is over.
    pub(super) fn poll_event(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Result<Event, Status>> {
        let mut state = self.lock();
        loop {
            state.receiver.keep(cx.waker());
            if let Some(event) = state.peeked.take() {
                return Poll::Ready(Ok(event));
            }
            let error = match &mut state.phase {
                Phase::Queued => return Poll::Pending,
                Phase::Over(status) => {
                    let status = status.clone().unwrap_or_else(|| Status::internal("the call was read past its end"));
                    return Poll::Ready(Err(status));
                }
                Phase::Open(opened) => match ready!(opened.recv.poll_event(cx)) {
                    Ok(event) => {
                        opened.record.event(&event);
                        state.replay = None;
                        return Poll::Ready(Ok(event));
                    }
                    Err(error) => error,
                },
            };
            state = self.broken(state, &error);
        }
    }

    /// Sends one message, waiting for a stream and for the windows.
    pub(super) fn poll_send(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<Result<(), Status>> {
        let mut state = self.lock();
        loop {
            state.sender.keep(cx.waker());
            if outgoing.attempt.is_some_and(|attempt| attempt != state.attempt) {
                // The call was sent again meanwhile, this message with it.
                return Poll::Ready(Ok(()));
            }
            if state.peeked.is_some() {
                return Poll::Ready(Err(ended_early()));
            }
            let state_mut = &mut *state;
            let opened = match &mut state_mut.phase {
                Phase::Queued => return Poll::Pending,
                Phase::Over(status) => return Poll::Ready(Err(status.clone().unwrap_or_else(ended_early))),
                Phase::Open(opened) => opened,
            };
            if outgoing.attempt.is_none() {
                // Kept before its first byte leaves, so that an attempt that breaks half way is sent again whole.
                remember(&mut state_mut.replay, &outgoing.frame);
                outgoing.attempt = Some(state_mut.attempt);
            }
            let error = match ready!(opened.send.poll_send(cx, &mut outgoing.frame)) {
                Ok(()) => {
                    opened.record.message_sent();
                    return Poll::Ready(Ok(()));
                }
                Err(error) => error,
            };
            // The receiving half knows better why: the server may have answered already.
            let cause = match opened.recv.poll_event(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(event)) => {
                    opened.record.event(&event);
                    state_mut.peeked = Some(event);
                    state_mut.replay = None;
                    state_mut.receiver.wake();
                    continue;
                }
                Poll::Ready(Err(cause)) => cause,
                Poll::Pending => error,
            };
            state_mut.receiver.wake();
            state = self.broken(state, &cause);
        }
    }

    /// Sends a message that is small and goes out plain, if it can leave without waiting; `false` where it has to be sent as any
    /// other.
    pub(super) fn send_small<T: 'static>(&self, codec: &dyn Codec<T>, message: &T) -> Result<bool, Status> {
        let limit = self.core().settings().messages.max_send_size;
        frame::send_small(codec, message, limit, |size, write| self.write_small(size, write))
    }

    fn write_small(
        &self,
        size: usize,
        write: &mut dyn FnMut(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<bool, Status> {
        let State { phase: Phase::Open(opened), replay, peeked: None, .. } = &mut *self.lock() else {
            return Ok(false);
        };
        if !opened.send.has_room_for(size) {
            return Ok(false);
        }
        if replay.as_ref().is_some_and(|replay| !replay.has_room_for(size)) {
            *replay = None;
        }
        let called = match replay {
            Some(replay) => {
                let message = replay.write(write)?;
                opened.send.send_small(size, |buffer| {
                    buffer.extend_from_slice(message);
                    Ok(())
                })?
            }
            None => opened.send.send_small(size, write)?,
        };
        opened.record.small_message_sent(called);
        Ok(true)
    }

    /// Half-closes, now or as soon as the call has a stream.
    pub(super) fn finish(&self, rest: Option<Outgoing>) {
        let mut state = self.lock();
        if let Some(rest) = rest {
            state.send_rest(rest);
        }
        if let Some(replay) = &mut state.replay {
            replay.finished = true;
        }
        let state = &mut *state;
        if let Phase::Open(opened) = &mut state.phase
            && !std::mem::replace(&mut state.end_sent, true)
        {
            // A stream that is over already says so to the receiving half.
            let _ = opened.send.finish();
        }
    }

    /// Ends the call with this status: the server sees a reset, the other half the status.
    pub(super) fn terminate(&self, status: Option<Status>) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Over(_)) {
            return;
        }
        let before = self.end(&mut state, status);
        state.replay = None;
        state.receiver.wake();
        state.sender.wake();
        drop(state);
        if let Phase::Queued = before {
            self.core().forget(self.ticket);
        }
    }

    /// The call is over, for this reason (`None`: the server ended it with OK); gives the phase before that.
    fn end(&self, state: &mut State, status: Option<Status>) -> Phase {
        let succeeded = status.is_none();
        self.core().stats().counter().end(succeeded);
        let mut before = std::mem::replace(&mut state.phase, Phase::Over(status));
        if let Phase::Open(opened) = &mut before {
            opened.record.end(succeeded);
        }
        before
    }

    /// Counts a message that was received.
    pub(super) fn message_received(&self) {
        if let Phase::Open(opened) = &self.lock().phase {
            opened.record.message_received();
        }
    }

    /// DEADLINE_EXCEEDED, saying what the call waited for.
    pub(super) fn deadline_exceeded(&self) -> Status {
        let peer = match &*self.lock() {
            State { phase: Phase::Open(opened), end_sent, .. } => Some((opened.peer.clone(), *end_sent)),
            _ => None,
        };
        let waited = match peer {
            Some((peer, true)) => format!("for {peer} to answer"),
            Some((peer, false)) => format!("for {peer} to answer; it may wait for RequestSender::finish() in turn"),
            None => self.core().describe_wait(),
        };
        Status::deadline_exceeded(format!("deadline exceeded while the call waited {waited}"))
    }

    /// The stream broke: the call waits for another one if the server never saw it, and is over otherwise.
    fn broken<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>, error: &StreamError) -> MutexGuard<'a, State> {
        let Phase::Open(opened) = std::mem::replace(&mut state.phase, Phase::Queued) else {
            return state;
        };
        let again = error.is_unprocessed() && state.replay.as_ref().is_some_and(|replay| !replay.used);
        if again {
            if let Some(replay) = &mut state.replay {
                replay.used = true;
            }
            state.attempt += 1;
            state.end_sent = false;
            drop(state);
            drop(opened);
            self.clone().enqueue();
            return self.lock();
        }
        let status = if self.core().state() == ConnectivityState::Shutdown {
            closed()
        } else if error.is_cancel() && self.request.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            Status::deadline_exceeded(format!("{} gave the call up at its deadline", opened.peer))
        } else {
            error.to_status(&opened.peer)
        };
        self.end(&mut state, Some(status));
        state.sender.wake();
        state.receiver.wake();
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuedCall for Exchange {
    fn waits_for_ready(&self) -> bool {
        self.request.wait_for_ready.unwrap_or(false)
    }

    fn head(&self, limit: usize) -> Result<RequestHead, Status> {
        // Before anything is made of it: there is no end to what a user may have put in.
        metadata::check_size(self.request.metadata.size(), limit)?;
        let mut headers = self.core().plain_head().clone();
        if let Some(compressor) = &self.request.compressor {
            headers.append(GRPC_ENCODING, HeaderValue::from_static(compressor.name()));
        }
        if let Some(deadline) = self.request.deadline {
            headers.append(GRPC_TIMEOUT, timeout::encode(deadline.saturating_duration_since(Instant::now())));
        }
        if !self.request.metadata.is_empty() {
            self.request.metadata.append_to(&mut headers);
            // Metadata that was passed on from another call may have that one's agent.
            headers.remove(&header::USER_AGENT);
            headers.append(header::USER_AGENT, self.core().settings().user_agent.clone());
        }
        let head = RequestHead {
            authority: self.core().authority().clone(),
            path: self.request.path.clone(),
            headers,
            wait_for_ready: self.request.wait_for_ready,
        };
        // A call without metadata could not be made smaller.
        if !self.request.metadata.is_empty() {
            metadata::check_size(head.size(), limit)?;
        }
        Ok(head)
    }

    fn first(&self) -> (Option<Bytes>, bool) {
        let mut state = self.lock();
        let (first, end) = state.replay.as_mut().map_or((None, false), Replay::first);
        state.end_sent = end;
        (first, end)
    }

    fn leave_queue(&self, outcome: Result<Opened, Status>) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Queued) {
            return;
        }
        state.phase = match outcome {
            Ok(mut opened) => {
                if let Some(replay) = &state.replay {
                    let (mut rest, count) = replay.behind_head();
                    // What breaks here shows itself on the receiving half.
                    if rest.try_for_each(|part| opened.send.send_now(part, false)).is_ok() {
                        (0..count).for_each(|_| opened.record.message_sent());
                    }
                }
                if !state.end_sent && state.replay.as_ref().is_some_and(|replay| replay.finished) {
                    state.end_sent = true;
                    let _ = opened.send.finish();
                }
                Phase::Open(opened)
            }
            Err(status) => {
                self.end(&mut state, Some(status));
                state.receiver.wake();
                state.sender.wake();
                return;
            }
        };
        state.receiver.wake();
        state.sender.wake();
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("path", &self.request.path).finish_non_exhaustive()
    }
}

fn ended_early() -> Status {
    Status::cancelled("the server ended the call before it had all messages; the receiving half has its status")
}

fn remember(replay: &mut Option<Replay>, message: &Bytes) {
    match replay {
        Some(kept) if kept.has_room_for(message.len()) => kept.push(message),
        _ => *replay = None,
    }
}
