//! The calls that wait for a connection, in the order they came.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::balancer::PickArgs;
use super::configured::Configured;
use super::interceptor::AttemptTracers;
use super::opened::Opened;
use crate::address::Address;
use crate::metadata::Metadata;
use crate::status::Status;
use crate::transport::client::RequestHead;

/// A call's place in the queue: smaller came earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(pub(super) u64);

/// What follows an attempt.
pub(super) struct Traced {
    pub(super) tracers: AttemptTracers,
    /// What it carries beside the call's metadata.
    pub(super) metadata: Metadata,
    /// How large the first message is, decompressed, in bytes.
    pub(super) first_size: Option<usize>,
}

/// A call that can wait for a connection.
pub(super) trait QueuedCall: Send + Sync {
    /// Takes what the service config says of it, unless it has that already.
    fn configure(&self, config: &Configured);

    /// What the picker may know of it.
    fn pick_args(&self) -> PickArgs<'_>;

    /// Whether it stays queued while the channel cannot connect.
    fn waits_for_ready(&self) -> bool;

    /// The request's head, as it is when the call leaves the queue: the timeout is what is left of it.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when it is larger than `limit` bytes.
    fn head(&self, limit: usize) -> Result<RequestHead, Status>;

    /// It has to wait.
    fn note_wait(&self) {}

    /// What follows the attempt that is about to go out to this server; `None` for a call that nobody follows.
    fn trace(&self, peer: &Address) -> Option<Traced> {
        let _ = peer;
        None
    }

    /// What goes out together with the head, and whether that is all.
    fn first(&self) -> (Option<Bytes>, bool);

    /// The call's stream, or why there will be none. Called without any lock of the channel held.
    fn leave_queue(self: Arc<Self>, outcome: Result<Opened, Status>);
}

/// The waiting calls of one channel.
#[derive(Default)]
pub(super) struct Queue {
    calls: BTreeMap<Ticket, Arc<dyn QueuedCall>>,
}

impl Queue {
    pub(super) fn push(&mut self, ticket: Ticket, call: Arc<dyn QueuedCall>) {
        self.calls.insert(ticket, call);
    }

    pub(super) fn remove(&mut self, ticket: Ticket) {
        self.calls.remove(&ticket);
    }

    /// The call that came first.
    pub(super) fn first(&self) -> Option<(Ticket, Arc<dyn QueuedCall>)> {
        self.calls.first_key_value().map(|(ticket, call)| (*ticket, call.clone()))
    }

    /// The call that came next after this one.
    pub(super) fn after(&self, ticket: Ticket) -> Option<(Ticket, Arc<dyn QueuedCall>)> {
        let mut later = self.calls.range((Bound::Excluded(ticket), Bound::Unbounded));
        later.next().map(|(ticket, call)| (*ticket, call.clone()))
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn all(&self) -> Vec<Arc<dyn QueuedCall>> {
        self.calls.values().cloned().collect()
    }

    pub(super) fn take_all(&mut self) -> Vec<Arc<dyn QueuedCall>> {
        std::mem::take(&mut self.calls).into_values().collect()
    }
}
