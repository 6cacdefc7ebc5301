//! Streams that an HTTP server carries which is not ours: the request comes as a body, and the response leaves as one.
//!
//! Flow control is that of the bodies. The request's is asked for more while there is room on the stream, and what the server
//! sends waits on the stream until the response's is asked.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use callwright_http2::ErrorCode;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request};
use http_body::Body;

use super::server::Incoming;
use super::stream::{self, ReplyStream, SendStream, Stream};
use super::{Event, Fields, Head, Headers, MAX_HEADER_LIST_SIZE, StreamError};

/// What a body may fail with.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// How many frames of a body are taken before other tasks have a turn.
const AT_ONCE: usize = 64;
/// What HTTP/2 counts for a header beside its text, in bytes.
const FIELD_OVERHEAD: usize = 32;
/// Headers of one connection, or of the body as HTTP/1 frames it: none of them is metadata.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A request whose headers are larger than is taken.
#[derive(Debug)]
pub(crate) struct TooLarge;

/// A call that came as an HTTP request with at most so many bytes of headers: what the server is given, what moves the request's
/// body, and what the response comes out of.
pub(crate) fn open<B>(request: Request<B>, header_limit: usize) -> Result<(Incoming, Upload<B>, Download), TooLarge>
where
    B: Body,
{
    let (mut parts, body) = request.into_parts();
    let extensions = std::mem::take(&mut parts.extensions);
    if size(&parts.headers) > header_limit {
        return Err(TooLarge);
    }
    let head = Arc::new(headers(parts));
    let stream = Stream::new();
    let (send, reply) = stream::client_halves(&stream, None, body.is_end_stream());
    let (recv, response) = stream::server_halves(&stream, MAX_HEADER_LIST_SIZE as usize, false);
    let incoming = Incoming { id: 0, head, wait_for_ready: None, extensions, recv, send: response };
    let upload = Upload { stream: stream.clone(), send, body: Box::pin(body), chunk: Bytes::new() };
    Ok((incoming, upload, Download { stream, reply }))
}

fn headers(parts: http::request::Parts) -> Headers {
    let text = |text: &str| HeaderValue::from_str(text).ok();
    let scheme = parts.uri.scheme_str().and_then(text).unwrap_or(HeaderValue::from_static("http"));
    let authority = parts.uri.authority().and_then(|authority| text(authority.as_str()));
    let authority = authority.or_else(|| parts.headers.get(header::HOST).cloned());
    let path = parts.uri.path_and_query().and_then(|path| text(path.as_str())).unwrap_or(HeaderValue::from_static("/"));
    let head = callwright_http2::RequestHead { method: parts.method, scheme, authority, path };
    let fields = parts.headers.iter().filter(|(name, _)| !HOP_BY_HOP.contains(name));
    let fields = fields.map(|(name, value)| (name.clone(), value.clone()));
    Headers::new(Head::Request(head), Fields::from_iter(fields))
}

fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD).sum()
}

/// Moves the body of a request to the server; ready when there is nothing more to move.
#[derive(Debug)]
pub(crate) struct Upload<B> {
    stream: Arc<Stream>,
    send: SendStream,
    body: Pin<Box<B>>,
    /// What there was no room for yet.
    chunk: Bytes,
}

impl<B> Upload<B>
where
    B: Body<Error: Into<BoxError>>,
{
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..AT_ONCE {
            if !self.chunk.is_empty() && ready!(self.send.poll_send(cx, &mut self.chunk)).is_err() {
                // The call is over, so nobody wants the rest.
                return Poll::Ready(());
            }
            match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Requests have no trailers that mean anything.
                    if let Ok(mut data) = frame.into_data() {
                        self.chunk = data.copy_to_bytes(data.remaining());
                    }
                }
                Some(Err(error)) => {
                    self.stream.fail(StreamError::broken(error.into().into()));
                    return Poll::Ready(());
                }
                None => {
                    // A call that is over needs no end of its requests.
                    let _ = self.send.finish();
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What the server sends; dropping it before the end cancels the call.
#[derive(Debug)]
pub(crate) struct Download {
    stream: Arc<Stream>,
    reply: ReplyStream,
}

impl Download {
    /// What is sent next.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
        self.reply.poll_event(cx)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.stream.fail(StreamError::reset(ErrorCode::CANCEL));
    }
}
