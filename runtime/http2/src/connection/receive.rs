//! What arrives: frames off the buffer, and what each means.

use std::time::Instant;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use super::recent::Closed;
use super::{Connection, DRAIN_PING, Drain, Event, Role, bandwidth};
use crate::error::{ConnectionError, ErrorCode, Fault, frame_size, protocol};
use crate::frame::settings::{self, Setting};
use crate::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEAD_LEN, HEADERS, Head as FrameHead, PING, PREFACE,
    PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, goaway, headers, ping, reset, unpadded, window_update,
};
use crate::head::{self, Block, Head};
use crate::hpack::HpackError;
use crate::stream::{Half, Stream};

/// How much may wait to be written before nothing more is read, in bytes: what arrives has answers.
const MAX_BACKLOG: usize = 256 * 1024;
/// A block may be cut into so many frames. Each is a chance to make this side work for nothing.
const MAX_CONTINUATIONS: u32 = 64;
/// A payload of less than this part of its buffer is copied, so that a small message does not hold a large buffer.
const WORTH_HOLDING: usize = 4;

/// How far the beginning of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client's preface is awaited.
    Preface,
    /// The peer's SETTINGS are awaited.
    FirstSettings,
    Open,
}

/// A header block of which CONTINUATION frames are awaited.
#[derive(Debug)]
pub(super) struct PartialBlock {
    stream: u32,
    end: bool,
    bytes: Vec<u8>,
    frames: u32,
    /// What is wrong with its priority.
    wrong: Option<Fault>,
}

