//! What the headers of a request ask for, read once for all requests that have the same.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::methods::Handler;
use super::shared::Shared;
use crate::call::{ContentType, GRPC_ACCEPT_ENCODING, GRPC_ENCODING, GRPC_TIMEOUT, content_type, timeout};
use crate::compression::{AcceptEncoding, Compression, Compressor};
use crate::metadata::Metadata;
use crate::status::Status;
use crate::transport::{Fields, Head, Headers};

/// What the headers of a request ask for.
#[derive(Debug)]
pub(super) struct Requested {
    /// The headers, by which it is known again.
    headers: Arc<Headers>,
    pub(super) accept: AcceptEncoding,
    /// Empty where it cannot be read.
    pub(super) metadata: Metadata,
    /// How long the client waits; `None` where it did not say, or cannot be understood.
    pub(super) timeout: Option<Duration>,
    pub(super) answer: Answer,
}

/// What a request gets.
#[derive(Debug)]
pub(super) enum Answer {
    /// Its handler.
    Call(CallHead),
    /// A status: there is no such method, or something is wrong with the headers.
    Status(Status),
    /// It is no gRPC call: what HTTP itself says to it.
    Refusal(StatusCode, Fields),
}

/// The head of a call that can be run.
#[derive(Debug)]
pub(super) struct CallHead {
    pub(super) handler: Arc<Handler>,
    /// How the requests are compressed.
    pub(super) compressor: Option<Arc<dyn Compressor>>,
    pub(super) compression: Compression,
}

impl Requested {
    pub(super) fn new(headers: &Arc<Headers>, shared: &Shared) -> Requested {
        let fields = &headers.fields;
        let mut metadata = Metadata::new();
        let answer = match &headers.head {
            Head::Request(head) if head.method == Method::POST => match content_type(fields.get(&header::CONTENT_TYPE))
            {
                ContentType::Grpc => {
                    let read = Metadata::from_headers(fields.iter()).map(|read| metadata = read);
                    let head = CallHead::read(path_of(headers), fields, shared);
                    let head = head.and_then(|head| read.map(|()| head).map_err(Status::from));
                    head.map_or_else(Answer::Status, Answer::Call)
                }
                ContentType::OtherCodec | ContentType::Other => {
                    let accepted = "application/grpc, application/grpc+proto";
                    Answer::Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, field(header::ACCEPT, accepted))
                }
            },
            Head::Request(_) | Head::Response(_) => {
                Answer::Refusal(StatusCode::METHOD_NOT_ALLOWED, field(header::ALLOW, "POST"))
            }
        };
        let accept = AcceptEncoding::new(fields.get(&GRPC_ACCEPT_ENCODING));
        let timeout = fields.get(&GRPC_TIMEOUT).and_then(timeout::decode);
        Requested { headers: headers.clone(), accept, metadata, timeout, answer }
    }

    /// Whether these are the headers that it was made of.
    pub(super) fn is_of(&self, headers: &Arc<Headers>) -> bool {
        Arc::ptr_eq(&self.headers, headers)
    }

    /// The method's path, `/package.Service/Method`.
    pub(super) fn path(&self) -> &str {
        path_of(&self.headers)
    }

    /// What there is to be known of a call that is run.
    pub(super) fn call(&self) -> Option<&CallHead> {
        match &self.answer {
            Answer::Call(call) => Some(call),
            Answer::Status(_) | Answer::Refusal(..) => None,
        }
    }
}

impl CallHead {
    fn read(path: &str, fields: &Fields, shared: &Shared) -> Result<CallHead, Status> {
        let Some(handler) = shared.methods.find(path) else {
            let what = if shared.methods.has_service_of(path) { "method" } else { "service of method" };
            return Err(Status::unimplemented(format!("{what} {path} is not served here")));
        };
        let compressors = &shared.settings.messages.compressors;
        let encoding = match fields.get(&GRPC_ENCODING) {
            None => "identity",
            Some(encoding) => encoding.to_str().map_err(|_| Status::internal("grpc-encoding is not text"))?,
        };
        let compressor = compressors.accepted(encoding).map_err(|_| {
            let accepted = compressors.accept_header();
            let accepted = accepted.to_str().unwrap_or_default().to_owned();
            Status::unimplemented(format!("grpc-encoding {encoding:?} is not accepted here; accepted are: {accepted}"))
        })?;
        if let Some(value) = fields.get(&GRPC_TIMEOUT)
            && timeout::decode(value).is_none()
        {
            return Err(Status::internal(format!(
                "grpc-timeout {value:?} is malformed: it is at most 8 digits and one of H, M, S, m, u, n"
            )));
        }
        let compression =
            compressor.as_ref().map_or(Compression::None, |compressor| Compression::of(compressor.name()));
        Ok(CallHead { handler: handler.clone(), compressor, compression })
    }
}

fn path_of(headers: &Headers) -> &str {
    match &headers.head {
        // A path that is no text is one that nobody serves.
        Head::Request(head) => head.path.to_str().unwrap_or_default().split('?').next().unwrap_or_default(),
        Head::Response(_) => "",
    }
}

fn field(name: HeaderName, value: &'static str) -> Fields {
    Fields::from_iter([(name, HeaderValue::from_static(value))])
}
