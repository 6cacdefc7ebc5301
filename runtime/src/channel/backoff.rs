//! When to try again to connect (`doc/connection-backoff.md`).

use std::time::Duration;

use tokio::time::Instant;

/// How a channel spaces its attempts to connect.
///
/// The n-th wait is `initial * multiplier^n`, at most `max`, with a random share of `jitter` more or less; it counts
/// from the start of the attempt. A connection that came up starts the sequence anew.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Backoff {
    /// The first wait; 1 s.
    pub initial: Duration,
    /// What the wait grows by each time; 1.6.
    pub multiplier: f64,
    /// The longest wait; 120 s.
    pub max: Duration,
    /// The random share, from 0 to 1; 0.2.
    pub jitter: f64,
    /// How long one attempt may take at the least; 20 s.
    pub min_connect_timeout: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            initial: Duration::from_secs(1),
            multiplier: 1.6,
            max: Duration::from_secs(120),
            jitter: 0.2,
            min_connect_timeout: Duration::from_secs(20),
        }
    }
}

impl Backoff {
    /// The same with this first wait.
    pub fn with_initial(mut self, initial: Duration) -> Self {
        self.initial = initial;
        self
    }

    /// The same with this longest wait.
    pub fn with_max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// The same with this growth.
    pub fn with_multiplier(mut self, multiplier: f64) -> Self {
        self.multiplier = multiplier;
        self
    }

    /// The same with this random share.
    pub fn with_jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }

    /// The same with this least time for one attempt.
    pub fn with_min_connect_timeout(mut self, timeout: Duration) -> Self {
        self.min_connect_timeout = timeout;
        self
    }
}

/// The sequence of attempts of one channel.
#[derive(Debug)]
pub(super) struct Attempts {
    settings: Backoff,
    next: Duration,
}

/// One attempt: how long it may take, and when the next may start should it fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) give_up_at: Instant,
    pub(super) next_at: Instant,
}

impl Attempts {
    pub(super) fn new(settings: Backoff) -> Self {
        let next = settings.initial.min(settings.max);
        Attempts { settings, next }
    }

    /// Starts an attempt now, and lengthens the wait for the one after it.
    pub(super) fn start(&mut self) -> Attempt {
        let now = Instant::now();
        let jitter = self.settings.jitter.clamp(0.0, 1.0) * (fastrand::f64() * 2.0 - 1.0);
        let wait = scaled(self.next, 1.0 + jitter);
        self.next = scaled(self.next, self.settings.multiplier.max(1.0)).min(self.settings.max);
        let patience = wait.max(self.settings.min_connect_timeout.min(LONGEST));
        Attempt { give_up_at: now + patience, next_at: now + wait }
    }

    pub(super) fn reset(&mut self) {
        self.next = self.settings.initial.min(self.settings.max);
    }
}

/// The longest wait there can be: what is added to the clock must not pass its end.
pub(super) const LONGEST: Duration = Duration::from_secs(86_400 * 365);

/// `duration * factor`, where a factor that is not a number or too large stands for the longest wait.
fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(LONGEST).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_as_the_document_says() {
        let mut attempts = Attempts::new(Backoff::default());
        for n in 0..20 {
            let expected = (1.6_f64.powi(n)).min(120.0);
            let attempt = attempts.start();
            let wait = (attempt.next_at - Instant::now()).as_secs_f64();
            assert!(
                (expected * 0.8 - 1e-6..=expected * 1.2 + 1e-6).contains(&wait),
                "wait {n} is {wait}, not {expected} +- 20 %"
            );
            let least = Duration::from_secs(20);
            assert_eq!(attempt.give_up_at - Instant::now(), least.max(attempt.next_at - Instant::now()));
        }
        attempts.reset();
        assert!(attempts.start().next_at - Instant::now() <= Duration::from_millis(1200));
    }

    #[test]
    fn absurd_settings_do_not_panic() {
        for (multiplier, jitter) in [(f64::NAN, f64::NAN), (f64::INFINITY, 5.0), (-1.0, -1.0), (1e300, 0.2)] {
            let backoff = Backoff::default()
                .with_multiplier(multiplier)
                .with_jitter(jitter)
                .with_max(Duration::MAX)
                .with_min_connect_timeout(Duration::MAX);
            let mut attempts = Attempts::new(backoff);
            for _ in 0..100 {
                attempts.start();
            }
        }
    }
}