impl Connection {
    /// Takes in what was read: whole frames are taken off `buffer`, the beginning of the next one is left.
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
        while self.wants_read() {
            match self.take_frame(buffer) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Fault::Stream(id, code)) => self.refuse(id, code),
                Err(Fault::Connection(code, reason)) => return Err(self.fail(code, reason)),
            }
        }
        self.stats.throttled += 1;
        Ok(())
    }

    /// Whether the peer may go on: it may not while it has sent too much that does no work, or does not read the answers.
    pub fn wants_read(&self) -> bool {
        self.throttle.allows() && self.output.len() < MAX_BACKLOG
    }

    /// The peer has closed its side of the socket, or the socket broke: streams that have not ended never will.
    pub fn handle_close(&mut self) {
        let ids: Vec<u32> = self.streams.keys().copied().collect();
        let code = self.peer_went.as_ref().map_or(ErrorCode::NO_ERROR, |(_, code, _)| *code);
        for id in ids {
            self.forget(id, Closed::ResetByPeer);
            self.events.push_back(Event::Reset { id, code, by_peer: true, unprocessed: false });
        }
    }

    fn fail(&mut self, code: ErrorCode, reason: &'static str) -> ConnectionError {
        let error = ConnectionError::Peer { code, reason };
        let last = self.last_peer_id;
        self.output.write(|to| goaway::put(last, code, reason, to));
        self.error = Some(error.clone());
        error
    }

    /// Resets a stream whose peer broke a rule.
    fn refuse(&mut self, id: u32, code: ErrorCode) {
        self.throttle.charge();
        self.output.write(|to| reset::put(id, code, to));
        if self.streams.contains_key(&id) {
            self.forget(id, Closed::ResetHere);
            self.events.push_back(Event::Reset { id, code, by_peer: false, unprocessed: false });
        } else if !self.is_idle(id) {
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
            buffer.reserve(HEAD_LEN + head.len - buffer.len());
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
                self.throttle.charge();
                Ok(())
            }
        }
    }

    fn take_data(&mut self, head: FrameHead, buffer: &mut BytesMut) -> Result<(), Fault> {
        let id = head.stream;
        if id == 0 {
            return Err(protocol("DATA on stream 0"));
        }
        let range = unpadded(head, &buffer[HEAD_LEN..HEAD_LEN + head.len])?;
        let taken = self.check_data(head, range.len());
        if taken.is_err() || range.is_empty() || self.streams.get(&id).is_none_or(|stream| stream.unread) {
            buffer.advance(HEAD_LEN + head.len);
            if !self.recv_window.received(head.len) {
                return Err(Fault::Connection(ErrorCode::FLOW_CONTROL_ERROR, "DATA over the window of the connection"));
            }
            self.recv_window.read(head.len);
            self.raise_connection_window();
            taken?;
            if let Some(mut stream) = self.streams.remove(&id) {
                stream.recv_window.read(head.len);
                if stream.recv == Half::Body {
                    self.widen(id, &mut stream);
                }
                let (unread, end) = (stream.unread, stream.recv == Half::Done);
                self.streams.insert(id, stream);
                if end && !unread {
                    self.events.push_back(Event::Data { id, data: Bytes::new(), end });
                }
                self.close_if_ended(id);
            }
            return Ok(());
        }
        if !self.recv_window.received(head.len) {
            return Err(Fault::Connection(ErrorCode::FLOW_CONTROL_ERROR, "DATA over the window of the connection"));
        }
        let small = range.len() < buffer.capacity() / WORTH_HOLDING;
        let data = if small {
            let data = Bytes::copy_from_slice(&buffer[HEAD_LEN + range.start..HEAD_LEN + range.end]);
            buffer.advance(HEAD_LEN + head.len);
            data
        } else {
            buffer.advance(HEAD_LEN + range.start);
            let data = buffer.split_to(range.len()).freeze();
            buffer.advance(head.len - range.end);
            data
        };
        let padding = head.len - range.len();
        if padding > 0 {
            self.read(id, padding);
        }
        self.stats.data_frames_received += 1;
        self.measure(data.len());
        let end = head.has(END_STREAM);
        self.events.push_back(Event::Data { id, data, end });
        self.close_if_ended(id);
        Ok(())
    }

    /// Whether a stream takes this DATA; notes it if so.
    fn check_data(&mut self, head: FrameHead, len: usize) -> Result<(), Fault> {
        let (id, end) = (head.stream, head.has(END_STREAM));
        if len == 0 && !end {
            self.throttle.charge();
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return self.on_closed(id, "DATA on a stream that is not open");
        };
        match stream.recv {
            Half::Body => {}
            Half::Head => return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR)),
            Half::Done => return Err(Fault::Stream(id, ErrorCode::STREAM_CLOSED)),
        }
        if !stream.recv_window.received(head.len) {
            return Err(Fault::Stream(id, ErrorCode::FLOW_CONTROL_ERROR));
        }
        if let Some(left) = &mut stream.content_left {
            match left.checked_sub(len as u64) {
                Some(rest) if rest == 0 || !end => *left = rest,
                _ => return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR)),
            }
        }
        if end {
            stream.recv = Half::Done;
        }
        Ok(())
    }

    /// A frame for a stream that is not there: late, or wrong.
    fn on_closed(&mut self, id: u32, idle: &'static str) -> Result<(), Fault> {
        if self.is_idle(id) {
            return Err(protocol(idle));
        }
        self.throttle.charge();
        match self.recent.get(id) {
            Some(Closed::ResetHere) => Ok(()),
            Some(Closed::Ended) => {
                Err(Fault::Connection(ErrorCode::STREAM_CLOSED, "a frame for a stream that the peer had ended"))
            }
            Some(Closed::ResetByPeer) => Err(Fault::Stream(id, ErrorCode::STREAM_CLOSED)),
            // Forgotten, or passed over by a GOAWAY of this side.
            None => Ok(()),
        }
    }

    fn take_headers(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        let id = head.stream;
        if id == 0 {
            return Err(protocol("HEADERS on stream 0"));
        }
        // An error in the priority is the stream's; the block is read all the same, for the table's sake.
        let (range, wrong) = match headers::block(head, payload) {
            Ok(range) => (range, None),
            Err(fault @ Fault::Stream(..)) => (unpadded(head, payload)?, Some(fault)),
            Err(fault) => return Err(fault),
        };
        let range = if wrong.is_some() { range.start + 5..range.end } else { range };
        let end = head.has(END_STREAM);
        if head.has(END_HEADERS) {
            return self.take_block(id, &payload[range], end, wrong);
        }
        self.partial = Some(PartialBlock { stream: id, end, bytes: payload[range].to_vec(), frames: 0, wrong });
        Ok(())
    }

    fn take_continuation(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        let Some(mut partial) = self.partial.take() else {
            return Err(protocol("CONTINUATION without HEADERS before it"));
        };
        partial.frames += 1;
        partial.bytes.extend_from_slice(payload);
        if partial.frames > MAX_CONTINUATIONS || partial.bytes.len() > 4 * self.config.max_header_list_size as usize {
            return Err(Fault::Connection(ErrorCode::ENHANCE_YOUR_CALM, "a header block without an end"));
        }
        if head.has(END_HEADERS) {
            return self.take_block(partial.stream, &partial.bytes, partial.end, partial.wrong);
        }
        self.partial = Some(partial);
        Ok(())
    }

    /// A whole header block.
    fn take_block(&mut self, id: u32, bytes: &[u8], end: bool, wrong: Option<Fault>) -> Result<(), Fault> {
        let limit = self.config.max_header_list_size as usize;
        let mut block = Block::default();
        let read = self.decoder.decode(bytes, |name, value, size| block.take(name, value, size, limit));
        read.map_err(|error: HpackError| {
            let reason = match error {
                HpackError::Truncated => "a header block is cut off",
                HpackError::Integer => "a header block has an integer that is too large",
                HpackError::Index => "a header block has an index that is in no table",
                HpackError::Huffman => "a header block has a string that is not in the Huffman code",
                HpackError::TableSize => "a header block sets the size of its table wrongly",
            };
            Fault::Connection(ErrorCode::COMPRESSION_ERROR, reason)
        })?;
        if let Some(fault) = wrong {
            if !self.is_local(id) {
                self.last_peer_id = self.last_peer_id.max(id);
            }
            return Err(fault);
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return self.take_first_block(id, block, end);
        };
        let malformed = |_| Fault::Stream(id, ErrorCode::PROTOCOL_ERROR);
        let too_large = block.is_larger_than(limit);
        match stream.recv {
            Half::Done => Err(Fault::Stream(id, ErrorCode::STREAM_CLOSED)),
            Half::Body => {
                if !end || stream.content_left.is_some_and(|left| left > 0) || too_large {
                    return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR));
                }
                let fields = block.trailers().map_err(malformed)?;
                stream.recv = Half::Done;
                if !stream.unread {
                    self.events.push_back(Event::Trailers { id, fields });
                }
                self.close_if_ended(id);
                Ok(())
            }
            Half::Head => {
                if too_large {
                    return Err(Fault::Stream(id, ErrorCode::ENHANCE_YOUR_CALM));
                }
                let (status, fields) = block.response().map_err(malformed)?;
                if status.is_informational() {
                    self.throttle.charge();
                    let allowed = !end && status != StatusCode::SWITCHING_PROTOCOLS;
                    return if allowed { Ok(()) } else { Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR)) };
                }
                self.begin_message(id, Head::Response(status), fields, end)
            }
        }
    }

    /// A block for a stream that is not there: a new request, or something late or wrong.
    fn take_first_block(&mut self, id: u32, block: Block, end: bool) -> Result<(), Fault> {
        if self.role == Role::Client {
            return self.on_closed(id, "HEADERS on a stream that the client did not open");
        }
        if self.is_local(id) {
            return Err(protocol("HEADERS on a stream with an even id"));
        }
        if id <= self.last_peer_id {
            return match self.recent.get(id) {
                None => Err(protocol("HEADERS with an id below those before")),
                Some(_) => self.on_closed(id, ""),
            };
        }
        if let Drain::Last(last) = self.drain
            && id > last
        {
            // It was told that this one would not be looked at.
            self.throttle.charge();
            return Ok(());
        }
        self.last_peer_id = id;
        if self.open_by_peer >= self.config.max_concurrent_streams as usize {
            return Err(Fault::Stream(id, ErrorCode::REFUSED_STREAM));
        }
        let too_large = block.is_larger_than(self.config.max_header_list_size as usize);
        let request = block.request();
        if !too_large && request.is_err() {
            return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR));
        }
        self.open_by_peer += 1;
        self.stats.streams_started += 1;
        let mut stream = Stream::new(self.config.stream_window, self.peer.initial_window);
        stream.unread = too_large;
        self.streams.insert(id, stream);
        match request {
            Ok((head, fields)) if !too_large => self.begin_message(id, Head::Request(head), fields, end),
            _ => {
                // RFC 6585 section 5: the client is told what is wrong with its request.
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.recv = if end { Half::Done } else { Half::Body };
                }
                self.throttle.charge();
                self.respond(id, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &HeaderMap::new(), true);
                Ok(())
            }
        }
    }

    fn begin_message(&mut self, id: u32, head: Head, fields: HeaderMap, end: bool) -> Result<(), Fault> {
        let length = head::content_length(&fields).map_err(|_| Fault::Stream(id, ErrorCode::PROTOCOL_ERROR))?;
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(()) };
        let no_body = matches!(head, Head::Response(StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT));
        if end && length.is_some_and(|length| length > 0) && !no_body {
            return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR));
        }
        stream.content_left = length.filter(|_| !no_body);
        stream.recv = if end { Half::Done } else { Half::Body };
        if !end {
            // The windows may have grown since they were announced.
            if let Some(mut stream) = self.streams.remove(&id) {
                self.widen(id, &mut stream);
                self.streams.insert(id, stream);
            }
        }
        self.events.push_back(Event::Headers { id, head, fields, end });
        self.close_if_ended(id);
        Ok(())
    }

    fn take_priority(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        self.throttle.charge();
        if head.stream == 0 {
            return Err(protocol("PRIORITY on stream 0"));
        }
        match payload.first_chunk::<5>() {
            Some(priority) if payload.len() == 5 => headers::check_priority(head.stream, priority),
            _ => Err(Fault::Stream(head.stream, ErrorCode::FRAME_SIZE_ERROR)),
        }
    }

    fn take_reset(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        let (id, code) = (head.stream, reset::parse(payload)?);
        if id == 0 || self.is_idle(id) {
            return Err(protocol("RST_STREAM on a stream that is idle"));
        }
        self.throttle.charge();
        if self.streams.contains_key(&id) {
            self.forget(id, Closed::ResetByPeer);
            let unprocessed = code == ErrorCode::REFUSED_STREAM;
            self.events.push_back(Event::Reset { id, code, by_peer: true, unprocessed });
        }
        Ok(())
    }

    fn take_settings(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("SETTINGS on a stream"));
        }
        self.throttle.charge();
        if head.has(ACK) {
            return if payload.is_empty() { Ok(()) } else { Err(frame_size("an ack of SETTINGS with a payload")) };
        }
        for setting in settings::parse(payload)? {
            self.apply(setting?)?;
        }
        self.output.write(settings::put_ack);
        self.phase = Phase::Open;
        if !self.peer.known {
            self.peer.known = true;
            self.events.push_back(Event::Ready);
        }
        Ok(())
    }

    fn apply(&mut self, setting: Setting) -> Result<(), Fault> {
        match setting {
            Setting::HeaderTableSize(size) => self.encoder.allow(size as usize),
            Setting::EnablePush(on) => {
                if on && self.role == Role::Client {
                    return Err(protocol("a server cannot enable push"));
                }
            }
            Setting::MaxConcurrentStreams(max) => {
                let before = std::mem::replace(&mut self.peer.max_concurrent_streams, max as usize);
                if self.peer.known && self.peer.max_concurrent_streams > before {
                    self.events.push_back(Event::StreamFreed);
                }
            }
            Setting::InitialWindowSize(size) => {
                let by = i64::from(size) - i64::from(self.peer.initial_window);
                self.peer.initial_window = size;
                // The work is that of a frame for each stream.
                (0..self.streams.len() / 16).for_each(|_| self.throttle.charge());
                if !self.streams.values_mut().all(|stream| stream.send_window.grow(by)) {
                    let reason = "SETTINGS_INITIAL_WINDOW_SIZE makes the window of a stream too large";
                    return Err(Fault::Connection(ErrorCode::FLOW_CONTROL_ERROR, reason));
                }
                let ids: Vec<u32> = self.streams.keys().copied().collect();
                ids.into_iter().for_each(|id| self.line_up(id));
            }
            Setting::MaxFrameSize(size) => self.peer.max_frame = size as usize,
            Setting::MaxHeaderListSize(size) => self.peer.max_header_list = Some(size),
        }
        Ok(())
    }

    fn take_ping(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("PING on a stream"));
        }
        let payload = ping::parse(payload)?;
        self.throttle.charge();
        if !head.has(ACK) {
            self.stats.pings_received += 1;
            self.output.write(|to| ping::put(payload, true, to));
            return Ok(());
        }
        match payload {
            bandwidth::PAYLOAD => self.measured(),
            DRAIN_PING if self.drain == Drain::Announced => self.go_away(ErrorCode::NO_ERROR, ""),
            payload => self.events.push_back(Event::Pong { payload }),
        }
        Ok(())
    }

    fn take_goaway(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("GOAWAY on a stream"));
        }
        let said = goaway::parse(payload)?;
        self.throttle.charge();
        let lost: Vec<u32> = self.streams.keys().copied().filter(|id| self.is_local(*id) && *id > said.last).collect();
        for id in lost {
            self.forget(id, Closed::ResetByPeer);
            let code = ErrorCode::REFUSED_STREAM;
            self.events.push_back(Event::Reset { id, code, by_peer: true, unprocessed: true });
        }
        self.events.push_back(Event::GoAway { code: said.code, debug: said.debug.clone() });
        self.peer_went = Some((said.last, said.code, said.debug));
        Ok(())
    }

    fn take_window_update(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        let (id, by) = (head.stream, window_update::parse(payload)?);
        self.throttle.charge();
        if id == 0 {
            if by == 0 {
                return Err(protocol("a WINDOW_UPDATE of 0"));
            }
            if !self.send_window.grow(by.into()) {
                return Err(Fault::Connection(
                    ErrorCode::FLOW_CONTROL_ERROR,
                    "the window of the connection is too large",
                ));
            }
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return if self.is_idle(id) { Err(protocol("WINDOW_UPDATE on a stream that is idle")) } else { Ok(()) };
        };
        if by == 0 {
            return Err(Fault::Stream(id, ErrorCode::PROTOCOL_ERROR));
        }
        if !stream.send_window.grow(by.into()) {
            return Err(Fault::Stream(id, ErrorCode::FLOW_CONTROL_ERROR));
        }
        self.line_up(id);
        Ok(())
    }
}
