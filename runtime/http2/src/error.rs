//! Why a stream or a connection ended.

use std::fmt;

/// An error code of RFC 9113 section 7.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Not an error: a connection or a stream that is no longer needed.
    pub const NO_ERROR: ErrorCode = ErrorCode(0);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: ErrorCode = ErrorCode(1);
    /// Something went wrong on this side.
    pub const INTERNAL_ERROR: ErrorCode = ErrorCode(2);
    /// The peer sent more than it was allowed to.
    pub const FLOW_CONTROL_ERROR: ErrorCode = ErrorCode(3);
    /// The peer has not acknowledged SETTINGS in time.
    pub const SETTINGS_TIMEOUT: ErrorCode = ErrorCode(4);
    /// A frame for a stream that is closed.
    pub const STREAM_CLOSED: ErrorCode = ErrorCode(5);
    /// A frame of a size that is not valid.
    pub const FRAME_SIZE_ERROR: ErrorCode = ErrorCode(6);
    /// The stream was refused before anything was done with it.
    pub const REFUSED_STREAM: ErrorCode = ErrorCode(7);
    /// The stream is no longer needed.
    pub const CANCEL: ErrorCode = ErrorCode(8);
    /// The tables of header compression differ.
    pub const COMPRESSION_ERROR: ErrorCode = ErrorCode(9);
    /// The connection of a CONNECT request broke.
    pub const CONNECT_ERROR: ErrorCode = ErrorCode(10);
    /// The peer asks for too much.
    pub const ENHANCE_YOUR_CALM: ErrorCode = ErrorCode(11);
    /// The transport is not secure enough.
    pub const INADEQUATE_SECURITY: ErrorCode = ErrorCode(12);
    /// HTTP/1.1 is wanted in place of HTTP/2.
    pub const HTTP_1_1_REQUIRED: ErrorCode = ErrorCode(13);

    /// The name in the RFC; `None` for a code that it does not have.
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 14] = [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ];
        usize::try_from(self.0).ok().and_then(|code| NAMES.get(code).copied())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error code {:#x}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a connection is over. What the engine wrote before it, the GOAWAY included, is still to be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer broke the protocol in this way: a bug of its own, or an attack.
    #[error("the peer broke the HTTP/2 protocol: {reason} ({code})")]
    Peer {
        /// What it was told.
        code: ErrorCode,
        /// What it did.
        reason: &'static str,
    },
    /// The peer ended the connection, for this reason.
    #[error("the peer ended the connection with GOAWAY: {code}{}", debug_text(debug))]
    GoAway {
        /// The reason as a code.
        code: ErrorCode,
        /// The reason in words, where the peer gave some.
        debug: String,
    },
}

fn debug_text(debug: &str) -> String {
    if debug.is_empty() { String::new() } else { format!(" ({debug:?})") }
}

/// What the engine found wrong, before it is known what it means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is lost.
    Connection(ErrorCode, &'static str),
    /// One stream is.
    Stream(u32, ErrorCode),
}

pub(crate) fn protocol(reason: &'static str) -> Fault {
    Fault::Connection(ErrorCode::PROTOCOL_ERROR, reason)
}

pub(crate) fn frame_size(reason: &'static str) -> Fault {
    Fault::Connection(ErrorCode::FRAME_SIZE_ERROR, reason)
}
