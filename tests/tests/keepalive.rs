//! Signs of life (gRFC A8): when a channel asks its server for one, and what becomes of a server that shows none.

use std::time::Duration;

use callwright::{Channel, Code, ConnectivityState, Keepalive, KeepaliveEnforcement};
use callwright_tests::support::frames::{self, ACK, GOAWAY, HEADERS, PING, SETTINGS};
use callwright_tests::support::{channel, say, serve_with, under_way};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A frame that the server was sent, or the beginning of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Connection,
    Call,
    Ping,
}

/// What the server does with a PING.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pings {
    Answered,
    Ignored,
    /// It ends the connection: there were too many.
    Refused,
}

/// A server of HTTP/2 that answers no call, and tells of what it sees and when.
struct Server {
    address: String,
    seen: mpsc::UnboundedReceiver<(Instant, Seen)>,
}

impl Server {
    /// With `chatter` it sends a PING of its own that often.
    async fn new(pings: Pings, chatter: Option<Duration>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let _ = sender.send((Instant::now(), Seen::Connection));
                tokio::spawn(serve_raw(socket, pings, chatter, sender.clone()));
            }
        });
        Server { address, seen }
    }

    fn channel(&self, keepalive: Keepalive) -> Channel {
        channel(&self.address).keepalive(keepalive).build().unwrap()
    }

    /// The next that it sees, and how long after `since`.
    async fn sees(&mut self, since: Instant) -> (Seen, Duration) {
        let (at, seen) = self.seen.recv().await.unwrap();
        (seen, whole(at - since))
    }

    fn has_seen_nothing(&mut self) -> bool {
        self.seen.is_empty()
    }
}

/// Timers come up to a millisecond late.
fn whole(duration: Duration) -> Duration {
    Duration::from_secs_f64((duration.as_secs_f64() * 10.0).round() / 10.0)
}

