//! grpc's negative HTTP/2 cases (`test/http2_test` in grpc/grpc) for our client, each under its name: a server that keeps to
//! HTTP/2 and not to what a call expects, by the frame over TCP.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use callwright::{Channel, Code, ConnectivityState};
use callwright_tests::support::frames::{
    self, ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};
use callwright_tests::support::raw::text;
use callwright_tests::support::{LARGE, channel, chat, say};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// `:status: 200` of the static table, and `content-type: application/grpc` as a literal with that table's name.
const RESPONSE: &[u8] = b"\x88\x0f\x10\x10application/grpc";
/// `grpc-status: 0`, as a literal.
const OK: &[u8] = b"\x00\x0bgrpc-status\x010";
const NO_ERROR: [u8; 4] = [0; 4];
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_CONCURRENT_STREAMS: u16 = 3;
/// What a connection's window is when it begins, and a stream's unless the settings say otherwise.
const DEFAULT_WINDOW: i64 = 65_535;

/// A connection of a client, as the server sees it.
struct Peer {
    socket: TcpStream,
    /// The connection's window, under number 0, and those of streams.
    windows: HashMap<u32, i64>,
    initial_window: i64,
    /// PINGs that were sent and not yet answered.
    outstanding_pings: usize,
    /// Requests whose response has not ended.
    open: usize,
    max_open: usize,
}

impl Peer {
    async fn accept(listener: &TcpListener) -> Peer {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut preface = [0; PREFACE.len()];
        socket.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, PREFACE);
        let windows = HashMap::from([(0, DEFAULT_WINDOW)]);
        let mut peer =
            Peer { socket, windows, initial_window: DEFAULT_WINDOW, outstanding_pings: 0, open: 0, max_open: 0 };
        peer.send(SETTINGS, 0, 0, &[]).await;
        peer
    }

    /// Sends a frame; a client that is gone does not take it.
    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let _ = self.socket.write_all(&frames::encoded(kind, flags, stream, payload)).await;
    }

    /// The next frame; none once the client has closed the connection. What any peer does with it is done.
    async fn next(&mut self) -> Option<frames::Frame> {
        let frame = frames::read(&mut self.socket).await.ok()?;
        match (frame.kind, frame.flags & ACK) {
            (SETTINGS, 0) => {
                for entry in frame.payload.chunks_exact(6) {
                    let value = u32::from_be_bytes(entry[2..].try_into().unwrap());
                    if entry[..2] == INITIAL_WINDOW_SIZE.to_be_bytes() {
                        let change = i64::from(value) - self.initial_window;
                        self.initial_window += change;
                        self.windows.iter_mut().filter(|(id, _)| **id != 0).for_each(|(_, window)| *window += change);
                    }
                }
                self.send(SETTINGS, ACK, 0, &[]).await;
            }
            (PING, 0) => self.send(PING, ACK, 0, &frame.payload).await,
            (PING, _) => self.outstanding_pings = self.outstanding_pings.checked_sub(1).expect("answered, not asked"),
            (WINDOW_UPDATE, _) => {
                let more = u32::from_be_bytes(frame.payload[..].try_into().unwrap());
                // One of a stream that has ended counts for nothing.
                if let Some(window) = self.windows.get_mut(&frame.stream) {
                    *window += i64::from(more);
                }
            }
            (HEADERS, _) => {
                self.windows.insert(frame.stream, self.initial_window);
                self.open += 1;
                self.max_open = self.max_open.max(self.open);
            }
            _ => {}
        }
        Some(frame)
    }

    /// The stream of the next request, which has come whole; none once the client has closed the connection.
    async fn call(&mut self) -> Option<u32> {
        loop {
            let frame = self.next().await?;
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                return Some(frame.stream);
            }
        }
    }

    async fn respond(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS, stream, RESPONSE).await;
    }

    async fn succeed(&mut self, stream: u32) {
        self.open -= 1;
        self.windows.remove(&stream);
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, OK).await;
    }

    /// A whole response of one message.
    async fn answer(&mut self, stream: u32, message: &str) {
        self.respond(stream).await;
        self.send(DATA, 0, stream, &text(message)).await;
        self.succeed(stream).await;
    }

    async fn reset(&mut self, stream: u32) {
        self.send(RST_STREAM, 0, stream, &NO_ERROR).await;
    }

    async fn go_away(&mut self, last: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), NO_ERROR].concat()).await;
    }

    async fn ping(&mut self) {
        self.outstanding_pings += 1;
        self.send(PING, 0, 0, b"anybody?").await;
    }

    /// Sends five bytes at a time, each frame with this many bytes of padding, as far as both windows let it; reads to see
    /// them widened. Gives how much of them it has used.
    async fn send_small(&mut self, stream: u32, bytes: &[u8], padding: Option<u8>) -> i64 {
        let mut used = 0;
        let mut unsent = Vec::new();
        for part in bytes.chunks(5) {
            let payload = match padding {
                Some(padding) => [&[padding], part, &vec![0; padding.into()]].concat(),
                None => part.to_vec(),
            };
            let size = payload.len() as i64;
            while self.windows[&0].min(self.windows[&stream]) < size {
                self.socket.write_all(&std::mem::take(&mut unsent)).await.unwrap();
                self.next().await.expect("the client is gone");
            }
            for id in [0, stream] {
                *self.windows.get_mut(&id).unwrap() -= size;
            }
            used += size;
            let flags = if padding.is_some() { PADDED } else { 0 };
            unsent.extend(frames::encoded(DATA, flags, stream, &payload));
        }
        self.socket.write_all(&unsent).await.unwrap();
        used
    }
}

