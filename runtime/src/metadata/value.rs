//! One metadata value.

use std::fmt;
use std::str;

use base64::Engine as _;
use bytes::Bytes;
use http::HeaderValue;

use super::BASE64;

/// The value of one metadata entry: the bytes themselves, never their base64.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MetadataValue {
    bytes: Bytes,
}

impl MetadataValue {
    pub(super) fn new(bytes: Bytes) -> MetadataValue {
        MetadataValue { bytes }
    }

    /// The value as text; `None` for bytes that are not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(&self.bytes).ok()
    }

    /// The value as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn encoded_len(&self, binary: bool) -> usize {
        if binary { (self.bytes.len() * 4).div_ceil(3) } else { self.bytes.len() }
    }

    pub(super) fn to_header(&self, binary: bool) -> HeaderValue {
        let bytes = if binary { Bytes::from(BASE64.encode(&self.bytes)) } else { self.bytes.clone() };
        // Both kinds were checked on entry; a value that HTTP still refuses could only be a peer's, and goes out empty.
        HeaderValue::from_maybe_shared(bytes).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl fmt::Debug for MetadataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => fmt::Debug::fmt(text, f),
            None => fmt::Debug::fmt(&self.bytes, f),
        }
    }
}

impl PartialEq<str> for MetadataValue {
    fn eq(&self, other: &str) -> bool {
        self.bytes == other.as_bytes()
    }
}

impl PartialEq<&str> for MetadataValue {
    fn eq(&self, other: &&str) -> bool {
        self.bytes == other.as_bytes()
    }
}

/// What can be a metadata value: text for any key, bytes for a key with the suffix `-bin`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a metadata value",
    note = "use text (&str, String) or, for a key that ends in -bin, bytes (&[u8], Vec<u8>, Bytes)"
)]
pub trait IntoMetadataValue {
    /// The bytes of the value.
    fn into_metadata_bytes(self) -> Bytes;
}

macro_rules! into_metadata_value {
    ($($type:ty => |$value:ident| $bytes:expr;)*) => {
        $(impl IntoMetadataValue for $type {
            fn into_metadata_bytes(self) -> Bytes {
                let $value = self;
                $bytes
            }
        })*
    };
}

into_metadata_value! {
    &str => |value| Bytes::copy_from_slice(value.as_bytes());
    &String => |value| Bytes::copy_from_slice(value.as_bytes());
    String => |value| Bytes::from(value);
    &[u8] => |value| Bytes::copy_from_slice(value);
    Vec<u8> => |value| Bytes::from(value);
    Bytes => |value| value;
    MetadataValue => |value| value.bytes;
    &MetadataValue => |value| value.bytes.clone();
}

impl<const N: usize> IntoMetadataValue for &[u8; N] {
    fn into_metadata_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}
