//! A status as it stands in trailers: `grpc-status`, `grpc-message`, `grpc-status-details-bin`.

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::{Code, Status};
use crate::metadata::{self, BASE64, Metadata};

pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(crate) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(crate) const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// What `grpc-message` must escape: everything but space to `~`, and `%` itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// A message is cut at this length, escapes included, so that the trailers stay below the 8 KiB which every peer must take.
const MESSAGE_LIMIT: usize = 4096;

/// Adds `status` to `trailers`.
pub(crate) fn encode(status: &Status, trailers: &mut impl Extend<(HeaderName, HeaderValue)>) {
    trailers.extend([(GRPC_STATUS, HeaderValue::from(status.code() as u16))]);
    if !status.message().is_empty() {
        let escaped: String = utf8_percent_encode(cut(status.message()), ESCAPED).collect();
        if let Ok(value) = HeaderValue::from_str(&escaped) {
            trailers.extend([(GRPC_MESSAGE, value)]);
        }
    }
    if !status.details().is_empty() {
        let encoded = BASE64.encode(status.details());
        if let Ok(value) = HeaderValue::from_str(&encoded) {
            trailers.extend([(GRPC_STATUS_DETAILS, value)]);
        }
    }
    status.metadata().append_to(trailers);
}

/// The size of code and message as HTTP/2 counts it, in bytes.
pub(crate) fn size(status: &Status) -> usize {
    let message = utf8_percent_encode(cut(status.message()), ESCAPED).map(str::len).sum();
    metadata::entry_size(GRPC_STATUS.as_str(), 2) + metadata::entry_size(GRPC_MESSAGE.as_str(), message)
}

/// The size of what [`encode`] adds to code and message, in bytes.
pub(crate) fn extra_size(status: &Status) -> usize {
    let details = match status.details().len() {
        0 => 0,
        size => metadata::entry_size(GRPC_STATUS_DETAILS.as_str(), (size * 4).div_ceil(3)),
    };
    details + status.metadata().size()
}

/// Reads the status out of `trailers`: `Ok` with the trailing metadata of a successful call, `None` without `grpc-status`.
pub(crate) fn decode<'a>(
    trailers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)> + Clone,
) -> Option<Result<Metadata, Status>> {
    let get =
        |wanted: HeaderName| trailers.clone().into_iter().find(|(name, _)| **name == wanted).map(|(_, value)| value);
    let code = get(GRPC_STATUS)?;
    let mut metadata = Metadata::from_headers_lossy(trailers.clone());
    let details = get(GRPC_STATUS_DETAILS).map(|value| metadata::decode_base64(value.as_bytes()).map(Bytes::from));
    let number = std::str::from_utf8(code.as_bytes()).ok().and_then(|text| text.parse::<i32>().ok());
    if number == Some(0) {
        metadata.set_status_details(details.flatten().unwrap_or_default());
        return Some(Ok(metadata));
    }
    let message = get(GRPC_MESSAGE)
        .map(|value| percent_decode(value.as_bytes()).decode_utf8_lossy().into_owned())
        .unwrap_or_default();
    let (code, message) = match number {
        Some(known @ 1..=16) => (Code::from(known), message),
        Some(other) => (Code::Unknown, format!("invalid status code {other} from the server: {message}")),
        None => (Code::Unknown, format!("the server sent grpc-status {code:?}, which is not a number: {message}")),
    };
    let status = Status::new(code, message).with_metadata(metadata);
    Some(Err(match details {
        None => status,
        Some(Some(details)) => status.with_details(details),
        Some(None) => status.with_garbled_details(),
    }))
}

/// As much of `message` as has room once it is escaped.
pub(super) fn cut(message: &str) -> &str {
    let mut escaped = 0;
    let end = message.char_indices().find(|(_, char)| {
        escaped += match char {
            '%' => 3,
            ' '..='~' => 1,
            _ => 3 * char.len_utf8(),
        };
        escaped > MESSAGE_LIMIT
    });
    end.map_or(message, |(end, _)| &message[..end])
}
