//! A connection of a channel to one address, and what is counted of it.

use std::sync::Arc;

use bytes::Bytes;

use crate::call::ConnectivityState;
use crate::stats::{Moment, SocketStats, StreamRecord, SubchannelStats};
use crate::transport::client::{self, Closer, Connection, Permit, ReplyStream, RequestHead, SendStream};
use crate::transport::{Address, ConnectError, ConnectOptions, Event, StreamError};

/// A connection; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Subchannel {
    connection: Connection,
    stats: Arc<SubchannelStats>,
    socket: Arc<SocketStats>,
}

/// A call that has its stream.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) send: SendStream,
    pub(super) recv: ReplyStream,
    pub(super) peer: Address,
    pub(super) record: CallRecord,
    /// Gives the stream's place to the next call when this is dropped.
    _permit: Permit,
}

/// Counts one call on its subchannel; one that is dropped without its end has failed.
#[derive(Debug)]
pub(super) struct CallRecord {
    stats: Arc<SubchannelStats>,
    stream: StreamRecord,
    over: bool,
}

impl Subchannel {
    /// Connects to the address of these counters.
    pub(super) async fn connect(
        stats: &Arc<SubchannelStats>,
        options: &ConnectOptions,
    ) -> Result<Subchannel, ConnectError> {
        stats.enter(ConnectivityState::Connecting, None);
        match client::connect(stats.address(), options).await {
            Ok(connection) => {
                let socket = stats.connected(connection.local_address().cloned());
                stats.enter(ConnectivityState::Ready, None);
                Ok(Subchannel { connection, stats: stats.clone(), socket })
            }
            Err(error) => {
                stats.enter(ConnectivityState::TransientFailure, Some(error.to_string()));
                Err(error)
            }
        }
    }

    /// Whether the server allows one more stream.
    pub(super) fn has_room(&self) -> bool {
        self.connection.has_room()
    }

    /// The largest header list that the server takes, in bytes.
    pub(super) fn header_limit(&self) -> usize {
        self.connection.header_limit()
    }

    /// Opens a stream; with a first message it goes out in the same write, and `end` half-closes behind it.
    pub(super) fn open(&self, head: RequestHead, first: Option<Bytes>, end: bool) -> Result<Opened, StreamError> {
        let sends = first.is_some();
        let client::Opened { send, recv, permit, peer } = self.connection.open(head, first, end)?;
        let now = Moment::now();
        self.stats.counter().start(now);
        let record = CallRecord { stats: self.stats.clone(), stream: self.socket.open_local(now), over: false };
        if sends {
            record.message_sent();
        }
        Ok(Opened { send, recv, peer, record, _permit: permit })
    }

    /// Resolves as soon as the connection takes no new streams.
    pub(super) async fn draining(&self) {
        self.connection.draining().await;
    }

    /// Notes that the connection is no longer used for new calls.
    pub(super) fn rest(&self) {
        self.stats.enter(ConnectivityState::Idle, None);
    }

    /// Resolves when a stream has ended, or the server allows more of them.
    pub(super) async fn stream_freed(&self) {
        self.connection.stream_freed().await;
    }

    /// A way to close the connection at once that does not keep it open.
    pub(super) fn closer(&self) -> Closer {
        self.connection.closer()
    }
}

impl CallRecord {
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

    /// The call has ended, with OK or not.
    pub(super) fn end(&mut self, succeeded: bool) {
        if !std::mem::replace(&mut self.over, true) {
            self.stats.counter().end(succeeded);
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.end(false);
    }
}
