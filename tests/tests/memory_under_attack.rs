//! A server whose limits are set keeps its memory below what the guide says of them (docs/server.md), whatever its clients send.
//!
//! What one connection holds is shown attack by attack in `runtime/http2/tests/attacks/memory.rs`; here all connections that
//! there may be attack a server in a process of its own, and what it has resident at most is asked of the system.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use callwright::{Call, Channel, Method};
use callwright_tests::support::channel;
use callwright_tests::support::frames::{
    self, CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, SETTINGS, WINDOW_UPDATE,
};
use callwright_tests::support::raw::{frame, grpc_request, text};
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const REPORT: Method<String, String> = Method::new("/test.Siege/Report");

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What the server is set to.
const CONNECTIONS: usize = 20;
const STREAMS: usize = 4;
const RECEIVE: usize = 64 * KIB;
const SEND: usize = 64 * KIB;
const METADATA: usize = 4 * KIB;
const UNREAD: usize = 256 * KIB;

/// All but one, which is an honest client's.
const ATTACKERS: usize = CONNECTIONS - 1;

/// What the guide says that a server with these limits holds at most, beside what it has without clients.
fn bound() -> usize {
    let stream = MIB + 2 * RECEIVE + 2 * SEND + 8 * METADATA;
    CONNECTIONS * (3 * MIB + 4 * UNREAD + 160 * METADATA + STREAMS * stream) + 6 * MIB
}

/// The server under attack, which ends with this.
struct Besieged {
    child: Child,
    _stdin: ChildStdin,
    address: String,
    honest: Channel,
    /// What it had resident after the first call, in bytes.
    before: usize,
}

