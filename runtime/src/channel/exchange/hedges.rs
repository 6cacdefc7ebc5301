//! A call that is made several times at once, until one attempt has an answer (gRFC A6, "Hedging").
//!
//! Each attempt waits in the channel's queue for itself, and sends what the call has sent so far and from then on what it sends.
//! The first whose server sends headers, or ends the call with a code that is fatal, is the call's; the others are reset.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::again::Pushback;
use super::{Exchange, Phase, State, status_alone};
use crate::address::Address;
use crate::channel::abort::AbortOnDrop;
use crate::channel::balancer::PickArgs;
use crate::channel::configured::Configured;
use crate::channel::connectivity::{Core, runtime};
use crate::channel::opened::Opened;
use crate::channel::queue::{QueuedCall, Ticket, Traced};
use crate::channel::replay::{Position, Replay};
use crate::channel::service_config::HedgingPolicy;
use crate::channel::throttle::Throttle;
use crate::status::Status;
use crate::transport::Event;
use crate::transport::client::RequestHead;

/// The attempts of a call, as long as none is the call's.
#[derive(Default)]
pub(super) struct Hedges {
    attempts: Vec<Attempt>,
    /// Whether a server asked for no more of them.
    stopped: bool,
    /// Makes the next when its time has come.
    timer: Option<AbortOnDrop>,
    /// How the one that failed last ended.
    last: Option<Status>,
}

struct Attempt {
    ticket: Ticket,
    stage: Stage,
}

enum Stage {
    Queued,
    Open {
        opened: Opened,
        /// How much it has sent, and whether it has sent that there is no more.
        sent: Position,
        finished: bool,
    },
    /// It ended with a code that is not fatal.
    Failed,
}

/// How the attempts stand, seen by the half that reads.
enum Verdict {
    /// This one is the call's, with what its server said first.
    Commit(usize, Event),
    /// The call ends so.
    Over(Status),
    /// One failed, and the next goes out after this.
    Next(Duration),
    Wait,
}

impl Exchange {
    /// Begins to hedge, where the call's policy says so.
    pub(super) fn hedge(self: &Arc<Self>) -> bool {
        if self.hedging_policy().is_none() || runtime().is_err() {
            return false;
        }
        self.lock().phase = Phase::Hedging(Box::default());
        self.clone().hedge_more();
        true
    }

    /// Whether it was queued before it was known that it is to be hedged.
    pub(super) fn becomes_hedged(&self) -> bool {
        // What is hedged from the beginning is never in this phase.
        self.hedging_policy().is_some() && matches!(self.lock().phase, Phase::Queued)
    }

    /// Leaves the queue as the first of several attempts.
    pub(super) fn become_hedged(self: Arc<Self>, outcome: Result<Opened, Status>) {
        let first = Attempt { ticket: self.ticket, stage: Stage::Queued };
        self.lock().phase = Phase::Hedging(Box::new(Hedges { attempts: vec![first], ..Hedges::default() }));
        Arc::new(Hedge { call: self, number: 0 }).leave_queue(outcome);
    }

    /// The policy, where it asks for more than one attempt.
    fn hedging_policy(&self) -> Option<&HedgingPolicy> {
        let policy = self.method_config()?.hedging_policy()?;
        (policy.max_attempts() > 1 && self.core().settings().retries).then_some(policy)
    }

    /// Makes one attempt more, if there may be one. The one after it comes when this has been under way for a while.
    fn hedge_more(self: Arc<Self>) {
        let Some(policy) = self.hedging_policy() else { return };
        let (number, ticket) = {
            let mut state = self.lock();
            let Phase::Hedging(hedges) = &mut state.phase else { return };
            let number = hedges.attempts.len();
            let allowed = number == 0
                || !hedges.stopped
                    && number < policy.max_attempts() as usize
                    && self.throttle().is_none_or(|throttle| throttle.allows());
            if !allowed {
                if number > 0 && hedges.attempts.iter().all(|attempt| matches!(attempt.stage, Stage::Failed)) {
                    let status = hedges.last.take().unwrap_or_else(|| Status::unavailable("all attempts failed"));
                    self.end_hedges(&mut state, status);
                    state.receiver.wake();
                    state.sender.wake();
                }
                return;
            }
            let ticket = self.core().ticket();
            hedges.attempts.push(Attempt { ticket, stage: Stage::Queued });
            (number, ticket)
        };
        let hedge = Arc::new(Hedge { call: self.clone(), number });
        self.give(ticket, hedge, |phase| matches!(phase, Phase::Hedging(_)));
    }

    /// Has attempt `number` made after a while, if it was not by then; in place of what was said of it before.
    fn hedge_after(self: &Arc<Self>, hedges: &mut Hedges, number: usize, delay: Duration) {
        let Ok(runtime) = runtime() else { return };
        hedges.timer = Some(self.later(&runtime, delay, move |call| {
            let due = matches!(&call.lock().phase, Phase::Hedging(hedges) if hedges.attempts.len() == number);
            if due {
                call.hedge_more();
            }
        }));
    }

