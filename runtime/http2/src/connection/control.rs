//! What arrives and is not part of a message: PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE.

use super::recent::Closed;
use super::{Connection, DRAIN_PING, Drain, Event, Role, bandwidth};
use crate::error::{ErrorCode, Fault, frame_size, protocol};
use crate::frame::settings::{self, Setting};
use crate::frame::{ACK, Head as FrameHead, goaway, headers, ping, reset, window_update};

use super::receive::Phase;

/// The work of a change of so many streams' windows counts like a frame that does none.
const STREAMS_PER_FRAME: usize = 16;

impl Connection {
    pub(super) fn take_priority(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        self.throttle.charge(1);
        if head.stream == 0 {
            return Err(protocol("PRIORITY on stream 0"));
        }
        match payload.first_chunk::<5>() {
            Some(priority) if payload.len() == 5 => headers::check_priority(head.stream, priority),
            _ => Err(Fault::Stream(head.stream, ErrorCode::FRAME_SIZE_ERROR)),
        }
    }

    pub(super) fn take_reset(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        let (id, code) = (head.stream, reset::parse(payload)?);
        if id == 0 || self.is_idle(id) {
            return Err(protocol("RST_STREAM on a stream that is idle"));
        }
        // Of a stream that this side opened there is one at most: that is no flood.
        let is_open = self.streams.contains(id);
        if !is_open || !self.is_local(id) {
            self.throttle.charge(1);
        }
        if is_open {
            self.forget(id, Closed::ResetByPeer);
            let unprocessed = code == ErrorCode::REFUSED_STREAM;
            self.events.push_back(Event::Reset { id, code, by_peer: true, unprocessed });
        }
        Ok(())
    }

    pub(super) fn take_settings(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("SETTINGS on a stream"));
        }
        self.throttle.charge(1);
        if head.has(ACK) {
            return if payload.is_empty() {
                self.on_acknowledged()
            } else {
                Err(frame_size("an ack of SETTINGS with a payload"))
            };
        }
        if !self.peer.known {
            // What it does not limit is not limited (section 6.5.2).
            self.peer.max_concurrent_streams = usize::MAX;
        }
        let mut initial_window = None;
        for setting in settings::parse(payload)? {
            match setting? {
                // Once a frame, since it is work for each stream.
                Setting::InitialWindowSize(size) => initial_window = Some(size),
                setting => self.apply(setting)?,
            }
        }
        if let Some(size) = initial_window {
            self.change_windows(size)?;
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
            Setting::InitialWindowSize(size) => self.change_windows(size)?,
            Setting::MaxFrameSize(size) => self.peer.max_frame = size as usize,
            Setting::MaxHeaderListSize(size) => self.peer.max_header_list = Some(size),
        }
        Ok(())
    }

    /// SETTINGS_INITIAL_WINDOW_SIZE changes the windows of all streams (section 6.9.2).
    fn change_windows(&mut self, size: u32) -> Result<(), Fault> {
        let by = i64::from(size) - i64::from(self.peer.initial_window);
        self.peer.initial_window = size;
        self.throttle.charge(self.streams.len() / STREAMS_PER_FRAME);
        if !self.streams.values_mut().all(|stream| stream.send_window.grow(by)) {
            let reason = "SETTINGS_INITIAL_WINDOW_SIZE makes the window of a stream too large";
            return Err(Fault::Connection(ErrorCode::FLOW_CONTROL_ERROR, reason));
        }
        let ids: Vec<u32> = self.streams.ids().collect();
        ids.into_iter().for_each(|id| self.line_up(id));
        Ok(())
    }

    /// The peer goes by this side's SETTINGS now: streams that began with the default window have a smaller one, where
    /// that was set.
    fn on_acknowledged(&mut self) -> Result<(), Fault> {
        if !self.acknowledged {
            let by = i64::from(self.stream_window) - i64::from(self.initial_window());
            self.acknowledged = true;
            self.streams.values_mut().for_each(|stream| stream.recv_window.shift(by));
            // What was read before counts against the smaller window.
            let ids: Vec<u32> = self.streams.ids().collect();
            ids.into_iter().for_each(|id| self.widen(id));
        }
        Ok(())
    }

    pub(super) fn take_ping(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("PING on a stream"));
        }
        let payload = ping::parse(payload)?;
        // An answer was asked for.
        let is_answer = head.has(ACK) && self.pings > 0;
        self.pings -= u32::from(is_answer);
        if !is_answer {
            self.throttle.charge(1);
        }
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

    pub(super) fn take_goaway(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("GOAWAY on a stream"));
        }
        let said = goaway::parse(payload)?;
        self.throttle.charge(1);
        // First, so that it is known why the streams end.
        self.events.push_back(Event::GoAway { code: said.code, debug: said.debug });
        let lost: Vec<u32> = self.streams.ids().filter(|id| self.is_local(*id) && *id > said.last).collect();
        for id in lost {
            self.forget(id, Closed::ResetByPeer);
            let code = ErrorCode::REFUSED_STREAM;
            self.events.push_back(Event::Reset { id, code, by_peer: true, unprocessed: true });
        }
        self.peer_went = Some(said.code);
        Ok(())
    }

    pub(super) fn take_window_update(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Fault> {
        let (id, by) = (head.stream, window_update::parse(payload)?);
        self.throttle.charge(1);
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
        let Some(stream) = self.streams.get_mut(id) else {
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
