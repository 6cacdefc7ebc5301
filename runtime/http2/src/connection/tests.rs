//! Two sides and a wire between them, in simulated time.

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
fn bodies_larger_than_the_windows_pass_and_no_more_is_sent_than_is_read() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    let body = 10 * 1024 * 1024;
    pair.server.reads = false;
    pair.client.connection.send_data(id, vec![7; body].into(), true);
    assert_eq!(pair.client.connection.room(id), 0);
    pair.drive();
    assert_eq!(pair.server.body, Config::default().stream_window as usize);
    pair.server.reads = true;
    pair.server.connection.read(id, pair.server.body);
    pair.drive();
    assert_eq!(pair.server.body, body);
    assert!(pair.client.take_events().iter().any(|event| matches!(event, Event::Writable { id: 1 })));
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
fn streams_that_nobody_reads_do_not_stop_the_others() {
    let mut pair = Pair::ready();
    pair.server.reads = false;
    let windows = 2 * Config::default().connection_window / Config::default().stream_window;
    for _ in 0..windows {
        let id = pair.open(false);
        pair.client.connection.send_data(id, vec![0; 2 * 1024 * 1024].into(), true);
    }
    pair.drive();
    let id = pair.open(false);
    pair.client.connection.send_data(id, Bytes::from_static(b"hello"), true);
    pair.server.take_events();
    pair.drive();
    let events = pair.server.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::Data { end: true, .. })), "{events:?}");
}

#[test]
fn streams_take_turns() {
    let mut pair = Pair::ready();
    let ids: Vec<_> = (0..4).map(|_| pair.open(false)).collect();
    pair.client.transmit(usize::MAX);
    for id in &ids {
        pair.client.connection.send_data(*id, vec![0; 100_000].into(), true);
    }
    let sent = frames(&pair.client.transmit(usize::MAX));
    let order: Vec<_> = sent.iter().map(|(head, _)| head.stream).collect();
    assert_eq!(order[..8], [1, 3, 5, 7, 1, 3, 5, 7]);
}

/// A path on which answers take `latency` rounds, with 64 KiB a round; gives the window that the server came to.
fn window_after(latency: usize) -> u32 {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    let mut on_its_way: VecDeque<Vec<u8>> = (0..latency).map(|_| Vec::new()).collect();
    for _ in 0..200 + 20 * latency {
        if pair.client.connection.room(id) > 0 {
            pair.client.connection.send_data(id, vec![0; 256 * 1024].into(), false);
        }
        let there = pair.client.transmit(64 * 1024);
        pair.server.arrived.extend_from_slice(&there);
        pair.server.handle(pair.now);
        on_its_way.push_back(pair.server.transmit(usize::MAX));
        let back = on_its_way.pop_front().unwrap();
        pair.client.arrived.extend_from_slice(&back);
        pair.client.handle(pair.now);
    }
    pair.server.connection.stream_window
}

#[test]
fn windows_grow_to_what_the_path_carries() {
    let Config { stream_window, max_stream_window, .. } = Config::default();
    assert_eq!(window_after(1), stream_window);
    // 64 KiB a round, 40 rounds: 2.5 MiB are on their way.
    let window = window_after(40);
    assert!((4 * 1024 * 1024..=8 * 1024 * 1024).contains(&window), "{window}");
    assert_eq!(window_after(300), max_stream_window);
}

#[test]
fn resets_reach_the_other_side() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    pair.drive();
    pair.server.take_events();
    // More than one frame: it waits for its turn, and is dropped.
    pair.client.connection.send_data(id, vec![0; 20_000].into(), false);
    pair.client.connection.reset(id, ErrorCode::CANCEL);
    pair.drive();
    let events = pair.server.take_events();
    assert!(
        matches!(events[..], [Event::Reset { id: 1, code: ErrorCode::CANCEL, by_peer: true, unprocessed: false }]),
        "{events:?}"
    );
    let id = pair.open(false);
    pair.drive();
    pair.server.connection.reset(id, ErrorCode::REFUSED_STREAM);
    // On its way when the reset arrives.
    pair.client.connection.send_data(id, vec![0; 100].into(), true);
    pair.drive();
    let events = pair.client.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::Reset { unprocessed: true, .. })), "{events:?}");
    assert_eq!((pair.client.error, pair.server.error), (None, None));
}

#[test]
fn a_server_that_answers_early_tells_the_client_to_stop() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    pair.drive();
    pair.server.connection.stop_reading(id);
    pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
    pair.server.connection.send_data(id, vec![1; 200_000].into(), false);
    pair.server.connection.send_trailers(id, trailers());
    pair.drive();
    let events = pair.client.take_events();
    assert_eq!(pair.client.body, 200_000);
    let last: Vec<_> = events.iter().rev().take(3).collect();
    assert!(
        matches!(
            last[..],
            [Event::Reset { code: ErrorCode::NO_ERROR, .. }, Event::StreamFreed, Event::Trailers { .. }]
        ),
        "{last:?}"
    );
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
fn a_drain_takes_what_was_on_its_way_and_ends_with_the_last_stream() {
    let mut pair = Pair::ready();
    let first = pair.open(true);
    pair.drive();
    pair.server.connection.drain();
    // On its way before the client knows.
    let second = pair.open(true);
    pair.drive();
    assert_eq!(pair.client.connection.open(&request(), &fields(), true), Err(OpenError::Closed));
    assert_eq!(pair.server.connection.open_streams(), 2);
    for id in [first, second] {
        assert!(!pair.server.connection.is_done());
        pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), true);
    }
    pair.drive();
    assert!(pair.server.connection.is_done() && pair.client.connection.is_done());
}