async fn serve_raw(
    socket: TcpStream,
    pings: Pings,
    chatter: Option<Duration>,
    seen: mpsc::UnboundedSender<(Instant, Seen)>,
) {
    let (mut reader, mut writer) = socket.into_split();
    frames::write(&mut writer, SETTINGS, 0, &[]).await;
    let mut preface = [0; 24];
    if reader.read_exact(&mut preface).await.is_err() {
        return;
    }
    let mut next = chatter.map(|every| Instant::now() + every);
    loop {
        let head = tokio::select! {
            head = frames::read_head(&mut reader) => head,
            () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                next = chatter.map(|every| Instant::now() + every);
                frames::write(&mut writer, PING, 0, b"anybody?").await;
                continue;
            }
        };
        let Ok(head) = head else { return };
        let Ok(frame) = frames::read_rest(&mut reader, head).await else { return };
        match (frame.kind, frame.flags & ACK) {
            (HEADERS, _) => drop(seen.send((Instant::now(), Seen::Call))),
            // The engine measures the connection too; that is none of ours.
            (PING, 0) if frame.payload == b"keepaliv" => {
                let _ = seen.send((Instant::now(), Seen::Ping));
                match pings {
                    Pings::Answered => frames::write(&mut writer, PING, ACK, &frame.payload).await,
                    Pings::Ignored => {}
                    Pings::Refused => {
                        let why = [&[0, 0, 0, 1, 0, 0, 0, 11], &b"too_many_pings"[..]].concat();
                        frames::write(&mut writer, GOAWAY, 0, &why).await;
                        return;
                    }
                }
            }
            _ => {}
        }
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shows_no_sign_of_life_is_given_up_and_the_channel_connects_again() {
    let mut server = Server::new(Pings::Ignored, None).await;
    let channel = server.channel(Keepalive::new(seconds(30)));
    let began = Instant::now();
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(whole(began.elapsed()), seconds(50));
    assert_eq!(status.code(), Code::Unavailable);
    let expected = format!("keepalive: no answer to a PING within 20 s from {}", server.address);
    assert_eq!(status.message(), expected);
    for expected in [(Seen::Connection, 0), (Seen::Call, 0), (Seen::Ping, 30)] {
        assert_eq!(server.sees(began).await, (expected.0, seconds(expected.1)));
    }
    assert_ne!(channel.state(), ConnectivityState::Ready);
    let second = under_way(say(&channel, "hello"));
    assert_eq!(server.sees(began).await, (Seen::Connection, seconds(50)));
    assert_eq!(server.sees(began).await, (Seen::Call, seconds(50)));
    second.abort();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_is_asked_again_and_again() {
    let mut server = Server::new(Pings::Answered, None).await;
    let channel = server.channel(Keepalive::new(seconds(30)).timeout(seconds(5)));
    let began = Instant::now();
    let status = say(&channel, "hello").timeout(seconds(100)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    for expected in [(Seen::Connection, 0), (Seen::Call, 0), (Seen::Ping, 30), (Seen::Ping, 60), (Seen::Ping, 90)] {
        assert_eq!(server.sees(began).await, (expected.0, seconds(expected.1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_from_which_bytes_come_is_not_asked() {
    let mut server = Server::new(Pings::Ignored, Some(seconds(25))).await;
    let channel = server.channel(Keepalive::new(seconds(30)));
    let began = Instant::now();
    let status = say(&channel, "hello").timeout(seconds(600)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(server.sees(began).await.0, Seen::Connection);
    assert_eq!(server.sees(began).await.0, Seen::Call);
    assert!(server.has_seen_nothing());
}

#[tokio::test(start_paused = true)]
async fn any_byte_answers_a_ping() {
    // The server ignores PINGs; what it says by itself comes 10 s after each.
    let mut server = Server::new(Pings::Ignored, Some(seconds(40))).await;
    let channel = server.channel(Keepalive::new(seconds(30)).timeout(seconds(20)));
    let began = Instant::now();
    let status = say(&channel, "hello").timeout(seconds(100)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    for expected in [(Seen::Connection, 0), (Seen::Call, 0), (Seen::Ping, 30), (Seen::Ping, 70)] {
        assert_eq!(server.sees(began).await, (expected.0, seconds(expected.1)));
    }
}

#[tokio::test(start_paused = true)]
async fn without_calls_a_server_is_asked_only_when_that_is_permitted() {
    for permit in [false, true] {
        let mut server = Server::new(Pings::Answered, None).await;
        let channel = server.channel(Keepalive::new(seconds(30)).permit_without_calls(permit));
        let began = Instant::now();
        channel.wait_until_ready(seconds(1)).await.unwrap();
        assert_eq!(server.sees(began).await, (Seen::Connection, seconds(0)));
        tokio::time::sleep(seconds(100)).await;
        if permit {
            for at in [30, 60, 90] {
                assert_eq!(server.sees(began).await, (Seen::Ping, seconds(at)));
            }
        }
        assert!(server.has_seen_nothing());
        assert_eq!(channel.state(), ConnectivityState::Ready);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_quiet_is_asked_as_soon_as_a_call_begins() {
    let mut server = Server::new(Pings::Ignored, None).await;
    let channel = server.channel(Keepalive::new(seconds(30)));
    let began = Instant::now();
    channel.wait_until_ready(seconds(1)).await.unwrap();
    tokio::time::sleep(seconds(100)).await;
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(whole(began.elapsed()), seconds(120));
    assert!(status.message().contains("keepalive"), "{status:?}");
    assert_eq!(server.sees(began).await.0, Seen::Connection);
    let both = [server.sees(began).await, server.sees(began).await];
    assert!(both.contains(&(Seen::Call, seconds(100))) && both.contains(&(Seen::Ping, seconds(100))), "{both:?}");
}

#[tokio::test(start_paused = true)]
async fn less_than_ten_seconds_is_ten_seconds() {
    let mut server = Server::new(Pings::Ignored, None).await;
    let channel = server.channel(Keepalive::new(seconds(1)).timeout(seconds(1)));
    let began = Instant::now();
    say(&channel, "hello").await.unwrap_err();
    assert_eq!(whole(began.elapsed()), seconds(11));
    for expected in [(Seen::Connection, 0), (Seen::Call, 0), (Seen::Ping, 10)] {
        assert_eq!(server.sees(began).await, (expected.0, seconds(expected.1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_complains_of_pings_has_half_as_many_from_then_on() {
    let mut server = Server::new(Pings::Refused, None).await;
    let channel = server.channel(Keepalive::new(seconds(30)));
    for time in [30, 60, 120] {
        let began = Instant::now();
        let status = say(&channel, "hello").await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("too_many_pings"), "{status:?}");
        assert_eq!(whole(began.elapsed()), seconds(time));
        for expected in [(Seen::Connection, 0), (Seen::Call, 0), (Seen::Ping, time)] {
            assert_eq!(server.sees(began).await, (expected.0, seconds(expected.1)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_keepalive_nobody_is_asked() {
    let mut server = Server::new(Pings::Ignored, None).await;
    let channel = channel(&server.address).build().unwrap();
    let began = Instant::now();
    let status = say(&channel, "hello").timeout(seconds(10_000)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(server.sees(began).await.0, Seen::Connection);
    assert_eq!(server.sees(began).await.0, Seen::Call);
    assert!(server.has_seen_nothing());
}

#[tokio::test]
async fn it_works_by_the_clock_of_the_world_too() {
    let mut server = Server::new(Pings::Ignored, None).await;
    let channel = server.channel(Keepalive::exactly(Duration::from_millis(50)).timeout(Duration::from_millis(100)));
    let began = Instant::now();
    let status = say(&channel, "hello").timeout(seconds(60)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("within 0.1 s"), "{status:?}");
    assert!(began.elapsed() >= Duration::from_millis(150));
    for expected in [Seen::Connection, Seen::Call, Seen::Ping] {
        assert_eq!(server.sees(began).await.0, expected);
    }
}

#[tokio::test]
async fn a_server_of_ours_answers() {
    let server = callwright::Server::builder().keepalive_enforcement(KeepaliveEnforcement::none());
    let (server, _seen) = serve_with(server, "127.0.0.1:0").await;
    let keepalive = Keepalive::exactly(Duration::from_millis(20)).permit_without_calls(true);
    let channel = channel(&server.local_addr().to_string()).keepalive(keepalive.timeout(seconds(20))).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let status = say(&channel, "forever").timeout(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_server_of_ours_complains_and_the_channel_slows_down() {
    let (server, _seen) = serve_with(callwright::Server::builder(), "127.0.0.1:0").await;
    let keepalive = Keepalive::exactly(Duration::from_millis(20)).timeout(seconds(20));
    let channel = channel(&server.local_addr().to_string()).keepalive(keepalive).build().unwrap();
    let mut before = Duration::ZERO;
    for _ in 0..3 {
        let began = Instant::now();
        let status = say(&channel, "forever").await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("too_many_pings"), "{status:?}");
        // The fourth PING is one too many; the time between two is doubled each time.
        assert!(began.elapsed() >= 2 * before, "{:?} after {before:?}", began.elapsed());
        before = if before.is_zero() { Duration::from_millis(40) } else { before * 2 };
    }
}
