//! A server's side: connections from clients, and the streams that they open.

use std::io;
use std::task::{Context, Poll};

use http::request::Parts;

use super::io::Io;
use super::stream::RecvStream;
pub(crate) use super::stream::ResponseStream;
use super::{Address, http2, inproc};

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
            Socket::Io(io) => {
                let connection = http2::server::Connection::handshake(io, max_concurrent_streams).await?;
                Ok(Connection::Http2(Box::new(connection)))
            }
            Socket::Inproc(dial) => Ok(Connection::Inproc(dial.accept(max_concurrent_streams))),
        }
    }

    /// The next call; `None` when the connection is at its end. It has to be polled for the connection to move at all.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        match self {
            Connection::Http2(connection) => connection.poll_accept(cx),
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