async fn listen() -> (TcpListener, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(&listener.local_addr().unwrap().to_string()).build().unwrap();
    (listener, channel)
}

/// Whether the client made no more connections than those that were taken.
fn has_no_more(listener: TcpListener) -> bool {
    // Asks the system, and not the runtime, which may not have heard of one yet.
    listener.into_std().unwrap().accept().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// A server that answers one call in full and goes away with it as the last, and answers on the next connection, which is
/// the last that the client makes. Ends when the client has closed both.
fn goes_away(listener: TcpListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut first = Peer::accept(&listener).await;
        let stream = first.call().await.unwrap();
        first.answer(stream, "first").await;
        first.go_away(stream).await;
        let mut second = Peer::accept(&listener).await;
        let stream = second.call().await.unwrap();
        second.answer(stream, "second").await;
        // A call that the client made before it saw the GOAWAY is above its last stream: it is not answered here.
        while first.next().await.is_some() {}
        assert_eq!(second.call().await, None);
        assert!(has_no_more(listener));
    })
}

#[tokio::test]
async fn goaway() {
    let (listener, channel) = listen().await;
    let server = goes_away(listener);
    assert_eq!(say(&channel, "hello").await.unwrap(), "first");
    channel.watch_state().wait_for(ConnectivityState::Idle).await.unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "second");
    channel.close();
    server.await.unwrap();
}

#[tokio::test]
async fn goaway_with_the_next_call_right_behind() {
    let (listener, channel) = listen().await;
    let server = goes_away(listener);
    assert_eq!(say(&channel, "hello").await.unwrap(), "first");
    assert_eq!(say(&channel, "hello").await.unwrap(), "second");
    channel.close();
    server.await.unwrap();
}

/// A server that answers with a head and these bytes, and then resets the stream without an error. Gives how many calls
/// it saw, once the client has closed the connection: one that was answered is not made again.
fn resets(listener: TcpListener, sent: Vec<u8>) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        let mut calls = 0;
        while let Some(stream) = peer.call().await {
            calls += 1;
            peer.respond(stream).await;
            if !sent.is_empty() {
                peer.send(DATA, 0, stream, &sent).await;
            }
            peer.reset(stream).await;
        }
        calls
    })
}

async fn fails_as_unary(sent: &[u8]) {
    let (listener, channel) = listen().await;
    let server = resets(listener, sent.to_vec());
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    channel.close();
    assert_eq!(server.await.unwrap(), 1);
}

