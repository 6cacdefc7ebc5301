//! What can go wrong with a connection or a stream, told so that a person can act on it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::Address;
use crate::status::{Code, Status};

/// How far an attempt to connect came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Resolve,
    Connect,
    Http2,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "resolve",
            Stage::Connect => "connect",
            Stage::Http2 => "HTTP/2",
        })
    }
}

/// Why there is no connection: to where, how far it came, what the cause was.
#[derive(Clone, Debug)]
pub(crate) struct ConnectError {
    target: String,
    stage: Stage,
    cause: Arc<dyn Error + Send + Sync>,
}

impl ConnectError {
    pub(crate) fn new(target: impl fmt::Display, stage: Stage, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ConnectError { target: target.to_string(), stage, cause: cause.into().into() }
    }
}

impl ConnectError {
    /// What went wrong below: the text of the error has it too, so a chain of causes goes on from here.
    pub(crate) fn cause(&self) -> Arc<dyn Error + Send + Sync> {
        self.cause.clone()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (stage: {}): {}", self.target, self.stage, self.cause)
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// Why a stream ended before its trailers.
#[derive(Clone, Debug)]
pub(crate) struct StreamError {
    kind: Kind,
    /// The peer is known not to have looked at the stream: sending it again is safe (gRFC A6).
    unprocessed: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// RST_STREAM with this code, by the peer.
    Reset(u32),
    /// The connection went away, or refused the stream.
    Connection(Arc<h2::Error>),
    /// The connection within the process was closed, for this reason.
    Closed(&'static str),
    /// The stream was used after its end.
    Ended,
}

impl StreamError {
    pub(super) fn ended() -> Self {
        StreamError { kind: Kind::Ended, unprocessed: false }
    }

    pub(super) fn closed(reason: &'static str) -> Self {
        StreamError { kind: Kind::Closed(reason), unprocessed: false }
    }

    pub(super) fn from_h2(error: h2::Error) -> Self {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        // A stream above the last one of a GOAWAY ends with that GOAWAY as its error; one below runs on.
        let unprocessed = error.is_remote() && (error.is_go_away() || (error.is_reset() && refused));
        let kind = match error.reason() {
            Some(reason) if error.is_reset() && error.is_remote() => Kind::Reset(reason.into()),
            _ => Kind::Connection(Arc::new(error)),
        };
        StreamError { kind, unprocessed }
    }

    pub(super) fn reset(reason: h2::Reason) -> Self {
        StreamError { kind: Kind::Reset(reason.into()), unprocessed: reason == h2::Reason::REFUSED_STREAM }
    }

    pub(crate) fn is_unprocessed(&self) -> bool {
        self.unprocessed
    }

    /// Whether the peer cancelled the stream.
    pub(crate) fn is_cancel(&self) -> bool {
        matches!(self.kind, Kind::Reset(8))
    }

    /// The status of the call that this stream carried.
    pub(crate) fn to_status(&self, peer: &Address) -> Status {
        match &self.kind {
            Kind::Reset(code) => {
                let name = h2::Reason::from(*code);
                Status::new(
                    Code::from_http2(*code),
                    format!("{peer} reset the stream with HTTP/2 error {code}: {name}"),
                )
            }
            Kind::Connection(error) if error.is_library() && error.is_reset() => {
                Status::internal(format!("{peer} broke the HTTP/2 protocol: {error}")).with_source(error.clone())
            }
            Kind::Connection(error)
                if error.is_remote() && error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR) =>
            {
                Status::unavailable(format!("{peer} is shutting down and takes no more calls (GOAWAY)"))
                    .with_source(error.clone())
            }
            Kind::Connection(error) => {
                Status::unavailable(format!("the connection to {peer} broke: {error}")).with_source(error.clone())
            }
            Kind::Closed(reason) => Status::unavailable(format!("the connection to {peer} broke: {reason}")),
            Kind::Ended => Status::internal("the stream was used after its end"),
        }
    }
}
