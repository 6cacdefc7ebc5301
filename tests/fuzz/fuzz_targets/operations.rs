//! Sequences of operations on a client and a server that are joined by a wire: whatever the two do, and wherever the wire is
//! cut, neither takes the other for broken, and bodies arrive in their order, none of their bytes lost or made up.

#![no_main]

use std::collections::HashMap;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use callwright_http2::{Fields, Config, Connection, ErrorCode, Event, RequestHead};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&settings, operations)) = data.split_first() else { return };
    let mut pair = Pair::new(settings);
    for operation in operations.chunks_exact(3) {
        pair.act(operation[0], operation[1], operation[2]);
        pair.client.note_events();
        pair.server.note_events();
    }
    pair.settle();
});

struct Pair {
    now: Instant,
    client: Side,
    server: Side,
    cut: bool,
}

struct Side {
    connection: Connection,
    /// What the other side has sent, and what of it has arrived.
    wire: Vec<u8>,
    arrived: BytesMut,
    streams: HashMap<u32, Stream>,
    /// Those that this side can do something with, in the order in which they began.
    known: Vec<u32>,
}

#[derive(Default)]
struct Stream {
    /// Whether headers were sent, and the end was.
    began: bool,
    ended: bool,
    /// Reset, from here or from there.
    dead: bool,
    sent: usize,
    received: usize,
    unread: usize,
    complete: bool,
}

impl Side {
    fn new(connection: Connection) -> Side {
        Side { connection, wire: Vec::new(), arrived: BytesMut::new(), streams: HashMap::new(), known: Vec::new() }
    }

    fn handle(&mut self, now: Instant) {
        self.connection.handle_read(now, &mut self.arrived).expect("the other side keeps to the rules");
        self.note_events();
    }

    fn note_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Headers { id, end, .. } => {
                    if !self.streams.contains_key(&id) {
                        self.known.push(id);
                    }
                    let stream = self.streams.entry(id).or_default();
                    assert!(!stream.dead && !stream.complete && stream.received == 0);
                    stream.complete = end;
                }
                Event::Data { id, data, end } => {
                    let stream = self.streams.get_mut(&id).expect("headers come first");
                    assert!(!stream.complete && !stream.dead);
                    for (at, byte) in data.iter().enumerate() {
                        assert_eq!(*byte, pattern(id, stream.received + at));
                    }
                    stream.received += data.len();
                    stream.unread += data.len();
                    stream.complete = end;
                }
                Event::Trailers { id, .. } => {
                    let stream = self.streams.get_mut(&id).expect("headers come first");
                    assert!(!stream.complete && !stream.dead);
                    stream.complete = true;
                }
                Event::Reset { id, .. } => self.streams.get_mut(&id).expect("headers come first").dead = true,
                _ => {}
            }
        }
    }

    fn transmit(&mut self, limit: usize, to: &mut Vec<u8>) {
        let mut left = limit;
        while left > 0
            && let Some(output) = self.connection.poll_transmit()
        {
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = output.slices(&mut slices);
            let before = to.len();
            for slice in &slices[..filled] {
                let taken = slice.len().min(left - (to.len() - before));
                to.extend_from_slice(&slice[..taken]);
            }
            let written = to.len() - before;
            output.advance(written);
            left -= written;
        }
    }

    fn pick(&self, which: u8) -> Option<u32> {
        (!self.known.is_empty()).then(|| self.known[usize::from(which) % self.known.len()])
    }

    fn read_all(&mut self) {
        for (id, stream) in &mut self.streams {
            let unread = std::mem::take(&mut stream.unread);
            if unread > 0 {
                self.connection.read(*id, unread);
            }
        }
    }
}

impl Pair {
    fn new(settings: u8) -> Pair {
        let now = Instant::now();
        let mut configs = [Config::default(), Config::default()];
        for (at, config) in configs.iter_mut().enumerate() {
            if settings >> at & 1 != 0 {
                (config.stream_window, config.max_stream_window) = (300, 4000);
            }
            if settings >> at & 4 != 0 {
                (config.connection_window, config.max_buffered) = (70_000, 80_000);
            }
            if settings >> at & 16 != 0 {
                (config.idle_frames, config.idle_frames_per_second) = (5, 100);
            }
            if settings >> at & 64 != 0 {
                (config.max_concurrent_streams, config.max_send_buffer) = (2, 1000);
            }
        }
        let [client, server] = configs;
        Pair {
            now,
            client: Side::new(Connection::client(client, now)),
            server: Side::new(Connection::server(server, now)),
            cut: false,
        }
    }

