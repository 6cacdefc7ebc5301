//! Two sides and a wire between them, in simulated time.

mod ends;
mod flow;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode};

use super::{Connection, Event, OpenError};
use crate::config::Config;
use crate::error::{ConnectionError, ErrorCode};
use crate::fields::Fields;
use crate::frame::{self, HEAD_LEN, Head as FrameHead};
use crate::head::{Head, Headers, RequestHead};

/// Two sides, and what is on its way between them.
struct Pair {
    client: Side,
    server: Side,
    now: Instant,
}

struct Side {
    connection: Connection,
    /// What arrived and was not taken yet.
    arrived: BytesMut,
    events: Vec<Event>,
    error: Option<ConnectionError>,
    /// Whether the application reads bodies as they come.
    reads: bool,
    body: usize,
}

impl Side {
    fn new(connection: Connection) -> Side {
        Side { connection, arrived: BytesMut::new(), events: Vec::new(), error: None, reads: true, body: 0 }
    }

    /// Takes in what arrived, and what happened by it.
    fn handle(&mut self, now: Instant) {
        if let Err(error) = self.connection.handle_read(now, &mut self.arrived) {
            self.error = Some(error);
        }
        while let Some(event) = self.connection.poll_event() {
            if let Event::Data { id, data, .. } = &event {
                self.body += data.len();
                if self.reads {
                    self.connection.read(*id, data.len());
                }
            }
            self.events.push(event);
        }
    }

    /// At most `limit` bytes of what must leave.
    fn transmit(&mut self, limit: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while sent.len() < limit
            && let Some(output) = self.connection.poll_transmit()
        {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = output.slices(&mut slices);
            let before = sent.len();
            for slice in &slices[..filled] {
                sent.extend_from_slice(&slice[..slice.len().min(limit - sent.len())]);
            }
            let written = sent.len() - before;
            output.advance(written);
        }
        sent
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Pair {
    fn new(client: Config, server: Config) -> Pair {
        let now = Instant::now();
        let client = Side::new(Connection::client(client, now));
        let server = Side::new(Connection::server(server, now));
        Pair { client, server, now }
    }

    fn ready() -> Pair {
        let mut pair = Pair::new(Config::default(), Config::default());
        pair.drive();
        assert!(matches!(pair.client.take_events()[0], Event::Ready));
        assert!(matches!(pair.server.take_events()[0], Event::Ready));
        pair
    }

    /// Passes on what either side sends, `step` bytes at a time, until neither has anything.
    fn drive_by(&mut self, step: usize) {
        loop {
            let there = self.client.transmit(step);
            let back = self.server.transmit(step);
            if there.is_empty() && back.is_empty() {
                return;
            }
            self.server.arrived.extend_from_slice(&there);
            self.client.arrived.extend_from_slice(&back);
            self.server.handle(self.now);
            self.client.handle(self.now);
        }
    }

    fn drive(&mut self) {
        self.drive_by(usize::MAX);
    }

    fn open(&mut self, end: bool) -> u32 {
        self.client.connection.open(&request(), &fields(), end).unwrap()
    }

    /// What the raw bytes of a client do to the server.
    fn inject(&mut self, bytes: &[u8]) -> Option<ConnectionError> {
        self.server.arrived.extend_from_slice(bytes);
        self.server.handle(self.now);
        self.server.error.clone()
    }
}

fn request() -> RequestHead {
    RequestHead {
        method: Method::POST,
        scheme: HeaderValue::from_static("http"),
        authority: Some(HeaderValue::from_static("localhost")),
        path: HeaderValue::from_static("/a.B/C"),
    }
}

fn fields() -> Fields {
    Fields::from_iter([
        (http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc")),
        (http::header::TE, HeaderValue::from_static("trailers")),
    ])
}

fn trailers() -> Fields {
    Fields::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))])
}

