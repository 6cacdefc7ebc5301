//! Requests, and responses whole.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use callwright::codegen::prost::Message;
use callwright::http_service::{Body, HttpService};
use callwright::{Server, ServerBuilder};
use callwright_tests::support::raw::{encoded, frame};
use callwright_tests::support::{Echo, Seen};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::mpsc;
use tower_service::Service as _;

/// The echo service as it is set up here, and what its handlers see.
pub(crate) fn service(builder: ServerBuilder) -> (HttpService, mpsc::UnboundedReceiver<Seen>) {
    let (echo, seen) = Echo::new();
    (builder.add_service(echo).into_http_service().unwrap(), seen)
}

pub(crate) fn echo() -> (HttpService, mpsc::UnboundedReceiver<Seen>) {
    service(Server::builder())
}

/// The head of a request to one of the echo service's methods.
pub(crate) fn head(method: &str) -> http::request::Builder {
    let path = format!("/test.Echo/{method}");
    let builder = Request::post(path).version(Version::HTTP_2).header("content-type", "application/grpc");
    builder.header("te", "trailers")
}

/// A message as gRPC frames it, plain.
pub(crate) fn message<T: Message>(message: T) -> Bytes {
    frame(0, &encoded(&message))
}

/// A request of one message.
pub(crate) fn say(what: &str) -> Request<Full<Bytes>> {
    head("Say").body(Full::new(message(what.to_owned()))).unwrap()
}

/// A response to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// `None` without.
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) async fn new<B>(response: Response<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes, Error = Infallible>,
    {
        let (parts, body) = response.into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned();
        Answer { status: parts.status, headers: parts.headers, body: collected.to_bytes(), trailers }
    }

    /// The messages, which are all plain.
    pub(crate) fn messages<T: Message + Default>(&self) -> Vec<T> {
        let (mut left, mut messages) = (self.body.clone(), Vec::new());
        while left.has_remaining() {
            assert_eq!(left.get_u8(), 0);
            let size = left.get_u32() as usize;
            messages.push(T::decode(left.split_to(size)).unwrap());
        }
        messages
    }

    /// The code and the message, from wherever they are.
    pub(crate) fn grpc_status(&self) -> (u32, String) {
        status_in(self.trailers.as_ref().unwrap_or(&self.headers))
    }
}

pub(crate) fn status_in(fields: &HeaderMap) -> (u32, String) {
    let text = |name| fields.get(name).map(|value| value.to_str().unwrap());
    let code = text("grpc-status").expect("a grpc-status").parse().unwrap();
    (code, text("grpc-message").unwrap_or_default().to_owned())
}

/// Sends a request, and waits for the whole response.
pub(crate) async fn call<B>(service: &HttpService, request: Request<B>) -> Answer
where
    B: http_body::Body<Error = Infallible> + Send + 'static,
{
    Answer::new(begin(service, request).await).await
}

/// Sends a request, and waits for the head of the response.
pub(crate) async fn begin<B>(service: &HttpService, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Error = Infallible> + Send + 'static,
{
    let Ok(response) = service.clone().call(request).await;
    response
}

/// A body that the test sends bit by bit; without its sender it is at its end.
pub(crate) struct Sent(mpsc::Receiver<Result<Bytes, &'static str>>);

pub(crate) fn sent() -> (mpsc::Sender<Result<Bytes, &'static str>>, Sent) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Sent(receiver))
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// The next part of a response.
pub(crate) async fn next(body: &mut Body) -> Option<Frame<Bytes>> {
    body.frame().await.map(|frame| frame.unwrap())
}

/// Whether a response is known to have nothing behind its head.
pub(crate) fn is_bare(response: &Response<Body>) -> bool {
    response.body().is_end_stream()
}
