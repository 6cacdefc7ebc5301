//! Metadata: the keys and values that travel beside a call's messages.
//!
//! A [`Metadata`] can hold nothing that the wire would refuse: keys and values are checked as they enter.

mod key;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;
use std::str;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

pub use value::{IntoMetadataValue, MetadataValue};

/// `-bin` values go out without padding and come in with or without it (`doc/PROTOCOL-HTTP2.md`).
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The metadata of a call: an ordered list of keys and values, in which a key may stand more than once.
///
/// A key is lower case ASCII: letters, digits, `_`, `-` and `.`; upper case given by a user is lowered.
/// A key that ends in `-bin` holds bytes (base64 on the wire); any other holds printable ASCII.
/// Keys of gRPC and HTTP/2 themselves (`grpc-…`, `:path`, `content-type`, `te`, …) are refused.
///
/// ```
/// use callwright::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.append("x-request-id", "42")?;
/// metadata.append("token-bin", &[0xab, 0xcd][..])?;
/// assert_eq!(metadata.get("x-request-id"), Some("42"));
/// assert_eq!(metadata.get_bin("token-bin"), Some(&[0xab, 0xcd][..]));
/// # Ok::<(), callwright::MetadataError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    // A call has a handful of entries: a list keeps their order and is faster to walk than a map.
    entries: Vec<(HeaderName, MetadataValue)>,
    /// What came in `grpc-status-details-bin` with a call that succeeded. No entry: it must not be passed on with them.
    status_details: Option<Box<Bytes>>,
}

/// Why a key or a value cannot be metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The key is empty or holds a character that metadata keys cannot have.
    #[error("metadata key {key:?} is not valid: use lower case letters, digits, '_', '-' and '.'")]
    InvalidKey {
        /// The key that was given.
        key: String,
    },
    /// The key belongs to gRPC or to HTTP/2.
    #[error("metadata key {key:?} is reserved: {instead}")]
    ReservedKey {
        /// The key that was given.
        key: String,
        /// What to use in its place.
        instead: &'static str,
    },
    /// The value of a key without `-bin` has a character that is not printable ASCII.
    #[error("the value of metadata key {key:?} is not printable ASCII: give the key the suffix -bin to send bytes")]
    InvalidValue {
        /// The key whose value was refused.
        key: String,
    },
    /// A peer's `-bin` value is not base64.
    #[error("the value of metadata key {key:?} is not valid base64, as a key with the suffix -bin must be")]
    InvalidBase64 {
        /// The key whose value was refused.
        key: String,
    },
    /// The initial metadata has gone out already, so that nothing can be added to it.
    #[error("the initial metadata was sent already: send it once, before the first message")]
    AlreadySent,
    /// The metadata is larger than what the peer said it takes (SETTINGS_MAX_HEADER_LIST_SIZE), or than 512 KiB.
    #[error("metadata of {size} bytes, with what gRPC adds, is larger than the {limit} bytes that the peer takes")]
    TooLarge {
        /// The size of all that would have been sent, as HTTP/2 counts it.
        size: usize,
        /// The largest size that can be sent.
        limit: usize,
    },
}

impl Metadata {
    /// Metadata without entries.
    pub const fn new() -> Metadata {
        Metadata { entries: Vec::new(), status_details: None }
    }

    /// Adds an entry behind those of the same key.
    ///
    /// # Errors
    /// [`MetadataError`] when the key is malformed or reserved, or the value does not fit the key.
    pub fn append(&mut self, key: &str, value: impl IntoMetadataValue) -> Result<(), MetadataError> {
        let (name, value) = key::checked(key, value.into_metadata_bytes())?;
        self.entries.push((name, value));
        Ok(())
    }

