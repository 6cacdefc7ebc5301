//! How a server goes: what its clients are told, which calls it still takes, and when it has gone.

use std::time::Duration;

use callwright::{Code, ConnectivityState, RunningServer, Server};
use callwright_tests::support::frames::{
    self, ACK, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PREFACE, SETTINGS,
};
use callwright_tests::support::raw::text;
use callwright_tests::support::{Echo, Seen, channel_to, chat, say, serve, serve_with, under_way};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(60);
/// The largest id of a stream: what a server says that still takes all.
const ALL: [u8; 4] = [0x7f, 0xff, 0xff, 0xff];

/// A client that speaks in frames.
struct Client(TcpStream);

impl Client {
    async fn connect(server: &RunningServer) -> Client {
        Client(TcpStream::connect(server.local_addr().to_string()).await.unwrap())
    }

    /// One that the server knows all of.
    async fn new(server: &RunningServer) -> Client {
        let mut client = Client::connect(server).await;
        client.begin().await;
        while client.next(SETTINGS).await.unwrap().flags & ACK == 0 {}
        client
    }

    async fn begin(&mut self) {
        self.0.write_all(PREFACE).await.unwrap();
        frames::write(&mut self.0, SETTINGS, 0, &[]).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next frame of this kind; `None` at the end of the connection.
    async fn next(&mut self, kind: u8) -> Option<Frame> {
        self.next_of(&[kind]).await
    }

    async fn next_of(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = frames::read(&mut self.0).await.ok()?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }

    /// Asserts that the server announces its end, and asks whether that is known; gives the question.
    async fn is_told(&mut self) -> Vec<u8> {
        let away = self.next_of(&[GOAWAY, PING]).await.unwrap();
        assert_eq!((away.kind, &away.payload[..]), (GOAWAY, &[&ALL[..], &[0; 4]].concat()[..]));
        let ping = self.next_of(&[GOAWAY, PING]).await.unwrap();
        assert_eq!((ping.kind, ping.flags), (PING, 0));
        ping.payload
    }

    /// Asserts that the server says which of the client's streams was the last that it took.
    async fn last_is(&mut self, id: u8) {
        let away = self.next(GOAWAY).await.unwrap();
        assert_eq!(away.payload[..], [0, 0, 0, id, 0, 0, 0, 0]);
    }

    /// Asserts that the call on a stream is answered with this.
    async fn is_answered(&mut self, stream: u32, word: &str) {
        let data = self.next(DATA).await.unwrap();
        assert_eq!((data.stream, data.payload), (stream, text(word).to_vec()));
    }
}

/// A call to Say or Chat, whose request is this.
fn call(method: &str, stream: u32, word: &str, end: bool) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let path = format!("/test.Echo/{method}");
    for (name, value) in [(":path", &*path), ("content-type", "application/grpc"), ("te", "trailers")] {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend(text.as_bytes());
        }
    }
    let flags = if end { END_STREAM } else { 0 };
    [frames::encoded(HEADERS, END_HEADERS, stream, &block), frames::encoded(DATA, flags, stream, &text(word))].concat()
}