#[test]
fn a_goaway_gives_back_what_was_not_processed() {
    let mut pair = Pair::ready();
    pair.server.connection.go_away(ErrorCode::NO_ERROR, "");
    pair.open(true);
    pair.drive();
    let events = pair.client.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::Reset { id: 1, unprocessed: true, .. })), "{events:?}");
    assert_eq!(pair.server.connection.open_streams(), 0);
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
fn late_frames_of_a_stream_that_a_goaway_passed_over_are_ignored() {
    let mut pair = Pair::ready();
    pair.open(true);
    pair.drive();
    pair.server.connection.go_away(ErrorCode::NO_ERROR, "");
    // On its way before the client knows: headers and a body.
    let late = pair.open(false);
    pair.client.connection.send_data(late, vec![1; 100].into(), false);
    pair.client.connection.send_trailers(late, trailers());
    pair.drive();
    assert_eq!(pair.server.error, None);
    // The last id does not rise with the late one, not even in the GOAWAY of an error.
    pair.inject(&raw(frame::DATA, 0, 0, &[])).unwrap();
    let sent = frames(&pair.server.transmit(usize::MAX));
    assert_eq!(sent.last().unwrap().1[..4], [0, 0, 0, 1]);
}

#[test]
fn a_small_window_holds_from_its_acknowledgement_on() {
    let config = Config { stream_window: 1000, ..Config::default() };
    let mut pair = Pair::new(Config::default(), config);
    pair.server.reads = false;
    // Before the client knows of the window, the default one holds.
    let id = pair.open(false);
    pair.client.connection.send_data(id, vec![0; 100_000].into(), true);
    pair.drive();
    assert_eq!((pair.server.body, pair.server.error.clone()), (65_535, None));
    let next = pair.open(false);
    pair.client.connection.send_data(next, vec![0; 5000].into(), true);
    pair.drive();
    assert_eq!((pair.server.body, pair.server.error.clone()), (66_535, None));
    pair.server.reads = true;
    pair.server.connection.read(id, 65_535);
    pair.server.connection.read(next, 1000);
    pair.drive();
    assert_eq!((pair.server.body, pair.server.error), (105_000, None));
}

#[test]
fn what_is_read_before_a_small_window_is_acknowledged_counts_after_it() {
    let config = Config { stream_window: 300, ..Config::default() };
    let mut pair = Pair::new(Config::default(), config);
    let id = pair.open(false);
    pair.client.connection.send_data(id, vec![0; 9000].into(), false);
    let sent = pair.client.transmit(usize::MAX);
    pair.inject(&sent);
    assert_eq!(pair.server.body, 9000);
    pair.client.connection.send_data(id, vec![0; 9000].into(), true);
    pair.drive();
    assert_eq!(pair.server.body, 18_000);
}

#[test]
fn streams_of_a_client_begin_with_the_window_that_the_last_ones_grew_to() {
    let mut pair = Pair::ready();
    // The path is long: all of a window arrives before the answer to a PING does.
    let id = pair.open(true);
    pair.drive();
    pair.server.connection.respond(id, StatusCode::OK, &fields(), false);
    pair.server.connection.send_data(id, vec![0; 3_000_000].into(), false);
    let mut held = Vec::new();
    for _ in 0..200 {
        let there = pair.server.transmit(64 * 1024);
        pair.client.arrived.extend_from_slice(&there);
        pair.client.handle(pair.now);
        held.extend(pair.client.transmit(usize::MAX));
        if held.len() > 1000 || there.is_empty() {
            pair.server.arrived.extend_from_slice(&std::mem::take(&mut held));
            pair.server.handle(pair.now);
        }
    }
    pair.drive();
    let window = pair.client.connection.stream_window;
    assert!(window > Config::default().stream_window, "{window}");
    let next = pair.open(true);
    pair.drive();
    assert_eq!(pair.server.connection.streams.get(next).unwrap().send_window.room(), window as usize);
    assert_eq!(pair.client.connection.streams.get(next).unwrap().recv_window.room(), i64::from(window));
}

#[test]
fn a_small_payload_does_not_hold_the_buffer_it_came_in() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    pair.drive();
    pair.server.take_events();
    // At the end of a large buffer, so that what is left of it is as small as the payload.
    let mut bytes = BytesMut::with_capacity(64 * 1024);
    bytes.extend_from_slice(&raw(frame::PING, 0, 0, &[0; 8]).repeat(3800));
    bytes.extend_from_slice(&raw(frame::DATA, 0, id, &[7; 500]));
    assert!(bytes.capacity() == 64 * 1024 && bytes.len() > 64_000);
    let whole = bytes.as_ptr_range();
    pair.server.connection.handle_read(pair.now, &mut bytes).unwrap();
    let Some(Event::Data { data, .. }) = pair.server.connection.poll_event() else { panic!() };
    assert!(data.len() == 500 && !whole.contains(&data.as_ptr()));
}

