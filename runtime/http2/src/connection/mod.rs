//! A connection: everything that both its streams and their peer do to it.

mod bandwidth;
mod body;
mod control;
mod event;
mod heads;
mod known;
mod receive;
mod recent;
#[cfg(test)]
mod tests;
mod transmit;

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::config::Config;
use crate::error::{ConnectionError, ErrorCode};
use crate::fields::Fields;
use crate::flow::{RecvWindow, SendWindow};
use crate::frame::settings::{self, DEFAULT_FRAME_SIZE, DEFAULT_WINDOW, MAX_FRAME, MAX_WINDOW, Setting};
use crate::frame::{PREFACE, goaway, ping, reset};
use crate::head::{Pseudo, RequestHead};
use crate::hpack::{Decoder, Encoder};
use crate::output::Output;
use crate::stream::{End, Half, Stream};
use crate::stream_map::StreamMap;
use crate::throttle::Throttle;
use bandwidth::Bandwidth;
pub use event::Event;
use heads::PartialBlock;
use known::Known;
use receive::Phase;
use recent::{Closed, Recent};
use transmit::MAX_TURN;

/// The payload of the PING that a graceful end waits for.
const DRAIN_PING: [u8; 8] = *b"draining";
/// How many frames that do no work the peer may send with each that did: window updates for both levels, a PING that
/// measures, a reset.
const FRAMES_PER_WORK: u32 = 4;
/// How many ids of streams that are gone may stand in a line.
const STALE: usize = 64;
/// What a stream may have waiting to be sent, in bytes, however much the others have.
const OWN_BUFFER: usize = 16 * 1024;
/// The largest id there is.
const MAX_ID: u32 = 0x7fff_ffff;

/// One side of an HTTP/2 connection, with all its streams. It does no I/O and reads no clock.
///
/// The methods come in four groups, which a driver calls in this order, again and again:
///
/// 1. What arrived: [`handle_read`](Self::handle_read) with all bytes that were read. It takes whole frames off the buffer;
///    what is left is the beginning of the next. It stops early when the peer must wait:
///    [`wants_read`](Self::wants_read) says so, and [`poll_timeout`](Self::poll_timeout) until when.
/// 2. What happened: [`poll_event`](Self::poll_event) until there is none.
/// 3. What the calls do: [`open`](Self::open), [`respond`](Self::respond), [`send_data`](Self::send_data),
///    [`send_trailers`](Self::send_trailers), [`reset`](Self::reset), [`read`](Self::read) for what they have read, and
///    [`drain`](Self::drain), [`ping`](Self::ping) or [`go_away`](Self::go_away) for the connection as a whole.
/// 4. What must leave: [`poll_transmit`](Self::poll_transmit) until it gives nothing. What it gives is written as far as the
///    socket takes it, and [`advance`](crate::Output::advance)d by that.
///
/// When `handle_read` fails, or when [`is_done`](Self::is_done), what `poll_transmit` gives is still sent, and then the
/// socket is closed.
pub struct Connection {
    role: Role,
    config: Config,
    phase: Phase,
    partial: Option<PartialBlock>,
    /// Since when a header block is under way that is not whole.
    headers_since: Option<Instant>,
    known: Known,
    decoder: Decoder,
    encoder: Encoder,
    peer: PeerSettings,
    /// Whether the peer has acknowledged the first SETTINGS: until then it goes by its own idea of the windows.
    acknowledged: bool,
    /// PINGs of this side that have not come back.
    pings: u32,
    /// How much of what waits to be written answers what the peer sent, in bytes, at most.
    answers: usize,

    streams: StreamMap<Stream>,
    recent: Recent,
    /// The next id of this side, and the largest of the peer's.
    next_id: u32,
    last_peer_id: u32,
    open_here: usize,
    open_by_peer: usize,

    send_window: SendWindow,
    recv_window: RecvWindow,
    /// What the windows of the connection and of each stream are raised to.
    connection_window: u32,
    stream_window: u32,
    bandwidth: Bandwidth,
    /// Streams that have something to send, and room for it, in turn; and those of them that the connection's window has
    /// stopped. Either may have ids of streams that are gone.
    line: VecDeque<u32>,
    stopped: VecDeque<u32>,
    /// What all streams have waiting for their turn, in bytes.
    queued: usize,

    throttle: Throttle,
    output: Output,
    events: VecDeque<Event>,
    /// Reused for the header blocks that are written.
    block: Vec<u8>,

