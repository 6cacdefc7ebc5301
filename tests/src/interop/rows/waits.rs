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

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits { initial: Duration::from_secs(1), multiplier: 2.0, max: Duration::from_secs(3) };

    fn hold(measured: &[u64], early: u64) -> bool {
        let measured: Vec<_> = measured.iter().copied().map(Duration::from_millis).collect();
        WAITS.hold(&measured, Duration::from_millis(early)).is_ok()
    }

    #[test]
    fn waits_may_be_a_fifth_shorter_or_longer_and_late() {
        assert!(hold(&[800, 1600, 2400, 2400], 0));
        assert!(hold(&[2200, 3400, 4600, 4600], 0));
        assert!(hold(&[790], 10));
    }

    #[test]
    fn waits_that_are_too_short_or_too_long_do_not_hold() {
        for measured in [&[799][..], &[1000, 1599], &[1000, 2000, 3000, 2399], &[2201], &[1000, 2000, 3000, 4601]] {
            assert!(!hold(measured, 0), "{measured:?}");
        }
    }
}
