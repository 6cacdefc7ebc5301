//! Error details with types: `google.rpc.Status` in and out of [`Status`] (gRFC L44, gRPC's richer error model).
//!
//! What a peer sends here is never trusted to agree with the call: it is an error value, and the call's own code stays.

mod error;
mod standard;

use crate::generated::google_rpc;
use crate::metadata::Metadata;
use crate::prost::{Message as _, Name};
use crate::prost_types::Any;
use crate::status::{Code, Status, wire};

pub use error::ErrorDetailsError;
pub use google_rpc::{
    BadRequest, DebugInfo, ErrorInfo, Help, LocalizedMessage, PreconditionFailure, QuotaFailure, RequestInfo,
    ResourceInfo, RetryInfo, Status as RpcStatus, bad_request, help, precondition_failure, quota_failure,
};

/// What every gRPC puts before the name of a detail's type.
const TYPE_URL_PREFIX: &str = "type.googleapis.com/";

/// The details of a status: messages of any type, in order.
///
/// Made of one message (`BadRequest::violation(..).into()`), or of several with [`with`](Self::with).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorDetails {
    details: Vec<Any>,
}

impl ErrorDetails {
    /// No details.
    pub fn new() -> ErrorDetails {
        ErrorDetails::default()
    }

    /// Adds a message: a standard detail, or one of your own.
    pub fn with(self, detail: impl Name) -> ErrorDetails {
        self.with_any(pack(&detail))
    }

    /// Adds a message that is packed already.
    pub fn with_any(mut self, detail: Any) -> ErrorDetails {
        self.details.push(detail);
        self
    }

    /// The first detail of this type; `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorDetailsError::Detail`] for one whose bytes are no such message.
    pub fn get<T: Name + Default>(&self) -> Result<Option<T>, ErrorDetailsError> {
        self.all().next().transpose()
    }

    /// All details of this type, in order, each as [`get`](Self::get) reads it.
    pub fn all<T: Name + Default>(&self) -> impl Iterator<Item = Result<T, ErrorDetailsError>> {
        let type_name = T::full_name();
        self.details.iter().filter(move |detail| type_of(detail) == type_name).map(|detail| {
            let failed = |source| ErrorDetailsError::Detail { type_name: T::full_name(), source };
            T::decode(detail.value.as_slice()).map_err(failed)
        })
    }

    /// All details, packed: of unknown types too.
    pub fn as_slice(&self) -> &[Any] {
        &self.details
    }

    /// The details of a call that succeeded: of the trailing metadata of its response. Few servers send such.
    ///
    /// # Errors
    /// As [`Status::error_details`].
    pub fn of_success(trailing_metadata: &Metadata) -> Result<ErrorDetails, ErrorDetailsError> {
        let Some(bytes) = trailing_metadata.status_details() else {
            return Ok(ErrorDetails::new());
        };
        let status = decode(bytes)?;
        check_code(Code::Ok, &status)?;
        Ok(ErrorDetails { details: status.details })
    }
}

impl<T: Name> From<T> for ErrorDetails {
    fn from(detail: T) -> ErrorDetails {
        ErrorDetails::new().with(detail)
    }
}

/// With the feature `status`: details that a program can read.
impl Status {
    /// The same status with these details, and no others; they go out as `grpc-status-details-bin`.
    ///
    /// All headers of an error have room for 8 KiB at most clients; details that do not fit are left out, and the
    /// message says so.
    ///
    /// ```
    /// use callwright::Status;
    /// use callwright::status::ErrorInfo;
    ///
    /// let status = Status::permission_denied("the API is off").with_error_details(ErrorInfo::new("API_DISABLED", "example.com"));
    /// assert_eq!(status.error_details()?.get::<ErrorInfo>()?.map(|info| info.reason).as_deref(), Some("API_DISABLED"));
    /// # Ok::<(), callwright::status::ErrorDetailsError>(())
    /// ```
    pub fn with_error_details(self, details: impl Into<ErrorDetails>) -> Status {
        let status = RpcStatus {
            code: self.code().into(),
            // As it will arrive: others refuse details whose message is not the status' own.
            message: wire::cut(self.message()).to_owned(),
            details: details.into().details,
        };
        self.with_details(status.encode_to_vec())
    }

    /// The details; empty where the server sent none.
    ///
    /// # Errors
    /// [`ErrorDetailsError`] for what the server sent and cannot be read, or contradicts the status. The code of the
    /// call is [`code`](Self::code) whatever they say.
    pub fn error_details(&self) -> Result<ErrorDetails, ErrorDetailsError> {
        if self.inner.details_garbled {
            return Err(ErrorDetailsError::NotBase64);
        }
        if self.details().is_empty() {
            return Ok(ErrorDetails::new());
        }
        let status = decode(self.details())?;
        check_code(self.code(), &status)?;
        if status.message != self.message() && status.message != wire::cut(self.message()) {
            return Err(ErrorDetailsError::Message { status: self.message().to_owned(), details: status.message });
        }
        Ok(ErrorDetails { details: status.details })
    }
}

/// To be sent: code, message and details of one that came as data, from a queue or inside of another message.
///
/// A number that is no code, or OK, becomes UNKNOWN, and the message says which it was.
impl From<RpcStatus> for Status {
    fn from(status: RpcStatus) -> Status {
        let details = ErrorDetails { details: status.details };
        let (code, message) = match Code::from(status.code) {
            Code::Ok | Code::Unknown if status.code != i32::from(Code::Unknown) => {
                (Code::Unknown, format!("invalid status code {}: {}", status.code, status.message))
            }
            code => (code, status.message),
        };
        let sent = Status::new(code, message);
        if details.details.is_empty() { sent } else { sent.with_error_details(details) }
    }
}

/// To be kept as data.
///
/// # Errors
/// As [`Status::error_details`].
impl TryFrom<&Status> for RpcStatus {
    type Error = ErrorDetailsError;

    fn try_from(status: &Status) -> Result<RpcStatus, ErrorDetailsError> {
        let details = status.error_details()?.details;
        Ok(RpcStatus { code: status.code().into(), message: status.message().to_owned(), details })
    }
}

fn pack<T: Name>(detail: &T) -> Any {
    Any { type_url: format!("{TYPE_URL_PREFIX}{}", T::full_name()), value: detail.encode_to_vec() }
}

/// The full name of a detail's type: what follows the last slash, whoever the type's host is.
fn type_of(detail: &Any) -> &str {
    detail.type_url.rsplit('/').next().unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Result<RpcStatus, ErrorDetailsError> {
    RpcStatus::decode(bytes).map_err(ErrorDetailsError::Malformed)
}

fn check_code(code: Code, details: &RpcStatus) -> Result<(), ErrorDetailsError> {
    if details.code == i32::from(code) {
        return Ok(());
    }
    Err(ErrorDetailsError::Code { status: code, details: details.code })
}
