//! The messages of a call: counted, and told to those who watch.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::call::MessageEvent;

/// The messages of a call so far, in both directions.
#[derive(Debug, Default)]
pub(in crate::server) struct Messages {
    received: Count,
    sent: Count,
    watchers: Watchers,
}

/// How many messages a call has, and how large they are.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::server) struct MessageCounts {
    pub(in crate::server) received: u64,
    pub(in crate::server) sent: u64,
    /// As they go over the wire, compressed and without prefixes.
    pub(in crate::server) bytes_received: u64,
    pub(in crate::server) bytes_sent: u64,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Received,
    /// From the server to the client.
    Sent,
}

type OnMessage = Box<dyn FnMut(Direction, &MessageEvent) + Send>;

impl Messages {
    pub(super) fn received(&self, message: MessageEvent) {
        self.received.add(&message);
        self.watchers.tell(Direction::Received, &message);
    }

    pub(super) fn sent(&self, message: MessageEvent) {
        self.will_send(&message);
        self.has_sent(&message);
    }

    /// Counts a message that is sent when the call ends.
    pub(super) fn will_send(&self, message: &MessageEvent) {
        self.sent.add(message);
    }

    /// Tells of one that is counted already.
    pub(super) fn has_sent(&self, message: &MessageEvent) {
        self.watchers.tell(Direction::Sent, message);
    }

    /// Takes a message back that was not sent after all.
    pub(super) fn take_back(&self, message: &MessageEvent) {
        self.sent.take_back(message);
    }

    pub(in crate::server) fn watch(&self, callback: OnMessage) {
        self.watchers.add(callback);
    }

    pub(in crate::server) fn counts(&self) -> MessageCounts {
        let count = |count: &Count| (count.messages.load(Ordering::Relaxed), count.bytes.load(Ordering::Relaxed));
        let ((received, bytes_received), (sent, bytes_sent)) = (count(&self.received), count(&self.sent));
        MessageCounts { received, sent, bytes_received, bytes_sent }
    }
}

#[derive(Debug, Default)]
struct Count {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    fn add(&self, message: &MessageEvent) {
        change(&self.messages, |messages| messages + 1);
        change(&self.bytes, |bytes| bytes + message.size_on_wire() as u64);
    }

    fn take_back(&self, message: &MessageEvent) {
        change(&self.messages, |messages| messages.saturating_sub(1));
        change(&self.bytes, |bytes| bytes.saturating_sub(message.size_on_wire() as u64));
    }
}

/// Whoever sends or receives counts, and is one at a time: what need not hold for several costs a tenth.
fn change(number: &AtomicU64, how: impl FnOnce(u64) -> u64) {
    number.store(how(number.load(Ordering::Relaxed)), Ordering::Relaxed);
}

/// Those who watch the messages of a call; most have none.
#[derive(Default)]
struct Watchers {
    any: AtomicBool,
    callbacks: Mutex<Vec<OnMessage>>,
}

impl Watchers {
    fn add(&self, callback: OnMessage) {
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner).push(callback);
        self.any.store(true, Ordering::Release);
    }

    fn tell(&self, direction: Direction, message: &MessageEvent) {
        if self.any.load(Ordering::Acquire) {
            let mut callbacks = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
            callbacks.iter_mut().for_each(|callback| callback(direction, message));
        }
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchers").field("any", &self.any).finish_non_exhaustive()
    }
}
