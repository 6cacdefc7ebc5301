//! What arrives: frames off the buffer, and whether the peer may go on.

use std::time::Instant;

use bytes::{Buf as _, BytesMut};

use super::recent::Closed;
use super::{Connection, Drain, Event, Role};
use crate::error::{ConnectionError, ErrorCode, Fault, frame_size, protocol};
use crate::frame::{
    ACK, CONTINUATION, DATA, GOAWAY, HEAD_LEN, HEADERS, Head as FrameHead, KIND_AT, PING, PREFACE, PRIORITY,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, goaway, reset,
};

/// How much may wait to be written before nothing more is read, in bytes: what arrives has answers.
const MAX_BACKLOG: usize = 256 * 1024;

/// How far the beginning of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client's preface is awaited.
    Preface,
    /// The peer's SETTINGS are awaited.
    FirstSettings,
    Open,
}

impl Connection {
    /// Takes in what was read: whole frames are taken off `buffer`, the beginning of the next one is left.
    ///
    /// What is kept for [`poll_event`](Self::poll_event) is no more than these bytes can say, so that a driver which takes the
    /// events between reads holds no more than a read's worth. Payloads of 16 KiB and more share the buffer's memory.
    ///
    /// It stops before all of them are taken when the peer must wait; then it is called again at
    /// [`poll_timeout`](Self::poll_timeout), or when something was written.
    ///
    /// # Errors
    /// [`ConnectionError`] when the peer broke the protocol; it is told by a GOAWAY that is still to be sent.
    pub fn handle_read(&mut self, now: Instant, buffer: &mut BytesMut) -> Result<(), ConnectionError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        self.throttle.refill(now);
        self.answers = self.answers.min(self.output.len());
        let could_read = self.wants_read();
        while self.wants_read() {
            let before = self.output.len();
            match self.take_frame(buffer) {
                Ok(true) => {}
                Ok(false) => return self.time_headers(now, buffer),
                Err(Fault::Stream(id, code)) if self.is_idle(id) => {
                    return Err(self.fail(code, "an error on a stream that is idle"));
                }
                Err(Fault::Stream(id, code)) => self.refuse(id, code),
                Err(Fault::Connection(code, reason)) => return Err(self.fail(code, reason)),
            }
            self.answers += self.output.len() - before;
        }
        self.stats.throttled += u64::from(could_read);
        // The peer cannot go on, so the time is not its own.
        self.headers_since = None;
        Ok(())
    }

    /// Looks at how long the header block takes of which a part is here; `rest` is the beginning of the next frame.
    fn time_headers(&mut self, now: Instant, rest: &[u8]) -> Result<(), ConnectionError> {
        let Some(limit) = self.config.header_read_timeout else { return Ok(()) };
        if self.partial.is_none() && rest.get(KIND_AT) != Some(&HEADERS) {
            self.headers_since = None;
            return Ok(());
        }
        let since = *self.headers_since.get_or_insert(now);
        if now.saturating_duration_since(since) < limit {
            return Ok(());
        }
        Err(self.fail(ErrorCode::ENHANCE_YOUR_CALM, "a header block took longer than it may"))
    }

    /// Whether the peer may go on: it may not while it has sent too much that does no work, or does not read the answers.
    ///
    /// A client waits for the answers to control frames to be written, and not for its requests: with both sides waiting
    /// until the other reads, neither would ever go on.
    pub fn wants_read(&self) -> bool {
        let backlog = if self.role == Role::Server { self.output.len() } else { self.answers };
        self.throttle.allows() && backlog < MAX_BACKLOG
    }

    /// The peer has closed its side of the socket, or the socket broke: streams that have not ended never will.
    pub fn handle_close(&mut self) {
        self.closed = true;
        let ids: Vec<u32> = self.streams.ids().collect();
        let code = self.peer_went.unwrap_or(ErrorCode::NO_ERROR);
        for id in ids {
            self.forget(id, Closed::ResetByPeer);
            self.events.push_back(Event::Reset { id, code, by_peer: true, unprocessed: false });
        }
    }

    fn fail(&mut self, code: ErrorCode, reason: &'static str) -> ConnectionError {
        let error = ConnectionError::Peer { code, reason };
        self.headers_since = None;
        // A last id that was told once may not be taken back.
        let last = if let Drain::Last(last) = self.drain { last } else { self.last_peer_id };
        self.output.write(|to| goaway::put(last, code, reason, to));
        self.error = Some(error.clone());
        error
    }

    /// Resets a stream whose peer broke a rule.
    fn refuse(&mut self, id: u32, code: ErrorCode) {
        self.throttle.charge(1);
        self.output.write(|to| reset::put(id, code, to));
        if self.streams.contains(id) {
            self.forget(id, Closed::ResetHere);
            self.events.push_back(Event::Reset { id, code, by_peer: false, unprocessed: false });
        } else {
            self.recent.add(id, Closed::ResetHere);
        }
    }

    /// Takes one frame; whether there was a whole one.
    fn take_frame(&mut self, buffer: &mut BytesMut) -> Result<bool, Fault> {
        if self.phase == Phase::Preface {
            let seen = buffer.len().min(PREFACE.len());
            if buffer[..seen] != PREFACE[..seen] {
                return Err(protocol("the client did not begin with HTTP/2's preface"));
            }
            if seen < PREFACE.len() {
                return Ok(false);
            }
            buffer.advance(PREFACE.len());
            self.phase = Phase::FirstSettings;
        }
        let Some(head) = FrameHead::parse(buffer) else { return Ok(false) };
        if self.phase == Phase::FirstSettings && (head.kind != SETTINGS || head.has(ACK)) {
            return Err(protocol("the first frame was not SETTINGS"));
        }
        if head.len > self.config.max_frame_size as usize {
            return Err(frame_size("a frame is larger than SETTINGS_MAX_FRAME_SIZE"));
        }
        if buffer.len() < HEAD_LEN + head.len {
            return Ok(false);
        }
        if let Some(partial) = &self.partial
            && (head.kind != CONTINUATION || head.stream != partial.stream)
        {
            return Err(protocol("a header block was interrupted by another frame"));
        }
        if head.kind == DATA {
            return self.take_data(head, buffer).map(|()| true);
        }
        let taken = self.take_payload(head, &buffer[HEAD_LEN..HEAD_LEN + head.len]);
        buffer.advance(HEAD_LEN + head.len);
        taken.map(|()| true)
    }

    fn take_payload(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        match head.kind {
            HEADERS => self.take_headers(head, payload),
            CONTINUATION => self.take_continuation(head, payload),
            PRIORITY => self.take_priority(head, payload),
            RST_STREAM => self.take_reset(head, payload),
            SETTINGS => self.take_settings(head, payload),
            PING => self.take_ping(head, payload),
            GOAWAY => self.take_goaway(head, payload),
            WINDOW_UPDATE => self.take_window_update(head, payload),
            PUSH_PROMISE => Err(protocol("PUSH_PROMISE although push is off")),
            // Section 5.5: what is not known is ignored.
            _ => {
                self.throttle.charge(1);
                Ok(())
            }
        }
    }
}
