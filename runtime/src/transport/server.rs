//! A server's side: connections from clients, and the streams that they open.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::io::Io;
use super::stream::RecvStream;
use super::{Address, StreamError, http2, inproc};

/// A client that was accepted, before it has said a word.
#[derive(Debug)]
pub(crate) enum Socket {
    Io(Io),
    Inproc(inproc::Dial),
}

impl Socket {
    /// The address of this side, where there is one.
    pub(crate) fn local_address(&self) -> Option<Address> {
        match self {
            Socket::Io(io) => io.local_address(),
            Socket::Inproc(_) => None,
        }
    }
}

/// A connection from a client.
pub(crate) enum Connection {
    Http2(Box<http2::server::Connection>),
    Inproc(inproc::Accepted),
}

impl Connection {
    pub(crate) async fn handshake(socket: Socket, max_concurrent_streams: u32) -> io::Result<Connection> {
        match socket {
            Socket::Io(io) => http2::server::Connection::handshake(io, max_concurrent_streams)
                .await
                .map(|connection| Connection::Http2(Box::new(connection)))
                .map_err(io::Error::other),
            Socket::Inproc(dial) => Ok(Connection::Inproc(dial.accept(max_concurrent_streams))),
        }
    }

    /// The next call; `None` when the connection is at its end. It has to be polled for the connection to move at all.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        match self {
            Connection::Http2(connection) => {
                Poll::Ready(ready!(connection.poll_accept(cx)).map(|(head, recv, send)| Incoming {
                    head,
                    recv: RecvStream::Http2(recv),
                    send: ResponseStream::Http2(send),
                }))
            }
            Connection::Inproc(connection) => connection.poll_accept(cx),
        }
    }

    /// Takes no more calls, and ends when those that are here have ended.
    pub(crate) fn graceful_shutdown(&mut self) {
        match self {
            Connection::Http2(connection) => connection.graceful_shutdown(),
            Connection::Inproc(connection) => connection.drain(),
        }
    }
}

/// A call that a client opened.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) head: Parts,
    pub(crate) recv: RecvStream,
    pub(crate) send: ResponseStream,
}

/// What a client in the same process says of a call beside its headers; it is in the head's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InProcess {
    pub(crate) wait_for_ready: Option<bool>,
}

/// The response of a call. Dropping it before its end breaks the call.
#[derive(Debug)]
pub(crate) enum ResponseStream {
    Http2(http2::server::ResponseHalf),
    Inproc(inproc::ResponseHalf),
}

impl ResponseStream {
    /// The largest header list that the client takes, in bytes.
    pub(crate) fn header_limit(&self) -> usize {
        match self {
            ResponseStream::Http2(half) => half.header_limit(),
            ResponseStream::Inproc(_) => inproc::HEADER_LIMIT,
        }
    }

    /// Sends the head; with `end` it is all there is.
    pub(crate) fn send_head(&mut self, status: StatusCode, headers: HeaderMap, end: bool) -> Result<(), StreamError> {
        match self {
            ResponseStream::Http2(half) => half.send_head(status, headers, end),
            ResponseStream::Inproc(half) => half.send_head(status, headers, end),
        }
    }

    /// Sends as much of `data` as the client's window allows; ready when all of it is on its way.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<Result<(), StreamError>> {
        match self {
            ResponseStream::Http2(half) => half.poll_send(cx, data),
            ResponseStream::Inproc(half) => half.poll_send(cx, data),
        }
    }

    /// Sends data without waiting for the window.
    pub(crate) fn send_now(&mut self, data: Bytes) -> Result<(), StreamError> {
        match self {
            ResponseStream::Http2(half) => half.send_now(data),
            ResponseStream::Inproc(half) => half.send_now(data),
        }
    }

    /// Ends the call with trailers.
    pub(crate) fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), StreamError> {
        match self {
            ResponseStream::Http2(half) => half.send_trailers(trailers),
            ResponseStream::Inproc(half) => half.send_trailers(trailers),
        }
    }

    /// Ends the call at once in both directions, with CANCEL.
    pub(crate) fn reset(&mut self) {
        match self {
            ResponseStream::Http2(half) => half.reset(),
            ResponseStream::Inproc(half) => half.reset(),
        }
    }

    /// Ends the call because the server stops, connection and all.
    pub(crate) fn stop(&mut self) {
        match self {
            // The connection breaks before this goes out.
            ResponseStream::Http2(half) => half.reset(),
            ResponseStream::Inproc(half) => half.stop(),
        }
    }

    /// Ready when the client has cancelled the call or its connection is gone.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<StreamError> {
        match self {
            ResponseStream::Http2(half) => half.poll_reset(cx),
            ResponseStream::Inproc(half) => half.poll_reset(cx),
        }
    }

    /// Whether the client has cancelled the call or its connection is gone; who waits for that goes on waiting.
    pub(crate) fn is_reset(&mut self) -> bool {
        match self {
            ResponseStream::Http2(half) => half.is_reset(),
            ResponseStream::Inproc(half) => half.is_reset(),
        }
    }
}
