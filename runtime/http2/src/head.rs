//! The heads of requests and responses: what a header block comes to, and whether it is well formed (RFC 9113 section 8).

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::fields::Fields;
use crate::hpack::{Encoder, Name, Value};

/// The pseudo-headers of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// `:method`.
    pub method: Method,
    /// `:scheme`.
    pub scheme: HeaderValue,
    /// `:authority`.
    pub authority: Option<HeaderValue>,
    /// `:path`; never empty.
    pub path: HeaderValue,
}

/// The pseudo-headers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// Of a request.
    Request(RequestHead),
    /// Of a response.
    Response(StatusCode),
}

/// The headers of a message as they arrived. A peer that sends the same block again has the same headers again, shared: what was
/// made of them once can be kept by where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Headers {
    /// The pseudo-headers.
    pub head: Head,
    /// The other headers.
    pub fields: Fields,
    /// What `content-length` says.
    pub(crate) content_length: Option<u64>,
}

impl Headers {
    /// Headers that did not arrive by HTTP/2.
    pub fn new(head: Head, fields: Fields) -> Headers {
        Headers { head, fields, content_length: None }
    }

    fn checked(head: Head, fields: Fields) -> Result<Headers, Malformed> {
        let content_length = content_length(&fields)?;
        Ok(Headers { head, fields, content_length })
    }
}

/// What a message that breaks the rules of HTTP/2 is: its stream ends with PROTOCOL_ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// How many fields most messages have.
const EXPECTED: usize = 8;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Collects the fields of one block.
#[derive(Debug, Default)]
pub(crate) struct Block {
    method: Option<HeaderValue>,
    scheme: Option<HeaderValue>,
    authority: Option<HeaderValue>,
    path: Option<HeaderValue>,
    status: Option<HeaderValue>,
    fields: Vec<(HeaderName, HeaderValue)>,
    size: usize,
    malformed: bool,
}

impl Block {
    /// Takes a field, and keeps it as long as all are together no larger than `limit`.
    pub(crate) fn take(&mut self, name: &Name, value: &Value, size: usize, limit: usize) {
        self.size = self.size.saturating_add(size);
        if self.malformed || self.size > limit {
            return;
        }
        let Value::Valid(value) = value else {
            self.malformed = true;
            return;
        };
        let pseudo = match name {
            Name::Authority => &mut self.authority,
            Name::Method => &mut self.method,
            Name::Path => &mut self.path,
            Name::Scheme => &mut self.scheme,
            Name::Status => &mut self.status,
            Name::Field(name) => {
                self.malformed |= !is_allowed(name, value);
                if self.fields.capacity() == 0 {
                    self.fields.reserve(EXPECTED);
                }
                self.fields.push((name.clone(), value.clone()));
                return;
            }
            // Extended CONNECT is not offered.
            Name::Protocol | Name::Invalid(_) => {
                self.malformed = true;
                return;
            }
        };
        // Each once, and before all others.
        self.malformed |= pseudo.replace(value.clone()).is_some() || !self.fields.is_empty();
    }

    pub(crate) fn is_larger_than(&self, limit: usize) -> bool {
        self.size > limit
    }

    pub(crate) fn request(self) -> Result<Headers, Malformed> {
        let Block { method: Some(method), scheme: Some(scheme), authority, path: Some(path), status: None, .. } = self
        else {
            return Err(Malformed);
        };
        if self.malformed || path.is_empty() {
            return Err(Malformed);
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Malformed)?;
        let mut fields = Fields::from(self.fields);
        // The two name the same; where only one is there, it stands for both.
        let authority = authority.or_else(|| fields.get(&HOST).cloned());
        fields.remove(&HOST);
        Headers::checked(Head::Request(RequestHead { method, scheme, authority, path }), fields)
    }

    pub(crate) fn response(self) -> Result<Headers, Malformed> {
        let only_status =
            self.method.is_none() && self.scheme.is_none() && self.authority.is_none() && self.path.is_none();
        match self.status {
            Some(status) if only_status && !self.malformed => {
                let status = StatusCode::from_bytes(status.as_bytes()).map_err(|_| Malformed)?;
                Headers::checked(Head::Response(status), self.fields.into())
            }
            _ => Err(Malformed),
        }
    }

    pub(crate) fn trailers(self) -> Result<Fields, Malformed> {
        let has_pseudo =
            [&self.method, &self.scheme, &self.authority, &self.path, &self.status].into_iter().any(Option::is_some);
        if has_pseudo || self.malformed { Err(Malformed) } else { Ok(self.fields.into()) }
    }
}

fn is_allowed(name: &HeaderName, value: &HeaderValue) -> bool {
    match *name {
        TE => value.as_bytes() == b"trailers",
        CONNECTION | TRANSFER_ENCODING | UPGRADE => false,
        _ => *name != KEEP_ALIVE && *name != PROXY_CONNECTION,
    }
}

/// What `content-length` says; several that differ, or that are no numbers, are malformed.
fn content_length(fields: &Fields) -> Result<Option<u64>, Malformed> {
    let mut said = None;
    for (_, value) in fields.iter().filter(|(name, _)| **name == CONTENT_LENGTH) {
        let text = value.to_str().map_err(|_| Malformed)?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Malformed);
        }
        let length: u64 = text.parse().map_err(|_| Malformed)?;
        if said.replace(length).is_some_and(|before| before != length) {
            return Err(Malformed);
        }
    }
    Ok(said)
}

/// The pseudo-headers of a block that is to be written; trailers have none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pseudo<'a> {
    Request(&'a RequestHead),
    Response(StatusCode),
    Trailers,
}

/// Writes the block of a message.
pub(crate) fn encode(pseudo: Pseudo<'_>, fields: &Fields, encoder: &mut Encoder, to: &mut Vec<u8>) {
    encoder.begin(to);
    match pseudo {
        Pseudo::Request(head) => {
            match head.method {
                Method::POST => encoder.is_static(3, to),
                Method::GET => encoder.is_static(2, to),
                // A method is a token, and every token can stand in a header.
                _ => encoder.field(&Name::Method, &value(head.method.as_str()), to),
            }
            match head.scheme.as_bytes() {
                b"http" => encoder.is_static(6, to),
                _ => encoder.field(&Name::Scheme, &head.scheme, to),
            }
            encoder.field(&Name::Path, &head.path, to);
            if let Some(authority) = &head.authority {
                encoder.field(&Name::Authority, authority, to);
            }
        }
        Pseudo::Response(StatusCode::OK) => encoder.is_static(8, to),
        Pseudo::Response(status) => encoder.field(&Name::Status, &HeaderValue::from(status.as_u16()), to),
        Pseudo::Trailers => {}
    }
    encoder.fields(fields, to);
}

fn value(token: &str) -> HeaderValue {
    HeaderValue::from_str(token).unwrap_or(HeaderValue::from_static("POST"))
}
