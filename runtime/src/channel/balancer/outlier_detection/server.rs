//! One server: how its calls ended, and whether it is left out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::service_config::OutlierDetectionSettings;
use crate::status::Code;

/// How the calls of one server ended since the servers were compared last, and whether it is left out.
#[derive(Debug, Default)]
pub(super) struct Server {
    successes: AtomicU64,
    failures: AtomicU64,
    ejection: Mutex<Ejection>,
}

#[derive(Debug, Default)]
struct Ejection {
    since: Option<Instant>,
    /// How often it was left out, less the rounds since in which it was not.
    multiplier: u32,
}

/// How the calls of an interval ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) successes: u64,
    pub(super) failures: u64,
}

impl Tally {
    pub(super) fn volume(self) -> u64 {
        self.successes + self.failures
    }

    /// The share of successes, from 0 to 1.
    pub(super) fn success_rate(self) -> f64 {
        self.successes as f64 / self.volume().max(1) as f64
    }

    /// The share of failures in percent.
    pub(super) fn failure_percentage(self) -> f64 {
        self.failures as f64 * 100.0 / self.volume().max(1) as f64
    }
}

impl Server {
    /// Counts a call that ended; one that did not go out says nothing.
    pub(super) fn count(&self, code: Option<Code>) {
        match code {
            Some(Code::Ok) => _ = self.successes.fetch_add(1, Ordering::Relaxed),
            Some(_) => _ = self.failures.fetch_add(1, Ordering::Relaxed),
            None => {}
        }
    }

    /// How the calls ended since this was asked last.
    pub(super) fn take(&self) -> Tally {
        Tally {
            successes: self.successes.swap(0, Ordering::Relaxed),
            failures: self.failures.swap(0, Ordering::Relaxed),
        }
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.lock().since.is_some()
    }

    pub(super) fn eject(&self, now: Instant) {
        let mut ejection = self.lock();
        ejection.since = Some(now);
        ejection.multiplier = ejection.multiplier.saturating_add(1);
    }

    /// A round has passed; whether the server is taken back with it.
    pub(super) fn pass(&self, now: Instant, settings: &OutlierDetectionSettings) -> bool {
        let mut ejection = self.lock();
        let Some(since) = ejection.since else {
            ejection.multiplier = ejection.multiplier.saturating_sub(1);
            return false;
        };
        let (base, most) = (settings.base_ejection_time, settings.max_ejection_time);
        let time = base.saturating_mul(ejection.multiplier).min(base.max(most)).max(Duration::ZERO);
        let over = now.saturating_duration_since(since) >= time;
        if over {
            ejection.since = None;
        }
        over
    }

    fn lock(&self) -> MutexGuard<'_, Ejection> {
        self.ejection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
