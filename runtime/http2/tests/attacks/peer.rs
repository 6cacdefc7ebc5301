//! A peer that sends whatever it likes, and the side that it attacks.

use std::alloc::System;
use std::io::IoSlice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use callwright_http2::{Config, Connection, ConnectionError, ErrorCode, Event};
use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);
/// Tests take turns: what is allocated is counted for the whole process.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// `:method: POST`, `:scheme: http`, `:path: /`.
pub(crate) const REQUEST: [u8; 3] = [0x83, 0x86, 0x84];

/// Waits until no other test runs.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

pub(crate) fn request(stream: u32, end: bool) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | u8::from(end), stream, &REQUEST)
}

pub(crate) fn window_update(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

/// The ids of a client's streams.
pub(crate) fn ids(count: u32) -> impl Iterator<Item = u32> + Clone {
    (0..count).map(|at| 2 * at + 1)
}

/// A server under attack.
pub(crate) struct Victim {
    pub(crate) connection: Connection,
    /// What its application does with what happens.
    application: fn(&mut Connection, &Event),
    /// Whether events, and the bytes in them, are kept: as by an application that does not get to them.
    pub(crate) keeps: bool,
    pub(crate) kept: Vec<Event>,
    /// Whether the attacker takes what is sent to it.
    pub(crate) reads: bool,
    pub(crate) sent: Vec<u8>,
    arrived: BytesMut,
    began: Instant,
    now: Instant,
    before: usize,
    most: usize,
    _turn: MutexGuard<'static, ()>,
}

impl Victim {
    pub(crate) fn new(config: Config, application: fn(&mut Connection, &Event)) -> Victim {
        let turn = turn();
        let now = Instant::now();
        let before = MEMORY.allocated();
        let connection = Connection::server(config, now);
        let mut victim = Victim {
            connection,
            application,
            keeps: false,
            kept: Vec::new(),
            reads: true,
            sent: Vec::new(),
            arrived: BytesMut::new(),
            began: now,
            now,
            before,
            most: 0,
            _turn: turn,
        };
        victim.send(&[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat());
        victim.sent.clear();
        victim
    }

    /// One whose application looks at nothing and answers nothing.
    pub(crate) fn idle() -> Victim {
        Victim::new(Config::default(), |_, _| {})
    }

    /// Sends bytes, as fast as they are taken; whether all were.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        for chunk in bytes.chunks(16 * 1024) {
            self.arrived.extend_from_slice(chunk);
            loop {
                let read = self.connection.handle_read(self.now, &mut self.arrived);
                while let Some(event) = self.connection.poll_event() {
                    (self.application)(&mut self.connection, &event);
                    if self.keeps {
                        self.kept.push(event);
                    }
                }
                let held = self.arrived.capacity() + self.sent.capacity();
                self.most = self.most.max(MEMORY.allocated().saturating_sub(self.before + held));
                if self.reads {
                    self.take();
                }
                if read.is_err() {
                    return false;
                }
                match self.connection.poll_timeout() {
                    Some(resumes) => self.now = self.now.max(resumes),
                    None if self.connection.wants_read() => break,
                    None if self.reads => {}
                    None => return false,
                }
            }
        }
        true
    }

    /// Takes what was sent to the attacker; the last bytes of it are kept.
    fn take(&mut self) {
        while let Some(output) = self.connection.poll_transmit() {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = output.slices(&mut slices);
            let mut written = 0;
            for slice in &slices[..filled] {
                self.sent.extend_from_slice(slice);
                written += slice.len();
            }
            output.advance(written);
        }
        let old = self.sent.len().saturating_sub(1024 * 1024);
        self.sent.drain(..old);
    }

    /// How much simulated time has passed.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.began
    }

    /// What the attack has made the server hold at once at most, in bytes.
    pub(crate) fn most_memory(&self) -> usize {
        self.most
    }

    pub(crate) fn error(&self) -> Option<ErrorCode> {
        match self.connection.error() {
            Some(ConnectionError::Peer { code, .. }) => Some(*code),
            _ => None,
        }
    }

    /// Checks that the attack was slowed down, so that it was no more than `idle_frames` frames at once and
    /// `idle_frames_per_second` after that, and that the connection goes on.
    pub(crate) fn slowed(&self, frames: u32) {
        let config = Config::default();
        let least = f64::from(frames - config.idle_frames) / f64::from(config.idle_frames_per_second);
        assert!(self.elapsed().as_secs_f64() >= least - 0.1, "{:?} for {frames} frames", self.elapsed());
        assert_eq!(self.connection.error(), None);
    }
}
