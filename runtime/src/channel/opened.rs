//! A call's stream, and what is counted of it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::balancer::{CallOutcome, OnDone};
use super::interceptor::AttemptTracers;
use crate::call::MessageEvent;
use crate::metadata::Metadata;
use crate::stats::{Moment, StreamRecord, SubchannelStats};
use crate::status::{Code, Status};
use crate::transport::client::{Permit, ReplyStream, SendStream};
use crate::transport::{Address, Event};

/// A call that has its stream.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) send: SendStream,
    pub(super) recv: ReplyStream,
    pub(super) peer: Address,
    pub(super) record: CallRecord,
    /// Gives the stream's place to the next call when this is dropped.
    pub(super) _permit: Permit,
}

/// Counts one call on its subchannel; one that is dropped without its end has failed.
pub(super) struct CallRecord {
    stats: Arc<SubchannelStats>,
    stream: StreamRecord,
    on_done: Option<OnDone>,
    tracers: AttemptTracers,
    over: bool,
}

impl CallRecord {
    pub(super) fn new(
        stats: Arc<SubchannelStats>,
        stream: StreamRecord,
        on_done: Option<OnDone>,
        tracers: AttemptTracers,
    ) -> Self {
        CallRecord { stats, stream, on_done, tracers, over: false }
    }

    pub(super) fn message_sent(&self, message: MessageEvent) {
        self.small_message_sent(true, message);
    }

    /// As [`message_sent`](Self::message_sent), for one of many: the clock is read with the first that leaves together.
    pub(super) fn small_message_sent(&self, first: bool, message: MessageEvent) {
        if first {
            self.stream.note_time(Moment::now());
        }
        self.stream.message_sent();
        self.tracers.sent(message);
    }

    /// Messages were sent again, so many in these parts of what was sent.
    pub(super) fn messages_sent_again(&self, count: usize, parts: &[Bytes]) {
        self.stream.note_time(Moment::now());
        (0..count).for_each(|_| self.stream.message_sent());
        if !self.tracers.is_empty() {
            parts.iter().flat_map(|part| MessageEvent::of_frames(part)).for_each(|message| self.tracers.sent(message));
        }
    }

    pub(super) fn message_received(&self, message: MessageEvent) {
        self.stream.message_received();
        self.tracers.received(message);
    }

    /// Notes what the server sent.
    pub(super) fn event(&self, event: &Event) {
        // The messages in it are counted soon after this.
        self.stream.note_time(Moment::now());
        match event {
            Event::Headers { end: true, .. } | Event::Trailers(_) | Event::End => self.stream.end(),
            Event::Headers { end: false, .. } | Event::Data { .. } => {}
        }
    }

    /// The call has ended with this status, OK where there is none, and with what the server sent behind its messages.
    pub(super) fn end(&mut self, status: Option<&Status>, trailing_metadata: Option<&Metadata>) {
        if !std::mem::replace(&mut self.over, true) {
            let code = status.map_or(Code::Ok, Status::code);
            if !self.tracers.is_empty() {
                self.tracers.ended(status.unwrap_or(&Status::new(Code::Ok, "")));
            }
            self.stats.counter().end(code == Code::Ok);
            if let Some(done) = self.on_done.take() {
                done(&CallOutcome { code: Some(code), trailing_metadata });
            }
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        if !self.over {
            self.end(Some(&Status::cancelled("the call was given up")), None);
        }
    }
}

impl fmt::Debug for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRecord").field("over", &self.over).finish_non_exhaustive()
    }
}
