//! What a connection tells of.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::ErrorCode;
use crate::fields::Fields;
use crate::head::Headers;

/// What happened on a connection; [`Connection::poll_event`](super::Connection::poll_event) gives them in their order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The peer's settings are known for the first time: the connection can be used.
    Ready,
    /// A request at the server, a response at the client. Informational responses are left out.
    Headers {
        /// The stream, new at the server.
        id: u32,
        /// The headers; shared with those of other streams that the peer sent in the same bytes.
        headers: Arc<Headers>,
        /// Whether this is all.
        end: bool,
    },
    /// A part of a body. Its bytes count as unread until [`Connection::read`](super::Connection::read) says otherwise.
    ///
    /// Parts of less than 1 KiB are gathered once 256 of them are unread on a stream, and come as one when all that was
    /// passed on is read, or at the end: so what is passed on has to be read although a message is not whole yet. What was
    /// gathered is lost where the stream is reset.
    Data {
        /// The stream.
        id: u32,
        /// The bytes.
        data: Bytes,
        /// Whether this is all.
        end: bool,
    },
    /// The end of a message that has trailers.
    Trailers {
        /// The stream.
        id: u32,
        /// The trailers.
        fields: Fields,
    },
    /// A stream ended before its time. Nothing more comes of it, and nothing more can be sent; what had come was told before.
    Reset {
        /// The stream.
        id: u32,
        /// Why.
        code: ErrorCode,
        /// Whether the peer said so; else this side did, because the peer broke a rule.
        by_peer: bool,
        /// Whether the peer surely did nothing with it (REFUSED_STREAM, or an id above a GOAWAY's), so that it can be sent
        /// again (gRFC A6).
        unprocessed: bool,
    },
    /// A stream that had no room to send has some again.
    Writable {
        /// The stream.
        id: u32,
    },
    /// There may be room for more streams than before: one ended, or the peer allows more.
    StreamFreed,
    /// The peer takes no more streams; those up to its last id go on.
    GoAway {
        /// Why.
        code: ErrorCode,
        /// Why in words, where it gave some.
        debug: String,
    },
    /// A PING of [`Connection::ping`](super::Connection::ping) has come back.
    Pong {
        /// Its payload.
        payload: [u8; 8],
    },
}
