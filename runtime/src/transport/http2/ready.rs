//! The streams that have something for their connection's task, in the order in which they had it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

/// Ids that wait for the task; each once.
#[derive(Debug, Default)]
pub(super) struct Ready {
    ids: Mutex<Vec<Arc<Ticket>>>,
    task: AtomicWaker,
}

/// What a stream puts into the list when it is woken.
#[derive(Debug)]
pub(super) struct Ticket {
    id: u32,
    waits: AtomicBool,
    ready: Arc<Ready>,
}

impl Ready {
    /// A waker that puts `id` into the list.
    pub(super) fn waker(self: &Arc<Self>, id: u32) -> Waker {
        Waker::from(Arc::new(Ticket { id, waits: AtomicBool::new(false), ready: self.clone() }))
    }

    /// Wakes the task.
    pub(super) fn wake(&self) {
        self.task.wake();
    }

    /// Lets the task be woken. Called before what it waits for is looked at, so that nothing is missed in between.
    pub(super) fn register(&self, waker: &Waker) {
        self.task.register(waker);
    }

    /// Moves all ids to `to`.
    pub(super) fn take(&self, to: &mut Vec<u32>) {
        for ticket in self.lock().drain(..) {
            ticket.waits.store(false, Ordering::Release);
            to.push(ticket.id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Ticket>>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        if !self.waits.swap(true, Ordering::AcqRel) {
            let ready = self.ready.clone();
            ready.lock().push(self);
            ready.wake();
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.clone().wake();
    }
}
