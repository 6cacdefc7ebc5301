//! Peers that mean no harm, at any speed: no time passes here at all but where it is said, so that whoever has to wait for
//! credit is found out.

use std::io::IoSlice;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use callwright_http2::{Config, Connection, ErrorCode, Event, Fields, RequestHead};
use http::{HeaderValue, Method, StatusCode};

use super::peer::{PING, WINDOW_UPDATE, frame, turn, window_update};

struct Side {
    connection: Connection,
    arrived: BytesMut,
    received: usize,
}

struct Pair {
    client: Side,
    server: Side,
    now: Instant,
    _turn: MutexGuard<'static, ()>,
}

impl Side {
    fn new(connection: Connection) -> Side {
        Side { connection, arrived: BytesMut::new(), received: 0 }
    }

    fn transmit(&mut self, to: &mut BytesMut) -> bool {
        let before = to.len();
        while let Some(output) = self.connection.poll_transmit() {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = output.slices(&mut slices);
            let written = slices[..filled].iter().map(|slice| slice.len()).sum();
            slices[..filled].iter().for_each(|slice| to.extend_from_slice(slice));
            output.advance(written);
        }
        to.len() > before
    }

    fn handle(&mut self, now: Instant) {
        self.connection.handle_read(now, &mut self.arrived).unwrap();
        while let Some(event) = self.connection.poll_event() {
            if let Event::Data { id, data, .. } = event {
                self.received += data.len();
                self.connection.read(id, data.len());
            }
        }
    }
}

impl Pair {
    fn new() -> Pair {
        let turn = turn();
        let now = Instant::now();
        let client = Side::new(Connection::client(Config::default(), now));
        let server = Side::new(Connection::server(Config::default(), now));
        let mut pair = Pair { client, server, now, _turn: turn };
        pair.drive();
        pair
    }

    fn drive(&mut self) {
        loop {
            let there = self.client.transmit(&mut self.server.arrived);
            let back = self.server.transmit(&mut self.client.arrived);
            if !there && !back {
                return;
            }
            self.server.handle(self.now);
            self.client.handle(self.now);
        }
    }

    fn open(&mut self, end: bool) -> u32 {
        let head = RequestHead {
            method: Method::POST,
            scheme: HeaderValue::from_static("http"),
            authority: Some(HeaderValue::from_static("localhost")),
            path: HeaderValue::from_static("/a.B/C"),
        };
        self.client.connection.open(&head, &Fields::new(), end).unwrap()
    }

    fn nobody_waited(&self) {
        let throttled = [&self.client, &self.server].map(|side| side.connection.stats().throttled);
        assert_eq!(throttled, [0, 0]);
    }
}

/// 1,000,000 messages of 20 bytes each way, on one stream.
#[test]
fn a_million_small_messages() {
    let mut pair = Pair::new();
    let id = pair.open(false);
    pair.drive();
    pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
    let message = Bytes::from_static(&[7; 20]);
    for _ in 0..1_000_000 / 50 {
        for _ in 0..50 {
            pair.client.connection.send_data(id, message.clone(), false);
            pair.server.connection.send_data(id, message.clone(), false);
        }
        pair.drive();
    }
    assert_eq!((pair.client.received, pair.server.received), (20_000_000, 20_000_000));
    pair.nobody_waited();
}

/// The same, with each message by itself: a PING of the peer's and two window updates for every one of them, as from peers
/// that measure and that give back at once.
#[test]
fn peers_that_measure_and_update_with_every_message() {
    let mut pair = Pair::new();
    let id = pair.open(true);
    pair.drive();
    pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
    for _ in 0..100_000 {
        pair.server.connection.send_data(id, Bytes::from_static(&[7; 20]), false);
        pair.drive();
        let given = [window_update(0, 20), window_update(id, 20), frame(PING, 0, 0, &[0; 8])].concat();
        pair.server.arrived.extend_from_slice(&given);
        pair.server.handle(pair.now);
        // The client has not asked for these answers.
        pair.server.transmit(&mut BytesMut::new());
    }
    pair.nobody_waited();
}

/// 200,000 calls that their client cancels after the first message: 10,000 a second and more, and no end to it.
#[test]
fn two_hundred_thousand_cancelled_calls() {
    let mut pair = Pair::new();
    let began = pair.now;
    for _ in 0..200_000 {
        let id = pair.open(false);
        pair.client.connection.send_data(id, Bytes::from_static(b"first"), false);
        pair.drive();
        pair.client.connection.reset(id, ErrorCode::CANCEL);
        pair.drive();
        while let Some(resumes) = pair.server.connection.poll_timeout() {
            pair.now = resumes;
            pair.server.handle(pair.now);
        }
    }
    assert_eq!(pair.server.received, 1_000_000);
    assert!(pair.now - began <= Duration::from_secs(20), "{:?}", pair.now - began);
    assert_eq!(pair.client.connection.stats().throttled, 0);
    assert_eq!((pair.client.connection.open_streams(), pair.server.connection.open_streams()), (0, 0));
}

/// A server that resets every call, as one that refuses them: its client never waits.
#[test]
fn calls_that_the_server_resets() {
    let mut pair = Pair::new();
    for _ in 0..100_000 {
        let id = pair.open(false);
        pair.drive();
        pair.server.connection.reset(id, ErrorCode::REFUSED_STREAM);
        pair.drive();
    }
    pair.nobody_waited();
}

/// A download of tiny messages that is cancelled while a whole window of them is on its way.
#[test]
fn what_is_on_its_way_when_a_call_is_cancelled() {
    let mut pair = Pair::new();
    let id = pair.open(true);
    pair.drive();
    pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
    for _ in 0..100_000 {
        pair.server.connection.send_data(id, Bytes::from_static(b"message"), false);
    }
    pair.server.transmit(&mut pair.client.arrived);
    pair.client.connection.reset(id, ErrorCode::CANCEL);
    pair.drive();
    assert!(pair.client.connection.stats().data_frames_received >= 100_000);
    pair.nobody_waited();
}

/// 512 MiB each way, on eight streams.
#[test]
fn honest_bulk() {
    let mut pair = Pair::new();
    let ids: Vec<u32> = (0..8).map(|_| pair.open(false)).collect();
    pair.drive();
    for id in &ids {
        pair.server.connection.respond(*id, StatusCode::OK, &Fields::new(), false);
    }
    let part = Bytes::from(vec![7; 128 * 1024]);
    for _ in 0..512 {
        for id in &ids {
            for connection in [&mut pair.client.connection, &mut pair.server.connection] {
                connection.send_data(*id, part.clone(), false);
            }
        }
        pair.drive();
    }
    assert_eq!((pair.client.received, pair.server.received), (512 << 20, 512 << 20));
    pair.nobody_waited();
}

/// Window updates are let pass while the peer takes what they give room for; without that they are a flood.
#[test]
fn updates_of_windows_that_nothing_is_sent_in_wait() {
    let mut pair = Pair::new();
    pair.server.arrived.extend_from_slice(&frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(30_000));
    pair.server.handle(pair.now);
    assert_eq!(pair.server.connection.stats().throttled, 1);
}