    /// Puts this entry in the place of all of the same key.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn insert(&mut self, key: &str, value: impl IntoMetadataValue) -> Result<(), MetadataError> {
        let (name, value) = key::checked(key, value.into_metadata_bytes())?;
        self.entries.retain(|(known, _)| *known != name);
        self.entries.push((name, value));
        Ok(())
    }

    /// Takes every entry of this key out; says whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(known, _)| !known.as_str().eq_ignore_ascii_case(key));
        self.entries.len() != before
    }

    /// The first value of an ASCII key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.find(key).and_then(MetadataValue::as_str)
    }

    /// The first value of a `-bin` key, decoded; of another key, its ASCII bytes.
    pub fn get_bin(&self, key: &str) -> Option<&[u8]> {
        self.find(key).map(MetadataValue::as_bytes)
    }

    /// Every value of this key, in order.
    pub fn get_all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a MetadataValue> {
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// Whether there is an entry of this key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &MetadataValue)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds all entries of `other` behind those that are here.
    pub fn extend(&mut self, other: Metadata) {
        self.entries.extend(other.entries);
    }

    /// The bytes of `grpc-status-details-bin`, where these are the trailing metadata of a call that succeeded and whose
    /// server sent some: few do. Those of an error are in its [`Status`](crate::Status::details).
    pub fn status_details(&self) -> Option<&[u8]> {
        self.status_details.as_deref().map(|details| &**details)
    }

    pub(crate) fn set_status_details(&mut self, details: Bytes) {
        self.status_details = (!details.is_empty()).then(|| Box::new(details));
    }

    /// The size of the entries as HTTP/2 counts it (RFC 9113 section 6.5.2), in bytes.
    pub(crate) fn size(&self) -> usize {
        self.entries.iter().map(|(name, value)| entry_size(name.as_str(), value.encoded_len(is_binary(name)))).sum()
    }

    /// Writes the entries into HTTP headers.
    pub(crate) fn append_to(&self, headers: &mut impl Extend<(HeaderName, HeaderValue)>) {
        headers.extend(self.entries.iter().map(|(name, value)| (name.clone(), value.to_header(is_binary(name)))));
    }

    /// Reads the entries out of a peer's headers; the headers of gRPC and HTTP itself are not among them.
    ///
    /// # Errors
    /// [`MetadataError::InvalidBase64`] for a `-bin` value that is not base64.
    pub(crate) fn from_headers<'a>(
        headers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    ) -> Result<Metadata, MetadataError> {
        let mut metadata = Metadata::new();
        for (name, value) in headers {
            if key::is_protocol(name.as_str()) {
                continue;
            }
            if !metadata.push_header(name, value) {
                return Err(MetadataError::InvalidBase64 { key: name.to_string() });
            }
        }
        Ok(metadata)
    }

    /// As [`from_headers`](Self::from_headers), for trailers, where a broken entry must not hide the status: it is left out.
    pub(crate) fn from_headers_lossy<'a>(
        headers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    ) -> Metadata {
        let mut metadata = Metadata::new();
        for (name, value) in headers.into_iter().filter(|(name, _)| !key::is_protocol(name.as_str())) {
            metadata.push_header(name, value);
        }
        metadata
    }

    fn find(&self, key: &str) -> Option<&MetadataValue> {
        self.entries.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    fn push_header(&mut self, name: &HeaderName, value: &HeaderValue) -> bool {
        if !is_binary(name) {
            self.entries.push((name.clone(), MetadataValue::new(Bytes::copy_from_slice(value.as_bytes()))));
            return true;
        }
        // Several values of one -bin key may arrive joined by commas.
        value.as_bytes().split(|byte| *byte == b',').all(|part| match decode_base64(part.trim_ascii()) {
            Some(bytes) => {
                self.entries.push((name.clone(), MetadataValue::new(Bytes::from(bytes))));
                true
            }
            None => false,
        })
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

pub(crate) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Checks the size of headers against what the peer takes.
///
/// # Errors
/// [`MetadataError::TooLarge`].
pub(crate) fn check_size(size: usize, limit: usize) -> Result<(), MetadataError> {
    if size > limit { Err(MetadataError::TooLarge { size, limit }) } else { Ok(()) }
}

/// The size of one header as HTTP/2 counts it.
pub(crate) fn entry_size(name: &str, value: usize) -> usize {
    name.len() + value + 32
}

fn is_binary(name: &HeaderName) -> bool {
    name.as_str().ends_with("-bin")
}
