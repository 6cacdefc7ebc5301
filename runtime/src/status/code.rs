//! The seventeen status codes, and what other protocols' codes mean as one of them.

use std::fmt;

/// A gRPC status code (`doc/statuscodes.md`).
///
/// A number that gRPC does not define reads as [`Code::Unknown`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// 0: the call succeeded.
    #[default]
    Ok = 0,
    /// 1: the call was cancelled, usually by its caller.
    Cancelled = 1,
    /// 2: an error of which nothing better is known.
    Unknown = 2,
    /// 3: the caller gave an argument that is wrong whatever the state of the system.
    InvalidArgument = 3,
    /// 4: the deadline passed before the call was complete.
    DeadlineExceeded = 4,
    /// 5: something that was asked for does not exist.
    NotFound = 5,
    /// 6: something that was to be made exists already.
    AlreadyExists = 6,
    /// 7: the caller may not do this.
    PermissionDenied = 7,
    /// 8: a quota, a limit or a resource ran out.
    ResourceExhausted = 8,
    /// 9: the system is not in the state that the call needs.
    FailedPrecondition = 9,
    /// 10: the operation was aborted, as by a concurrent change.
    Aborted = 10,
    /// 11: the argument lies outside the valid range.
    OutOfRange = 11,
    /// 12: the method does not exist here, or is not supported.
    Unimplemented = 12,
    /// 13: something that must hold did not: a bug on one side or the other.
    Internal = 13,
    /// 14: the service cannot be reached now; trying again may help.
    Unavailable = 14,
    /// 15: data was lost or corrupted beyond recovery.
    DataLoss = 15,
    /// 16: the caller is not known.
    Unauthenticated = 16,
}

impl Code {
    /// All codes, in the order of their numbers.
    pub const ALL: [Code; 17] = [
        Code::Ok,
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    /// The name as gRPC's documents spell it, such as `DEADLINE_EXCEEDED`.
    pub fn name(self) -> &'static str {
        match self {
            Code::Ok => "OK",
            Code::Cancelled => "CANCELLED",
            Code::Unknown => "UNKNOWN",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Code::NotFound => "NOT_FOUND",
            Code::AlreadyExists => "ALREADY_EXISTS",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::Aborted => "ABORTED",
            Code::OutOfRange => "OUT_OF_RANGE",
            Code::Unimplemented => "UNIMPLEMENTED",
            Code::Internal => "INTERNAL",
            Code::Unavailable => "UNAVAILABLE",
            Code::DataLoss => "DATA_LOSS",
            Code::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The code that stands for an HTTP status which came without a `grpc-status`
    /// (`doc/http-grpc-status-mapping.md`).
    pub fn from_http(status: u16) -> Code {
        match status {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        }
    }

    /// The code that stands for a stream reset with this HTTP/2 error code
    /// (`doc/PROTOCOL-HTTP2.md`, "Errors").
    pub fn from_http2(error: u32) -> Code {
        match error {
            7 => Code::Unavailable,
            8 => Code::Cancelled,
            11 => Code::ResourceExhausted,
            12 => Code::PermissionDenied,
            _ => Code::Internal,
        }
    }
}

impl From<i32> for Code {
    fn from(number: i32) -> Code {
        usize::try_from(number).ok().and_then(|index| Code::ALL.get(index).copied()).unwrap_or(Code::Unknown)
    }
}

impl From<Code> for i32 {
    fn from(code: Code) -> i32 {
        code as i32
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
