//! The heads of requests and responses: what a header block comes to, and whether it is well formed (RFC 9113 section 8).

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

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

/// What a message that breaks the rules of HTTP/2 is: its stream ends with PROTOCOL_ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

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
    fields: HeaderMap,
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
                self.malformed |= self.fields.try_append(name.clone(), value.clone()).is_err();
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

    pub(crate) fn request(self) -> Result<(RequestHead, HeaderMap), Malformed> {
        let Block { method: Some(method), scheme: Some(scheme), authority, path: Some(path), status: None, .. } = self
        else {
            return Err(Malformed);
        };
        if self.malformed || path.is_empty() {
            return Err(Malformed);
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Malformed)?;
        let mut fields = self.fields;
        // The two name the same; where only one is there, it stands for both.
        let authority = authority.or_else(|| fields.get(HOST).cloned());
        fields.remove(HOST);
        Ok((RequestHead { method, scheme, authority, path }, fields))
    }

    pub(crate) fn response(self) -> Result<(StatusCode, HeaderMap), Malformed> {
        let only_status =
            self.method.is_none() && self.scheme.is_none() && self.authority.is_none() && self.path.is_none();
        match self.status {
            Some(status) if only_status && !self.malformed => {
                Ok((StatusCode::from_bytes(status.as_bytes()).map_err(|_| Malformed)?, self.fields))
            }
            _ => Err(Malformed),
        }
    }

    pub(crate) fn trailers(self) -> Result<HeaderMap, Malformed> {
        let has_pseudo =
            [&self.method, &self.scheme, &self.authority, &self.path, &self.status].into_iter().any(Option::is_some);
        if has_pseudo || self.malformed { Err(Malformed) } else { Ok(self.fields) }
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
pub(crate) fn content_length(fields: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut said = None;
    for value in fields.get_all(CONTENT_LENGTH) {
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

/// Writes the block of a message.
pub(crate) fn encode(head: Option<&Head>, fields: &HeaderMap, encoder: &mut Encoder, to: &mut Vec<u8>) {
    encoder.begin(to);
    match head {
        Some(Head::Request(head)) => {
            encoder.field(&Name::Method, &method_value(&head.method), to);
            encoder.field(&Name::Scheme, &head.scheme, to);
            encoder.field(&Name::Path, &head.path, to);
            if let Some(authority) = &head.authority {
                encoder.field(&Name::Authority, authority, to);
            }
        }
        Some(Head::Response(status)) => encoder.field(&Name::Status, &status_value(*status), to),
        None => {}
    }
    for (name, value) in fields {
        encoder.field(&Name::Field(name.clone()), value, to);
    }
}

fn method_value(method: &Method) -> HeaderValue {
    match *method {
        Method::POST => HeaderValue::from_static("POST"),
        Method::GET => HeaderValue::from_static("GET"),
        // A method is a token, and every token can stand in a header.
        _ => HeaderValue::from_str(method.as_str()).unwrap_or(HeaderValue::from_static("POST")),
    }
}

fn status_value(status: StatusCode) -> HeaderValue {
    if status == StatusCode::OK { HeaderValue::from_static("200") } else { HeaderValue::from(status.as_u16()) }
}
