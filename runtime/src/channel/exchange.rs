//! One call on the wire: waiting for a connection, open, or over; and sent again when the server never saw it, or when its retry
//! policy says so.
//!
//! Both halves of a call, the one that sends and the one that receives, share the exchange. Its lock is never held
//! while the channel is called.

mod again;
mod hedges;
mod queued;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use tokio::time::Instant;

use super::abort::AbortOnDrop;
use super::configured::CallConfig;
use super::connectivity::{Core, Lease, Started, closed};
use super::deadline::earliest;
use super::interceptor::CallTracers;
use super::opened::Opened;
use super::queue::{QueuedCall, Ticket};
use super::replay::Replay;
use super::service_config::MethodConfig;
use crate::call::{ConnectivityState, MessageEvent};
use crate::codec::{Codec, frame};
use crate::compression::Compressor;
use crate::metadata::Metadata;
use crate::stats::Moment;
use crate::status::{Code, Status, wire};
use crate::transport::{Event, Fields, StreamError};
use crate::waker_slot::WakerSlot;
use again::Retry;
use hedges::Hedges;

/// What a call is before it has a stream.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) path: HeaderValue,
    pub(super) metadata: Metadata,
    pub(super) wait_for_ready: Option<bool>,
    pub(super) deadline: Option<Instant>,
    pub(super) compressor: Option<Arc<dyn Compressor>>,
    /// What follows its attempts.
    pub(super) tracers: CallTracers,
    /// How large the message is that goes out with the head, decompressed, in bytes; known where the call is followed.
    pub(super) first_size: Option<usize>,
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// What is left to send.
    frame: Bytes,
    /// What all of it is.
    event: MessageEvent,
    /// The stream on which it started.
    attempt: Option<u32>,
}

impl Outgoing {
    /// A message with its prefix, which was `size` bytes before compression, where that is known.
    pub(super) fn new(frame: Bytes, size: Option<usize>) -> Self {
        Outgoing { event: MessageEvent::of_frame(&frame, size), frame, attempt: None }
    }
}

/// One call on the wire.
pub(super) struct Exchange {
    lease: Arc<Lease>,
    ticket: Ticket,
    request: Request,
    /// What the service config says of it; set once, at the beginning or when the resolver has said what there is.
    applied: OnceLock<Applied>,
    /// When the call began, where the config was not known then.
    began: Option<Instant>,
    /// How often the call was sent before, but for attempts that no server saw.
    previous_attempts: AtomicU32,
    /// Whether there was an attempt that has not failed: if there is another, no server saw that one. For those who follow the call.
    unseen: AtomicBool,
    /// Whether the next attempt has to wait for a connection. For the same.
    has_waited: AtomicBool,
    state: Mutex<State>,
}

/// What the service config says of a call.
#[derive(Debug)]
struct Applied {
    config: CallConfig,
    deadline: Option<Instant>,
}

impl Applied {
    fn new(config: CallConfig, began: Option<Instant>) -> Applied {
        let timeout = config.method.as_ref().and_then(|method| method.timeout());
        // A timeout past what the clock can hold is no deadline.
        let deadline = timeout.and_then(|timeout| began.unwrap_or_else(Instant::now).checked_add(timeout));
        Applied { config, deadline }
    }
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
    retry: Retry,
    /// Ends the wait for the next attempt, or what this one has for its answer.
    timer: Option<AbortOnDrop>,
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
            retry: Retry::default(),
            timer: None,
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
            (Phase::Queued | Phase::Waiting, Some(replay)) => replay.push(&rest.frame),
            (Phase::Open(opened), replay) => {
                if rest.attempt.is_none() {
                    remember(replay, &rest.frame);
                }
                // A stream that is over already says so to the receiving half.
                if opened.send.send_now(rest.frame, false).is_ok() {
                    opened.record.message_sent(rest.event);
                }
            }
            (Phase::Hedging(hedges), Some(replay)) => {
                replay.push(&rest.frame);
                hedges.send(replay);
            }
            (Phase::Queued | Phase::Waiting | Phase::Hedging(_) | Phase::Over(_), _) => {}
        }
    }
}

