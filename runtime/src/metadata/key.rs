//! Which keys a user may set, and which are gRPC's own.

use bytes::Bytes;
use http::HeaderName;

use super::{MetadataError, MetadataValue};

/// Checks a user's key and value together, since the key decides what the value may be.
pub(super) fn checked(key: &str, value: Bytes) -> Result<(HeaderName, MetadataValue), MetadataError> {
    let lower = key.to_ascii_lowercase();
    if let Some(instead) = reserved(&lower) {
        return Err(MetadataError::ReservedKey { key: lower, instead });
    }
    if lower.is_empty() || !lower.bytes().all(is_key_byte) {
        return Err(MetadataError::InvalidKey { key: key.to_owned() });
    }
    if !lower.ends_with("-bin") && !value.iter().all(|byte| (0x20..=0x7e).contains(byte)) {
        return Err(MetadataError::InvalidValue { key: lower });
    }
    let name =
        HeaderName::from_bytes(lower.as_bytes()).map_err(|_| MetadataError::InvalidKey { key: key.to_owned() })?;
    Ok((name, MetadataValue::new(value)))
}

/// Whether a header that arrived belongs to gRPC or HTTP and is not metadata.
pub(super) fn is_protocol(name: &str) -> bool {
    matches!(
        name,
        "content-type"
            | "te"
            | "grpc-encoding"
            | "grpc-accept-encoding"
            | "grpc-timeout"
            | "grpc-status"
            | "grpc-message"
            | "grpc-status-details-bin"
            | "grpc-message-type"
            | "content-length"
    )
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.')
}

/// For a reserved key, what to use in its place.
fn reserved(key: &str) -> Option<&'static str> {
    match key {
        "grpc-status-details-bin" => Some("use Status::with_details"),
        "grpc-status" | "grpc-message" => Some("return a Status"),
        "grpc-timeout" => Some("use timeout or deadline"),
        "grpc-encoding" | "grpc-accept-encoding" => Some("use compression"),
        "user-agent" => Some("use ChannelBuilder::user_agent"),
        // What traces calls sets them by hand, in every gRPC.
        "grpc-trace-bin" | "grpc-tags-bin" => None,
        _ if key.starts_with("grpc-") => Some("names that start with grpc- are gRPC's own"),
        _ if key.starts_with(':') => Some("names that start with ':' are HTTP/2's own"),
        "content-type" | "te" | "host" | "content-length" | "connection" | "transfer-encoding" | "keep-alive"
        | "upgrade" | "proxy-connection" => Some("it is set by the HTTP/2 transport"),
        _ => None,
    }
}
