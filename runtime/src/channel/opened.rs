//! A call's stream, and what is counted of it.

use std::fmt;
use std::sync::Arc;

use super::balancer::{CallOutcome, OnDone};
use crate::metadata::Metadata;
use crate::stats::{Moment, StreamRecord, SubchannelStats};
use crate::status::Code;
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
    over: bool,
}

impl CallRecord {
    pub(super) fn new(stats: Arc<SubchannelStats>, stream: StreamRecord, on_done: Option<OnDone>) -> Self {
        CallRecord { stats, stream, on_done, over: false }
    }

    pub(super) fn message_sent(&self) {
        self.stream.note_time(Moment::now());
        self.stream.message_sent();
    }

    /// As [`message_sent`](Self::message_sent), for one of many: the clock is read with the first that leaves together.
    pub(super) fn small_message_sent(&self, first: bool) {
        if first {
            self.stream.note_time(Moment::now());
        }
        self.stream.message_sent();
    }

    pub(super) fn message_received(&self) {
        self.stream.message_received();
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

    /// The call has ended with this code, and with what the server sent behind its messages.
    pub(super) fn end(&mut self, code: Code, trailing_metadata: Option<&Metadata>) {
        if !std::mem::replace(&mut self.over, true) {
            self.stats.counter().end(code == Code::Ok);
            if let Some(done) = self.on_done.take() {
                done(&CallOutcome { code: Some(code), trailing_metadata });
            }
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.end(Code::Cancelled, None);
    }
}

impl fmt::Debug for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRecord").field("over", &self.over).finish_non_exhaustive()
    }
}
