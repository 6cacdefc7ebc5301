//! Bodies that arrive: DATA, what of it is passed on at once and what is gathered, and what the peer may send again.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};

use super::recent::Closed;
use super::{Connection, Event};
use crate::error::{ErrorCode, Fault, protocol};
use crate::frame::{END_STREAM, HEAD_LEN, Head as FrameHead, unpadded};
use crate::stream::{Half, Stream};

/// A smaller payload is copied, so that it does not hold the buffer that it arrived in. What that buffer has room for beside
/// it cannot be told from the part that is left of it.
const WORTH_HOLDING: usize = 16 * 1024;
/// A payload below this costs more memory than it has bytes, and
const TINY: usize = 1024;
/// so many of them are passed on one by one while nobody reads them; those behind them are gathered.
const MAX_PARTS: u32 = 256;

impl Connection {
    /// Bytes of a body have been read: the peer may send as many again. Also for a stream that has ended.
    pub fn read(&mut self, id: u32, bytes: usize) {
        self.recv_window.read(bytes);
        if let Some(stream) = self.streams.get_mut(id) {
            stream.recv_window.read(bytes);
            if stream.recv_window.unread() <= stream.held.len() {
                stream.parts = 0;
                pass_on_held(id, stream, false, &mut self.events);
            }
            self.widen(id);
        }
        self.raise_connection_window();
    }

    /// Nobody will read what else arrives on a stream. Once its answer is sent, the peer is told to send no more.
    pub fn stop_reading(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.unread = true;
            let held = std::mem::take(&mut stream.held).len();
            self.read(id, held);
            self.close_if_ended(id);
        }
    }

    pub(super) fn take_data(&mut self, head: FrameHead, buffer: &mut BytesMut) -> Result<(), Fault> {
        let (id, end) = (head.stream, head.has(END_STREAM));
        if id == 0 {
            return Err(protocol("DATA on stream 0"));
        }
        let range = unpadded(head, &buffer[HEAD_LEN..HEAD_LEN + head.len])?;
        self.stats.data_frames_received += 1;
        if !self.recv_window.received(head.len) {
            return Err(Fault::Connection(ErrorCode::FLOW_CONTROL_ERROR, "DATA over the window of the connection"));
        }
        let checked = self.check_data(head, range.len());
        if let Ok(true) = checked {
            // As it arrives, and not as it is read: a stream that nobody reads must not stop those beside it.
            self.raise_connection_window();
            let padding = head.len - range.len();
            self.measure(range.len());
            self.pass_on(head, range, buffer);
            if padding > 0 {
                self.read(id, padding);
            }
        } else {
            buffer.advance(HEAD_LEN + head.len);
            self.recv_window.read(head.len);
            self.raise_connection_window();
            if checked? && let Some(stream) = self.streams.get_mut(id) {
                stream.recv_window.read(head.len);
                self.widen(id);
            }
        }
        if end {
            self.close_if_ended(id);
        }
        Ok(())
    }

    /// Whether a stream takes this DATA, and somebody reads it; notes it if so.
    fn check_data(&mut self, head: FrameHead, len: usize) -> Result<bool, Fault> {
        let (id, end) = (head.stream, head.has(END_STREAM));
        if len == 0 && !end {
            self.throttle.charge(1);
        }
        let Some(stream) = self.streams.get_mut(id) else {
            // What the windows let the peer send before it knew of the reset was asked for.
            if len > 0 && self.recent.get(id) == Some(Closed::ResetHere) {
                return Ok(false);
            }
            return self.on_closed(id, "DATA on a stream that is not open").map(|()| false);
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
        Ok(!stream.unread)
    }

    /// Passes on a payload that is wanted, or gathers it behind others that nobody has read.
    fn pass_on(&mut self, head: FrameHead, range: Range<usize>, buffer: &mut BytesMut) {
        let (id, end) = (head.stream, head.has(END_STREAM));
        let payload = HEAD_LEN + range.start..HEAD_LEN + range.end;
        let Some(stream) = self.streams.get_mut(id) else { return };
        if range.len() < TINY && stream.parts >= MAX_PARTS {
            stream.held.extend_from_slice(&buffer[payload]);
            buffer.advance(HEAD_LEN + head.len);
            if end {
                pass_on_held(id, stream, true, &mut self.events);
            }
            return;
        }
        pass_on_held(id, stream, false, &mut self.events);
        let data = if range.len() < WORTH_HOLDING {
            let data = Bytes::copy_from_slice(&buffer[payload]);
            buffer.advance(HEAD_LEN + head.len);
            data
        } else {
            buffer.advance(payload.start);
            let data = buffer.split_to(range.len()).freeze();
            buffer.advance(head.len - range.end);
            data
        };
        if !data.is_empty() || end {
            stream.parts += u32::from(data.len() < TINY);
            self.events.push_back(Event::Data { id, data, end });
        }
    }

    /// A frame for a stream that is not there: late, or wrong.
    pub(super) fn on_closed(&mut self, id: u32, idle: &'static str) -> Result<(), Fault> {
        if self.is_idle(id) {
            return Err(protocol(idle));
        }
        self.throttle.charge(1);
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
}

/// Passes on what was gathered, with `end` as the last of the body.
pub(super) fn pass_on_held(id: u32, stream: &mut Stream, end: bool, events: &mut VecDeque<Event>) {
    if !stream.held.is_empty() || end {
        let data = std::mem::take(&mut stream.held).into();
        events.push_back(Event::Data { id, data, end });
    }
}