    drain: Drain,
    /// Why the peer takes no more streams, once it has said so.
    peer_went: Option<ErrorCode>,
    /// Whether the socket is gone.
    closed: bool,
    error: Option<ConnectionError>,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

/// How far a graceful end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    Open,
    /// The peer was told that the end comes; streams that it opened before it knew are still taken.
    Announced,
    /// No stream with a larger id than this is taken.
    Last(u32),
}

/// What the peer's SETTINGS said, or what holds without them.
#[derive(Debug)]
struct PeerSettings {
    known: bool,
    max_concurrent_streams: usize,
    initial_window: u32,
    max_frame: usize,
    max_header_list: Option<u32>,
}

/// What went over a connection so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Streams that either side opened.
    pub streams_started: u64,
    /// Streams that were reset by either side.
    pub streams_reset: u64,
    /// PINGs of this side.
    pub pings_sent: u64,
    /// PINGs of the peer, answers left out.
    pub pings_received: u64,
    /// Header lists of this side, trailers included.
    pub headers_sent: u64,
    /// DATA frames of this side.
    pub data_frames_sent: u64,
    /// DATA frames of the peer.
    pub data_frames_received: u64,
    /// How often the peer had to wait, because it sent too many frames that do no work, or did not take the answers.
    pub throttled: u64,
}

/// Why a stream cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// As many are open as the peer takes: [`Event::StreamFreed`] tells when to try again.
    #[error("the peer takes no more streams at once")]
    Full,
    /// The connection is at its end: another one is needed.
    #[error("the connection takes no more streams")]
    Closed,
}

/// Beginning, and looking at it.
impl Connection {
    /// The client's side; its preface is the first thing to send.
    pub fn client(config: Config, now: Instant) -> Connection {
        let mut connection = Connection::new(Role::Client, config, now);
        connection.output.write(|to| to.extend_from_slice(PREFACE));
        connection.begin();
        connection
    }

    /// The server's side.
    pub fn server(config: Config, now: Instant) -> Connection {
        let mut connection = Connection::new(Role::Server, config, now);
        connection.begin();
        connection
    }

    fn new(role: Role, mut config: Config, now: Instant) -> Connection {
        // What the protocol has no numbers for, or would be an error to say.
        config.max_frame_size = config.max_frame_size.clamp(DEFAULT_FRAME_SIZE, MAX_FRAME);
        config.max_stream_window = config.max_stream_window.min(MAX_WINDOW);
        config.stream_window = config.stream_window.min(MAX_WINDOW);
        config.connection_window = config.connection_window.min(MAX_WINDOW);
        Connection {
            role,
            phase: if role == Role::Server { Phase::Preface } else { Phase::FirstSettings },
            partial: None,
            headers_since: None,
            known: Known::default(),
            decoder: Decoder::new(),
            encoder: Encoder::new(),
            peer: PeerSettings {
                known: false,
                // A client may open some before it knows; these are what most servers take.
                max_concurrent_streams: 100,
                initial_window: DEFAULT_WINDOW,
                max_frame: DEFAULT_FRAME_SIZE as usize,
                max_header_list: None,
            },
            acknowledged: false,
            pings: 0,
            answers: 0,
            streams: StreamMap::default(),
            recent: Recent::default(),
            next_id: 1,
            last_peer_id: 0,
            open_here: 0,
            open_by_peer: 0,
            send_window: SendWindow::new(DEFAULT_WINDOW),
            recv_window: RecvWindow::new(DEFAULT_WINDOW),
            connection_window: config.connection_window,
            stream_window: config.stream_window,
            bandwidth: Bandwidth::new(),
            line: VecDeque::new(),
            stopped: VecDeque::new(),
            queued: 0,
            throttle: Throttle::new(config.idle_frames, config.idle_frames_per_second, now),
            output: Output::default(),
            events: VecDeque::new(),
            block: Vec::new(),
            drain: Drain::Open,
            peer_went: None,
            closed: false,
            error: None,
            stats: Stats::default(),
            config,
        }
    }

    fn begin(&mut self) {
        let mut said = vec![
            Setting::InitialWindowSize(self.config.stream_window),
            Setting::MaxFrameSize(self.config.max_frame_size),
            Setting::MaxHeaderListSize(self.config.max_header_list_size),
        ];
        match self.role {
            Role::Client => said.push(Setting::EnablePush(false)),
            Role::Server => said.push(Setting::MaxConcurrentStreams(self.config.max_concurrent_streams)),
        }
        self.output.write(|to| settings::put(&said, to));
        self.raise_connection_window();
    }

    /// Whether the peer's settings are known.
    pub fn is_ready(&self) -> bool {
        self.peer.known
    }

