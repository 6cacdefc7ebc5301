//! What leaves: header blocks as they are made, bodies as the windows allow, in turn.

use bytes::Bytes;

use super::event::Event;
use super::{Connection, FRAMES_PER_WORK};
use crate::fields::Fields;
use crate::frame::settings::{self, MAX_WINDOW, Setting};
use crate::frame::{data, headers, ping, window_update};
use crate::head::{self, Pseudo};
use crate::output::Output;
use crate::stream::{End, Half};

use super::bandwidth;

/// How much is made ready for one write, in bytes: enough to fill a socket's buffer, and little enough that a stream which
/// has something urgent waits for no more than this.
const ENOUGH: usize = 128 * 1024;
/// The largest payload of one DATA frame, in bytes, however much the peer takes: streams take turns by frames.
pub(super) const MAX_TURN: usize = 64 * 1024;
/// A part that the peer's window cut off is worth something from this on, in bytes.
const WORTH_SENDING: usize = 1024;

impl Connection {
    /// What is to be written now; `None` when there is nothing. Written bytes are taken off by
    /// [`Output::advance`], and this is called again until it gives nothing.
    pub fn poll_transmit(&mut self) -> Option<&mut Output> {
        while self.error.is_none()
            && self.output.len() < ENOUGH
            && let Some(id) = self.next_in_line()
        {
            self.turn(id);
        }
        if self.output.is_empty() { None } else { Some(&mut self.output) }
    }

    /// Whose turn it is: those that the connection's window had stopped have waited longest.
    fn next_in_line(&mut self) -> Option<u32> {
        let stopped = if self.send_window.room() > 0 { self.stopped.pop_front() } else { None };
        stopped.or_else(|| self.line.pop_front())
    }

    /// Puts a stream in line, if it can send something.
    pub(super) fn line_up(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(id)
            && !stream.in_line
            && stream.can_send()
        {
            stream.in_line = true;
            self.line.push_back(id);
        }
    }

    /// Whether what a stream sends can be written at once: nobody waits for a turn, and not too much waits to be written.
    pub(super) fn turn_is_free(&self) -> bool {
        self.line.is_empty() && self.stopped.is_empty() && self.output.len() < ENOUGH && self.error.is_none()
    }

    /// Sends one frame of a stream, or its end.
    fn turn(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.in_line = false;
        if let Some(front) = stream.queue.front_mut() {
            let window = self.send_window.room().min(stream.send_window.room());
            if window == 0 {
                // The window of the stream lines it up again; that of the connection finds it among those it stopped.
                if stream.send_window.room() > 0 {
                    stream.in_line = true;
                    self.stopped.push_back(id);
                }
                return;
            }
            let is_cut = window < front.len();
            let part = front.split_to(front.len().min(window).min(self.peer.max_frame).min(MAX_TURN));
            if front.is_empty() {
                stream.queue.pop_front();
            }
            stream.queued -= part.len();
            self.queued -= part.len();
            let end = stream.queue.is_empty() && matches!(stream.end, Some(End::Data));
            if end {
                stream.end = None;
            }
            if stream.wants_room {
                stream.wants_room = false;
                self.events.push_back(Event::Writable { id });
            }
            // A peer that gives its window by the byte makes work, and has not had any done.
            if !is_cut || part.len() >= WORTH_SENDING {
                self.throttle.earn(FRAMES_PER_WORK);
            }
            self.write_data(id, part, end);
        }
        self.finish(id);
        self.line_up(id);
        self.close_if_ended(id);
    }

    /// Writes a DATA frame that the windows have room for.
    pub(super) fn write_data(&mut self, id: u32, data: Bytes, end: bool) {
        let len = data.len();
        if let Some(stream) = self.streams.get_mut(id) {
            stream.send_window.sent(len);
        }
        self.send_window.sent(len);
        self.stats.data_frames_sent += 1;
        self.output.write(|to| data::put(id, len, end, to));
        self.output.payload(data);
    }

    /// Sends what ends a stream, if nothing is before it.
    fn finish(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.queue.is_empty()) else { return };
        match stream.end.take() {
            Some(End::Trailers(fields)) => self.write_headers(id, Pseudo::Trailers, &fields, true),
            Some(End::Data) => self.output.write(|to| data::put(id, 0, true, to)),
            None => {}
        }
    }

    pub(super) fn write_headers(&mut self, id: u32, pseudo: Pseudo<'_>, fields: &Fields, end: bool) {
        self.stats.headers_sent += 1;
        self.block.clear();
        head::encode(pseudo, fields, &mut self.encoder, &mut self.block);
        let (block, max_frame) = (&self.block, self.peer.max_frame);
        self.output.write(|to| headers::put(id, block, end, max_frame, to));
    }

    /// Lets the peer send more on a stream.
    pub(super) fn widen(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.recv == Half::Body) else { return };
        let by = stream.recv_window.update(self.stream_window, self.stream_window as usize);
        if by > 0 {
            self.output.write(|to| window_update::put(id, by, to));
        }
    }

    /// Lets the peer send more on the connection, as far as not too much is unread.
    pub(super) fn raise_connection_window(&mut self) {
        let by = self.recv_window.update(self.connection_window, self.config.max_buffered);
        if by > 0 {
            self.output.write(|to| window_update::put(0, by, to));
        }
    }

    /// Notes data for the measurement of the path, and begins one.
    pub(super) fn measure(&mut self, bytes: usize) {
        if self.stream_window < self.config.max_stream_window && self.bandwidth.received(bytes, self.stream_window) {
            self.pings = self.pings.saturating_add(1);
            self.output.write(|to| ping::put(bandwidth::PAYLOAD, false, to));
        }
    }

    /// A measurement has ended: the windows double where they were nearly full.
    pub(super) fn measured(&mut self) {
        // Where it is the application that does not keep up, more room would only hold more.
        let keeps_up = self.recv_window.unread() < self.stream_window as usize / 2;
        let before = self.stream_window;
        // Nor may all streams together hold more than there is for them, should they all stand unread one day.
        let fits = before as usize * 4 * self.streams.len().max(1) <= self.config.max_buffered;
        if self.bandwidth.answered(self.stream_window) && keeps_up && fits && self.acknowledged {
            self.stream_window = before.saturating_mul(2).min(self.config.max_stream_window);
            // One frame for all streams, those to come included.
            let by = i64::from(self.stream_window) - i64::from(before);
            self.streams.values_mut().for_each(|stream| stream.recv_window.shift(by));
            let window = Setting::InitialWindowSize(self.stream_window);
            self.output.write(|to| settings::put(&[window], to));
            let connection = self.stream_window.saturating_mul(2).max(self.connection_window);
            self.connection_window =
                connection.min(u32::try_from(self.config.max_buffered).unwrap_or(MAX_WINDOW)).min(MAX_WINDOW);
            self.raise_connection_window();
        }
    }
}
