//! The streams that have something for their connection's task, in the order in which they had it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// Ids that wait for the task of a connection.
#[derive(Debug, Default)]
pub(super) struct Ready {
    ids: Mutex<Vec<u32>>,
    task: AtomicWaker,
}

impl Ready {
    /// Wakes the task.
    pub(super) fn wake(&self) {
        self.task.wake();
    }

    /// Lets the task be woken. Called before what it waits for is looked at, so that nothing is missed in between.
    pub(super) fn register(&self, waker: &Waker) {
        self.task.register(waker);
    }

    /// Moves all ids to `to`, which is empty.
    pub(super) fn take(&self, to: &mut Vec<u32>) {
        std::mem::swap(&mut *self.lock(), to);
    }

    fn list(&self, id: u32) {
        self.lock().push(id);
        self.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u32>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a stream reaches the task of its connection.
#[derive(Debug)]
pub(super) struct Carrier {
    ready: Arc<Ready>,
    id: u32,
    /// Whether it was called and has not come yet.
    called: bool,
    /// Whether it is to be called by [`call_if_changed`](Self::call_if_changed).
    changed: bool,
}

impl Carrier {
    pub(super) fn new(ready: &Arc<Ready>, id: u32) -> Carrier {
        Carrier { ready: ready.clone(), id, called: false, changed: false }
    }

    /// Calls it, unless it was called and has not come yet.
    pub(super) fn call(&mut self) {
        self.changed = false;
        if !std::mem::replace(&mut self.called, true) {
            self.ready.list(self.id);
        }
    }

    /// Notes that there is something for it.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    pub(super) fn call_if_changed(&mut self) {
        if self.changed {
            self.call();
        }
    }

    /// It is here.
    pub(super) fn has_come(&mut self) {
        (self.called, self.changed) = (false, false);
    }
}