    /// Whether this side can open one more stream now.
    pub fn has_room_for_stream(&self) -> bool {
        self.takes_streams() && self.open_here < self.peer.max_concurrent_streams
    }

    /// Whether streams can be opened on this connection, now or when others have ended.
    pub fn takes_streams(&self) -> bool {
        !self.closed
            && self.error.is_none()
            && self.peer_went.is_none()
            && self.drain == Drain::Open
            && self.next_id <= MAX_ID
    }

    /// How many streams of this side the peer takes at once.
    pub fn max_streams(&self) -> usize {
        self.peer.max_concurrent_streams
    }

    /// How many streams are open, whoever opened them.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// The largest header list that the peer takes, in bytes, where it said so.
    pub fn peer_max_header_list_size(&self) -> Option<u32> {
        self.peer.max_header_list
    }

    /// What went over the connection so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Whether nothing more will happen: the connection failed, or it was to end and its streams have.
    pub fn is_done(&self) -> bool {
        let ending = matches!(self.drain, Drain::Last(_)) || self.peer_went.is_some();
        self.closed || self.error.is_some() || ending && self.streams.is_empty()
    }

    /// Why the connection failed, if it did.
    pub fn error(&self) -> Option<&ConnectionError> {
        self.error.as_ref()
    }
}

/// What calls do.
impl Connection {
    /// Opens a stream with a request's headers; with `end` there is no body.
    ///
    /// # Errors
    /// [`OpenError`] where the peer or the connection takes no more; nothing was sent then.
    pub fn open(&mut self, head: &RequestHead, fields: &Fields, end: bool) -> Result<u32, OpenError> {
        if !self.takes_streams() {
            return Err(OpenError::Closed);
        }
        if self.open_here >= self.peer.max_concurrent_streams {
            return Err(OpenError::Full);
        }
        let id = self.next_id;
        self.next_id += 2;
        self.open_here += 1;
        self.stats.streams_started += 1;
        // The peer may use what a stream that is opened for it costs.
        self.throttle.earn(FRAMES_PER_WORK);
        let mut stream = Stream::new(self.initial_window(), self.peer.initial_window);
        stream.send = if end { Half::Done } else { Half::Body };
        stream.head_only = head.method == Method::HEAD;
        self.streams.insert(id, stream);
        self.write_headers(id, Pseudo::Request(head), fields, end);
        Ok(id)
    }

    /// Answers a stream with a response's headers; with `end` that is all. An informational status leaves the answer open.
    /// A stream that is gone is left alone.
    pub fn respond(&mut self, id: u32, status: StatusCode, fields: &Fields, end: bool) {
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.send == Half::Head) else { return };
        if !status.is_informational() {
            stream.send = if end { Half::Done } else { Half::Body };
        }
        self.write_headers(id, Pseudo::Response(status), fields, end);
        self.close_if_ended(id);
    }

    /// Sends a part of a body, now or as the windows allow. A stream that is gone is left alone.
    pub fn send_data(&mut self, id: u32, data: Bytes, end: bool) {
        let turn = self.turn_is_free();
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.send == Half::Body) else { return };
        let room = self.send_window.room().min(stream.send_window.room()).min(self.peer.max_frame).min(MAX_TURN);
        if turn && stream.queue.is_empty() && (1..=room).contains(&data.len()) {
            if end {
                stream.send = Half::Done;
            }
            self.throttle.earn(FRAMES_PER_WORK);
            self.write_data(id, data, end);
            return self.close_if_ended(id);
        }
        if !data.is_empty() {
            stream.queued += data.len();
            self.queued += data.len();
            stream.queue.push_back(data);
        }
        if end {
            stream.send = Half::Done;
            stream.end = Some(End::Data);
        }
        self.line_up(id);
    }

    /// Ends a message with trailers, behind what waits to be sent. A stream that is gone is left alone.
    pub fn send_trailers(&mut self, id: u32, fields: Fields) {
        let turn = self.turn_is_free();
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.send == Half::Body) else { return };
        stream.send = Half::Done;
        if turn && stream.queue.is_empty() {
            self.write_headers(id, Pseudo::Trailers, &fields, true);
            return self.close_if_ended(id);
        }
        stream.end = Some(End::Trailers(fields));
        self.line_up(id);
    }

    /// How many bytes may be given to [`send_data`](Self::send_data) before more of them would only pile up; 0 for a stream
    /// that is gone. When it is 0, [`Event::Writable`] tells of the next room.
    pub fn room(&mut self, id: u32) -> usize {
        let Some(stream) = self.streams.get_mut(id) else { return 0 };
        let shared = self.config.max_send_buffered.saturating_sub(self.queued);
        // What a stream may have in any case is on its way when there is no room, so that its leaving tells of some.
        let own = OWN_BUFFER.saturating_sub(stream.queued);
        let room = self.config.max_send_buffer.saturating_sub(stream.queued).min(shared.max(own));
        stream.wants_room = room == 0;
        room
    }

    /// Ends a stream at once in both directions; what waits for its turn is dropped. A stream that is gone is left alone.
    pub fn reset(&mut self, id: u32, code: ErrorCode) {
        if self.streams.contains(id) {
            self.output.write(|to| reset::put(id, code, to));
            self.forget(id, Closed::ResetHere);
        }
    }

    /// Sends a PING; [`Event::Pong`] tells when it comes back. The payloads `bdp-ping` and `draining` are the engine's own.
    pub fn ping(&mut self, payload: [u8; 8]) {
        self.stats.pings_sent += 1;
        self.pings = self.pings.saturating_add(1);
        self.output.write(|to| ping::put(payload, false, to));
    }

    /// Begins to end the connection gracefully, in two steps (RFC 9113 section 6.8): the peer is told that the end comes, and
    /// a PING later up to which stream was taken. Streams go on to their end; a client only opens no more.
    pub fn drain(&mut self) {
        if self.drain != Drain::Open {
            return;
        }
        if self.role == Role::Client {
            return self.go_away(ErrorCode::NO_ERROR, "");
        }
        self.drain = Drain::Announced;
        self.pings = self.pings.saturating_add(1);
        self.output.write(|to| {
            goaway::put(MAX_ID, ErrorCode::NO_ERROR, "", to);
            ping::put(DRAIN_PING, false, to);
        });
    }

    /// Takes no stream from now on that the peer has not opened yet, and tells it why.
    pub fn go_away(&mut self, code: ErrorCode, debug: &str) {
        if let Drain::Last(_) = self.drain {
            return;
        }
        let last = self.last_peer_id;
        self.drain = Drain::Last(last);
        self.output.write(|to| goaway::put(last, code, debug, to));
    }
}

