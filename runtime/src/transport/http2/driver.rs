//! The task of a connection: moves bytes between the socket and the engine, and events between the engine and the streams.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use callwright_http2::{Connection, ConnectionError, ErrorCode, Event as Http2Event, StreamMap};
use tokio::io::{AsyncReadExt as _, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::heartbeat::{self, Beat, Heartbeat};
use super::read_buffer::ReadBuffer;
use super::strikes::Strikes;
use crate::transport::io::Io;
use crate::transport::ready::Ready;
use crate::transport::stream::{Head, Leaving, Part, Spare, Stream, Way};
use crate::transport::{Headers, LINGER, StreamError};

/// How much is read at a time while the peer closes its side, in bytes.
const LAST_READ: usize = 8 * 1024;
/// So much of a stream may be unread before the peer's window waits for the reader, in bytes. What is below is given back as it
/// arrives, so that small messages cost the reader no word with the connection.
const AHEAD: usize = 128 * 1024;
/// How often the task goes round before it lets other tasks have a turn: a read's worth of work, and a look at whether there is
/// more. Reading on while handlers wait has either side wait for the other in turn, and reads what the processor's cache has lost
/// when it is wanted (streams of small messages took 1.6 times as long with 32).
const ROUNDS: usize = 2;

/// What servers say in a GOAWAY to a client that asks them for signs of life too often.
const TOO_MANY_PINGS: &str = "too_many_pings";

/// Why a connection is over.
#[derive(Clone, Debug)]
pub(super) enum Lost {
    /// The socket was closed or broke.
    Socket(Arc<io::Error>),
    /// The peer closed the connection.
    Closed,
    /// The peer broke the protocol.
    Protocol(ConnectionError),
    /// The peer said GOAWAY for this reason.
    GoAway(ErrorCode, String),
    /// The peer gave no sign of life for so long after it was asked for one.
    Silent(Duration),
    /// The peer sent more PINGs than it may.
    TooManyPings,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Socket(error) => write!(f, "{error}"),
            Lost::Closed => f.write_str("the peer closed it"),
            Lost::Protocol(error) => write!(f, "{error}"),
            Lost::TooManyPings => f.write_str("the peer sent PINGs more often than it may"),
            Lost::Silent(timeout) => {
                write!(f, "keepalive: no answer to a PING within {} s", timeout.as_secs_f64())
            }
            Lost::GoAway(code, debug) if debug.is_empty() => write!(f, "the peer ended it with GOAWAY: {code}"),
            Lost::GoAway(code, debug) => write!(f, "the peer ended it with GOAWAY: {code} ({debug:?})"),
        }
    }
}

impl Error for Lost {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Lost::Socket(error) => Some(&**error),
            Lost::Protocol(error) => Some(error),
            Lost::Closed | Lost::GoAway(..) | Lost::Silent(_) | Lost::TooManyPings => None,
        }
    }
}

/// A stream that the connection carries.
struct Entry {
    stream: Arc<Stream>,
    /// What arrived and was not reported to the engine as read.
    owed: usize,
    /// All of it has left, all of it has arrived.
    sent: bool,
    received: bool,
    /// Whether a task has it, besides the connection's.
    attended: bool,
}

impl Entry {
    /// How much more counts as read, by what waits to be read now.
    fn settle(&mut self, waiting: usize, unread: bool) -> usize {
        let owed = if unread { 0 } else { waiting.saturating_sub(AHEAD).min(self.owed) };
        std::mem::replace(&mut self.owed, owed) - owed
    }
}

/// What a connection tells its own side of, beside what it tells the streams.
pub(super) enum News {
    /// The peer's settings are known.
    Ready,
    /// A request, on a stream that is new.
    Request(u32, Arc<Headers>, bool),
    /// The peer takes no more streams.
    GoAway,
    StreamFreed,
}