enum Phase {
    Queued,
    /// An attempt failed, and the next one's time has not come.
    Waiting,
    Open(Opened),
    /// Several attempts run, and none is the call's yet.
    Hedging(Box<Hedges>),
    /// Over, for this reason; `None` when the server ended it.
    Over(Option<Status>),
}

impl Exchange {
    /// Starts the call, which queues or goes out at once. `first` goes out with the head; `finished` says that it is all.
    /// `config` is what the service config says of it, where that is known.
    pub(super) fn start(
        lease: Arc<Lease>,
        request: Request,
        config: Option<CallConfig>,
        first: Option<Bytes>,
        finished: bool,
    ) -> Arc<Exchange> {
        lease.core().stats().counter().start(Moment::now());
        let (limit, memory) = (lease.core().settings().retry_buffer_limit, lease.core().replay_memory().clone());
        let replay = Replay::new(first, finished, limit, memory);
        let exchange = Exchange::new(lease, request, config, State::new(Phase::Queued, Some(replay)));
        if !exchange.hedge() {
            exchange.clone().enqueue();
        }
        exchange
    }

    /// A call that could not be made: both halves find this status.
    pub(super) fn failed(lease: Arc<Lease>, status: Status) -> Arc<Exchange> {
        let request = Request {
            path: HeaderValue::from_static("/"),
            metadata: Metadata::new(),
            wait_for_ready: None,
            deadline: None,
            compressor: None,
            tracers: CallTracers::default(),
            first_size: None,
        };
        Exchange::new(lease, request, Some(CallConfig::default()), State::new(Phase::Over(Some(status)), None))
    }