#[tokio::test]
async fn a_client_is_told_in_two_steps_and_loses_no_call_that_it_sent_in_between() {
    let (server, mut seen) = serve().await;
    let mut client = Client::new(&server).await;
    client.send(&call("Chat", 1, "one", false)).await;
    client.is_answered(1, "one").await;
    let ending = tokio::spawn(server.shutdown(LONG));
    let question = client.is_told().await;
    // This one was on its way when the server spoke.
    client.send(&call("Say", 3, "three", true)).await;
    client.is_answered(3, "three").await;
    client.send(&frames::encoded(PING, ACK, 0, &question)).await;
    client.last_is(3).await;
    // And this one comes too late: nobody looks at it, as the client was told.
    client.send(&call("Say", 5, "five", true)).await;
    client.send(&frames::encoded(DATA, END_STREAM, 1, &text("two"))).await;
    client.is_answered(1, "two").await;
    assert!(!ending.is_finished());
    let trailers = client.next(HEADERS).await.unwrap();
    assert_eq!((trailers.stream, trailers.flags & END_STREAM), (1, END_STREAM));
    assert_eq!(client.next_of(&[DATA, HEADERS, GOAWAY]).await, None);
    drop(client);
    ending.await.unwrap();
    assert!(matches!(seen.recv().await, Some(Seen::Started(word)) if word == "three"));
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn a_client_that_never_answers_holds_its_connection_no_longer_than_its_calls() {
    let (server, _seen) = serve().await;
    let mut idle = Client::new(&server).await;
    let mut busy = Client::new(&server).await;
    busy.send(&call("Chat", 1, "one", false)).await;
    busy.is_answered(1, "one").await;
    tokio::time::pause();
    let began = Instant::now();
    let ending = tokio::spawn(server.shutdown(Duration::from_secs(3600)));
    idle.is_told().await;
    idle.last_is(0).await;
    assert_eq!((idle.next(GOAWAY).await, began.elapsed().as_secs()), (None, 5));
    busy.is_told().await;
    busy.last_is(1).await;
    assert!(!ending.is_finished());
    tokio::time::resume();
    busy.send(&frames::encoded(DATA, END_STREAM, 1, &text("two"))).await;
    busy.is_answered(1, "two").await;
    assert_eq!(busy.next(GOAWAY).await, None);
    drop((idle, busy));
    ending.await.unwrap();
}

#[tokio::test]
async fn a_client_that_has_just_connected_is_told_that_its_calls_were_not_looked_at() {
    let (server, mut seen) = serve().await;
    let mut client = Client::connect(&server).await;
    // It may send calls from here on, and the server knows nothing of it yet.
    assert!(client.next(SETTINGS).await.is_some());
    let ending = tokio::spawn(server.shutdown(LONG));
    client.last_is(0).await;
    client.begin().await;
    client.send(&call("Say", 1, "one", true)).await;
    // The end is no reset, which would take back what the client has not read.
    let end = loop {
        match frames::read(&mut client.0).await {
            Ok(frame) => assert!(![HEADERS, DATA].contains(&frame.kind), "{frame:?}"),
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(end, std::io::ErrorKind::UnexpectedEof);
    drop(client);
    ending.await.unwrap();
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn calls_that_are_left_after_the_grace_end_as_unavailable_and_the_server_has_gone() {
    let (server, mut seen) = serve_with(Server::builder().listen("inproc:"), "127.0.0.1:0").await;
    let mut calls = Vec::new();
    for target in server.local_addrs() {
        let channel = callwright_tests::support::channel(&target.to_string()).build().unwrap();
        calls.push(under_way(say(&channel, "forever")));
        assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    }
    server.shutdown(Duration::from_millis(20)).await;
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
    }
    // Its handlers are dropped by then, or just after.
    let mut dropped = 0;
    while dropped < 2 {
        dropped += usize::from(matches!(seen.recv().await.unwrap(), Seen::Dropped));
    }
}

#[tokio::test]
async fn streams_go_on_while_the_server_waits_for_them() {
    let (server, _seen) = serve().await;
    let channel = channel_to(&server);
    let mut chats = Vec::new();
    for _ in 0..20 {
        let (mut requests, mut replies) = chat(&channel).start();
        requests.send("one".into()).await.unwrap();
        assert_eq!(replies.message().await.unwrap().as_deref(), Some("one"));
        chats.push((requests, replies));
    }
    let mut states = channel.watch_state();
    let ending = tokio::spawn(server.shutdown(LONG));
    states.wait_for(ConnectivityState::Idle).await.unwrap();
    for round in 0..50 {
        for (requests, replies) in &mut chats {
            requests.send(round.to_string()).await.unwrap();
            assert_eq!(replies.message().await.unwrap(), Some(round.to_string()));
        }
    }
    assert!(!ending.is_finished());
    for (requests, mut replies) in chats {
        requests.finish();
        assert_eq!(replies.message().await.unwrap(), None);
    }
    ending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_servers_follow_each_other_on_one_socket() {
    const WORKERS: usize = 40;
    const CALLS: usize = 50;
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (echo, mut seen) = Echo::new();
    let serve = || Server::builder().add_service(echo.clone()).bind_listener(socket.try_clone().unwrap());
    let mut server = serve().await.unwrap();
    let channel = channel_to(&server);
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let channel = channel.clone();
            tokio::spawn(async move {
                for call in 0..CALLS {
                    let word = format!("{worker}-{call}");
                    assert_eq!(say(&channel, &word).await.unwrap(), word);
                }
            })
        })
        .collect();
    let mut ending = Vec::new();
    for begun in 1..=WORKERS * CALLS {
        assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
        if begun % 50 == 0 {
            ending.push(tokio::spawn(server.shutdown(LONG)));
            server = serve().await.unwrap();
        }
    }
    for worker in workers {
        worker.await.unwrap();
    }
    channel.close();
    server.shutdown(LONG).await;
    for server in ending {
        server.await.unwrap();
    }
    // Each was seen once.
    let mut order = echo.order.lock().unwrap().clone();
    order.sort();
    order.dedup();
    assert_eq!((order.len(), echo.order.lock().unwrap().len()), (WORKERS * CALLS, WORKERS * CALLS));
}
