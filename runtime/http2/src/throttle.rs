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
    /// Whether the peer waits for credit. It goes on with some, not with the first bit of it, so that a flood does not wake
    /// this side up for each frame.
    waits: bool,
}

const FRAME: i64 = 1000;
/// The peer waits this part of a second, if the rate is high enough for that to be frames.
const PAUSE: i64 = 100;

impl Throttle {
    pub(crate) fn new(burst: u32, per_second: u32, now: Instant) -> Throttle {
        let burst = i64::from(burst.max(1)) * FRAME;
        Throttle { credit: burst, burst, per_second: i64::from(per_second.max(1)) * FRAME, refilled: now, waits: false }
    }

    /// So many frames that did no work, or work that is worth as many.
    pub(crate) fn charge(&mut self, frames: usize) {
        self.credit = self.credit.saturating_sub(i64::try_from(frames).unwrap_or(i64::MAX / FRAME) * FRAME);
        self.waits |= self.credit <= 0;
    }

    /// Work that was done, which so many idle frames of the peer may go with.
    pub(crate) fn earn(&mut self, frames: u32) {
        self.credit = (self.credit + i64::from(frames) * FRAME).min(self.burst);
        self.waits &= self.credit < self.enough();
    }

    /// Whether the peer may go on.
    pub(crate) fn allows(&self) -> bool {
        !self.waits
    }

    /// The credit with which a peer that waited goes on.
    fn enough(&self) -> i64 {
        (self.per_second / PAUSE).min(self.burst).max(FRAME)
    }

    /// Gives back what the time since the last refill is worth.
    pub(crate) fn refill(&mut self, now: Instant) {
        let elapsed = i64::try_from(now.saturating_duration_since(self.refilled).as_micros()).unwrap_or(i64::MAX);
        let worth = elapsed.saturating_mul(self.per_second) / 1_000_000;
        if worth > 0 {
            self.credit = self.credit.saturating_add(worth).min(self.burst);
            // What was too short a time to be worth anything counts next time.
            let counted = u64::try_from(worth.saturating_mul(1_000_000) / self.per_second).unwrap_or(0);
            self.refilled = now.min(self.refilled + Duration::from_micros(counted));
            self.waits &= self.credit < self.enough();
        }
    }

    /// When the peer may go on; `None` if it may.
    pub(crate) fn resumes_at(&self) -> Option<Instant> {
        if self.allows() {
            return None;
        }
        let missing = u64::try_from(self.enough() - self.credit).unwrap_or(0);
        let per_second = u64::try_from(self.per_second).unwrap_or(1);
        Some(self.refilled + Duration::from_micros(missing.saturating_mul(1_000_000).div_ceil(per_second)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_comes_back_with_time_and_no_more_than_the_burst() {
        let start = Instant::now();
        let mut throttle = Throttle::new(10, 100, start);
        throttle.charge(10);
        assert!(!throttle.allows());
        let resumes = throttle.resumes_at().unwrap();
        assert_eq!(resumes - start, Duration::from_millis(10));
        throttle.refill(resumes);
        assert!(throttle.allows() && throttle.resumes_at().is_none());
        throttle.charge(1);
        assert!(!throttle.allows());
        throttle.refill(start + Duration::from_secs(3600));
        throttle.charge(9);
        assert!(throttle.allows());
        throttle.charge(1);
        assert!(!throttle.allows());
        throttle.earn(1);
        assert!(throttle.allows());
    }

    #[test]
    fn a_peer_that_waited_goes_on_with_a_hundredth_of_a_second_of_credit_and_loses_no_time() {
        let start = Instant::now();
        let mut throttle = Throttle::new(1000, 10_000, start);
        throttle.charge(1000);
        assert_eq!(throttle.resumes_at().unwrap() - start, Duration::from_millis(10));
        throttle.refill(start + Duration::from_millis(9));
        assert!(!throttle.allows());
        throttle.refill(start + Duration::from_millis(10));
        assert!(throttle.allows());
        // Refilled in steps that are shorter than a frame, all the same.
        let mut slow = Throttle::new(10, 7, start);
        slow.charge(10);
        (0..=1000).for_each(|milli| slow.refill(start + Duration::from_micros(1000 * milli)));
        // Even with no burst at all a peer goes on some time.
        let mut none = Throttle::new(0, 0, start);
        none.charge(1);
        none.refill(none.resumes_at().unwrap());
        assert!(none.allows());
        assert!((6_900..=7_000).contains(&slow.credit), "{}", slow.credit);
    }
}
