//! What a call is set to, as interceptors see and change it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::tracer::{CallTracer, CallTracers};
use crate::compression::Compression;
use crate::credentials::CallCredentials;
use crate::metadata::Metadata;

/// What a call is set to (gRFC L46's `ClientCallDetails`). What it does not say is filled in from the channel and the service
/// config when the call is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallDetails {
    /// The method's path, `/package.Service/Method`.
    pub method: String,
    /// When the whole call has to be over.
    pub deadline: Option<Instant>,
    /// What goes out before the requests.
    pub metadata: Metadata,
    /// What proves who the call is from, beside the channel's own.
    pub credentials: Option<Arc<dyn CallCredentials>>,
    /// Whether it waits for a server that cannot be reached; `None` where that was not said.
    pub wait_for_ready: Option<bool>,
    /// How its requests are compressed; `None` where that was not said.
    pub compression: Option<Compression>,
    /// The largest response, in bytes, decompressed; `None` where that was not said.
    pub max_receive_message_size: Option<usize>,
    pub(in crate::channel) tracers: CallTracers,
    pub(in crate::channel) target: Arc<str>,
}

impl CallDetails {
    /// How much time is left; `None` without a deadline.
    pub fn time_remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The channel's target, with its scheme: `dns:///localhost:50051`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Has a tracer follow the call, attempt by attempt.
    pub fn trace(&mut self, tracer: impl CallTracer) {
        self.tracers.push(Arc::new(tracer));
    }

    /// Sets the deadline to this time from now. The deadline that the user set holds all the same.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.deadline = Instant::now().checked_add(timeout);
    }
}
