//! How a call ended: [`Status`] and its [`Code`]; with the feature `status`, error details that a program can read.
#![cfg_attr(feature = "status", doc = "", doc = include_str!("details/guide.md"))]

mod code;
#[cfg(feature = "status")]
mod details;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::metadata::{Metadata, MetadataError};

pub use code::Code;
#[cfg(feature = "status")]
pub use details::{
    BadRequest, DebugInfo, ErrorDetails, ErrorDetailsError, ErrorInfo, Help, LocalizedMessage, PreconditionFailure,
    QuotaFailure, RequestInfo, ResourceInfo, RetryInfo, RpcStatus, bad_request, help, precondition_failure,
    quota_failure,
};

/// How a call ended: a code, a message for a person, and what else the server sent with it.
///
/// The client's methods return it as their error; a servicer returns it to end a call with an error.
/// [`source`](Error::source) keeps the cause where there was one (a refused connection, say).
#[derive(Clone)]
pub struct Status {
    // A call's result carries a status only when it failed: one pointer keeps every `Result` small.
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    details: Bytes,
    /// Whether the peer's `grpc-status-details-bin` was not even base64.
    details_garbled: bool,
    initial_metadata: Metadata,
    metadata: Metadata,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $code:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(message: impl Into<String>) -> Status {
            Status::new(Code::$code, message)
        })*
    };
}

impl Status {
    /// A status of this code and message.
    pub fn new(code: impl Into<Code>, message: impl Into<String>) -> Status {
        Status {
            inner: Box::new(Inner {
                code: code.into(),
                message: message.into(),
                details: Bytes::new(),
                details_garbled: false,
                initial_metadata: Metadata::new(),
                metadata: Metadata::new(),
                source: None,
            }),
        }
    }

    constructors! {
        /// [`Code::Cancelled`] with this message.
        cancelled => Cancelled;
        /// [`Code::Unknown`] with this message.
        unknown => Unknown;
        /// [`Code::InvalidArgument`] with this message.
        invalid_argument => InvalidArgument;
        /// [`Code::DeadlineExceeded`] with this message.
        deadline_exceeded => DeadlineExceeded;
        /// [`Code::NotFound`] with this message.
        not_found => NotFound;
        /// [`Code::AlreadyExists`] with this message.
        already_exists => AlreadyExists;
        /// [`Code::PermissionDenied`] with this message.
        permission_denied => PermissionDenied;
        /// [`Code::ResourceExhausted`] with this message.
        resource_exhausted => ResourceExhausted;
        /// [`Code::FailedPrecondition`] with this message.
        failed_precondition => FailedPrecondition;
        /// [`Code::Aborted`] with this message.
        aborted => Aborted;
        /// [`Code::OutOfRange`] with this message.
        out_of_range => OutOfRange;
        /// [`Code::Unimplemented`] with this message.
        unimplemented => Unimplemented;
        /// [`Code::Internal`] with this message.
        internal => Internal;
        /// [`Code::Unavailable`] with this message.
        unavailable => Unavailable;
        /// [`Code::DataLoss`] with this message.
        data_loss => DataLoss;
        /// [`Code::Unauthenticated`] with this message.
        unauthenticated => Unauthenticated;
    }

    /// What a servicer's method answers that was left out: [`Code::Unimplemented`], naming the method.
    pub fn method_not_implemented(method: &str) -> Status {
        Status::unimplemented(format!("method {method} is not implemented"))
    }

    /// Whether it is OK, and nothing is said beside that.
    pub(crate) fn is_plain_ok(&self) -> bool {
        let Inner { code, message, details, metadata, .. } = &*self.inner;
        *code == Code::Ok && message.is_empty() && details.is_empty() && metadata.is_empty()
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.inner.code
    }

    /// The message, for a person.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The bytes of `grpc-status-details-bin`; empty where there were none.
    ///
    /// By convention, and for other gRPCs to read them, they are a serialized `google.rpc.Status` that repeats code and
    /// message and holds the details as `google.protobuf.Any`; `error_details`, of the feature `status`, reads them.
    pub fn details(&self) -> &[u8] {
        &self.inner.details
    }

    /// The trailing metadata that came with the status.
    pub fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// The initial metadata that came before the status; empty where the server sent only trailers.
    pub fn initial_metadata(&self) -> &Metadata {
        &self.inner.initial_metadata
    }

    /// The same status with trailing metadata, to be sent by a server.
    pub fn with_metadata(mut self, metadata: Metadata) -> Status {
        self.inner.metadata = metadata;
        self
    }

    /// The same status with the bytes of `grpc-status-details-bin`: a serialized `google.rpc.Status`, for
    /// [`details`](Self::details) to be understood elsewhere. `with_error_details`, of the feature `status`, makes them.
    pub fn with_details(mut self, details: impl Into<Bytes>) -> Status {
        self.inner.details = details.into();
        self.inner.details_garbled = false;
        self
    }

    /// The same status with this message.
    pub(crate) fn with_message(mut self, message: String) -> Status {
        self.inner.message = message;
        self
    }

    /// The same status with the error that caused it, as [`source`](Error::source). It stays on this side.
    ///
    /// ```
    /// use callwright::Status;
    ///
    /// let parse = |text: &str| text.parse::<i32>().map_err(|error| Status::invalid_argument("no number").with_source(error));
    /// assert!(std::error::Error::source(&parse("x").unwrap_err()).is_some());
    /// ```
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Status {
        self.inner.source = Some(source.into().into());
        self
    }

    /// Notes that the peer sent details which could not be taken out of their header.
    fn with_garbled_details(mut self) -> Status {
        self.inner.details_garbled = true;
        self
    }

    pub(crate) fn with_initial_metadata(mut self, metadata: Metadata) -> Status {
        self.inner.initial_metadata = metadata;
        self
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inner.message.is_empty() {
            return write!(f, "{}", self.inner.code);
        }
        write!(f, "{}: {}", self.inner.code, self.inner.message)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Status");
        debug.field("code", &self.inner.code).field("message", &self.inner.message);
        if !self.inner.details.is_empty() {
            debug.field("details", &self.inner.details);
        }
        if !self.inner.metadata.is_empty() {
            debug.field("metadata", &self.inner.metadata);
        }
        if let Some(source) = &self.inner.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<MetadataError> for Status {
    fn from(error: MetadataError) -> Status {
        let code = match error {
            MetadataError::TooLarge { .. } => Code::ResourceExhausted,
            _ => Code::Internal,
        };
        Status::new(code, error.to_string()).with_source(error)
    }
}
