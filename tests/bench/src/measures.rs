//! What the calls of a run add up to.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::Failure;

/// So many parts, so that workers of different connections seldom wait for each other. One for each connection would be
/// 100 MB at 1,000 of them.
const SHARDS: usize = 16;
/// Longer latencies count as this one.
const LONGEST: Duration = Duration::from_secs(100);
/// 0.1 % is finer than any of the figures repeats.
const DIGITS: u8 = 3;

/// What is counted while calls are made.
#[derive(Debug)]
pub struct Measures {
    shards: Vec<Mutex<Totals>>,
    failures: Mutex<(u64, Option<Failure>)>,
}

/// What has been counted.
#[derive(Clone, Debug)]
pub struct Totals {
    /// Calls that ended well while it was measured.
    pub calls: u64,
    /// Their messages.
    pub messages: u64,
    /// Their latencies in nanoseconds.
    pub latencies: Histogram<u64>,
}

impl Measures {
    /// None yet.
    ///
    /// # Errors
    /// None in practice: the bounds of the histogram are fixed.
    pub fn new() -> Result<Measures, Failure> {
        let shard = || Totals::new().map(Mutex::new);
        Ok(Measures { shards: (0..SHARDS).map(|_| shard()).collect::<Result<_, _>>()?, failures: Mutex::default() })
    }

    /// Counts a call on this connection.
    pub fn record(&self, connection: usize, latency: Duration, messages: u64) {
        let mut totals = self.shards[connection % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        totals.calls += 1;
        totals.messages += messages;
        totals.latencies.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a call that did not end well; the first is kept, since the others mostly follow from it.
    pub fn fail(&self, error: Failure) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.0 += 1;
        failures.1.get_or_insert(error);
    }

    /// All that was counted.
    ///
    /// # Errors
    /// None in practice: all histograms have the same bounds.
    pub fn totals(&self) -> Result<Totals, Failure> {
        let mut all = Totals::new()?;
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.calls += shard.calls;
            all.messages += shard.messages;
            all.latencies.add(&shard.latencies)?;
        }
        Ok(all)
    }

    /// How many calls failed, and what the first of them said.
    pub fn failures(&self) -> (u64, Option<String>) {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        (failures.0, failures.1.as_ref().map(ToString::to_string))
    }
}

impl Totals {
    fn new() -> Result<Totals, Failure> {
        let longest = u64::try_from(LONGEST.as_nanos())?;
        Ok(Totals { calls: 0, messages: 0, latencies: Histogram::new_with_bounds(1, longest, DIGITS)? })
    }
}