/// One side of a connection, which its driver serves.
pub(super) trait Owner {
    /// Takes notice of what happened on the connection.
    fn news(&mut self, driver: &mut Driver, news: News);

    /// All of a stream has arrived. With `Break`, the owner sees to something before the rest is told.
    fn arrived(&mut self, id: u32) -> ControlFlow<()>;

    /// Does what this side wants, once a round: after all that could be read was told, and before what is to be sent leaves.
    /// With `Break`, the owner sees to something before that.
    fn act(&mut self, driver: &mut Driver) -> ControlFlow<()>;
}

/// How far a connection came.
#[derive(Debug)]
pub(super) enum Step {
    /// Its owner has something to see to.
    Pause,
    /// It is over.
    Over(Result<(), Lost>),
}

/// Drives a connection.
pub(super) struct Driver {
    io: Io,
    pub(super) engine: Connection,
    pub(super) ready: Arc<Ready>,
    entries: StreamMap<Entry>,
    spare: Spare,
    woke: bool,
    /// The way that leaves here: requests at a client.
    way: Way,
    buffer: ReadBuffer,
    timer: Option<Pin<Box<Sleep>>>,
    heartbeat: Option<Heartbeat>,
    strikes: Option<Strikes>,
    /// Runs while this side has said its last, or wants to.
    lingering: Option<Pin<Box<Sleep>>>,
    shut: bool,
    /// What was read last, until all that it brought is told.
    read: Option<Result<bool, Lost>>,
    lost: Option<Lost>,
    went: Option<Lost>,
    /// Reused: ids that are ready, and what a stream sends.
    ids: Vec<u32>,
    leaving: Leaving,
}

impl Driver {
    pub(super) fn new(io: Io, engine: Connection, way: Way) -> Driver {
        Driver {
            io,
            engine,
            ready: Arc::default(),
            entries: StreamMap::default(),
            spare: Spare::default(),
            woke: false,
            way,
            buffer: ReadBuffer::default(),
            timer: None,
            heartbeat: None,
            strikes: None,
            lingering: None,
            shut: false,
            read: None,
            lost: None,
            went: None,
            ids: Vec::new(),
            leaving: Leaving::default(),
        }
    }

    /// Whether other tasks may have been woken since this was asked last.
    pub(super) fn has_woken(&mut self) -> bool {
        std::mem::take(&mut self.woke)
    }

    /// Asks the peer for signs of life from now on.
    pub(super) fn keep_alive(&mut self, heartbeat: Heartbeat) {
        self.heartbeat = Some(heartbeat);
    }

    /// Counts the peer's PINGs from now on, and ends the connection when there are too many.
    pub(super) fn count_pings(&mut self, strikes: Strikes) {
        self.strikes = Some(strikes);
    }

    /// Whether the peer ends the connection since it was asked for signs of life too often (gRFC A8).
    pub(super) fn asked_too_often(&self) -> bool {
        matches!(&self.went, Some(Lost::GoAway(ErrorCode::ENHANCE_YOUR_CALM, debug)) if debug == TOO_MANY_PINGS)
    }

    /// How many streams the connection carries.
    pub(super) fn streams(&self) -> usize {
        self.entries.len()
    }

    /// What the connection's first bytes were, where they are no HTTP/2.
    pub(super) fn first_bytes(&mut self) -> &[u8] {
        self.buffer.bytes()
    }

    /// Carries a stream from now on; what it has to send leaves at the next [`pump`](Self::pump).
    pub(super) fn carry(&mut self, id: u32, stream: Arc<Stream>, received: bool) {
        self.entries.insert(id, Entry { stream, owed: 0, sent: false, received, attended: false });
    }

    /// A stream for a new call.
    pub(super) fn spare_stream(&mut self) -> Arc<Stream> {
        self.spare.take()
    }

    /// The stream of a call that is carried.
    pub(super) fn stream(&self, id: u32) -> Option<&Arc<Stream>> {
        self.entries.get(id).map(|entry| &entry.stream)
    }