/// What must leave, and when.
impl Connection {
    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_read`](Self::handle_read) has to be called again although nothing arrived.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let whole_by = self.headers_since.zip(self.config.header_read_timeout);
        let whole_by = whole_by.and_then(|(since, timeout)| since.checked_add(timeout));
        [self.throttle.resumes_at(), whole_by].into_iter().flatten().min()
    }
}

/// Streams.
impl Connection {
    fn is_local(&self, id: u32) -> bool {
        (id % 2 == 1) == (self.role == Role::Client)
    }

    /// Whether no stream with this id was opened, nor passed over, so far.
    fn is_idle(&self, id: u32) -> bool {
        if self.is_local(id) { id >= self.next_id } else { id > self.last_peer_id }
    }

    fn forget(&mut self, id: u32, how: Closed) {
        let Some(stream) = self.streams.remove(id) else { return };
        if how != Closed::Ended {
            self.stats.streams_reset += 1;
        }
        self.queued -= stream.queued;
        // What the application was given is its own to report as read, and stays counted until then; what was gathered for
        // it is given up.
        self.recv_window.read(stream.held.len());
        self.recent.add(id, how);
        for line in [&mut self.line, &mut self.stopped] {
            if line.len() > 2 * self.streams.len() + STALE {
                line.retain(|id| self.streams.contains(*id));
            }
        }
        if self.is_local(id) {
            self.open_here -= 1;
            self.events.push_back(Event::StreamFreed);
        } else {
            self.open_by_peer -= 1;
        }
    }

    /// Closes a stream that has ended both ways, or whose answer is sent and whose request nobody reads.
    fn close_if_ended(&mut self, id: u32) {
        let Some(stream) = self.streams.get(id) else { return };
        if !stream.is_sent() {
            return;
        }
        if stream.recv == Half::Done {
            self.throttle.earn(FRAMES_PER_WORK);
            self.forget(id, Closed::Ended);
        } else if stream.unread && self.role == Role::Server {
            // RFC 9113 section 8.1: the response is whole, the rest of the request is not needed.
            self.reset(id, ErrorCode::NO_ERROR);
        }
    }

    /// The window that a new stream has, as the peer may see it.
    fn initial_window(&self) -> u32 {
        if self.acknowledged { self.stream_window } else { self.stream_window.max(DEFAULT_WINDOW) }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("open_streams", &self.streams.len())
            .field("drain", &self.drain)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
