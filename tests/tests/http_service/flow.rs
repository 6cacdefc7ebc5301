//! Neither side gets far ahead of the other, and limits hold.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use callwright::{Requests, Responses, Server, ServerContext, Status};
use callwright_tests::echo::{Blob, EchoServer, EchoServicer};
use http::{Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use tokio::sync::Notify;

use crate::support::{begin, call, head, message, say, service};

/// What may wait on a stream each way, in bytes.
const WINDOW: usize = 256 * 1024;
const PIECE: usize = 16 * 1024;
/// More than may wait anywhere, in pieces.
const MANY: usize = 1024;

/// Sends more than anybody takes at once, or waits before it reads.
#[derive(Clone, Default)]
struct Flood {
    sent: Arc<AtomicUsize>,
    go: Arc<Notify>,
}

impl EchoServicer for Flood {
    async fn unary_stream(
        &self,
        _: Blob,
        responses: &mut Responses<Blob>,
        _: &mut ServerContext,
    ) -> Result<(), Status> {
        for _ in 0..MANY {
            responses.send(Blob { body: vec![7; PIECE] }).await?;
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn stream_unary(&self, mut requests: Requests<Blob>, _: &mut ServerContext) -> Result<Blob, Status> {
        self.go.notified().await;
        let mut count = 0u32;
        while requests.message().await?.is_some() {
            count += 1;
        }
        Ok(Blob { body: count.to_string().into_bytes() })
    }
}

fn request(method: &str) -> http::request::Builder {
    let builder = Request::post(format!("/callwright.tests.Echo/{method}")).version(Version::HTTP_2);
    builder.header("content-type", "application/grpc")
}

/// Waits until a counter stands still.
async fn still(counter: &AtomicUsize) -> usize {
    let (mut before, mut times) = (usize::MAX, 0);
    while times < 100 {
        tokio::task::yield_now().await;
        let now = counter.load(Ordering::Relaxed);
        times = if now == before && now > 0 { times + 1 } else { 0 };
        before = now;
    }
    before
}

#[tokio::test]
async fn a_response_that_nobody_reads_stops_its_handler() {
    let flood = Flood::default();
    let sent = flood.sent.clone();
    let service = Server::builder().add_service(EchoServer::new(flood)).into_http_service().unwrap();
    let response = begin(&service, request("UnaryStream").body(Full::new(message(Blob::default()))).unwrap()).await;
    let ahead = still(&sent).await;
    assert!(ahead * PIECE <= WINDOW, "{ahead} messages of {PIECE} bytes were sent to nobody");
    let body = response.into_body().collect().await.unwrap();
    assert!(body.to_bytes().len() > MANY * PIECE);
    assert_eq!(sent.load(Ordering::Relaxed), MANY);
}

/// A body of many pieces that counts how many were taken.
struct Counted {
    taken: Arc<AtomicUsize>,
    piece: Bytes,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.taken.load(Ordering::Relaxed) == MANY {
            return Poll::Ready(None);
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }
}

#[tokio::test]
async fn a_request_that_nobody_reads_is_not_read_ahead() {
    let flood = Flood::default();
    let (taken, go) = (Arc::new(AtomicUsize::new(0)), flood.go.clone());
    let service = Server::builder().add_service(EchoServer::new(flood)).into_http_service().unwrap();
    let body = Counted { taken: taken.clone(), piece: message(Blob { body: vec![7; PIECE] }) };
    let answer = tokio::spawn(async move { call(&service, request("StreamUnary").body(body).unwrap()).await });
    let ahead = still(&taken).await;
    assert!((ahead - 1) * PIECE <= WINDOW, "{ahead} pieces of {PIECE} bytes were read for nobody");
    go.notify_one();
    let answer = answer.await.unwrap();
    assert_eq!(answer.messages::<Blob>()[0].body, MANY.to_string().into_bytes());
}

#[tokio::test]
async fn messages_over_the_limit_end_in_resource_exhausted() {
    let (service, _seen) = service(Server::builder().max_receive_message_size(1000).max_send_message_size(500));
    let long = "x".repeat(2000);
    let (code, why) = call(&service, say(&long)).await.grpc_status();
    assert!(code == 8 && why.contains("1000"), "{code} {why}");
    assert_eq!(call(&service, say(&long[..700])).await.grpc_status().0, 8);
    // Of a message whose prefix says too much, the rest is not waited for.
    let prefix = Bytes::from_static(&[0, 0x7f, 0xff, 0xff, 0xff]);
    let (sender, body) = crate::support::sent();
    sender.send(Ok(prefix)).await.unwrap();
    let Ok(response) = tower_service::Service::call(&mut service.clone(), head("Say").body(body).unwrap()).await;
    assert_eq!(crate::support::status_in(response.headers()).0, 8);
}

#[tokio::test]
async fn a_body_that_never_pauses_lets_other_tasks_run() {
    struct Endless;
    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
        }
    }
    let (service, _seen) = crate::support::echo();
    let endless = tokio::spawn({
        let service = service.clone();
        async move { call(&service, head("Sum").body(Endless).unwrap()).await }
    });
    assert_eq!(call(&service, say("hello")).await.grpc_status().0, 0);
    endless.abort();
}
