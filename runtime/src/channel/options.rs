//! What a call is set to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::deadline::earliest;
use super::interceptor::{CallDetails, CallTracers};
use crate::compression::Compression;
use crate::credentials::CallCredentials;
use crate::metadata::{IntoMetadataValue, Metadata};
use crate::status::Status;

/// The settings of one call, as its builder collects them.
#[derive(Clone, Debug, Default)]
pub(super) struct CallOptions {
    /// `None` is "not said": it can still be filled from elsewhere, `Some(false)` cannot.
    pub(super) wait_for_ready: Option<bool>,
    pub(super) timeout: Option<Duration>,
    pub(super) deadline: Option<Instant>,
    pub(super) compression: Option<Compression>,
    pub(super) max_receive_message_size: Option<usize>,
    pub(super) metadata: Metadata,
    pub(super) credentials: Option<Arc<dyn CallCredentials>>,
    /// The first thing that was wrong with what the call was given: it ends with this.
    pub(super) failure: Option<Status>,
    /// What follows its attempts.
    pub(super) tracers: CallTracers,
}

impl CallOptions {
    pub(super) fn append(&mut self, key: &str, value: impl IntoMetadataValue) {
        if let Err(error) = self.metadata.append(key, value) {
            self.fail(Status::from(error));
        }
    }

    pub(super) fn fail(&mut self, status: Status) {
        self.failure.get_or_insert(status);
    }

    /// The options as interceptors see them.
    pub(super) fn details(&self, path: &str, target: &Arc<str>) -> CallDetails {
        CallDetails {
            method: path.to_owned(),
            deadline: self.deadline(),
            metadata: self.metadata.clone(),
            credentials: self.credentials.clone(),
            wait_for_ready: self.wait_for_ready,
            compression: self.compression,
            max_receive_message_size: self.max_receive_message_size,
            tracers: self.tracers.clone(),
            target: target.clone(),
        }
    }

    /// What interceptors have made of them.
    pub(super) fn of(details: CallDetails) -> Self {
        CallOptions {
            wait_for_ready: details.wait_for_ready,
            timeout: None,
            deadline: details.deadline,
            compression: details.compression,
            max_receive_message_size: details.max_receive_message_size,
            metadata: details.metadata,
            // They have been asked, or are about to be.
            credentials: None,
            failure: None,
            tracers: details.tracers,
        }
    }

    /// The earlier of deadline and timeout, the latter counted from now.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // A timeout past what the clock can hold is no deadline.
        let by_timeout = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        earliest([by_timeout, self.deadline])
    }
}
