//! gRFC A6: a call that the server provably never saw is sent again, once, without anybody asking for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use callwright::{Channel, Code};
use callwright_tests::support::raw::{self, head, text, trailers};
use callwright_tests::support::{channel, chat, say, sum};
use futures_util::stream;
use h2::server::SendResponse;
use tokio::net::TcpListener;

const GRPC: (&str, &str) = ("content-type", "application/grpc");

fn answer(mut response: SendResponse<Bytes>, message: Bytes) {
    let mut stream = response.send_response(head(200, &[GRPC]), false).unwrap();
    stream.send_data(message, false).unwrap();
    stream.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
}

/// A server that refuses the first `refusals` streams, and counts all of them.
async fn refusing(refusals: u32, message: Bytes) -> (Channel, Arc<AtomicU32>) {
    let streams = Arc::new(AtomicU32::new(0));
    let counter = streams.clone();
    let address = raw::server(move |_, _, request, mut response| {
        let (number, message) = (counter.fetch_add(1, Ordering::SeqCst), message.clone());
        async move {
            if number < refusals {
                return response.send_reset(h2::Reason::REFUSED_STREAM);
            }
            let mut body = request.into_body();
            while let Some(part) = body.data().await {
                let size = part.unwrap().len();
                body.flow_control().release_capacity(size).unwrap();
            }
            answer(response, message);
        }
    })
    .await;
    (channel(&address).build().unwrap(), streams)
}

#[tokio::test]
async fn a_refused_call_is_sent_again_once() {
    let (channel, streams) = refusing(1, text("hello")).await;
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    assert_eq!(streams.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_call_refused_twice_is_unavailable() {
    let (channel, streams) = refusing(9, text("hello")).await;
    assert_eq!(say(&channel, "hello").wait_for_ready(true).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(streams.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refused_stream_of_requests_is_sent_again_whole() {
    let seven = raw::frame(0, &[8, 7]);
    let (channel, streams) = refusing(1, seven).await;
    let reply: u32 = sum(&channel).send_all(stream::iter(0..1000)).await.unwrap_or_else(|status| panic!("{status}"));
    // The raw server answers with a message whose only field is unknown to a u32's wrapper: what counts is that it came.
    assert!(reply == 7 || reply == 0);
    assert_eq!(streams.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn both_halves_go_on_after_a_refusal() {
    let (channel, streams) = refusing(1, text("hello")).await;
    let (mut requests, mut replies) = chat(&channel).timeout(Duration::from_secs(60)).start();
    for _ in 0..10 {
        requests.send("word".into()).await.unwrap();
        tokio::task::yield_now().await;
    }
    requests.finish();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("hello"));
    assert_eq!(streams.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_call_above_the_last_stream_of_a_goaway_is_sent_on_the_next_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(&listener.local_addr().unwrap().to_string()).build().unwrap();
    let server = tokio::spawn(async move {
        // The first connection goes away without having looked at the call.
        let (mut socket, _) = listener.accept().await.unwrap();
        first_connection(&mut socket).await;
        let (second, _) = listener.accept().await.unwrap();
        let mut h2 = h2::server::handshake(second).await.unwrap();
        let (_, response) = h2.accept().await.unwrap().unwrap();
        answer(response, text("hello"));
        let _ = h2.accept().await;
    });
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    channel.close();
    server.await.unwrap();
}

#[tokio::test]
async fn a_call_that_two_connections_turned_away_says_that_the_server_shuts_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(&listener.local_addr().unwrap().to_string()).build().unwrap();
    let server = tokio::spawn(async move {
        let mut sockets = Vec::new();
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().await.unwrap();
            first_connection(&mut socket).await;
            sockets.push(socket);
        }
        sockets
    });
    let status = say(&channel, "hello").wait_for_ready(true).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().ends_with("is shutting down and takes no more calls (GOAWAY)"), "{status}");
    drop(server.await.unwrap());
}

/// Speaks just enough HTTP/2 to take a request and answer it with GOAWAY(last stream 0, NO_ERROR).
async fn first_connection(socket: &mut tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const HEADERS: u8 = 1;
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await.unwrap();
    socket.write_all(SETTINGS).await.unwrap();
    loop {
        let mut frame = [0; 9];
        socket.read_exact(&mut frame).await.unwrap();
        let size = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]);
        let mut payload = vec![0; size as usize];
        socket.read_exact(&mut payload).await.unwrap();
        if frame[3] == HEADERS {
            break;
        }
    }
    socket.write_all(GOAWAY).await.unwrap();
}

#[tokio::test]
async fn a_call_that_was_processed_is_not_sent_again() {
    let streams = Arc::new(AtomicU32::new(0));
    let counter = streams.clone();
    let address = raw::server(move |_, _, _request, mut response| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move { response.send_reset(h2::Reason::INTERNAL_ERROR) }
    })
    .await;
    let channel = channel(&address).build().unwrap();
    assert_eq!(say(&channel, "hello").wait_for_ready(true).await.unwrap_err().code(), Code::Internal);
    assert_eq!(streams.load(Ordering::SeqCst), 1);
}
