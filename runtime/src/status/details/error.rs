//! Why details cannot be read.

use crate::prost::DecodeError;
use crate::status::Code;

/// Why the details of a status cannot be read. The status itself stands: its code and message are what the server sent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorDetailsError {
    /// `grpc-status-details-bin` is not base64.
    #[error("the peer's grpc-status-details-bin is not base64")]
    NotBase64,
    /// The bytes are no `google.rpc.Status`.
    #[error("the details of the status are no google.rpc.Status: {0}")]
    Malformed(DecodeError),
    /// The details repeat another code than the call has.
    #[error("the call ended in {status}, but its details say {details}")]
    Code {
        /// The code of the call.
        status: Code,
        /// The number in the details.
        details: i32,
    },
    /// The details repeat another message than the call has.
    #[error("the message of the status is {status:?}, but its details say {details:?}")]
    Message {
        /// The message of the call.
        status: String,
        /// The one in the details.
        details: String,
    },
    /// A detail is not what its type says.
    #[error("a detail of type {type_name} cannot be read: {source}")]
    Detail {
        /// The full name of its type.
        type_name: String,
        /// Why not.
        source: DecodeError,
    },
}
