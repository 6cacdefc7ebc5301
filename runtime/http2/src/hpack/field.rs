//! A header field, as both tables hold it: checked once, and shared by all headers that it stands in.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// What every field counts beside its name and its value, in bytes (RFC 7541 section 4.1).
const OVERHEAD: usize = 32;

/// The name of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Authority,
    Method,
    Path,
    Protocol,
    Scheme,
    Status,
    Field(HeaderName),
    /// What is no name in HTTP/2: capital letters, say, or a pseudo-header that is not known. It makes its message
    /// malformed, and stands in the table all the same.
    Invalid(Bytes),
}

impl Name {
    pub(super) fn parse(bytes: &[u8]) -> Name {
        match bytes {
            b":authority" => Name::Authority,
            b":method" => Name::Method,
            b":path" => Name::Path,
            b":protocol" => Name::Protocol,
            b":scheme" => Name::Scheme,
            b":status" => Name::Status,
            _ => HeaderName::from_lowercase(bytes)
                .map_or_else(|_| Name::Invalid(Bytes::copy_from_slice(bytes)), Name::Field),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Name::Authority => b":authority",
            Name::Method => b":method",
            Name::Path => b":path",
            Name::Protocol => b":protocol",
            Name::Scheme => b":scheme",
            Name::Status => b":status",
            Name::Field(name) => name.as_str().as_bytes(),
            Name::Invalid(bytes) => bytes,
        }
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Valid(HeaderValue),
    /// What cannot stand in a header: a line break, say. It makes its message malformed.
    Invalid(Bytes),
}

impl Value {
    pub(super) fn parse(bytes: Bytes) -> Value {
        // HTTP/2 forbids white space around a value (RFC 9113 section 8.2.1), and HTTP does not mean anything by it.
        HeaderValue::from_maybe_shared(bytes.clone()).map_or(Value::Invalid(bytes), Value::Valid)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Value::Valid(value) => value.as_bytes(),
            Value::Invalid(bytes) => bytes,
        }
    }
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(super) name: Name,
    pub(super) value: Value,
}

impl Field {
    /// What the field counts in a table and in a header list, in bytes.
    pub(super) fn size(&self) -> usize {
        OVERHEAD + self.name.as_bytes().len() + self.value.as_bytes().len()
    }
}
