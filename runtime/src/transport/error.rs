//! What can go wrong with a connection or a stream, told so that a person can act on it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use callwright_http2::ErrorCode;

use super::Address;
use crate::status::{Code, Status};

/// How far an attempt to connect came.
#[allow(dead_code, reason = "some stages belong to features")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Resolve,
    Connect,
    Proxy,
    Tls,
    Http2,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "resolve",
            Stage::Connect => "connect",
            Stage::Proxy => "proxy",
            Stage::Tls => "TLS",
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
    /// Nothing of the stream was sent.
    unsent: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// RST_STREAM with this code, by the peer.
    Reset(ErrorCode),
    /// This side reset the stream with this code, since the peer broke a rule.
    Refused(ErrorCode),
    /// The peer takes no more streams, and did not look at this one.
    GoneAway,
    /// The connection broke.
    Broken(Arc<dyn Error + Send + Sync>),
    /// The peer gave no sign of life.
    Silent(Arc<dyn Error + Send + Sync>),
    /// The connection was closed by somebody in this process, for this reason.
    Closed(&'static str),
    /// The stream was used after its end.
    Ended,
}

impl StreamError {
    fn new(kind: Kind) -> Self {
        StreamError { kind, unprocessed: false, unsent: false }
    }

    pub(super) fn ended() -> Self {
        StreamError::new(Kind::Ended)
    }

    pub(super) fn closed(reason: &'static str) -> Self {
        StreamError::new(Kind::Closed(reason))
    }

    /// The connection broke.
    pub(super) fn broken(error: Arc<dyn Error + Send + Sync>) -> Self {
        StreamError::new(Kind::Broken(error))
    }

    /// The peer gave no sign of life when it was asked for one.
    pub(super) fn silent(error: Arc<dyn Error + Send + Sync>) -> Self {
        StreamError::new(Kind::Silent(error))
    }

    /// This side reset the stream, since the peer broke a rule.
    pub(super) fn refused(code: ErrorCode) -> Self {
        StreamError::new(Kind::Refused(code))
    }

    /// The peer takes no more streams, and did not look at this one.
    pub(super) fn gone_away() -> Self {
        StreamError { kind: Kind::GoneAway, unprocessed: true, unsent: false }
    }

    /// The connection takes no more streams, and this one was never sent.
    pub(super) fn unsent() -> Self {
        StreamError { kind: Kind::GoneAway, unprocessed: true, unsent: true }
    }

    /// The peer reset the stream, or a call of this process did.
    pub(super) fn reset(code: ErrorCode) -> Self {
        StreamError { kind: Kind::Reset(code), unprocessed: code == ErrorCode::REFUSED_STREAM, unsent: false }
    }

    pub(crate) fn is_unprocessed(&self) -> bool {
        self.unprocessed
    }

    /// Whether nothing of the stream was sent: the peer does not even know of it.
    pub(crate) fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// Whether the peer cancelled the stream.
    pub(crate) fn is_cancel(&self) -> bool {
        matches!(self.kind, Kind::Reset(ErrorCode::CANCEL))
    }

    /// What a server that can still speak says of a call whose stream has ended like this.
    #[cfg(feature = "http-service")]
    pub(crate) fn to_last_words(&self) -> Status {
        match &self.kind {
            Kind::Broken(error) => {
                Status::internal(format!("the request cannot be read: {error}")).with_source(error.clone())
            }
            Kind::Closed(reason) => Status::unavailable(*reason),
            _ => Status::cancelled("the call was cancelled"),
        }
    }

    /// The status of the call that this stream carried.
    pub(crate) fn to_status(&self, peer: &Address) -> Status {
        match &self.kind {
            Kind::Reset(code) => Status::new(
                Code::from_http2(code.0),
                format!("{peer} reset the stream with HTTP/2 error {}: {code}", code.0),
            ),
            Kind::Refused(ErrorCode::ENHANCE_YOUR_CALM) => {
                Status::internal(format!("{peer} sent more headers than the 16 KiB that are taken"))
            }
            Kind::Refused(code) => Status::internal(format!("{peer} broke the HTTP/2 protocol: {code}")),
            Kind::GoneAway => Status::unavailable(format!("{peer} is shutting down and takes no more calls (GOAWAY)")),
            Kind::Broken(error) => {
                Status::unavailable(format!("the connection to {peer} broke: {error}")).with_source(error.clone())
            }
            Kind::Silent(error) => Status::unavailable(format!("{error} from {peer}")).with_source(error.clone()),
            Kind::Closed(reason) => Status::unavailable(format!("the connection to {peer} broke: {reason}")),
            Kind::Ended => Status::internal("the stream was used after its end"),
        }
    }
}
