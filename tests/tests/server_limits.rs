//! What a server takes of its clients: at each limit and below it.

use std::collections::HashMap;
use std::time::Duration;

use callwright::server::{Methods, Service};
use callwright::{Code, KeepaliveEnforcement, Method, RunningServer, Server, ServerBuilder};
use callwright_tests::support::frames::{
    self, ACK, CONTINUATION, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};
use callwright_tests::support::raw::{Answer, grpc_request, request, text};
use callwright_tests::support::{channel, channel_to, say, serve_with, under_way};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What HTTP/2 calls ENHANCE_YOUR_CALM.
const CALM: u8 = 11;
/// What HTTP/2 calls REFUSED_STREAM.
const REFUSED: u8 = 7;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn serve(builder: ServerBuilder) -> RunningServer {
    serve_with(builder, "127.0.0.1:0").await.0
}

async fn connect(server: &RunningServer) -> TcpStream {
    TcpStream::connect(server.local_addr().to_string()).await.unwrap()
}

/// A client that has said all that it has to before its calls.
async fn begin(server: &RunningServer) -> TcpStream {
    let mut socket = connect(server).await;
    socket.write_all(PREFACE).await.unwrap();
    frames::write(&mut socket, SETTINGS, 0, &[]).await;
    socket
}

/// The next frame of this kind; `None` at the end of the connection.
async fn next(socket: &mut TcpStream, kind: u8) -> Option<Frame> {
    loop {
        let frame = frames::read(socket).await.ok()?;
        if frame.kind == kind {
            return Some(frame);
        }
    }
}

/// The headers of a call to Say.
fn say_headers() -> Vec<u8> {
    headers_of("/test.Echo/Say")
}

