//! A server's side: connections from clients, and the streams that they open.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Extensions;

use super::io::Io;
pub(crate) use super::stream::{RequestStream, ResponseStream};
use super::{Address, Headers, Keepalive, KeepaliveEnforcement, http2, inproc, unix};
use crate::credentials::ServerCredentials;

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

/// How a server speaks with its clients.
#[derive(Clone, Debug)]
pub(crate) struct ServeOptions {
    pub(crate) credentials: ServerCredentials,
    pub(crate) max_concurrent_streams: u32,
    /// What all calls of a connection may have unread, in bytes.
    pub(crate) max_unread_size: usize,
    /// In bytes, as RFC 9113 section 6.5.2 counts them.
    pub(crate) max_header_list_size: u32,
    pub(crate) header_read_timeout: Duration,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) keepalive_enforcement: KeepaliveEnforcement,
}

/// A connection from a client.
pub(crate) enum Connection {
    Http2(Box<http2::server::Connection>),
    Inproc(inproc::Accepted),
}

impl Connection {
    /// Begins to speak with a client: TLS, where the credentials have it, and HTTP/2. And what TLS told of the client.
    ///
    /// A client in the same process is spoken to without either. Nothing begins that has not when `drains` resolves.
    pub(crate) async fn handshake(
        socket: Socket,
        options: &ServeOptions,
        drains: impl Future<Output = ()>,
    ) -> io::Result<(Connection, PeerProperties)> {
        let mut drains = pin!(drains);
        match socket {
            Socket::Io(io) => {
                if let Some(keepalive) = &options.keepalive {
                    io.give_up_after(keepalive.answer_timeout());
                }
                let user = io.user();
                let (io, mut properties) = tokio::select! {
                    secured = secure(&options.credentials, io) => secured?,
                    // It has no calls to wait for.
                    () = &mut drains => return Err(io::ErrorKind::ConnectionAborted.into()),
                };
                if let Some(user) = user {
                    // What gRPC's local credentials say, unless TLS says something better.
                    if properties.is_empty() {
                        properties.push(("transport_security_type", b"local".to_vec()));
                        properties.push(("security_level", b"TSI_PRIVACY_AND_INTEGRITY".to_vec()));
                    }
                    properties.extend(unix::properties(&user));
                }
                let connection = http2::server::Connection::handshake(io, options, drains).await?;
                Ok((Connection::Http2(Box::new(connection)), properties))
            }
            Socket::Inproc(dial) => Ok((Connection::Inproc(dial.accept(options.max_concurrent_streams)), Vec::new())),
        }
    }

    /// The next call; `None` when the connection is at its end. It has to be polled for the connection to move at all, and a
    /// call that was begun has to be [attended](Self::attend).
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        match self {
            Connection::Http2(connection) => connection.poll_accept(cx),
            Connection::Inproc(connection) => connection.poll_accept(cx),
        }
    }

    /// Sends what a call has sent so far, and from then on what it sends.
    pub(crate) fn attend(&mut self, id: u32) {
        match self {
            Connection::Http2(connection) => connection.attend(id),
            // Its client has it already.
            Connection::Inproc(_) => {}
        }
    }

    /// Whether other tasks may have been woken since this was asked last: those of calls that are under way, or of clients.
    pub(crate) fn has_woken(&mut self) -> bool {
        match self {
            Connection::Http2(connection) => connection.has_woken(),
            Connection::Inproc(_) => true,
        }
    }

    /// Whether calls are under way; of a client in the same process nobody asks.
    pub(crate) fn has_calls(&self) -> bool {
        match self {
            Connection::Http2(connection) => connection.streams() > 0,
            Connection::Inproc(_) => true,
        }
    }

    /// Has the connection polled again.
    pub(crate) fn wake(&self) {
        match self {
            Connection::Http2(connection) => connection.wake(),
            Connection::Inproc(_) => {}
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

/// What the transport knows of a client, each property by the name that gRPC gives it.
pub(crate) type PeerProperties = Vec<(&'static str, Vec<u8>)>;

#[cfg(feature = "_tls")]
async fn secure(credentials: &ServerCredentials, io: Io) -> io::Result<(Io, PeerProperties)> {
    let Some(tls) = credentials.server_tls() else { return Ok((io, Vec::new())) };
    let (io, certificates) = super::tls::server::handshake(tls, io).await?;
    Ok((io, super::tls::peer::properties(&certificates)))
}

#[cfg(not(feature = "_tls"))]
#[expect(clippy::unused_async, reason = "with TLS there is a handshake")]
async fn secure(_: &ServerCredentials, io: Io) -> io::Result<(Io, PeerProperties)> {
    Ok((io, Vec::new()))
}

/// A call that a client opened.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Its number on its connection.
    pub(crate) id: u32,
    /// Shared with other calls whose headers are the same to the byte.
    pub(crate) head: Arc<Headers>,
    /// What a client in the same process said of wait-for-ready, which does not travel.
    pub(crate) wait_for_ready: Option<bool>,
    /// What an HTTP server that carries the call has put beside its request.
    pub(crate) extensions: Extensions,
    pub(crate) recv: RequestStream,
    pub(crate) send: ResponseStream,
}