    fn new(lease: Arc<Lease>, request: Request, config: Option<CallConfig>, state: State) -> Arc<Exchange> {
        let ticket = lease.core().ticket();
        let began = config.is_none().then(Instant::now);
        let applied = config.map(|config| OnceLock::from(Applied::new(config, None))).unwrap_or_default();
        Arc::new(Exchange {
            lease,
            ticket,
            request,
            applied,
            began,
            previous_attempts: AtomicU32::new(0),
            unseen: AtomicBool::new(false),
            has_waited: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    /// Queues the call, or has it leave at once. Called without the lock.
    fn enqueue(self: Arc<Self>) {
        self.give(self.ticket, self.clone(), |phase| !matches!(phase, Phase::Over(_)));
    }

    /// Gives the channel a call of this ticket, which is still wanted as long as the phase says so. Called without the lock.
    fn give(&self, ticket: Ticket, call: Arc<dyn QueuedCall>, is_wanted: impl FnOnce(&Phase) -> bool) {
        match self.core().start(ticket, &call) {
            Started::Open(opened) => call.leave_queue(Ok(opened)),
            Started::Failed(status) => call.leave_queue(Err(status)),
            // Whoever ended the call meanwhile looked for it in the queue before it was there.
            Started::Queued if !is_wanted(&self.lock().phase) => self.core().forget(ticket),
            Started::Queued => {}
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        self.lease.core()
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// When the call ends at the latest: as it says, or as the service config does.
    pub(super) fn deadline(&self) -> Option<Instant> {
        earliest([self.request.deadline, self.applied.get().and_then(|applied| applied.deadline)])
    }

    /// What the service config says of the method.
    pub(super) fn method_config(&self) -> Option<&MethodConfig> {
        self.applied.get()?.config.method.as_deref()
    }

    /// The largest message that it sends, in bytes.
    pub(super) fn max_send_size(&self) -> usize {
        let configured = self.method_config().and_then(MethodConfig::max_request_message_bytes);
        self.core().settings().messages.max_send_size.min(configured.unwrap_or(usize::MAX))
    }

    /// Ready when the call has left the queue: with its stream, or with the status that it ended with.
    pub(super) fn poll_left_queue(&self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let mut state = self.lock();
        state.receiver.keep(cx.waker());
        match &state.phase {
            Phase::Over(Some(status)) => {
                // As with an event of a call that is over.
                ready!(pin!(tokio::task::consume_budget()).poll(cx));
                Poll::Ready(Err(status.clone()))
            }
            Phase::Queued | Phase::Waiting => Poll::Pending,
            Phase::Hedging(hedges) if !hedges.any_open() => Poll::Pending,
            Phase::Open(_) | Phase::Hedging(_) | Phase::Over(None) => Poll::Ready(Ok(())),
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
                Phase::Queued | Phase::Waiting => return Poll::Pending,
                Phase::Over(status) => {
                    // Calls that fail at once, one after the other, leave the channel its turn to connect.
                    ready!(pin!(tokio::task::consume_budget()).poll(cx));
                    let status = status.clone().unwrap_or_else(|| Status::internal("the call was read past its end"));
                    return Poll::Ready(Err(status));
                }
                Phase::Hedging(_) => {
                    ready!(self.poll_hedges(&mut state, cx));
                    continue;
                }
                Phase::Open(opened) => match ready!(opened.recv.poll_event(cx)) {
                    Ok(event) => {
                        opened.record.event(&event);
                        if !self.takes_again(&mut state, &event) {
                            state.replay = None;
                            return Poll::Ready(Ok(event));
                        }
                        continue;
                    }
                    Err(error) => error,
                },
            };
            state = self.broken(state, &error);
        }
    }

    /// Whether an attempt ended so that the call is made again in place of what the server said.
    fn takes_again(self: &Arc<Self>, state: &mut State, event: &Event) -> bool {
        match event {
            // Anything else commits the call to the attempt (gRFC A6).
            Event::Headers { status, headers, end: true } if state.replay.is_some() && self.applied.get().is_some() => {
                status_alone(*status, headers).is_some_and(|status| self.try_again(state, &status))
            }
            _ => false,
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
                Phase::Queued | Phase::Waiting => return Poll::Pending,
                Phase::Hedging(_) => {
                    ready!(self.poll_send_hedged(state_mut, &outgoing.frame));
                    if matches!(state_mut.phase, Phase::Hedging(_)) {
                        return Poll::Ready(Ok(()));
                    }
                    continue;
                }
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
                    opened.record.message_sent(outgoing.event);
                    return Poll::Ready(Ok(()));
                }
                Err(error) => error,
            };
            // The receiving half knows better why: the server may have answered already.
            let cause = match opened.recv.poll_event(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(event)) => {
                    opened.record.event(&event);
                    if !self.takes_again(state_mut, &event) {
                        state_mut.peeked = Some(event);
                        state_mut.replay = None;
                    }
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
        frame::send_small(codec, message, self.max_send_size(), |size, write| self.write_small(size, write))
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
        opened.record.small_message_sent(called, MessageEvent::plain(size));
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
        match (&mut state.phase, &state.replay) {
            // A stream that is over already says so to the receiving half.
            (Phase::Open(opened), _) if !std::mem::replace(&mut state.end_sent, true) => _ = opened.send.finish(),
            (Phase::Hedging(hedges), Some(replay)) => hedges.send(replay),
            _ => {}
        }
    }

    /// Ends the call with this status: the server sees a reset, the other half the status.
    pub(super) fn terminate(&self, status: Status) {
        let trailing = status.metadata().clone();
        self.over(Some(status), &trailing);
    }

    /// Ends the call as the server has, with this behind its messages.
    pub(super) fn ended(&self, outcome: &Result<Metadata, Status>) {
        match outcome {
            Ok(trailing) => self.over(None, trailing),
            Err(status) => self.over(Some(status.clone()), status.metadata()),
        }
    }

    fn over(&self, status: Option<Status>, trailing: &Metadata) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Over(_)) {
            return;
        }
        if let (Phase::Hedging(hedges), Some(status)) = (&mut state.phase, &status) {
            hedges.end(status);
        }
        let before = self.end(&mut state, status, Some(trailing));
        state.replay = None;
        state.receiver.wake();
        state.sender.wake();
        drop(state);
        match before {
            Phase::Queued => self.core().forget(self.ticket),
            Phase::Hedging(hedges) => hedges.forget(self.core()),
            Phase::Waiting | Phase::Open(_) | Phase::Over(_) => {}
        }
    }

    /// The call is over, for this reason (`None`: the server ended it with OK); gives the phase before that.
    fn end(&self, state: &mut State, status: Option<Status>, trailing: Option<&Metadata>) -> Phase {
        let code = status.as_ref().map_or(Code::Ok, Status::code);
        if code == Code::Ok
            && let Some(throttle) = self.applied.get().and_then(|applied| applied.config.throttle.as_ref())
        {
            throttle.succeeded();
        }
        self.core().stats().counter().end(code == Code::Ok);
        state.timer = None;
        let mut before = std::mem::replace(&mut state.phase, Phase::Over(status));
        if let (Phase::Open(opened), Phase::Over(status)) = (&mut before, &state.phase) {
            opened.record.end(status.as_ref(), trailing);
        }
        before
    }

    /// Counts a message that was received.
    pub(super) fn message_received(&self, message: MessageEvent) {
        if let Phase::Open(opened) = &self.lock().phase {
            opened.record.message_received(message);
        }
    }

    /// DEADLINE_EXCEEDED, saying what the call waited for.
    pub(super) fn deadline_exceeded(&self) -> Status {
        let waited = match &*self.lock() {
            State { phase: Phase::Open(opened), end_sent: true, .. } => Some(format!("for {} to answer", opened.peer)),
            State { phase: Phase::Open(opened), .. } => {
                Some(format!("for {} to answer; it may wait for RequestSender::finish() in turn", opened.peer))
            }
            State { phase: Phase::Waiting, .. } => Some("for its next attempt".to_owned()),
            State { phase: Phase::Hedging(hedges), .. } => hedges.describe_wait(),
            State { phase: Phase::Queued | Phase::Over(_), .. } => None,
        };
        // Without the lock, since the channel is asked.
        let mut message = waited.unwrap_or_else(|| self.core().describe_wait());
        if let Some(last) = &self.lock().retry.last {
            message += &format!("; the attempt before ended in {}: {}", last.code(), last.message());
        }
        Status::deadline_exceeded(format!("deadline exceeded while the call waited {message}"))
    }

    /// The stream broke: the call is made again if the server never saw it, or its policy says so, and is over otherwise.
    fn broken<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>, error: &StreamError) -> MutexGuard<'a, State> {
        let Phase::Open(mut opened) = std::mem::replace(&mut state.phase, Phase::Queued) else {
            return state;
        };
        if self.goes_unseen(&mut state, error) {
            drop(state);
            let status = self.status_of(error, &opened);
            opened.record.end(Some(&status), None);
            drop(opened);
            self.clone().enqueue();
            return self.lock();
        }
        let status = self.status_of(error, &opened);
        opened.record.end(Some(&status), None);
        drop(opened);
        if !self.try_again(&mut state, &status) {
            self.end(&mut state, Some(status), None);
        }
        state.sender.wake();
        state.receiver.wake();
        state
    }

    /// What the call ends with whose stream broke.
    fn status_of(&self, error: &StreamError, opened: &Opened) -> Status {
        if self.core().state() == ConnectivityState::Shutdown {
            closed()
        } else if error.is_cancel() && self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            Status::deadline_exceeded(format!("{} gave the call up at its deadline", opened.peer))
        } else {
            error.to_status(&opened.peer)
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What a response of headers alone ends its call with, where that is not OK.
fn status_alone(http: u16, headers: &Fields) -> Option<Status> {
    match wire::decode(headers.iter()) {
        Some(status) => status.err(),
        None if http == 200 => None,
        None => Some(Status::new(Code::from_http(http), format!("HTTP status {http}"))),
    }
}

/// Keeps a message; what is too much commits the call to the attempt that it has.
fn remember(replay: &mut Option<Replay>, message: &Bytes) {
    match replay {
        Some(kept) if kept.has_room_for(message.len()) => kept.push(message),
        _ => *replay = None,
    }
}
