//! How much a peer may ask for that does no work: a credit that comes back with time.
//!
//! Counters that never come back have cut off honest gRPC traffic (many cancelled calls, many small messages). So what is
//! over the credit is no error: nothing more is read until there is credit again, and a flood costs no more than the rate.

use std::time::{Duration, Instant};

/// The credit of one connection, in thousandths of a frame.
#[derive(Debug)]
pub(crate) struct Throttle {
    credit: i64,
    burst: i64,
    per_second: i64,
    refilled: Instant,
}

const FRAME: i64 = 1000;

impl Throttle {
    pub(crate) fn new(burst: u32, per_second: u32, now: Instant) -> Throttle {
        let burst = i64::from(burst) * FRAME;
        Throttle { credit: burst, burst, per_second: i64::from(per_second.max(1)) * FRAME, refilled: now }
    }

    /// One frame that did no work.
    pub(crate) fn charge(&mut self) {
        self.credit -= FRAME;
    }

    /// Work that was done, which the peer may have its share of idle frames with.
    pub(crate) fn earn(&mut self) {
        self.credit = (self.credit + FRAME).min(self.burst);
    }

    /// Whether the peer may go on.
    pub(crate) fn allows(&self) -> bool {
        self.credit > 0
    }

    /// Gives back what the time since the last refill is worth.
    pub(crate) fn refill(&mut self, now: Instant) {
        let elapsed = i64::try_from(now.saturating_duration_since(self.refilled).as_micros()).unwrap_or(i64::MAX);
        let worth = elapsed.saturating_mul(self.per_second) / 1_000_000;
        if worth > 0 {
            self.credit = self.credit.saturating_add(worth).min(self.burst);
            self.refilled = now;
        }
    }

    /// When the peer may go on; `None` if it may.
    pub(crate) fn resumes_at(&self) -> Option<Instant> {
        if self.allows() {
            return None;
        }
        let missing = u64::try_from(FRAME - self.credit).unwrap_or(0);
        Some(self.refilled + Duration::from_micros(missing * 1_000_000 / u64::try_from(self.per_second).unwrap_or(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_comes_back_with_time_and_no_more_than_the_burst() {
        let start = Instant::now();
        let mut throttle = Throttle::new(10, 100, start);
        (0..10).for_each(|_| throttle.charge());
        assert!(!throttle.allows());
        let resumes = throttle.resumes_at().unwrap();
        assert_eq!(resumes - start, Duration::from_millis(10));
        throttle.refill(resumes);
        assert!(throttle.allows() && throttle.resumes_at().is_none());
        throttle.charge();
        assert!(!throttle.allows());
        throttle.refill(start + Duration::from_secs(3600));
        (0..9).for_each(|_| throttle.charge());
        assert!(throttle.allows());
        throttle.charge();
        assert!(!throttle.allows());
    }
}