    /// Looks whether one of the attempts is the call's; ready when there is another phase.
    pub(super) fn poll_hedges(self: &Arc<Self>, state: &mut State, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.look(state, cx) {
                Verdict::Wait => return Poll::Pending,
                Verdict::Commit(number, event) => {
                    self.commit(state, number);
                    state.replay = None;
                    state.peeked = Some(event);
                    state.sender.wake();
                    return Poll::Ready(());
                }
                Verdict::Over(status) => {
                    self.end_hedges(state, status);
                    state.sender.wake();
                    return Poll::Ready(());
                }
                Verdict::Next(delay) => {
                    let Phase::Hedging(hedges) = &mut state.phase else { return Poll::Ready(()) };
                    let number = hedges.attempts.len();
                    self.hedge_after(hedges, number, delay);
                }
            }
        }
    }

    fn look(&self, state: &mut State, cx: &mut Context<'_>) -> Verdict {
        let Phase::Hedging(hedges) = &mut state.phase else { return Verdict::Wait };
        for (number, attempt) in hedges.attempts.iter_mut().enumerate() {
            let Stage::Open { opened, .. } = &mut attempt.stage else { continue };
            let status = match opened.recv.poll_event(cx) {
                Poll::Pending => continue,
                Poll::Ready(Ok(event)) => {
                    let status = match &event {
                        Event::Headers { status, headers, end: true } => status_alone(*status, headers),
                        _ => None,
                    };
                    match status.filter(|status| self.is_non_fatal(status)) {
                        Some(status) => status,
                        None => {
                            opened.record.event(&event);
                            return Verdict::Commit(number, event);
                        }
                    }
                }
                Poll::Ready(Err(error)) => {
                    let status = self.status_of(&error, opened);
                    if !error.is_unprocessed() && !self.is_non_fatal(&status) {
                        opened.record.end(Some(&status), None);
                        return Verdict::Over(status);
                    }
                    status
                }
            };
            opened.record.end(Some(&status), Some(status.metadata()));
            attempt.stage = Stage::Failed;
            return self.after_failure(hedges, status);
        }
        Verdict::Wait
    }

    /// What comes after an attempt that failed in a way that is not fatal.
    fn after_failure(&self, hedges: &mut Hedges, status: Status) -> Verdict {
        let allowed = self.throttle().is_none_or(|throttle| throttle.failed());
        let pushback = Pushback::of(&status);
        hedges.last = Some(status.clone());
        hedges.stopped |= !allowed || pushback == Pushback::Never;
        let most = self.hedging_policy().map_or(1, |policy| policy.max_attempts() as usize);
        let more = !hedges.stopped && hedges.attempts.len() < most;
        if hedges.attempts.iter().all(|attempt| matches!(attempt.stage, Stage::Failed)) && !more {
            return Verdict::Over(status);
        }
        match pushback {
            _ if !more => Verdict::Wait,
            Pushback::After(delay) => Verdict::Next(delay),
            Pushback::Unsaid | Pushback::Never => Verdict::Next(Duration::ZERO),
        }
    }

    fn is_non_fatal(&self, status: &Status) -> bool {
        self.hedging_policy().is_some_and(|policy| policy.is_non_fatal(status.code()))
    }

    /// One attempt is the call's from now on; the others are given up.
    fn commit(&self, state: &mut State, number: usize) {
        let Phase::Hedging(hedges) = &mut state.phase else { return };
        let mut hedges = std::mem::take(hedges);
        if number >= hedges.attempts.len() {
            return;
        }
        if let Stage::Open { opened, finished, .. } = hedges.attempts.swap_remove(number).stage {
            state.end_sent = finished;
            state.phase = Phase::Open(opened);
        }
        hedges.forget_later(self.core());
    }

    /// All of it has failed.
    fn end_hedges(&self, state: &mut State, status: Status) {
        if let Phase::Hedging(hedges) = self.end(state, Some(status), None) {
            hedges.forget_later(self.core());
        }
    }

    fn throttle(&self) -> Option<&Throttle> {
        self.applied.get()?.config.throttle.as_deref()
    }

    /// Sends a message on all attempts; ready when it is on its way, or when there is another phase.
    pub(super) fn poll_send_hedged(&self, state: &mut State, message: &Bytes) -> Poll<()> {
        let Phase::Hedging(hedges) = &mut state.phase else { return Poll::Ready(()) };
        if let Some(replay) = state.replay.as_mut().filter(|replay| replay.has_room_for(message.len())) {
            replay.push(message);
            hedges.send(replay);
            return Poll::Ready(());
        }
        // More is not kept: the call is that of the attempt that was first to be sent.
        let Some(number) = hedges.attempts.iter().position(|attempt| matches!(attempt.stage, Stage::Open { .. }))
        else {
            return Poll::Pending;
        };
        self.commit(state, number);
        state.replay = None;
        state.receiver.wake();
        Poll::Ready(())
    }
}

