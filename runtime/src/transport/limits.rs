//! How many streams a connection may have, and how many it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many streams the peer allows, and how many are open.
#[derive(Debug, Default)]
pub(super) struct Limits {
    max_streams: AtomicUsize,
    open_streams: AtomicUsize,
    freed: Notify,
}

impl Limits {
    pub(super) fn has_room(&self) -> bool {
        self.open_streams.load(Ordering::Acquire) < self.max_streams.load(Ordering::Acquire)
    }

    /// What the peer allows from now on.
    pub(super) fn allow(&self, max_streams: usize) {
        if self.max_streams.swap(max_streams, Ordering::AcqRel) < max_streams {
            self.freed.notify_one();
        }
    }

    /// Takes the place of one stream.
    pub(super) fn take(self: &Arc<Self>) -> Permit {
        self.open_streams.fetch_add(1, Ordering::AcqRel);
        Permit { limits: self.clone() }
    }

    /// Resolves when a stream has ended, or the peer allows more of them.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }
}

/// Counts one stream of a connection for as long as it lives.
#[derive(Debug)]
pub(crate) struct Permit {
    limits: Arc<Limits>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let before = self.limits.open_streams.fetch_sub(1, Ordering::AcqRel);
        // Nobody waits for a place while there are others.
        if before >= self.limits.max_streams.load(Ordering::Acquire) {
            self.limits.freed.notify_one();
        }
    }
}
