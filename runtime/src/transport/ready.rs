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
    /// Whether the stream is in the list.
    listed: bool,
    /// Whether the task was not woken for that.
    silent: bool,
}

impl Carrier {
    pub(super) fn new(ready: &Arc<Ready>, id: u32) -> Carrier {
        Carrier { ready: ready.clone(), id, listed: false, silent: false }
    }

    /// Lists the stream, for the next time that the task comes. It is woken by
    /// [`call_if_listed`](Self::call_if_listed).
    pub(super) fn list(&mut self) {
        if !std::mem::replace(&mut self.listed, true) {
            self.silent = true;
            self.ready.list(self.id);
        }
    }

    /// Lists the stream and wakes the task, unless it was woken for it already.
    pub(super) fn call(&mut self) {
        self.list();
        self.call_if_listed();
    }

    /// Wakes the task, if the stream was listed without that.
    pub(super) fn call_if_listed(&mut self) {
        if std::mem::take(&mut self.silent) {
            self.ready.wake();
        }
    }

    /// It is here.
    pub(super) fn has_come(&mut self) {
        (self.listed, self.silent) = (false, false);
    }
}
