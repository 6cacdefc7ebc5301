//! A place for the one task that waits for something.

use std::task::Waker;

/// The waker of whoever waits, the latest.
#[derive(Debug, Default)]
pub(crate) struct WakerSlot(Option<Waker>);

impl WakerSlot {
    /// Wakes this task the next time, and no other.
    pub(crate) fn keep(&mut self, waker: &Waker) {
        match &mut self.0 {
            Some(kept) => kept.clone_from(waker),
            None => self.0 = Some(waker.clone()),
        }
    }

    /// Wakes the task that waits, if one does; whether one did.
    pub(crate) fn wake(&mut self) -> bool {
        let waker = self.0.take();
        let waits = waker.is_some();
        if let Some(waker) = waker {
            waker.wake();
        }
        waits
    }
}
