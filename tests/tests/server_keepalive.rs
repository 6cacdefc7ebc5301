//! How long a server keeps its connections: signs of life it asks for, PINGs it takes (gRFC A8), idle and old ones (gRFC A9).

use std::time::Duration;

use callwright::{Code, ConnectivityState, Keepalive, KeepaliveEnforcement, RunningServer, Server, ServerBuilder};
use callwright_tests::support::frames::{self, ACK, Frame, GOAWAY, PING, PREFACE, SETTINGS};
use callwright_tests::support::{channel_to, say, serve_with, under_way};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn serve(builder: ServerBuilder) -> RunningServer {
    serve_with(builder, "127.0.0.1:0").await.0
}

/// A client without calls.
struct Client {
    socket: TcpStream,
}

impl Client {
    async fn new(server: &RunningServer) -> Client {
        let mut socket = TcpStream::connect(server.local_addr().to_string()).await.unwrap();
        socket.write_all(PREFACE).await.unwrap();
        frames::write(&mut socket, SETTINGS, 0, &[]).await;
        Client { socket }
    }

    async fn ping(&mut self) {
        frames::write(&mut self.socket, PING, 0, b"anybody?").await;
    }

    /// The next frame that is no part of the beginning; `None` at the end of the connection.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = frames::read(&mut self.socket).await.ok()?;
            if [PING, GOAWAY].contains(&frame.kind) {
                return Some(frame);
            }
        }
    }

    /// Asserts that the server says GOAWAY for this reason, and closes.
    async fn is_sent_away(&mut self) {
        let away = self.next().await.unwrap();
        assert_eq!((away.kind, &away.payload[4..]), (GOAWAY, &[&[0, 0, 0, 11], &b"too_many_pings"[..]].concat()[..]));
        assert_eq!(self.next().await, None);
    }

    /// Asserts that the server answers.
    async fn is_answered(&mut self) {
        let frame = self.next().await.unwrap();
        assert_eq!((frame.kind, frame.flags, frame.payload.as_slice()), (PING, ACK, &b"anybody?"[..]));
    }
}

fn whole(since: Instant) -> u64 {
    since.elapsed().as_secs_f64().round() as u64
}

#[tokio::test(start_paused = true)]
async fn a_client_that_shows_no_sign_of_life_is_given_up() {
    let server = serve(Server::builder().keepalive(Keepalive::new(seconds(30)))).await;
    let mut client = Client::new(&server).await;
    let began = Instant::now();
    let ping = client.next().await.unwrap();
    assert_eq!((ping.kind, ping.flags, whole(began)), (PING, 0, 30));
    assert_eq!((client.next().await, whole(began)), (None, 50));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_is_asked_again() {
    let server = serve(Server::builder().keepalive(Keepalive::new(seconds(30)))).await;
    let mut client = Client::new(&server).await;
    let began = Instant::now();
    for at in [30, 60, 90] {
        let ping = client.next().await.unwrap();
        assert_eq!((ping.kind, whole(began)), (PING, at));
        frames::write(&mut client.socket, PING, ACK, &ping.payload).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_too_many_pings_is_sent_away() {
    let server = serve(Server::builder()).await;
    let mut client = Client::new(&server).await;
    for _ in 0..3 {
        client.ping().await;
        client.is_answered().await;
        tokio::time::sleep(seconds(3600)).await;
    }
    client.ping().await;
    // It is answered too, or it is not.
    let next = client.next().await.unwrap();
    assert!([PING, GOAWAY].contains(&next.kind));
    if next.kind == PING {
        client.is_sent_away().await;
    }
}

#[tokio::test(start_paused = true)]
async fn pings_in_one_write_are_counted_one_by_one() {
    let server = serve(Server::builder()).await;
    let mut client = Client::new(&server).await;
    let mut four = Vec::new();
    for _ in 0..4 {
        frames::write(&mut four, PING, 0, b"anybody?").await;
    }
    client.socket.write_all(&four).await.unwrap();
    for _ in 0..4 {
        client.is_answered().await;
    }
    client.is_sent_away().await;
}

#[tokio::test(start_paused = true)]
async fn pings_that_are_permitted_are_answered() {
    let often = KeepaliveEnforcement::new().min_time(seconds(10)).permit_without_calls(true);
    for (enforcement, every) in [
        (often, seconds(10)),
        (KeepaliveEnforcement::none(), Duration::from_millis(10)),
        (KeepaliveEnforcement::new(), seconds(7200)),
    ] {
        let server = serve(Server::builder().keepalive_enforcement(enforcement)).await;
        let mut client = Client::new(&server).await;
        for _ in 0..20 {
            client.ping().await;
            client.is_answered().await;
            tokio::time::sleep(every).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_ended_after_a_while() {
    let server = serve(Server::builder().max_connection_idle(seconds(60))).await;
    let channel = channel_to(&server);
    let began = Instant::now();
    channel.wait_until_ready(seconds(1)).await.unwrap();
    channel.watch_state().wait_for(ConnectivityState::Idle).await.unwrap();
    assert_eq!(whole(began), 60);
    // A call keeps it, and the time begins anew after it.
    let status = say(&channel, "forever").timeout(seconds(600)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(channel.state(), ConnectivityState::Ready);
    channel.watch_state().wait_for(ConnectivityState::Idle).await.unwrap();
    assert_eq!(whole(began), 720);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_takes_no_new_calls_and_ends_with_those_that_it_has() {
    let server = serve(Server::builder().max_connection_age(seconds(100))).await;
    let channel = channel_to(&server);
    let began = Instant::now();
    let call = under_way(say(&channel, "forever").timeout(seconds(1000)));
    channel.watch_state().wait_for(ConnectivityState::Ready).await.unwrap();
    channel.watch_state().wait_for(ConnectivityState::Idle).await.unwrap();
    assert!((90..=110).contains(&whole(began)), "{}", whole(began));
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(whole(began), 1000);
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_an_old_connection_end_with_its_grace() {
    let builder = Server::builder().max_connection_age(seconds(100)).max_connection_age_grace(seconds(50));
    let server = serve(builder).await;
    let channel = channel_to(&server);
    let began = Instant::now();
    let status = say(&channel, "forever").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!((140..=160).contains(&whole(began)), "{}", whole(began));
}

#[tokio::test]
async fn a_client_that_measures_how_fast_large_responses_come_is_not_sent_away() {
    let server = serve(Server::builder()).await;
    let channel = callwright_tests::support::channel_to(&server);
    let text = "x".repeat(300_000);
    let calls = (0..200).map(|_| callwright_tests::support::say(&channel, &text).into_future());
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.unwrap().len(), text.len());
    }
}