impl Besieged {
    async fn start() -> Besieged {
        let flags = [
            ("connections", CONNECTIONS),
            ("streams", STREAMS),
            ("receive", RECEIVE),
            ("send", SEND),
            ("metadata", METADATA),
            ("unread", UNREAD),
        ];
        let mut child = Command::new(env!("CARGO_BIN_EXE_besieged_server"))
            .args(flags.map(|(name, number)| format!("--{name}={number}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
        let stdin = child.stdin.take().unwrap();
        let honest = channel(&address).build().unwrap();
        let mut besieged = Besieged { child, _stdin: stdin, address, honest, before: 0 };
        besieged.report().await;
        besieged.before = besieged.resident("VmRSS:");
        besieged
    }

    /// How many calls there have been, and how many bytes were sent: an honest client is answered at any time.
    async fn report(&self) -> (usize, usize) {
        let call = Call::unary(&self.honest, REPORT, String::new()).timeout(Duration::from_secs(30));
        let said = call.await.unwrap();
        let (calls, sent) = said.split_once(' ').unwrap();
        (calls.parse().unwrap(), sent.parse().unwrap())
    }

    /// Waits until there have been so many calls.
    async fn has_calls(&self, calls: usize) {
        while self.report().await.0 < calls {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn resident(&self, which: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<usize>().unwrap() * KIB
    }

    /// What the attacks have brought at most, at any time.
    fn most(&self) -> usize {
        self.resident("VmHWM:") - self.before
    }

    /// Asserts that it was no more than it may be, and goes on.
    async fn withstands(&self, attack: &str) {
        self.report().await;
        let (most, bound) = (self.most(), bound());
        println!("after {attack}: {:.1} of {:.1} MiB at most", most as f64 / MIB as f64, bound as f64 / MIB as f64);
        assert!(most < bound, "{attack}: {most} of {bound}");
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    async fn begin(&self, settings: &[u8]) -> TcpStream {
        let mut socket = self.connect().await;
        socket.write_all(PREFACE).await.unwrap();
        frames::write(&mut socket, SETTINGS, 0, settings).await;
        socket
    }

    /// A client that goes by the rules of HTTP/2, with as many calls as it may have: each sends `body`, as far as it is let.
    async fn calls(&self, method: &str, headers: usize, body: &Bytes) -> (tokio::task::JoinHandle<()>, Vec<Open>) {
        let (sender, mut connection) = h2::client::handshake(self.connect().await).await.unwrap();
        let mut pings = connection.ping_pong().unwrap();
        let driver = tokio::spawn(async move { drop(connection.await) });
        let mut open = Vec::new();
        for stream in 0..STREAMS {
            let mut request = grpc_request(&format!("/test.Siege/{method}"));
            for number in 0..headers {
                request = request.header(format!("h{stream}{number}"), "v");
            }
            let mut sender = sender.clone().ready().await.unwrap();
            let (response, mut send) = sender.send_request(request.body(()).unwrap(), false).unwrap();
            send.send_data(body.clone(), false).unwrap();
            open.push((response, send));
        }
        // What is before an answer was taken, and what was let on by it is behind the next.
        for _ in 0..8 {
            pings.ping(h2::Ping::opaque()).await.unwrap();
        }
        (driver, open)
    }
}

/// A call that is not given up.
type Open = (h2::client::ResponseFuture, h2::SendStream<Bytes>);

impl Drop for Besieged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn connections_that_do_not_begin() {
    let server = &Besieged::start().await;
    let sockets = join_all((0..500).map(|at| async move {
        let mut socket = server.connect().await;
        socket.write_all(&PREFACE[..at % PREFACE.len()]).await.unwrap();
        socket
    }));
    let _sockets = sockets.await;
    server.withstands("500 connections that do not begin").await;
}

#[tokio::test]
async fn headers_without_end() {
    let server = &Besieged::start().await;
    for _ in 0..20 {
        join_all((0..ATTACKERS).map(|_| async {
            let mut socket = server.begin(&[]).await;
            let (mut read, mut write) = socket.split();
            let more = async {
                let begun = frames::encoded(HEADERS, 0, 1, &[0x83, 0x86]);
                let mut sent = write.write_all(&begun).await;
                // A literal without end; the server hangs up at some time.
                while sent.is_ok() {
                    sent = write.write_all(&frames::encoded(CONTINUATION, 0, 1, &[0; 1024])).await;
                }
            };
            let away = async {
                while let Ok(frame) = frames::read(&mut read).await {
                    if frame.kind == GOAWAY {
                        return;
                    }
                }
            };
            tokio::select! {
                () = more => {}
                () = away => {}
            }
        }))
        .await;
    }
    server.withstands("CONTINUATION without end").await;
}

#[tokio::test]
async fn responses_that_nobody_takes() {
    let server = &Besieged::start().await;
    let before = server.report().await.0;
    let block = {
        let mut block = vec![0x83, 0x86];
        for (name, value) in [(":path", "/test.Siege/Flood"), ("content-type", "application/grpc"), ("te", "trailers")]
        {
            block.push(0);
            for text in [name, value] {
                block.push(text.len() as u8);
                block.extend(text.as_bytes());
            }
        }
        block
    };
    let mut sockets = Vec::new();
    for _ in 0..ATTACKERS {
        // Windows as large as they can be, and nobody reads.
        let mut socket = server.begin(&[0, 4, 0x7f, 0xff, 0xff, 0xff]).await;
        frames::write(&mut socket, WINDOW_UPDATE, 0, &[0x7f, 0, 0, 0]).await;
        for stream in 0..STREAMS as u32 {
            let id = 2 * stream + 1;
            let call = [
                frames::encoded(HEADERS, END_HEADERS, id, &block),
                frames::encoded(frames::DATA, END_STREAM, id, &text("go")),
            ];
            socket.write_all(&call.concat()).await.unwrap();
        }
        sockets.push(socket);
    }
    server.has_calls(before + ATTACKERS * STREAMS).await;
    // Until no more is taken.
    let (mut sent, mut same) = (0, 0);
    while same < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = server.report().await.1;
        same = if now == sent { same + 1 } else { 0 };
        sent = now;
    }
    assert!(sent >= ATTACKERS * STREAMS * 256 * KIB, "{sent}");
    server.withstands("responses that nobody takes").await;
}

#[tokio::test]
async fn requests_that_nobody_reads() {
    let server = &Besieged::start().await;
    let before = server.report().await.0;
    let body = Bytes::from(vec![0; 4 * MIB]);
    let _clients = join_all((0..ATTACKERS).map(|_| server.calls("Wait", 0, &body))).await;
    server.has_calls(before + ATTACKERS * STREAMS).await;
    server.withstands("requests that nobody reads").await;
}

#[tokio::test]
async fn messages_without_their_last_byte() {
    let server = &Besieged::start().await;
    let before = server.report().await.0;
    let mut body = frame(0, &vec![b'x'; RECEIVE]).to_vec();
    body.pop();
    let body = Bytes::from(body);
    let _clients = join_all((0..ATTACKERS).map(|_| server.calls("Read", 0, &body))).await;
    server.has_calls(before + ATTACKERS * STREAMS).await;
    server.withstands("messages without their last byte").await;
}

#[tokio::test]
async fn metadata_in_small_pieces() {
    let server = &Besieged::start().await;
    let before = server.report().await.0;
    // 38 bytes each, as they are counted.
    let body = Bytes::new();
    let _clients = join_all((0..ATTACKERS).map(|_| server.calls("Wait", 95, &body))).await;
    server.has_calls(before + ATTACKERS * STREAMS).await;
    server.withstands("metadata in small pieces").await;
}
