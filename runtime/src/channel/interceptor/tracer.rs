//! What follows a call attempt by attempt (gRFC A66's `CallTracer`): retries and hedges are inside of all interceptors.

use std::fmt;
use std::sync::Arc;

use crate::address::Address;
use crate::call::MessageEvent;
use crate::metadata::Metadata;
use crate::status::Status;

/// Follows one call. An interceptor gives it to the call with [`CallDetails::trace`](super::CallDetails::trace). What it is told, it
/// is told while the call waits: it must not block, nor use the call.
pub trait CallTracer: Send + Sync + 'static {
    /// An attempt is about to go out.
    fn attempt(&self, attempt: &mut Attempt<'_>) -> Box<dyn CallAttemptTracer>;
}

/// Follows one attempt, until its end.
pub trait CallAttemptTracer: Send + Sync {
    /// A message was sent.
    fn message_sent(&self, message: &MessageEvent) {
        let _ = message;
    }

    /// A message was received.
    fn message_received(&self, message: &MessageEvent) {
        let _ = message;
    }

    /// It is over; CANCELLED for one that was given up.
    fn ended(&self, status: &Status) {
        let _ = status;
    }
}

/// An attempt that is about to go out.
pub struct Attempt<'a> {
    pub(in crate::channel) previous: u32,
    pub(in crate::channel) transparent: bool,
    pub(in crate::channel) has_waited: bool,
    pub(in crate::channel) peer: &'a Address,
    pub(in crate::channel) metadata: &'a mut Metadata,
}

impl Attempt<'_> {
    /// How many attempts were made before, but for those that no server saw.
    pub fn previous_attempts(&self) -> u32 {
        self.previous
    }

    /// Whether it is made again because no server saw the one before (gRFC A6).
    pub fn is_transparent_retry(&self) -> bool {
        self.transparent
    }

    /// Whether it had to wait for a connection.
    pub fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// The address of the server.
    pub fn peer(&self) -> &Address {
        self.peer
    }

    /// What this attempt alone carries beside the call's metadata.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        self.metadata
    }
}

impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("previous", &self.previous)
            .field("transparent", &self.transparent)
            .field("has_waited", &self.has_waited)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// What follows a call: whoever asked to.
#[derive(Clone, Default)]
pub(in crate::channel) struct CallTracers(Vec<Arc<dyn CallTracer>>);

impl CallTracers {
    pub(super) fn push(&mut self, tracer: Arc<dyn CallTracer>) {
        self.0.push(tracer);
    }

    pub(in crate::channel) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An attempt is about to go out, because no server saw the one before, or after a wait for a connection, as is said; what it
    /// carries beside the call's metadata.
    pub(in crate::channel) fn attempt(
        &self,
        previous: u32,
        (transparent, has_waited): (bool, bool),
        peer: &Address,
    ) -> (AttemptTracers, Metadata) {
        let mut metadata = Metadata::new();
        let mut attempt = Attempt { previous, transparent, has_waited, peer, metadata: &mut metadata };
        let tracers = self.0.iter().map(|tracer| tracer.attempt(&mut attempt)).collect();
        (AttemptTracers(tracers), metadata)
    }
}

impl fmt::Debug for CallTracers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallTracers").field(&self.0.len()).finish()
    }
}

/// What follows an attempt.
#[derive(Default)]
pub(in crate::channel) struct AttemptTracers(Vec<Box<dyn CallAttemptTracer>>);

impl AttemptTracers {
    pub(in crate::channel) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::channel) fn sent(&self, message: MessageEvent) {
        self.0.iter().for_each(|tracer| tracer.message_sent(&message));
    }

    pub(in crate::channel) fn received(&self, message: MessageEvent) {
        self.0.iter().for_each(|tracer| tracer.message_received(&message));
    }

    pub(in crate::channel) fn ended(&self, status: &Status) {
        self.0.iter().for_each(|tracer| tracer.ended(status));
    }
}
