//! A connection, or a socket that is listened on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::counts::{Counter, LastTime, Moment};
use super::registry::SOCKETS;
use crate::address::Address;

/// What went over a connection so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketCounts {
    /// How many streams were opened: each is one attempt of a call.
    pub streams_started: u64,
    /// How many of them ended with the server's END_STREAM, whatever the status of the call.
    pub streams_succeeded: u64,
    /// How many of them were cut off: reset, or lost with the connection.
    pub streams_failed: u64,
    /// How many messages were sent.
    pub messages_sent: u64,
    /// How many messages were received.
    pub messages_received: u64,
    /// When this side last opened a stream.
    pub last_local_stream_created: Option<SystemTime>,
    /// When the other side last opened a stream.
    pub last_remote_stream_created: Option<SystemTime>,
    /// When the last message was sent.
    pub last_message_sent: Option<SystemTime>,
    /// When the last message was received.
    pub last_message_received: Option<SystemTime>,
}

/// A connection and what went over it, or a socket that is listened on.
#[derive(Debug)]
pub struct SocketStats {
    id: u64,
    local: Option<Address>,
    remote: Option<Address>,
    streams_started: Counter,
    streams_succeeded: Counter,
    streams_failed: Counter,
    messages_sent: Counter,
    messages_received: Counter,
    last_local_stream: LastTime,
    last_remote_stream: LastTime,
    last_message_sent: LastTime,
    last_message_received: LastTime,
}

impl SocketStats {
    fn new(local: Option<Address>, remote: Option<Address>) -> Arc<SocketStats> {
        SOCKETS.add(|id| SocketStats {
            id,
            local,
            remote,
            streams_started: Counter::default(),
            streams_succeeded: Counter::default(),
            streams_failed: Counter::default(),
            messages_sent: Counter::default(),
            messages_received: Counter::default(),
            last_local_stream: LastTime::default(),
            last_remote_stream: LastTime::default(),
            last_message_sent: LastTime::default(),
            last_message_received: LastTime::default(),
        })
    }

    pub(super) fn listener(local: Address) -> Arc<SocketStats> {
        SocketStats::new(Some(local), None)
    }

    pub(super) fn connection(local: Option<Address>, remote: Option<Address>) -> Arc<SocketStats> {
        SocketStats::new(local, remote)
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The address of this side, where there is one.
    pub fn local(&self) -> Option<&Address> {
        self.local.as_ref()
    }

    /// The address of the other side; `None` for a socket that is listened on.
    pub fn remote(&self) -> Option<&Address> {
        self.remote.as_ref()
    }

    /// What went over it.
    pub fn counts(&self) -> SocketCounts {
        // What has ended is read first, so that no more ended than were opened.
        let (streams_succeeded, streams_failed) = (self.streams_succeeded.get(), self.streams_failed.get());
        SocketCounts {
            streams_started: self.streams_started.get(),
            streams_succeeded,
            streams_failed,
            messages_sent: self.messages_sent.get(),
            messages_received: self.messages_received.get(),
            last_local_stream_created: self.last_local_stream.get(),
            last_remote_stream_created: self.last_remote_stream.get(),
            last_message_sent: self.last_message_sent.get(),
            last_message_received: self.last_message_received.get(),
        }
    }

    /// Counts a stream that this side has opened.
    pub(crate) fn open_local(self: &Arc<Self>, now: Moment) -> StreamRecord {
        self.last_local_stream.set(now);
        self.open(now)
    }

    /// Counts a stream that the other side has opened.
    pub(crate) fn open_remote(self: &Arc<Self>, now: Moment) -> StreamRecord {
        self.last_remote_stream.set(now);
        self.open(now)
    }

    fn open(self: &Arc<Self>, now: Moment) -> StreamRecord {
        self.streams_started.add();
        let record = StreamRecord { socket: self.clone(), now: LastTime::default(), ended: AtomicBool::new(false) };
        record.note_time(now);
        record
    }
}

impl Drop for SocketStats {
    fn drop(&mut self) {
        SOCKETS.remove(self.id);
    }
}

/// Counts what goes over one stream; without an [`end`](Self::end) it has failed.
#[derive(Debug)]
pub(crate) struct StreamRecord {
    socket: Arc<SocketStats>,
    /// About what time it is.
    now: LastTime,
    ended: AtomicBool,
}

impl StreamRecord {
    /// What is counted from now on happens at about this time.
    pub(crate) fn note_time(&self, now: Moment) {
        self.now.set(now);
    }

    pub(crate) fn message_sent(&self) {
        self.socket.messages_sent.add();
        self.socket.last_message_sent.set(self.now.moment());
    }

    pub(crate) fn message_received(&self) {
        self.socket.messages_received.add();
        self.socket.last_message_received.set(self.now.moment());
    }

    /// The server has ended the stream.
    pub(crate) fn end(&self) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            self.socket.streams_succeeded.add();
        }
    }
}

impl Drop for StreamRecord {
    fn drop(&mut self) {
        if !*self.ended.get_mut() {
            self.socket.streams_failed.add();
        }
    }
}
