//! How many messages a call has, and how large they are.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::codec::frame::PREFIX;

/// The messages of a call so far, in both directions.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct MessageCounts {
    pub(in crate::server) received: Count,
    pub(in crate::server) sent: Count,
}

/// The messages in one direction.
#[derive(Debug, Default)]
pub(in crate::server) struct Count {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    /// Adds a message of so many bytes, as it goes over the wire with its prefix.
    pub(super) fn add(&self, size: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(size.saturating_sub(PREFIX) as u64, Ordering::Relaxed);
    }

    /// Takes a message back that was not sent after all.
    pub(super) fn take_back(&self, size: usize) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(size.saturating_sub(PREFIX) as u64, Ordering::Relaxed);
    }

    pub(in crate::server) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Compressed, without prefixes.
    pub(in crate::server) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Clone for Count {
    fn clone(&self) -> Self {
        Count { messages: self.messages().into(), bytes: self.bytes().into() }
    }
}
