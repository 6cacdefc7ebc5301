//! The two halves of a client's stream, and the receiving half of a server's: what goes out, and what comes in.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use super::{StreamError, http2, inproc};

/// What arrives on a stream, in this order: headers, data any number of times, trailers or a bare end.
#[derive(Debug)]
pub(crate) enum Event {
    /// The response's headers; only a client sees them, a server has them with the stream.
    Headers {
        status: u16,
        headers: HeaderMap,
        end: bool,
    },
    Data(Bytes),
    Trailers(HeaderMap),
    /// The peer half-closed without trailers.
    End,
}

/// The half that sends. Dropping it before [`finish`](Self::finish) together with the other half resets the stream with CANCEL.
#[derive(Debug)]
pub(crate) enum SendStream {
    Http2(http2::stream::SendHalf),
    Inproc(inproc::SendHalf),
}

impl SendStream {
    /// Sends as much of `data` as the windows allow; ready when all of it is on its way.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<Result<(), StreamError>> {
        match self {
            SendStream::Http2(half) => half.poll_send(cx, data),
            SendStream::Inproc(half) => half.poll_send(cx, data),
        }
    }

    /// Sends data without waiting for the windows: for the one message of a call, which is at hand anyway.
    pub(crate) fn send_now(&mut self, data: Bytes, end: bool) -> Result<(), StreamError> {
        match self {
            SendStream::Http2(half) => half.send_now(data, end),
            SendStream::Inproc(half) => half.send_now(data, end),
        }
    }

    /// Half-closes: the server sees the end of the messages.
    pub(crate) fn finish(&mut self) -> Result<(), StreamError> {
        match self {
            SendStream::Http2(half) => half.finish(),
            SendStream::Inproc(half) => half.finish(),
        }
    }
}

/// The half that receives.
#[derive(Debug)]
pub(crate) enum RecvStream {
    Http2(http2::stream::RecvHalf),
    Inproc(inproc::RecvHalf),
}

impl RecvStream {
    /// What arrives next; [`Event::End`] again and again once the peer has half-closed.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
        match self {
            RecvStream::Http2(half) => half.poll_event(cx),
            RecvStream::Inproc(half) => half.poll_event(cx),
        }
    }
}