    fn act(&mut self, operation: u8, which: u8, amount: u8) {
        let by_server = operation & 1 != 0;
        let side = if by_server { &mut self.server } else { &mut self.client };
        let id = side.pick(which);
        match operation >> 1 & 15 {
            0 | 1 if !by_server => self.open(which, amount),
            0 | 1 => {
                let Some(id) = id else { return };
                let stream = side.streams.get_mut(&id).expect("it is known");
                if !stream.began && !stream.dead {
                    (stream.began, stream.ended) = (true, amount & 1 != 0);
                    side.connection.respond(id, StatusCode::OK, &headers(amount), stream.ended);
                }
            }
            2 | 3 | 4 => {
                let Some(id) = id else { return };
                let stream = side.streams.get_mut(&id).expect("it is known");
                if stream.began && !stream.ended && !stream.dead {
                    let len = if amount & 2 != 0 { usize::from(amount) * 97 } else { usize::from(amount) };
                    let body: Vec<u8> = (stream.sent..stream.sent + len).map(|at| pattern(id, at)).collect();
                    stream.sent += len;
                    stream.ended = amount & 1 != 0;
                    let _ = side.connection.room(id);
                    side.connection.send_data(id, Bytes::from(body), stream.ended);
                }
            }
            5 => {
                let Some(id) = id else { return };
                let stream = side.streams.get_mut(&id).expect("it is known");
                if stream.began && !stream.ended && !stream.dead {
                    stream.ended = true;
                    side.connection.send_trailers(id, headers(amount));
                }
            }
            6 => {
                let Some(id) = id else { return };
                side.streams.get_mut(&id).expect("it is known").dead = true;
                side.connection.reset(id, ErrorCode(u32::from(amount)));
            }
            7 => {
                let Some(id) = id else { return };
                let stream = side.streams.get_mut(&id).expect("it is known");
                let bytes = stream.unread.min(usize::from(amount) * 11);
                stream.unread -= bytes;
                side.connection.read(id, bytes);
            }
            8 => side.connection.ping([amount; 8]),
            9 if amount == 7 => side.connection.drain(),
            9 if amount == 8 => side.connection.go_away(ErrorCode::NO_ERROR, "bye"),
            9 if amount == 9 => {
                self.cut = true;
                for side in [&mut self.client, &mut self.server] {
                    side.connection.handle_close();
                    side.wire.clear();
                    side.arrived.clear();
                }
            }
            10 => self.now += Duration::from_millis(u64::from(amount)),
            11 => side.read_all(),
            _ => self.pass(by_server, usize::from(which) << 8 | usize::from(amount)),
        }
    }

    fn open(&mut self, which: u8, amount: u8) {
        let head = RequestHead {
            method: Method::POST,
            scheme: HeaderValue::from_static("http"),
            authority: Some(HeaderValue::from_static("localhost")),
            path: HeaderValue::from_str(&format!("/{}", which % 5)).expect("it is ASCII"),
        };
        let end = amount & 1 != 0;
        if let Ok(id) = self.client.connection.open(&head, &headers(amount), end) {
            self.client.known.push(id);
            self.client.streams.insert(id, Stream { began: true, ended: end, ..Stream::default() });
        }
    }

    /// Moves so many bytes out of one side and into the other.
    fn pass(&mut self, to_client: bool, bytes: usize) {
        if self.cut {
            return;
        }
        let (from, to) = match to_client {
            true => (&mut self.server, &mut self.client),
            false => (&mut self.client, &mut self.server),
        };
        from.transmit(bytes, &mut to.wire);
        let arrived = to.wire.len().min(bytes);
        to.arrived.extend_from_slice(&to.wire[..arrived]);
        to.wire.drain(..arrived);
        to.handle(self.now);
    }

    /// Lets everything arrive: then what was sent whole has arrived whole.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.client.read_all();
            self.server.read_all();
            self.pass(false, usize::MAX);
            self.pass(true, usize::MAX);
            let timeouts = [&self.client, &self.server].map(|side| side.connection.poll_timeout());
            if let Some(resumes) = timeouts.into_iter().flatten().max() {
                self.now = self.now.max(resumes);
                continue;
            }
            let mut rest = Vec::new();
            self.client.transmit(usize::MAX, &mut rest);
            self.server.wire.append(&mut rest);
            self.server.transmit(usize::MAX, &mut rest);
            self.client.wire.append(&mut rest);
            let unread = |side: &Side| side.streams.values().any(|stream| stream.unread > 0);
            if self.client.wire.is_empty()
                && self.server.wire.is_empty()
                && !unread(&self.client)
                && !unread(&self.server)
            {
                break;
            }
        }
        if self.cut {
            assert!(self.client.connection.is_done() && self.server.connection.is_done());
            return;
        }
        for (id, sender) in &self.client.streams {
            let Some(receiver) = self.server.streams.get(id) else { continue };
            check(*id, sender, receiver);
            check(*id, receiver, sender);
        }
    }
}

fn check(id: u32, sender: &Stream, receiver: &Stream) {
    if sender.dead || receiver.dead {
        return;
    }
    assert_eq!(receiver.received, sender.sent, "of stream {id}");
    assert_eq!(receiver.complete, sender.ended, "of stream {id}");
}

fn pattern(id: u32, at: usize) -> u8 {
    (id as usize * 31 + at) as u8
}

fn headers(amount: u8) -> Fields {
    let mut headers = Fields::new();
    if amount & 4 != 0 {
        headers.append(HeaderName::from_static("x-a"), HeaderValue::from(u16::from(amount)));
    }
    if amount & 8 != 0 {
        let long = "v".repeat(usize::from(amount) * 50);
        headers.append(HeaderName::from_static("user-agent"), HeaderValue::from_str(&long).expect("it is ASCII"));
    }
    headers
}