/// The headers of a call, without a table: each a literal.
fn headers_of(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in
        [(":path", path), (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers")]
    {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend(text.as_bytes());
        }
    }
    block
}

fn whole(since: Instant) -> u64 {
    since.elapsed().as_secs_f64().round() as u64
}

#[tokio::test(start_paused = true)]
async fn as_many_connections_as_there_may_be_are_open_and_the_next_waits_for_a_place() {
    let server = serve(Server::builder().max_connections(2)).await;
    let mut first = begin(&server).await;
    // One that says nothing has a place too.
    let mut silent = connect(&server).await;
    for socket in [&mut first, &mut silent] {
        assert!(next(socket, SETTINGS).await.is_some());
    }
    let mut third = begin(&server).await;
    let waited = tokio::time::timeout(seconds(10), next(&mut third, SETTINGS)).await;
    assert!(waited.is_err(), "{waited:?}");
    drop(first);
    assert!(next(&mut third, SETTINGS).await.is_some());
    // Their places come back however they end: this one was closed for saying nothing.
    drop(third);
    assert_eq!(next(&mut silent, GOAWAY).await, None);
    tokio::time::resume();
    for _ in 0..5 {
        assert_eq!(say(&channel_to(&server), "hello").await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn a_thousand_clients_wait_in_the_backlog() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.sock");
    let builder = Server::builder().max_connections(1).listen(format!("unix:{}", path.display()));
    let server = serve(builder).await;
    let mut first = begin(&server).await;
    assert!(next(&mut first, SETTINGS).await.is_some());
    let waiting = async {
        let mut waiting = Vec::new();
        for _ in 0..1000 {
            waiting.push((connect(&server).await, tokio::net::UnixStream::connect(&path).await.unwrap()));
        }
        waiting
    };
    // Of those above the backlog each would wait for seconds.
    assert_eq!(tokio::time::timeout(seconds(20), waiting).await.unwrap().len(), 1000);
}

#[tokio::test]
async fn calls_wait_for_a_server_that_has_all_its_connections() {
    let server = serve(Server::builder().max_connections(1)).await;
    let first = channel_to(&server);
    assert_eq!(say(&first, "hello").await.unwrap(), "hello");
    // As many calls on one connection as ever.
    let calls: Vec<_> = (0..100).map(|_| under_way(say(&first, "hello"))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "hello");
    }
    let waiting = under_way(say(&channel_to(&server), "later"));
    assert_eq!(say(&first, "hello").await.unwrap(), "hello");
    assert!(!waiting.is_finished());
    first.close();
    assert_eq!(waiting.await.unwrap().unwrap(), "later");
}

#[tokio::test]
async fn all_listeners_count_together_and_clients_of_the_same_process_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.sock");
    let builder = Server::builder().max_connections(1).listen(format!("unix:{}", path.display())).listen("inproc:");
    let server = serve(builder).await;
    let mut first = begin(&server).await;
    assert!(next(&mut first, SETTINGS).await.is_some());
    let targets: Vec<String> = server.local_addrs().iter().map(ToString::to_string).collect();
    let by_unix = channel(&targets[1]).build().unwrap();
    let waiting = under_way(say(&by_unix, "later"));
    // They are served while nobody else is.
    for _ in 0..3 {
        assert_eq!(say(&channel(&targets[2]).build().unwrap(), "hello").await.unwrap(), "hello");
    }
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(waiting.await.unwrap().unwrap(), "later");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_begin_in_time_is_closed() {
    for (builder, limit) in [(Server::builder(), 20), (Server::builder().handshake_timeout(seconds(5)), 5)] {
        let server = serve(builder).await;
        let settings = frames::encoded(SETTINGS, 0, 0, &[]);
        for said in [&[][..], &PREFACE[..10], &PREFACE[..], &[&PREFACE[..], &settings[..8]].concat()] {
            let mut socket = connect(&server).await;
            let began = Instant::now();
            socket.write_all(said).await.unwrap();
            assert_eq!((next(&mut socket, GOAWAY).await, whole(began)), (None, limit), "{said:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_has_begun_in_time_stays() {
    let server = serve(Server::builder().handshake_timeout(seconds(5))).await;
    let mut socket = begin(&server).await;
    while next(&mut socket, SETTINGS).await.unwrap().flags & ACK == 0 {}
    // Now the server knows all that it has to.
    tokio::time::pause();
    let closed = tokio::time::timeout(seconds(3600), next(&mut socket, GOAWAY)).await;
    assert!(closed.is_err(), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dawdles_over_its_headers_is_sent_away() {
    for (builder, limit) in [(Server::builder(), 30), (Server::builder().header_read_timeout(seconds(7)), 7)] {
        let server = serve(builder).await;
        let block = say_headers();
        let whole_frame = frames::encoded(HEADERS, END_HEADERS, 1, &block);
        for begun in [&whole_frame[..whole_frame.len() - 1], &frames::encoded(HEADERS, 0, 1, &block[..20])] {
            let mut socket = begin(&server).await;
            assert!(next(&mut socket, SETTINGS).await.is_some());
            let began = Instant::now();
            socket.write_all(begun).await.unwrap();
            let away = next(&mut socket, GOAWAY).await.unwrap();
            assert_eq!((away.payload[7], whole(began)), (CALM, limit), "{away:?}");
            assert!(String::from_utf8_lossy(&away.payload[8..]).contains("longer than it may"));
            assert_eq!(next(&mut socket, GOAWAY).await, None);
        }
    }
}

#[tokio::test]
async fn headers_in_parts_are_served_as_if_they_were_whole() {
    let server = serve(Server::builder().header_read_timeout(seconds(60))).await;
    let mut socket = begin(&server).await;
    let block = say_headers();
    for id in [1u32, 3] {
        let parts = [
            frames::encoded(HEADERS, 0, id, &block[..20]),
            frames::encoded(CONTINUATION, END_HEADERS, id, &block[20..]),
            frames::encoded(frames::DATA, END_STREAM, id, &text("hello")),
        ];
        for byte in parts.concat() {
            socket.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(next(&mut socket, frames::DATA).await.unwrap().payload, text("hello"));
    }
}

#[tokio::test]
async fn a_request_may_take_longer_than_its_headers() {
    let server = serve(Server::builder().header_read_timeout(seconds(10))).await;
    let mut socket = begin(&server).await;
    let block = say_headers();
    let parts =
        [frames::encoded(HEADERS, 0, 1, &block[..20]), frames::encoded(CONTINUATION, END_HEADERS, 1, &block[20..])];
    let data = frames::encoded(frames::DATA, END_STREAM, 1, &text("hello"));
    // What is behind them is answered, so they are read by then.
    let ping = frames::encoded(PING, 0, 0, b"are read");
    socket.write_all(&[&parts.concat()[..], &ping].concat()).await.unwrap();
    assert!(next(&mut socket, PING).await.is_some());
    tokio::time::pause();
    tokio::time::advance(seconds(3600)).await;
    tokio::time::resume();
    socket.write_all(&data).await.unwrap();
    assert_eq!(next(&mut socket, frames::DATA).await.unwrap().payload, text("hello"));
}

async fn with_metadata(server: &RunningServer, size: usize) -> Answer {
    let builder = grpc_request("/test.Echo/Say").header("large", "x".repeat(size));
    request(&server.local_addr().to_string(), builder.body(()).unwrap(), vec![text("hello")]).await
}

#[tokio::test]
async fn metadata_is_taken_up_to_what_the_server_is_set_to() {
    for (limit, fits, does_not) in [(1024, 500, 1000), (256 * 1024, 255 * 1024, 256 * 1024)] {
        let server = serve(Server::builder().max_metadata_size(limit)).await;
        let channel = channel_to(&server);
        assert_eq!(say(&channel, "hello").metadata("large", "x".repeat(fits)).await.unwrap(), "hello");
        // A client that goes by what it was told.
        let status = say(&channel, "hello").metadata("large", "x".repeat(does_not)).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().contains(&limit.to_string()), "{status}");
        assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
        // One that does not.
        let answer = with_metadata(&server, fits).await;
        assert_eq!((answer.status, answer.get("grpc-status")), (200, Some("0")));
        assert_eq!(with_metadata(&server, does_not).await.status, 431);
    }
}

#[tokio::test]
async fn no_streams_at_all_means_one() {
    let (server, _) = serve_with(Server::builder().max_concurrent_streams(0), "127.0.0.1:0").await;
    let channel = channel_to(&server);
    assert_eq!(say(&channel, "hello").timeout(Duration::from_secs(10)).await.unwrap(), "hello");
}

#[tokio::test]
async fn streams_over_the_limit_are_refused_and_those_below_it_served() {
    let (server, mut seen) = serve_with(Server::builder().max_concurrent_streams(2), "127.0.0.1:0").await;
    let mut socket = begin(&server).await;
    let settings = next(&mut socket, SETTINGS).await.unwrap();
    assert!(settings.payload.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 2]), "{settings:?}");
    let call = |id| {
        let body = frames::encoded(frames::DATA, END_STREAM, id, &text("forever"));
        [frames::encoded(HEADERS, END_HEADERS, id, &say_headers()), body].concat()
    };
    socket.write_all(&[call(1), call(3)].concat()).await.unwrap();
    for _ in 0..2 {
        seen.recv().await.unwrap();
    }
    socket.write_all(&call(5)).await.unwrap();
    let refused = next(&mut socket, RST_STREAM).await.unwrap();
    assert_eq!((refused.stream, refused.payload[3]), (5, REFUSED));
    // With one gone there is a place again.
    socket.write_all(&frames::encoded(RST_STREAM, 0, 1, &[0, 0, 0, 8])).await.unwrap();
    let hello = frames::encoded(frames::DATA, END_STREAM, 7, &text("hello"));
    socket.write_all(&[frames::encoded(HEADERS, END_HEADERS, 7, &say_headers()), hello].concat()).await.unwrap();
    let answer = next(&mut socket, frames::DATA).await.unwrap();
    assert_eq!((answer.stream, &answer.payload[..]), (7, &text("hello")[..]));
}

/// A service whose `Hold` reads no request, and whose `Read` reads all.
struct Reads;

impl Service for Reads {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Reads", std::sync::Arc::new(self))
            .client_streaming(Method::<String, String>::new("/test.Reads/Hold"), |_, requests, _| {
                Box::pin(async move {
                    // Dropped, they would be read as far as the server is concerned.
                    let _requests = requests;
                    std::future::pending().await
                })
            })
            .client_streaming(Method::<String, String>::new("/test.Reads/Read"), |_, mut requests, _| {
                Box::pin(async move {
                    while requests.message().await?.is_some() {}
                    Ok(String::new())
                })
            });
    }
}

/// How many bytes a client may send on so many streams of this method, which it does not end, until `most` or until it has to wait.
async fn sent_until_it_waits(server: &RunningServer, method: &str, streams: usize, most: usize) -> usize {
    let mut socket = begin(server).await;
    let ids: Vec<u32> = (0..streams as u32).map(|at| 2 * at + 1).collect();
    for id in &ids {
        let block = headers_of(&format!("/test.Reads/{method}"));
        socket.write_all(&frames::encoded(HEADERS, END_HEADERS, *id, &block)).await.unwrap();
    }
    // What may be sent on the connection, and on each stream.
    let mut before = 65_535;
    let mut windows: HashMap<u32, i64> = ids.iter().chain([&0]).map(|id| (*id, before)).collect();
    let message = text(&"x".repeat(10_000));
    let (mut sent, mut waits) = (0, 0);
    while sent < most && waits < 3 {
        // What was sent before the answer is told of before it, if anybody reads it at once.
        frames::write(&mut socket, PING, 0, b"is taken").await;
        loop {
            let frame = frames::read(&mut socket).await.unwrap();
            match frame.kind {
                WINDOW_UPDATE => {
                    let by = u32::from_be_bytes(frame.payload[..4].try_into().unwrap());
                    *windows.get_mut(&frame.stream).unwrap() += i64::from(by);
                }
                SETTINGS if frame.flags & ACK == 0 => {
                    let initial = frame.payload.chunks(6).find(|setting| setting[1] == 4).unwrap();
                    let initial = i64::from(u32::from_be_bytes(initial[2..].try_into().unwrap()));
                    let by = initial - std::mem::replace(&mut before, initial);
                    ids.iter().for_each(|id| *windows.get_mut(id).unwrap() += by);
                    frames::write(&mut socket, SETTINGS, ACK, &[]).await;
                }
                PING if frame.flags & ACK != 0 => break,
                PING => frames::write(&mut socket, PING, ACK, &frame.payload).await,
                _ => {}
            }
        }
        waits += 1;
        for id in &ids {
            while windows[id].min(windows[&0]) >= message.len() as i64 {
                socket.write_all(&frames::encoded(frames::DATA, 0, *id, &message)).await.unwrap();
                for window in [id, &0] {
                    *windows.get_mut(window).unwrap() -= message.len() as i64;
                }
                sent += message.len();
                waits = 0;
            }
        }
    }
    sent
}

#[tokio::test]
async fn as_much_may_be_unread_as_is_set_and_what_is_read_has_no_end() {
    let serve = |unread| {
        let builder = Server::builder().add_service(Reads).keepalive_enforcement(KeepaliveEnforcement::none());
        serve(builder.max_unread_size(unread))
    };
    const KIB: usize = 1024;
    let server = serve(512 * KIB).await;
    // Beside 128 KiB of each call.
    let most = 512 * KIB + 20 * 128 * KIB;
    let sent = sent_until_it_waits(&server, "Hold", 20, usize::MAX).await;
    assert!((512 * KIB..=most).contains(&sent), "{sent} of {most}");
    let read = sent_until_it_waits(&server, "Read", 20, 4 * most).await;
    assert!(read >= 4 * most, "{read}");
    // With more, more may be unread.
    let server = serve(64 * 1024 * KIB).await;
    let sent = sent_until_it_waits(&server, "Hold", 20, usize::MAX).await;
    assert!(sent > most, "{sent}");
}
