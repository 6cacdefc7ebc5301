//! How fast the calls of a method are: those that have always ended soon run on the task of their connection, the others each
//! on a task of its own.
//!
//! A task for each call costs more than most calls do. A handler that works for long, or blocks its thread, would hold up all other
//! calls of its connection meanwhile: so a method has to show that it does not, and shows it anew after a call that did.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// So many calls in a row show that a method is quick.
const SHOWN: u8 = 16;
/// A call ends soon that works no longer than this, and one that works
const SOON: Duration = Duration::from_micros(100);
/// longer than this holds others up: its method is no longer quick.
const LONG: Duration = Duration::from_millis(1);

/// How many calls of a method have ended soon lately.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicU8);

/// Sees how long a handler works before it ends, or waits.
pub(super) struct Watch(Instant);

impl Watch {
    pub(super) fn start() -> Watch {
        Watch(Instant::now())
    }
}

impl Pace {
    pub(super) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= SHOWN
    }

    /// Notes a call that was polled for the first time.
    pub(super) fn note(&self, watch: Watch, ended: bool) {
        self.note_worked(watch.0.elapsed(), ended);
    }

    /// Notes a call that did not come back.
    pub(super) fn lose(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn note_worked(&self, worked: Duration, ended: bool) {
        let shown = self.0.load(Ordering::Relaxed);
        let now = match ended {
            _ if worked >= LONG => 0,
            // What waits goes to a task anyway: that it ran at once has gained nothing.
            false => shown.saturating_sub(1),
            true if worked <= SOON => SHOWN.min(shown + 1),
            true => shown,
        };
        if now != shown {
            self.0.store(now, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_quick_when_it_has_shown_it_and_until_it_works_for_long() {
        let pace = Pace::default();
        for _ in 1..SHOWN {
            pace.note_worked(Duration::from_micros(1), true);
            assert!(!pace.is_quick());
        }
        pace.note_worked(Duration::from_micros(500), true);
        assert!(!pace.is_quick());
        pace.note_worked(Duration::from_micros(1), true);
        pace.note_worked(Duration::from_micros(1), true);
        pace.note_worked(Duration::from_micros(500), true);
        assert!(pace.is_quick());
        pace.note_worked(Duration::from_micros(1), false);
        assert!(!pace.is_quick());
        pace.note_worked(Duration::from_micros(1), true);
        assert!(pace.is_quick());
        pace.note_worked(LONG, true);
        assert_eq!(pace.0.load(Ordering::Relaxed), 0);
    }
}
