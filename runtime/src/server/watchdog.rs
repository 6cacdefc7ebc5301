//! Notices when a handler keeps the task of its connection, and has another task take the connection over.
//!
//! A handler on a task of its own that blocks its thread can stop a whole runtime whose other threads sleep: none of them looks at
//! the sockets until something wakes one. So one is woken then.
//!
//! Only calls of methods that have shown to be [quick](super::pace) run on the task of their connection, so that this hardly ever
//! has anything to do. One thread looks after all connections of the process, ten times a second while calls run there, and sleeps
//! otherwise.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use super::connection::Served;

/// How often it looks: a handler is noticed that is at work at two looks in a row.
const INTERVAL: Duration = Duration::from_millis(100);
/// It sleeps after so many looks at which nothing had happened.
const QUIET: u32 = 10;

static CONNECTIONS: Mutex<Vec<Weak<Served>>> = Mutex::new(Vec::new());
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();
static SLEEPS: AtomicBool = AtomicBool::new(false);

/// What the task of a connection does, as the watchdog sees it.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Counts the beginnings and the ends of calls: odd while one runs.
    steps: AtomicU64,
    /// What it was at the last look.
    seen: AtomicU64,
}

impl Watched {
    /// A call begins to run.
    pub(super) fn begin(&self) {
        self.step();
        wake_if_asleep();
    }

    /// It has paused or ended.
    pub(super) fn end(&self) {
        self.step();
    }

    fn step(&self) {
        self.steps.fetch_add(1, Ordering::Release);
    }

    /// What happened since the last look.
    pub(super) fn look(&self) -> Look {
        let steps = self.steps.load(Ordering::Acquire);
        let seen = self.seen.swap(steps, Ordering::Relaxed);
        match steps % 2 == 1 {
            true if steps == seen => Look::Kept,
            _ if steps == seen => Look::Quiet,
            _ => Look::Busy,
        }
    }
}

/// The handlers of a connection that run on tasks of their own.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    /// How many are at work at this moment, and how often one was.
    at_work: AtomicUsize,
    times: AtomicU64,
    /// What that was at the last look.
    seen: AtomicU64,
}

impl Handlers {
    /// One is at work until what this gives is dropped.
    pub(super) fn work(&self) -> AtWork<'_> {
        self.at_work.fetch_add(1, Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Release);
        wake_if_asleep();
        AtWork(self)
    }

    /// What happened since the last look.
    pub(super) fn look(&self) -> Look {
        let times = self.times.load(Ordering::Acquire);
        let is_same = self.seen.swap(times, Ordering::Relaxed) == times;
        match self.at_work.load(Ordering::Relaxed) > 0 {
            true if is_same => Look::Kept,
            _ if is_same => Look::Quiet,
            _ => Look::Busy,
        }
    }
}

/// A handler is at work.
pub(super) struct AtWork<'a>(&'a Handlers);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a task did between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Quiet,
    Busy,
    /// The same call runs as at the last look.
    Kept,
}

fn connections() -> MutexGuard<'static, Vec<Weak<Served>>> {
    CONNECTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks after a connection for as long as it lives.
pub(super) fn watch(connection: &Arc<Served>) {
    // Without a thread, a handler that does not come back keeps its connection.
    THREAD.get_or_init(|| {
        let spawned = thread::Builder::new().name("callwright-watch".into()).spawn(run);
        spawned.ok().map(|handle| handle.thread().clone())
    });
    let mut connections = connections();
    if connections.len() == connections.capacity() {
        connections.retain(|connection| connection.strong_count() > 0);
    }
    connections.push(Arc::downgrade(connection));
}

fn wake_if_asleep() {
    if SLEEPS.load(Ordering::Relaxed)
        && SLEEPS.swap(false, Ordering::AcqRel)
        && let Some(Some(thread)) = THREAD.get()
    {
        thread.unpark();
    }
}

fn run() {
    let mut quiet = 0;
    loop {
        if quiet >= QUIET {
            SLEEPS.store(true, Ordering::Release);
            quiet = 0;
            // What began before that is seen by one more look.
            thread::park_timeout(INTERVAL);
            while SLEEPS.load(Ordering::Acquire) && !look_at_all() {
                thread::park();
            }
            SLEEPS.store(false, Ordering::Release);
            // It has just looked.
            continue;
        }
        thread::park_timeout(INTERVAL);
        quiet = if look_at_all() { 0 } else { quiet + 1 };
    }
}

/// Whether anything had happened.
fn look_at_all() -> bool {
    let mut connections = connections();
    connections.retain(|connection| connection.strong_count() > 0);
    let looked_at: Vec<_> = connections.iter().filter_map(Weak::upgrade).collect();
    // Whoever drops the last of a connection here may want the list.
    drop(connections);
    looked_at.iter().fold(false, |any, connection| any | (connection.look() != Look::Quiet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_that_is_at_work_at_two_looks_keeps_its_thread() {
        let handlers = Handlers::default();
        drop(handlers.work());
        assert_eq!([handlers.look(), handlers.look()], [Look::Busy, Look::Quiet]);
        let one = handlers.work();
        assert_eq!([handlers.look(), handlers.look(), handlers.look()], [Look::Busy, Look::Kept, Look::Kept]);
        drop(handlers.work());
        assert_eq!([handlers.look(), handlers.look()], [Look::Busy, Look::Kept]);
        drop(one);
        assert_eq!(handlers.look(), Look::Quiet);
    }

    #[test]
    fn a_call_that_runs_at_two_looks_keeps_its_connection() {
        let watched = Watched::default();
        assert_eq!(watched.look(), Look::Quiet);
        watched.begin();
        watched.end();
        assert_eq!([watched.look(), watched.look()], [Look::Busy, Look::Quiet]);
        watched.begin();
        assert_eq!([watched.look(), watched.look()], [Look::Busy, Look::Kept]);
        watched.end();
        watched.begin();
        assert_eq!([watched.look(), watched.look()], [Look::Busy, Look::Kept]);
        watched.end();
        assert_eq!([watched.look(), watched.look()], [Look::Busy, Look::Quiet]);
    }
}
