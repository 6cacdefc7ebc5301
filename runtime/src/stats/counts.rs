//! Counters that many tasks add to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The calls of a channel, a subchannel or a server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallCounts {
    /// How many were started.
    pub started: u64,
    /// How many ended with OK.
    pub succeeded: u64,
    /// How many ended with anything else.
    pub failed: u64,
    /// When the last one was started.
    pub last_started: Option<SystemTime>,
}

/// Counts calls.
#[derive(Debug, Default)]
pub(crate) struct CallCounter {
    started: Counter,
    succeeded: Counter,
    failed: Counter,
    last_started: LastTime,
}

impl CallCounter {
    pub(crate) fn start(&self, now: Moment) {
        self.started.add();
        self.last_started.set(now);
    }

    pub(crate) fn end(&self, succeeded: bool) {
        if succeeded { self.succeeded.add() } else { self.failed.add() }
    }

    pub(super) fn counts(&self) -> CallCounts {
        // What has ended is read first, so that no more ended than were started.
        let (succeeded, failed) = (self.succeeded.get(), self.failed.get());
        CallCounts { started: self.started.get(), succeeded, failed, last_started: self.last_started.get() }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A time, in nanoseconds since 1970. It is read once for all that is counted at about that time: reading the clock costs more
/// than counting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Moment {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(now.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(now.subsec_nanos())))
    }
}

/// When something last happened, in nanoseconds since 1970; 0 is never.
#[derive(Debug, Default)]
pub(super) struct LastTime(AtomicU64);

impl LastTime {
    pub(super) fn set(&self, now: Moment) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn get(&self) -> Option<SystemTime> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(UNIX_EPOCH + Duration::from_nanos(nanos)),
        }
    }
}
