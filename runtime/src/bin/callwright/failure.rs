//! How the command fails, and with which exit code.

use std::fmt;
use std::io;

use callwright::dynamic::DynamicError;
use callwright::{ChannelError, Status};

/// The exit code of a command line that makes no sense.
pub(crate) const USAGE: u8 = 2;
/// The exit code of a call that failed is this plus its status code.
const STATUS_BASE: u8 = 64;

/// Why the command failed: always a status, since that is what its exit code says.
#[derive(Debug)]
pub(crate) struct Failure(Status);

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        STATUS_BASE + self.0.code() as u8
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure(status)
    }
}

impl From<DynamicError> for Failure {
    fn from(error: DynamicError) -> Failure {
        Failure(Status::from(error))
    }
}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Failure {
        Failure(Status::invalid_argument(error.to_string()))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure(Status::unknown(error.to_string()))
    }
}
