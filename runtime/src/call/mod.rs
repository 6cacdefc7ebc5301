//! What client and server both say of a call: its method, its kind, its timeout, its response.

mod any_message;
mod connectivity;
mod message_event;
mod messages;
mod method;
mod response;
pub(crate) mod timeout;

use std::fmt;

use http::HeaderName;

pub use any_message::AnyMessage;
pub use connectivity::ConnectivityState;
pub use message_event::MessageEvent;
pub(crate) use messages::MessageSettings;
pub use method::Method;
pub use response::Response;

pub(crate) const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
pub(crate) const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
pub(crate) const APPLICATION_GRPC: &str = "application/grpc";
/// What servers and clients take unless told otherwise, as every gRPC does.
pub(crate) const DEFAULT_MAX_RECEIVE_MESSAGE_SIZE: usize = 4 * 1024 * 1024;

/// Marks a call of one request and one response.
pub struct Unary;

/// Marks a call of one request and a stream of responses.
pub struct ServerStreaming;

/// Marks a call of a stream of requests and one response.
pub struct ClientStreaming;

/// Marks a call with a stream both ways.
pub struct Bidi;

macro_rules! debug_by_name {
    ($($kind:ident)*) => {
        $(impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($kind))
            }
        })*
    };
}

debug_by_name!(Unary ServerStreaming ClientStreaming Bidi);

/// Whether a `content-type` is one that this side speaks: `application/grpc`, alone or with `+proto`.
pub(crate) fn content_type(value: Option<&http::HeaderValue>) -> ContentType {
    let value = value.map(http::HeaderValue::as_bytes).unwrap_or_default();
    let Some(rest) = value.strip_prefix(APPLICATION_GRPC.as_bytes()) else {
        return ContentType::Other;
    };
    match rest {
        [] | b"+proto" | [b';', ..] => ContentType::Grpc,
        _ if rest.starts_with(b"+proto;") => ContentType::Grpc,
        [b'+', ..] => ContentType::OtherCodec,
        _ => ContentType::Other,
    }
}

/// What a `content-type` says of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    Grpc,
    /// gRPC, with messages of another codec than protobuf.
    OtherCodec,
    Other,
}