    /// Moves what there is to move. Ready when the connection is over, or when the owner has something to see to before the
    /// rest is told: it is polled again then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, owner: &mut impl Owner) -> Poll<Step> {
        for _ in 0..ROUNDS {
            self.ready.register(cx.waker());
            // What was read before a pause was perhaps read by another task: this one has to look for itself before it waits.
            let (read, is_kept) = match self.read.take() {
                Some(read) => (read, true),
                None => (self.poll_read(cx), false),
            };
            if self.dispatch(owner).is_break() || owner.act(self).is_break() {
                self.read = Some(read);
                return Poll::Ready(Step::Pause);
            }
            self.set_timer(cx);
            if let Some(lost) = self.poll_heartbeat(cx) {
                return Poll::Ready(self.over(lost));
            }
            let served = self.serve_ready();
            let written = match self.poll_write(cx) {
                Ok(written) => written,
                Err(error) => return Poll::Ready(self.over(Lost::Socket(Arc::new(error)))),
            };
            let read = match read {
                Ok(read) => read,
                // The peer is told why, if it still listens.
                Err(lost @ Lost::Protocol(_)) if self.engine.is_ready() => {
                    self.fail_all(&lost);
                    self.lost = Some(lost);
                    continue;
                }
                Err(lost) => {
                    self.engine.handle_close();
                    return Poll::Ready(self.over(self.went.clone().unwrap_or(lost)));
                }
            };
            if self.engine.is_done() && self.entries.is_empty() {
                return self.poll_end(cx).map(Step::Over);
            }
            if !read && !served && !written && !is_kept {
                if self.entries.is_empty() {
                    self.buffer.rest();
                }
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once; whether there was anything.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Lost> {
        let waits = self.lost.is_some() || !self.poll_timer(cx) && !self.engine.wants_read();
        if waits {
            return Ok(false);
        }
        let buffer = self.buffer.room();
        let room = buffer.capacity() - buffer.len();
        let read = match pin!(self.io.read_buf(buffer)).poll(cx) {
            Poll::Ready(Ok(0)) => Err(Lost::Closed),
            Poll::Ready(Ok(count)) => {
                self.buffer.has_read(count, room);
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(Lost::Socket(Arc::new(error))),
            Poll::Pending => Ok(false),
        };
        let now = Instant::now();
        self.engine.handle_read(now.into_std(), self.buffer.bytes()).map_err(Lost::Protocol)?;
        if let Ok(true) = read {
            if let Some(heartbeat) = &mut self.heartbeat {
                heartbeat.hear(now);
            }
            if let Some(strikes) = &mut self.strikes
                && strikes.are_out(self.engine.stats(), now, !self.entries.is_empty())
            {
                self.engine.go_away(ErrorCode::ENHANCE_YOUR_CALM, TOO_MANY_PINGS);
                self.engine.handle_close();
                self.fail_all(&Lost::TooManyPings);
                self.lost = Some(Lost::TooManyPings);
            }
        }
        read
    }

    /// Whether the time has come at which the engine wanted to go on.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if due {
            self.timer = None;
        }
        due
    }

    /// Asks the peer for a sign of life when it is time to; why the connection is over, if there was none.
    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Option<Lost> {
        let heartbeat = self.heartbeat.as_mut()?;
        match heartbeat.poll(cx, !self.entries.is_empty()) {
            Beat::Wait => None,
            // A peer that is not listened to cannot be heard.
            Beat::Silent(_) if !self.engine.wants_read() => {
                heartbeat.hear(Instant::now());
                self.ready.wake();
                None
            }
            Beat::Silent(timeout) => Some(Lost::Silent(timeout)),
            Beat::Ask => {
                self.engine.ping(heartbeat::PAYLOAD);
                // To have the time of the answer kept.
                self.ready.wake();
                None
            }
        }
    }

    fn set_timer(&mut self, cx: &mut Context<'_>) {
        let Some(at) = self.engine.poll_timeout().map(Instant::from) else {
            self.timer = None;
            return;
        };
        // One that comes too early is set anew then.
        if self.timer.as_ref().is_none_or(|timer| timer.deadline() > at) {
            let mut timer = Box::pin(tokio::time::sleep_until(at));
            // It has to be polled once to be counted on.
            if timer.as_mut().poll(cx).is_ready() {
                self.ready.wake();
            }
            self.timer = Some(timer);
        }
    }

    /// Tells the streams what happened on the connection.
    fn dispatch(&mut self, owner: &mut impl Owner) -> ControlFlow<()> {
        while let Some(event) = self.engine.poll_event() {
            match event {
                Http2Event::Ready => owner.news(self, News::Ready),
                Http2Event::Headers { id, headers, end } => match headers.head {
                    callwright_http2::Head::Request(_) => {
                        owner.news(self, News::Request(id, headers, end));
                        if end {
                            owner.arrived(id)?;
                        }
                    }
                    callwright_http2::Head::Response(status) => {
                        let head = Head { status, headers: headers.fields.clone(), end };
                        self.deliver(id, Part::Head(head), end);
                    }
                },
                Http2Event::Data { id, data, end } => {
                    self.deliver(id, Part::Data(data), end);
                    if end {
                        owner.arrived(id)?;
                    }
                }
                Http2Event::Trailers { id, fields } => self.deliver(id, Part::Trailers(fields), true),
                Http2Event::Reset { id, code, by_peer, unprocessed } => {
                    if let Some(entry) = self.entries.remove(id) {
                        self.woke |= entry.attended;
                        entry.stream.fail(match (by_peer, unprocessed) {
                            (true, true) if code != ErrorCode::REFUSED_STREAM || self.went.is_some() => {
                                StreamError::gone_away()
                            }
                            (true, _) => StreamError::reset(code),
                            (false, _) => StreamError::refused(code),
                        });
                    }
                }
                Http2Event::Writable { id } => self.pump(id),
                Http2Event::StreamFreed => owner.news(self, News::StreamFreed),
                Http2Event::GoAway { code, debug } => {
                    self.went = Some(Lost::GoAway(code, debug));
                    owner.news(self, News::GoAway);
                }
                // That it came was heard.
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn deliver(&mut self, id: u32, part: Part, end: bool) {
        let arrived = match &part {
            Part::Data(data) => data.len(),
            Part::Head(_) | Part::Trailers(_) => 0,
        };
        let Some(entry) = self.entries.get_mut(id) else {
            // Of a stream that was given up here.
            return self.engine.read(id, arrived);
        };
        self.woke |= entry.attended;
        let (waiting, unread) = entry.stream.deliver(self.way, part, end);
        entry.owed += arrived;
        entry.received |= end;
        let read = entry.settle(waiting, unread);
        // The peer waits for the reader, or nothing is left to be sent: either is seen to now.
        let pumps = entry.owed > 0 || end && (entry.sent || self.way == Way::Requests);
        if read > 0 {
            self.engine.read(id, read);
        }
        if pumps {
            self.pump(id);
        }
    }

    /// Takes what a stream has to send, as far as there is room for it, and what became of it here.
    pub(super) fn pump(&mut self, id: u32) {
        // Without room, the engine tells when there is some again.
        while self.pump_once(id) {}
    }

    /// Whether there may be more to take.
    fn pump_once(&mut self, id: u32) -> bool {
        let Some(entry) = self.entries.get_mut(id) else { return false };
        entry.attended = true;
        let room = if entry.sent { 0 } else { self.engine.room(id) };
        let standing = entry.stream.take(self.way, (room, AHEAD), entry.received, (&self.ready, id), &mut self.leaving);
        self.woke |= std::mem::take(&mut self.leaving.woke);
        let read = entry.settle(standing.waiting, standing.unread);
        if read > 0 {
            self.engine.read(id, read);
        }
        if standing.failed {
            // The call gave up; a stream that broke is no longer among the entries.
            self.leaving = Leaving::default();
            self.entries.remove(id);
            self.engine.reset(id, ErrorCode::CANCEL);
            return false;
        }
        let ends = standing.sent && !entry.sent;
        entry.sent |= standing.sent;
        let (sent, received) = (entry.sent, entry.received);
        self.send_leaving(id, ends);
        if sent && received {
            if let Some(entry) = self.entries.remove(id) {
                self.spare.keep(entry.stream);
            }
        } else if standing.unread && received && self.way == Way::Requests {
            // The answer is here, and nobody sends the rest of the request.
            self.entries.remove(id);
            self.engine.reset(id, ErrorCode::CANCEL);
        } else if standing.unread && sent && self.way == Way::Responses {
            self.entries.remove(id);
            self.engine.stop_reading(id);
        }
        standing.more && room > 0
    }

    /// Sends what was taken out of a stream; with `ends` it is all.
    fn send_leaving(&mut self, id: u32, ends: bool) {
        let Leaving { head, data, trailers, .. } = &mut self.leaving;
        let mut ended = false;
        if let Some(Head { status, headers, end }) = head.take() {
            self.engine.respond(id, status, &headers, end);
            ended = end;
        }
        let trailers = trailers.take();
        let last = data.len().wrapping_sub(1);
        for (at, data) in data.drain(..).enumerate() {
            ended = ends && at == last && trailers.is_none();
            self.engine.send_data(id, data, ended);
        }
        match trailers {
            Some(trailers) => self.engine.send_trailers(id, trailers),
            None if ends && !ended => self.engine.send_data(id, Bytes::new(), true),
            None => {}
        }
    }

    /// Serves the streams that have something; whether any had.
    fn serve_ready(&mut self) -> bool {
        let mut ids = std::mem::take(&mut self.ids);
        self.ready.take(&mut ids);
        let any = !ids.is_empty();
        ids.drain(..).for_each(|id| self.pump(id));
        self.ids = ids;
        any
    }

    /// Writes what there is, as far as the socket takes it; whether it took anything.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = false;
        while let Some(output) = self.engine.poll_transmit() {
            let mut slices = [IoSlice::new(&[]); 32];
            let filled = output.slices(&mut slices);
            match Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..filled])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => output.advance(written),
                Poll::Pending => break,
            }
            moved = true;
        }
        // What is still on its way then goes on when the socket can take it, which wakes this task.
        if self.io.holds_back() {
            let _ = Pin::new(&mut self.io).poll_flush(cx)?;
        }
        Ok(moved)
    }

    /// Closes this side once all is written, and waits for the peer to close its own; not for long.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let lingering = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if lingering.as_mut().poll(cx).is_pending() {
            if self.engine.poll_transmit().is_some() {
                return Poll::Pending;
            }
            if !self.shut {
                // A socket that is broken already is closed all the same.
                let _ = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
                self.shut = true;
            }
            loop {
                let buffer = self.buffer.bytes();
                buffer.clear();
                buffer.reserve(LAST_READ);
                match pin!(self.io.read_buf(buffer)).poll(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => break,
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        }
        Poll::Ready(self.lost.take().map_or(Ok(()), Err))
    }

    fn over(&mut self, lost: Lost) -> Step {
        self.fail_all(&lost);
        Step::Over(Err(lost))
    }

    /// Tells all streams that the connection is over.
    fn fail_all(&mut self, lost: &Lost) {
        let error = match lost {
            Lost::Silent(_) => StreamError::silent(Arc::new(lost.clone())),
            _ => StreamError::broken(Arc::new(lost.clone())),
        };
        for (_, entry) in self.entries.drain() {
            entry.stream.fail(error.clone());
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        for (_, entry) in self.entries.drain() {
            entry.stream.fail(StreamError::closed("it was closed here"));
        }
    }
}
