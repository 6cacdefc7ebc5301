//! Waits that grow, as backoff and retries have them: which are right, on a machine that has other things to do.

use std::time::Duration;

use super::Failure;

/// The random share of a wait, more or less.
const JITTER: f64 = 0.2;
/// How much later than it is due anything may come on a busy machine.
pub(super) const LATE: Duration = Duration::from_secs(1);

/// The n-th of them is `initial * multiplier^n`, `max` at the most.
#[derive(Clone, Copy)]
pub(super) struct Waits {
    pub(super) initial: Duration,
    pub(super) multiplier: f64,
    pub(super) max: Duration,
}

impl Waits {
    /// The least that the n-th wait may be.
    pub(super) fn least(&self, n: usize) -> Duration {
        self.nth(n).mul_f64(1.0 - JITTER)
    }

    /// The most that the n-th wait may be, on an idle machine.
    pub(super) fn most(&self, n: usize) -> Duration {
        self.nth(n).mul_f64(1.0 + JITTER)
    }

    /// Compares waits that were measured, each of which may seem shorter than it was by `early`: by as much as its beginning
    /// was noted late.
    pub(super) fn hold(&self, measured: &[Duration], early: Duration) -> Result<(), Failure> {
        for (n, wait) in measured.iter().enumerate() {
            let (least, most) = (self.least(n).saturating_sub(early), self.most(n) + LATE);
            if !(least..=most).contains(wait) {
                return Err(Failure(format!("wait {n} is not in {least:?}..={most:?}: {measured:?}")));
            }
        }
        Ok(())
    }

    fn nth(&self, n: usize) -> Duration {
        let mut wait = self.initial.as_secs_f64();
        for _ in 0..n {
            wait *= self.multiplier;
        }
        Duration::from_secs_f64(wait).min(self.max)
    }
}