fn raw(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_head(kind, flags, stream, payload.len(), &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

fn frames(bytes: &[u8]) -> Vec<(FrameHead, Vec<u8>)> {
    let (mut rest, mut frames) = (bytes, Vec::new());
    while let Some(head) = FrameHead::parse(rest) {
        frames.push((head, rest[HEAD_LEN..HEAD_LEN + head.len].to_vec()));
        rest = &rest[HEAD_LEN + head.len..];
    }
    assert!(rest.is_empty());
    frames
}

#[test]
fn a_unary_call_is_one_write_each_way() {
    for step in [1, 10, usize::MAX] {
        let mut pair = Pair::ready();
        let id = pair.open(false);
        pair.client.connection.send_data(id, Bytes::from_static(b"hello"), true);
        pair.drive_by(step);
        let events = pair.server.take_events();
        let [Event::Headers { id: 1, headers, end: false }, Event::Data { id: 1, data, end: true }] = &events[..]
        else {
            panic!("{events:?}")
        };
        let expected = Headers::new(Head::Request(request()), fields());
        assert_eq!((&**headers, &data[..]), (&expected, &b"hello"[..]));
        pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
        pair.server.connection.send_data(id, Bytes::from_static(b"reply"), false);
        pair.server.connection.send_trailers(id, trailers());
        let kinds: Vec<_> =
            frames(&pair.server.transmit(usize::MAX)).iter().map(|(head, _)| (head.kind, head.flags)).collect();
        assert_eq!(kinds, [(1, 4), (0, 0), (1, 5)]);
        assert_eq!(pair.server.connection.open_streams(), 0);
    }
}

#[test]
fn a_response_arrives_whole() {
    for step in [1, 9, 100, usize::MAX] {
        let mut pair = Pair::ready();
        let id = pair.open(true);
        pair.drive_by(step);
        pair.server.connection.respond(id, StatusCode::CONTINUE, &Fields::new(), false);
        pair.server.connection.respond(id, StatusCode::OK, &fields(), false);
        pair.server.connection.send_data(id, Bytes::from_static(b"one"), false);
        pair.server.connection.send_data(id, Bytes::from_static(b"two"), false);
        pair.server.connection.send_trailers(id, trailers());
        pair.drive_by(step);
        let events = pair.client.take_events();
        let [
            Event::Headers { id: 1, headers, end: false, .. },
            Event::Data { data: one, end: false, .. },
            Event::Data { data: two, end: false, .. },
            Event::Trailers { fields, .. },
            Event::StreamFreed,
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(headers.head, Head::Response(StatusCode::OK));
        assert_eq!((&one[..], &two[..], fields), (&b"one"[..], &b"two"[..], &trailers()));
        assert_eq!((pair.client.connection.open_streams(), pair.server.connection.open_streams()), (0, 0));
    }
}

#[test]
fn a_server_that_sets_no_limit_has_none() {
    let mut client = Side::new(Connection::client(Config::default(), Instant::now()));
    client.arrived.extend_from_slice(&raw(frame::SETTINGS, 0, 0, &[]));
    client.handle(Instant::now());
    for _ in 0..1000 {
        client.connection.open(&request(), &fields(), true).unwrap();
    }
}

#[test]
fn streams_over_the_servers_limit_are_not_opened_and_refused_if_they_are() {
    let config = Config { max_concurrent_streams: 2, ..Config::default() };
    let mut pair = Pair::new(Config::default(), config);
    // Before the client knows.
    for _ in 0..3 {
        pair.open(false);
    }
    pair.drive();
    let events = pair.client.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::Reset { id: 5, unprocessed: true, .. })), "{events:?}");
    assert_eq!(pair.client.connection.open(&request(), &fields(), true), Err(OpenError::Full));
    pair.client.connection.reset(1, ErrorCode::CANCEL);
    pair.open(true);
    pair.drive();
    assert_eq!(pair.server.connection.open_streams(), 2);
}

#[test]
fn headers_of_any_size_up_to_the_limit_pass_and_more_is_431() {
    let mut pair = Pair::ready();
    for (size, status) in [(10_000, None), (15_000, None), (17_000, Some(431)), (50_000, Some(431))] {
        let mut fields = fields();
        fields.append(http::HeaderName::from_static("big-header"), "x".repeat(size).parse().unwrap());
        let id = pair.client.connection.open(&request(), &fields, true).unwrap();
        pair.drive();
        let answers = pair.client.take_events();
        let answer = answers.iter().find_map(|event| match event {
            Event::Headers { headers, .. } => match headers.head {
                Head::Response(status) => Some(status.as_u16()),
                Head::Request(_) => None,
            },
            _ => None,
        });
        assert_eq!(answer, status, "{size}");
        pair.client.connection.reset(id, ErrorCode::CANCEL);
    }
    assert_eq!(pair.server.error, None);
}

#[test]
fn what_is_no_http_2_is_refused() {
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &raw(frame::SETTINGS, 0, 0, &[]), b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"]
    {
        let mut pair = Pair::new(Config::default(), Config::default());
        let error = pair.inject(bytes).unwrap();
        assert!(matches!(error, ConnectionError::Peer { code: ErrorCode::PROTOCOL_ERROR, .. }), "{error}");
        let sent = frames(&pair.server.transmit(usize::MAX));
        assert_eq!(sent.last().unwrap().0.kind, frame::GOAWAY);
    }
}

#[test]
fn floods_of_frames_that_do_no_work_wait_and_do_not_end_the_connection() {
    for frame in [
        raw(frame::PING, 0, 0, &[0; 8]),
        raw(frame::SETTINGS, 0, 0, &[]),
        raw(frame::PRIORITY, 0, 9, &[0; 5]),
        raw(frame::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        raw(99, 0, 0, &[]),
    ] {
        let mut pair = Pair::ready();
        let count = 100_000;
        pair.server.arrived.extend_from_slice(&frame.repeat(count));
        let mut rounds = 0;
        while !pair.server.arrived.is_empty() {
            pair.server.handle(pair.now);
            let answers = pair.server.transmit(usize::MAX);
            assert!(answers.len() < 400 * 1024, "{} bytes of answers in one go", answers.len());
            rounds += 1;
            assert!(rounds < 10_000);
            if let Some(resume) = pair.server.connection.poll_timeout() {
                pair.now = resume;
            }
        }
        assert_eq!(pair.server.error, None);
        assert!(pair.server.connection.stats().throttled > 0);
    }
}

#[test]
fn an_error_on_an_idle_stream_is_not_answered_on_it() {
    let mut pair = Pair::ready();
    let error = pair.inject(&raw(frame::PRIORITY, 0, 7, &[0; 4])).unwrap();
    assert!(matches!(error, ConnectionError::Peer { code: ErrorCode::FRAME_SIZE_ERROR, .. }), "{error}");
}

#[test]
fn the_answer_to_head_says_how_long_a_body_would_be() {
    let mut pair = Pair::ready();
    let head = RequestHead { method: Method::HEAD, ..request() };
    let id = pair.client.connection.open(&head, &Fields::new(), true).unwrap();
    pair.drive();
    let length = Fields::from_iter([(http::header::CONTENT_LENGTH, HeaderValue::from_static("10"))]);
    pair.server.connection.respond(id, StatusCode::OK, &length, true);
    pair.drive();
    let events = pair.client.take_events();
    assert!(matches!(events[..], [Event::Headers { end: true, .. }, Event::StreamFreed]), "{events:?}");
}