/// What a stream delivers before it fails.
async fn delivers(sent: &[u8]) -> Vec<String> {
    let (listener, channel) = listen().await;
    let server = resets(listener, sent.to_vec());
    let (requests, mut replies) = chat(&channel).start();
    requests.finish();
    let mut messages = Vec::new();
    let status = loop {
        match replies.message().await {
            Ok(message) => messages.push(message.expect("a reset is no end of a stream")),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Internal, "{status}");
    channel.close();
    assert_eq!(server.await.unwrap(), 1);
    messages
}

#[tokio::test]
async fn rst_after_header() {
    fails_as_unary(&[]).await;
    assert!(delivers(&[]).await.is_empty());
}

#[tokio::test]
async fn rst_during_data() {
    let whole = text("hello, world");
    let half = &whole[..whole.len() / 2];
    fails_as_unary(half).await;
    assert!(delivers(half).await.is_empty());
}

#[tokio::test]
async fn rst_after_data() {
    let whole = text("hello, world");
    fails_as_unary(&whole).await;
    assert_eq!(delivers(&whole).await, ["hello, world"]);
}

#[tokio::test]
async fn ping() {
    let (listener, channel) = listen().await;
    let server = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        let mut calls = 0;
        while let Some(stream) = peer.call().await {
            calls += 1;
            peer.ping().await;
            peer.respond(stream).await;
            peer.ping().await;
            peer.ping().await;
            peer.send(DATA, 0, stream, &text("hello")).await;
            peer.ping().await;
            peer.succeed(stream).await;
            // Behind the last call the client may be gone before it has read another.
            if calls == 1 {
                peer.ping().await;
            }
        }
        (calls, peer.outstanding_pings)
    });
    for _ in 0..2 {
        assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    }
    channel.close();
    assert_eq!(server.await.unwrap(), (2, 0));
}

#[tokio::test]
async fn max_streams() {
    const CALLS: usize = 15;
    let (listener, channel) = listen().await;
    let server = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        let stream = peer.call().await.unwrap();
        let limit = [&MAX_CONCURRENT_STREAMS.to_be_bytes()[..], &1u32.to_be_bytes()].concat();
        // Before the end of the first call, so that the client knows it when it makes the others.
        peer.send(SETTINGS, 0, 0, &limit).await;
        peer.answer(stream, "hello").await;
        let mut calls = 0;
        while let Some(stream) = peer.call().await {
            calls += 1;
            // What the client sends before it answers this, it has sent while the stream was open.
            peer.ping().await;
            while peer.outstanding_pings > 0 {
                peer.next().await.unwrap();
            }
            peer.answer(stream, "hello").await;
        }
        assert!(has_no_more(listener));
        (calls, peer.max_open)
    });
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let calls: Vec<_> = (0..CALLS).map(|_| tokio::spawn(say(&channel, "hello").into_future())).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "hello");
    }
    channel.close();
    assert_eq!(server.await.unwrap(), (CALLS, 1));
}

/// Sends a message of this size in small frames; gives how much of the windows it took, and how large those were at first.
async fn small_frames(size: usize, padding: Option<u8>) -> (i64, i64) {
    let message = "x".repeat(size);
    let sent = text(&message);
    let (listener, channel) = listen().await;
    let server = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        let stream = peer.call().await.unwrap();
        let window = peer.windows[&0].min(peer.windows[&stream]);
        peer.respond(stream).await;
        let used = peer.send_small(stream, &sent, padding).await;
        peer.succeed(stream).await;
        assert_eq!(peer.call().await, None);
        (used, window)
    });
    // A client that does not give back its windows stops, and must not stop the test with it.
    assert_eq!(say(&channel, "hello").timeout(Duration::from_secs(60)).await.unwrap(), message);
    channel.close();
    server.await.unwrap()
}

#[tokio::test]
async fn data_frame_padding() {
    // As large as gRPC's cases have it: 62,834 frames, with 256 bytes each beside what they carry.
    let (used, window) = small_frames(314_159, Some(255)).await;
    assert!(used > 15 * window, "{used} bytes, with a window of {window} at first");
}

#[tokio::test]
async fn no_df_padding_sanity_test() {
    let (used, window) = small_frames(LARGE, None).await;
    assert!(used > 2 * window, "{used} bytes, with a window of {window} at first");
}