impl Hedges {
    pub(super) fn any_open(&self) -> bool {
        self.attempts.iter().any(|attempt| matches!(attempt.stage, Stage::Open { .. }))
    }

    /// The call is over, and with it what is under way.
    pub(super) fn end(&mut self, status: &Status) {
        for attempt in &mut self.attempts {
            if let Stage::Open { opened, .. } = &mut attempt.stage {
                opened.record.end(Some(status), None);
            }
        }
    }

    /// Sends on all attempts what they have not sent.
    pub(super) fn send(&mut self, replay: &Replay) {
        for attempt in &mut self.attempts {
            attempt.send(replay);
        }
    }

    /// Takes those out of the queue that wait there. Called without any lock.
    pub(super) fn forget(self, core: &Core) {
        let waiting = self.attempts.iter().filter(|attempt| matches!(attempt.stage, Stage::Queued));
        waiting.for_each(|attempt| core.forget(attempt.ticket));
    }

    /// As [`forget`](Self::forget), where a lock is held: they go when their turn comes.
    fn forget_later(self, core: &Arc<Core>) {
        if let Ok(runtime) = runtime() {
            let core = core.clone();
            runtime.spawn(async move { self.forget(&core) });
        }
    }

    /// What a call waits for that none of its attempts was answered.
    pub(super) fn describe_wait(&self) -> Option<String> {
        let peers: Vec<String> = self
            .attempts
            .iter()
            .filter_map(|attempt| match &attempt.stage {
                Stage::Open { opened, .. } => Some(opened.peer.to_string()),
                Stage::Queued | Stage::Failed => None,
            })
            .collect();
        (!peers.is_empty()).then(|| format!("for {} to answer", peers.join(" or ")))
    }
}

impl Attempt {
    fn send(&mut self, replay: &Replay) {
        let Stage::Open { opened, sent, finished } = &mut self.stage else { return };
        // What breaks here shows itself on the receiving half.
        let (rest, count) = replay.after(sent);
        if !rest.is_empty() && opened.send.send_now(rest.clone(), false).is_ok() {
            opened.record.messages_sent_again(count, &[rest]);
        }
        if replay.finished && !std::mem::replace(finished, true) {
            let _ = opened.send.finish();
        }
    }
}

/// One attempt, as the channel's queue sees it.
struct Hedge {
    call: Arc<Exchange>,
    number: usize,
}

impl QueuedCall for Hedge {
    fn configure(&self, _: &Configured) {}

    fn pick_args(&self) -> PickArgs<'_> {
        self.call.pick_args()
    }

    fn waits_for_ready(&self) -> bool {
        self.call.waits_for_ready()
    }

    fn head(&self, limit: usize) -> Result<RequestHead, Status> {
        self.call.head_of(u32::try_from(self.number).unwrap_or(u32::MAX), limit)
    }

    fn note_wait(&self) {
        self.call.note_wait();
    }

    fn trace(&self, peer: &Address) -> Option<Traced> {
        // They go out beside each other, not because the one before was not seen.
        self.call.unseen.store(false, Ordering::Relaxed);
        self.call.trace_attempt(u32::try_from(self.number).unwrap_or(u32::MAX), peer)
    }

    fn first(&self) -> (Option<Bytes>, bool) {
        (None, false)
    }

    fn leave_queue(self: Arc<Self>, outcome: Result<Opened, Status>) {
        let call = &self.call;
        let mut state = call.lock();
        let State { phase: Phase::Hedging(hedges), replay, .. } = &mut *state else { return };
        let Some(attempt) = hedges.attempts.get_mut(self.number) else { return };
        match outcome {
            Ok(opened) => {
                attempt.stage = Stage::Open { opened, sent: Position::default(), finished: false };
                if let Some(replay) = replay {
                    attempt.send(replay);
                }
                if let Some(policy) = call.hedging_policy() {
                    call.hedge_after(hedges, self.number + 1, policy.delay());
                }
            }
            Err(status) => {
                attempt.stage = Stage::Failed;
                // What is wrong on this side ends no attempt that is under way.
                if hedges.any_open() {
                    hedges.stopped = true;
                    return;
                }
                match call.is_non_fatal(&status).then(|| call.after_failure(hedges, status.clone())) {
                    Some(Verdict::Next(delay)) => {
                        let number = hedges.attempts.len();
                        call.hedge_after(hedges, number, delay);
                    }
                    Some(Verdict::Wait) => {}
                    _ => call.end_hedges(&mut state, status),
                }
            }
        }
        state.receiver.wake();
        state.sender.wake();
    }
}

impl fmt::Debug for Hedges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedges").field("attempts", &self.attempts.len()).finish_non_exhaustive()
    }
}
