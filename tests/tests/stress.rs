//! Many calls at once, and connections that end under them: no call is lost, and no call ends another.

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callwright_tests::support::raw::{head, text, trailers};
use callwright_tests::support::{channel, channel_to, chat, say, serve};
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Long enough never to run out unless something hangs.
const LONG: Duration = Duration::from_secs(60);

/// A server that answers one call a connection, and says goodbye.
async fn serving_one_call_a_connection() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut h2 = h2::server::handshake(socket).await.unwrap();
                let Some(Ok((_, mut response))) = h2.accept().await else { return };
                let answer = head(200, &[("content-type", "application/grpc")]);
                let mut stream = response.send_response(answer, false).unwrap();
                stream.send_data(text("hello"), false).unwrap();
                stream.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
                h2.graceful_shutdown();
                while h2.accept().await.is_some() {}
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_made_while_its_connection_ends_waits_for_the_next() {
    let channel = channel(&serving_one_call_a_connection().await).build().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    // Asks for a connection all the time, so that there is always somebody who comes as the last one ends.
    let asking = std::thread::spawn({
        let (channel, done, runtime) = (channel.clone(), done.clone(), tokio::runtime::Handle::current());
        move || {
            let _runtime = runtime.enter();
            while !done.load(Ordering::Relaxed) {
                channel.connect().unwrap();
                std::thread::yield_now();
            }
        }
    });
    for _ in 0..100 {
        assert_eq!(say(&channel, "hello").timeout(LONG).await.unwrap(), "hello");
    }
    done.store(true, Ordering::Relaxed);
    asking.join().unwrap();
}

#[tokio::test]
async fn cancelling_many_calls_at_once_leaves_the_others_alone() {
    let (server, _seen) = serve().await;
    let channel = channel_to(&server);
    let (mut requests, mut replies) = chat(&channel).timeout(LONG).start();
    requests.send("before".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap(), "before");
    // Opened and cancelled before the connection's task runs, so that the server finds all of it in one read.
    let mut calls: Vec<_> = (0..500).map(|_| say(&channel, "hello").into_future()).collect();
    assert!(calls.iter_mut().all(|call| call.now_or_never().is_none()));
    drop(calls);
    requests.send("after".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap(), "after");
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header that HPACK has in no table.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut header = vec![0];
    for text in [name, value] {
        header.push(u8::try_from(text.len()).unwrap());
        header.extend(text.as_bytes());
    }
    header
}

#[tokio::test]
async fn what_arrives_for_calls_that_were_cancelled_leaves_the_others_alone() {
    const CANCELLED: u32 = 2000;
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(&listener.local_addr().unwrap().to_string()).build().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).await.unwrap();
        socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        let mut heads = 0;
        while heads <= CANCELLED {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            socket.read_exact(&mut payload).await.unwrap();
            heads += u32::from(head[3] == HEADERS);
        }
        let mut answer = Vec::new();
        (0..CANCELLED).for_each(|number| answer.extend(frame(DATA, 0, 2 * number + 1, b"x")));
        let last = 2 * CANCELLED + 1;
        let ok = [vec![0x88], literal("content-type", "application/grpc")].concat();
        answer.extend(frame(HEADERS, 4, last, &ok));
        answer.extend(frame(DATA, 0, last, &text("hello")));
        answer.extend(frame(HEADERS, 5, last, &literal("grpc-status", "0")));
        socket.write_all(&answer).await.unwrap();
        socket
    });
    channel.wait_until_ready(LONG).await.unwrap();
    let mut calls: Vec<_> = (0..CANCELLED).map(|_| say(&channel, "hello").into_future()).collect();
    assert!(calls.iter_mut().all(|call| call.now_or_never().is_none()));
    drop(calls);
    assert_eq!(say(&channel, "hello").timeout(LONG).await.unwrap(), "hello");
    drop(server.await.unwrap());
}
