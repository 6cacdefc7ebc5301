//! When a call is made again after an attempt that failed (gRFC A6).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;

use super::{Exchange, Phase, State};
use crate::call::ConnectivityState;
use crate::channel::abort::AbortOnDrop;
use crate::channel::connectivity::{closed, runtime};
use crate::channel::replay::Replay;
use crate::channel::service_config::RetryPolicy;
use crate::status::Status;
use crate::transport::StreamError;

/// When the server wants the next attempt, in milliseconds; no number, or one below zero: not at all.
const PUSHBACK: &str = "grpc-retry-pushback-ms";
/// The random share of a wait.
const JITTER: f64 = 0.2;

/// How often a call was made again, and why.
#[derive(Debug, Default)]
pub(super) struct Retry {
    /// Attempts that its policy counts.
    failed: u32,
    /// Those since a server said when it wants the next.
    in_row: i32,
    /// Whether a server has refused it without a look.
    refused: bool,
    /// How the attempt before this ended.
    pub(super) last: Option<Status>,
}

/// What a server says of the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    Unsaid,
    After(Duration),
    Never,
}

impl Pushback {
    pub(super) fn of(status: &Status) -> Pushback {
        match status.metadata().get(PUSHBACK) {
            None => Pushback::Unsaid,
            Some(text) => match text.parse::<i32>().map(u64::try_from) {
                Ok(Ok(millis)) => Pushback::After(Duration::from_millis(millis)),
                Ok(Err(_)) | Err(_) => Pushback::Never,
            },
        }
    }
}

impl Exchange {
    /// Whether the call is made again at once, since no server has looked at it: as often as it was not even sent, and once after a
    /// server refused it. The call is queued then.
    pub(super) fn goes_unseen(&self, state: &mut State, error: &StreamError) -> bool {
        let again = state.replay.is_some()
            && error.is_unprocessed()
            && (error.is_unsent() || !std::mem::replace(&mut state.retry.refused, true));
        if again {
            state.start_anew();
        }
        again
    }

    /// Whether the call is made again after an attempt that ended with this, as its policy says. It waits for that then.
    pub(super) fn try_again(self: &Arc<Self>, state: &mut State, status: &Status) -> bool {
        let Some(delay) = self.next_delay(state, status) else { return false };
        let Ok(runtime) = runtime() else { return false };
        if let Phase::Open(opened) = &mut state.phase {
            opened.record.end(Some(status), Some(status.metadata()));
        }
        state.retry.failed += 1;
        state.retry.in_row += 1;
        state.retry.last = Some(status.clone());
        self.previous_attempts.fetch_add(1, Ordering::Relaxed);
        self.unseen.store(false, Ordering::Relaxed);
        state.start_anew();
        state.phase = Phase::Waiting;
        let attempt = state.attempt;
        state.timer = Some(self.later(&runtime, delay, move |call| call.go_on(attempt)));
        true
    }

    /// How long the call waits before it is made again; `None` if it is not.
    fn next_delay(&self, state: &mut State, status: &Status) -> Option<Duration> {
        let applied = self.applied.get()?;
        let policy = applied.config.method.as_ref()?.retry_policy()?;
        let committed = state.replay.as_ref().is_none_or(Replay::is_over_limit);
        if committed || self.core().state() == ConnectivityState::Shutdown {
            return None;
        }
        let pushback = Pushback::of(status);
        let retryable = policy.is_retryable(status.code());
        if (retryable || pushback == Pushback::Never)
            && applied.config.throttle.as_ref().is_some_and(|throttle| !throttle.failed())
        {
            return None;
        }
        if !retryable || !self.core().settings().retries || state.retry.failed + 1 >= policy.max_attempts() {
            return None;
        }
        match pushback {
            Pushback::Never => None,
            Pushback::After(delay) => {
                // The sequence of waits begins anew.
                state.retry.in_row = -1;
                Some(delay)
            }
            Pushback::Unsaid => Some(backoff(policy, state.retry.in_row)),
        }
    }

    /// Has something done after a while, unless the call has ended by then or what is given is dropped. A channel that is closed
    /// meanwhile ends the call.
    pub(super) fn later(
        self: &Arc<Self>,
        runtime: &Handle,
        delay: Duration,
        what: impl FnOnce(Arc<Exchange>) + Send + 'static,
    ) -> AbortOnDrop {
        let (call, core) = (Arc::downgrade(self), self.core().clone());
        AbortOnDrop::new(runtime.spawn(async move {
            let is_due = tokio::select! {
                () = tokio::time::sleep(delay) => true,
                () = core.ended() => false,
            };
            match call.upgrade() {
                Some(call) if is_due => what(call),
                Some(call) => call.terminate(closed()),
                None => {}
            }
        }))
    }

    /// The wait before an attempt is over.
    fn go_on(self: Arc<Self>, attempt: u32) {
        let mut state = self.lock();
        if state.attempt != attempt || !matches!(state.phase, Phase::Waiting) {
            return;
        }
        state.phase = Phase::Queued;
        drop(state);
        self.enqueue();
    }

    /// Gives an attempt that has just begun as long as its policy says to be answered.
    pub(super) fn bound_attempt(self: &Arc<Self>, state: &mut State) {
        let policy = self.method_config().and_then(|method| method.retry_policy());
        let (Some(timeout), Ok(runtime)) = (policy.and_then(RetryPolicy::per_attempt_timeout), runtime()) else {
            return;
        };
        let attempt = state.attempt;
        state.timer = Some(self.later(&runtime, timeout, move |call| call.give_up_attempt(attempt, timeout)));
    }

    /// The attempt was not answered in time: it is made again, if it may be; else it goes on.
    fn give_up_attempt(self: Arc<Self>, attempt: u32, timeout: Duration) {
        let mut state = self.lock();
        let Phase::Open(opened) = &state.phase else { return };
        if state.attempt != attempt || state.replay.is_none() {
            return;
        }
        let message = format!("{} did not answer within {timeout:?} (per-attempt timeout)", opened.peer);
        let codes = self.method_config().and_then(|method| method.retry_policy());
        let Some(code) = codes.and_then(RetryPolicy::any_retryable) else { return };
        // The stream that it had is reset as it is dropped.
        if self.try_again(&mut state, &Status::new(code, message)) {
            state.sender.wake();
            state.receiver.wake();
        }
    }
}

impl State {
    /// The call has no stream, and all that it sent is sent again.
    fn start_anew(&mut self) {
        self.attempt += 1;
        self.end_sent = false;
    }
}

/// The wait before the retry after so many others: with 20 % of chance, so that those who failed together do not come together.
fn backoff(policy: &RetryPolicy, retries: i32) -> Duration {
    let initial = policy.initial_backoff().as_secs_f64();
    let wait = (initial * policy.backoff_multiplier().powi(retries)).min(policy.max_backoff().as_secs_f64());
    let jitter = 1.0 + JITTER * (fastrand::f64() * 2.0 - 1.0);
    Duration::try_from_secs_f64(wait * jitter).unwrap_or(policy.max_backoff())
}