#[test]
fn tiny_parts_that_nobody_reads_are_gathered_and_none_is_lost() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    pair.drive();
    pair.server.take_events();
    pair.server.reads = false;
    let part = |n: u32| raw(frame::DATA, 0, id, &n.to_be_bytes());
    let parts: Vec<u8> = (0..10_000).flat_map(part).collect();
    pair.inject(&parts);
    assert_eq!(pair.server.events.len(), 256);
    // All that was passed on is read: the rest comes as one.
    pair.server.connection.read(id, 256 * 4);
    pair.inject(&[]);
    assert_eq!(pair.server.events.len(), 257);
    pair.inject(&part(10_000));
    pair.inject(&raw(frame::DATA, 1, id, &10_001u32.to_be_bytes()));
    let mut all = Vec::new();
    for event in pair.server.take_events() {
        let Event::Data { data, .. } = event else { panic!("{event:?}") };
        all.extend_from_slice(&data);
    }
    assert_eq!(all, (0..10_002u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>());
    assert_eq!(pair.server.connection.streams.get(id).unwrap().recv_window.unread(), all.len() - 256 * 4);
}

#[test]
fn two_sides_with_much_to_send_do_not_wait_for_each_other() {
    let mut pair = Pair::ready();
    let big = Fields::from_iter([(http::HeaderName::from_static("x-big"), "x".repeat(8000).parse().unwrap())]);
    let ids: Vec<u32> = (0..100).map(|_| pair.client.connection.open(&request(), &big, true).unwrap()).collect();
    // The client has 800 KB to send and reads what comes all the same.
    assert!(pair.client.connection.wants_read());
    let mut answered = 0;
    for _ in 0..10_000 {
        let there = pair.client.transmit(10_000);
        pair.server.arrived.extend_from_slice(&there);
        pair.server.handle(pair.now);
        for event in pair.server.take_events() {
            if let Event::Headers { id, .. } = event {
                pair.server.connection.respond(id, StatusCode::OK, &big, true);
            }
        }
        let back = pair.server.transmit(10_000);
        pair.client.arrived.extend_from_slice(&back);
        pair.client.handle(pair.now);
        answered += pair.client.take_events().iter().filter(|event| matches!(event, Event::Headers { .. })).count();
        if answered == ids.len() {
            return;
        }
    }
    panic!("{answered} of {}", ids.len());
}

#[test]
fn many_streams_stopped_by_the_window_of_the_connection_cost_no_more_than_few() {
    let mut pair = Pair::new(Config { connection_window: 0, ..Config::default() }, Config::default());
    pair.drive();
    let mut settings = Vec::new();
    settings.extend_from_slice(&[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    pair.inject(&raw(frame::SETTINGS, 0, 0, &settings));
    for _ in 0..100 {
        pair.open(true);
    }
    pair.drive();
    for id in (1..200).step_by(2) {
        pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
        pair.server.connection.send_data(id, vec![0; 1000].into(), false);
        pair.server.connection.send_trailers(id, trailers());
    }
    pair.server.transmit(usize::MAX);
    let (stopped, in_line) = (pair.server.connection.stopped.len(), pair.server.connection.line.len());
    assert_eq!((stopped + pair.server.connection.open_streams(), in_line), (70, 0), "65,535 of 100,000 bytes went");
    pair.inject(&raw(frame::WINDOW_UPDATE, 0, 0, &10_000u32.to_be_bytes()));
    let sent = frames(&pair.server.transmit(usize::MAX));
    assert_eq!(sent.iter().filter(|(head, _)| head.kind == frame::HEADERS).count(), 10);
    // Streams that are gone do not pile up in the line.
    for id in (1..200).step_by(2) {
        pair.inject(&raw(frame::RST_STREAM, 0, id, &[0, 0, 0, 8]));
    }
    assert!(pair.server.connection.stopped.len() <= super::STALE);
}

#[test]
fn after_its_last_word_a_connection_sends_no_more_data() {
    let mut pair = Pair::ready();
    let id = pair.open(true);
    pair.drive();
    pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
    pair.server.connection.send_data(id, vec![0; 10_000].into(), true);
    pair.inject(&raw(frame::PING, 0, 1, &[0; 8])).unwrap();
    let sent = frames(&pair.server.transmit(usize::MAX));
    assert_eq!(sent.last().unwrap().0.kind, frame::GOAWAY);
}

#[test]
fn a_closed_connection_is_done_and_opens_nothing() {
    let mut pair = Pair::ready();
    pair.open(true);
    pair.client.connection.handle_close();
    pair.client.handle(pair.now);
    assert!(matches!(pair.client.take_events()[..], [Event::StreamFreed, Event::Reset { id: 1, by_peer: true, .. }]));
    assert!(pair.client.connection.is_done());
    assert_eq!(pair.client.connection.open(&request(), &fields(), true), Err(OpenError::Closed));
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
