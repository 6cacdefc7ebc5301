//! How the command fails, and with which exit code.

use std::fmt;
use std::io;

use callwright::dynamic::DynamicError;
use callwright::{ChannelError, Status};

/// The exit code of a command line that makes no sense.
pub(crate) const USAGE: u8 = 2;
/// The exit code of a call that failed is this plus its status code.
const STATUS_BASE: u8 = 64;

/// Why the command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something failed, for a reason that the exit code says.
    Status(Status),
    /// Nobody reads what it prints: who did has what they wanted, so that it is no failure.
    Unread,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Status(status) => STATUS_BASE + status.code() as u8,
            Failure::Unread => 0,
        }
    }
}

/// What the library tells a program to do, and what is to be given to the command for it.
const ADVICE: [(&str, &str); 6] = [
    ("set its credentials to ChannelCredentials::tls()", "give --tls, or --cacert FILE"),
    (
        "set its credentials to ChannelCredentials::insecure(), or write http:// in its target",
        "give none of --tls, --cacert, --cert and --server-name, and write http:// for https://",
    ),
    ("set root_certificates to the one", "give --cacert with the one"),
    ("set root_certificates", "give --cacert FILE"),
    ("set server_name", "give --server-name"),
    ("a certificate of the client (identity)", "a certificate of the client (--cert and --key)"),
];

/// The library speaks to who writes a program; here somebody types.
fn for_the_shell(text: String) -> String {
    ADVICE.iter().fold(text, |text, (program, shell)| text.replace(program, shell))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Status(status) => f.write_str(&for_the_shell(status.to_string())),
            Failure::Unread => f.write_str("nobody reads"),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure::Status(status)
    }
}

impl From<DynamicError> for Failure {
    fn from(error: DynamicError) -> Failure {
        Failure::Status(Status::from(error))
    }
}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Failure {
        Failure::Status(Status::invalid_argument(error.to_string()))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Status(Status::unknown(error.to_string()))
    }
}
