//! A client's connection: made, used to open streams, watched until it ends.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Method};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::inproc::{self, Session};
use super::io::Io;
use super::limits::Limits;
pub(crate) use super::limits::Permit;
pub(crate) use super::stream::{ReplyStream, SendStream};
use super::{Address, ConnectError, ConnectOptions, Fields, Stage, StreamError, http2};
use crate::metadata::entry_size;

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) authority: HeaderValue,
    pub(crate) path: HeaderValue,
    pub(crate) headers: Fields,
    /// What the call said of wait-for-ready. It does not travel; a server in the same process sees it.
    pub(crate) wait_for_ready: Option<bool>,
}

impl RequestHead {
    /// The size as HTTP/2 counts it, in bytes.
    pub(crate) fn size(&self) -> usize {
        let own = [
            (":method", Method::POST.as_str().len()),
            (":scheme", Scheme::HTTP.as_str().len()),
            (":authority", self.authority.len()),
            (":path", self.path.len()),
        ];
        let own: usize = own.iter().map(|(name, size)| entry_size(name, *size)).sum();
        own + self.headers.iter().map(|(name, value)| entry_size(name.as_str(), value.len())).sum::<usize>()
    }
}

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    /// It finishes what it has, and takes no new streams.
    Draining,
    Closed,
}

/// A connection to a server; clones share it. It closes when the last clone and the last stream are gone.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    link: Link,
    address: Address,
    local: Option<Address>,
    limits: Arc<Limits>,
    life: watch::Receiver<Life>,
}

#[derive(Debug)]
enum Link {
    Http2(http2::client::Link),
    Inproc(inproc::Link),
}

/// A stream just opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) send: SendStream,
    pub(crate) recv: ReplyStream,
    /// Gives the stream's place to the next call when this is dropped.
    pub(crate) permit: Permit,
    pub(crate) peer: Address,
}

/// Connects, and waits until the server has said how many streams it takes. Where the options have a proxy, `address` is the
/// proxy's; addresses that have no IP are connected to as they are.
pub(crate) async fn connect(address: &Address, options: &ConnectOptions) -> Result<Connection, ConnectError> {
    let limits = Arc::new(Limits::default());
    let failed = |error| ConnectError::new(address, Stage::Connect, error);
    let (link, life, local) = match address {
        Address::Inproc(name) => {
            let (link, life) = inproc::connect(name, &limits).await.map_err(failed)?;
            (Link::Inproc(link), life, Some(address.clone()))
        }
        Address::Ip(_) | Address::Name { .. } | Address::Unix(_) | Address::UnixAbstract(_) | Address::Unknown => {
            let tunnel = options.tunnel().filter(|_| address.socket_addr().is_some());
            let target = tunnel.map_or_else(|| address.to_string(), |tunnel| format!("{tunnel} at {address}"));
            let failed = |error| ConnectError::new(&target, Stage::Connect, error);
            let mut io = Io::connect(address).await.map_err(failed)?;
            if let Some(keepalive) = options.keepalive() {
                io.give_up_after(keepalive.answer_timeout());
            }
            let local = io.local_address();
            if let (Some(tunnel), Io::Tcp(socket)) = (tunnel, &mut io) {
                tunnel.open(socket).await.map_err(|error| ConnectError::new(&target, Stage::Proxy, error))?;
            }
            let io = options.secure(&target, io).await?;
            let (link, life) = http2::client::connect(&target, io, limits.clone(), options).await?;
            (Link::Http2(link), life, local)
        }
    };
    Ok(Connection { handle: Arc::new(Handle { link, address: address.clone(), local, limits, life }) })
}

impl Connection {
    /// Whether the server allows one more stream.
    pub(crate) fn has_room(&self) -> bool {
        self.handle.limits.has_room()
    }

    /// The address of this side, where there is one.
    pub(crate) fn local_address(&self) -> Option<&Address> {
        self.handle.local.as_ref()
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &Address {
        &self.handle.address
    }

    /// The largest header list that the server takes, in bytes.
    pub(crate) fn header_limit(&self) -> usize {
        match &self.handle.link {
            Link::Http2(link) => link.header_limit(),
            Link::Inproc(_) => inproc::HEADER_LIMIT,
        }
    }

    /// Opens a stream; with a first message it goes out in the same write, and `end` half-closes behind it.
    pub(crate) fn open(&self, head: RequestHead, first: Option<Bytes>, end: bool) -> Result<Opened, StreamError> {
        let (send, recv) = match &self.handle.link {
            Link::Http2(link) => link.open(head, first, end)?,
            Link::Inproc(link) => link.open(head, first, end)?,
        };
        Ok(Opened { send, recv, permit: self.handle.limits.take(), peer: self.handle.address.clone() })
    }

    /// Resolves as soon as the connection takes no new streams.
    pub(crate) async fn draining(&self) {
        let mut life = self.handle.life.clone();
        let _ = life.wait_for(|life| *life != Life::Open).await;
    }

    /// Resolves when a stream has ended, or the server allows more of them.
    pub(crate) async fn stream_freed(&self) {
        self.handle.limits.freed().await;
    }

    /// A way to close the connection at once that does not keep it open.
    pub(crate) fn closer(&self) -> Closer {
        match &self.handle.link {
            Link::Http2(link) => Closer::Http2(link.driver()),
            Link::Inproc(link) => Closer::Inproc(link.session()),
        }
    }
}

/// Closes a connection at once; it does not keep one open whose calls are done.
#[derive(Debug)]
pub(crate) enum Closer {
    Http2(AbortHandle),
    Inproc(Weak<Session>),
}

impl Closer {
    /// Closes the connection; streams that are open break.
    pub(crate) fn close(&self) {
        match self {
            Closer::Http2(driver) => driver.abort(),
            Closer::Inproc(session) => {
                if let Some(session) = session.upgrade() {
                    session.close("the client closed it");
                }
            }
        }
    }

    /// Whether there is nothing left to close.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Closer::Http2(driver) => driver.is_finished(),
            Closer::Inproc(session) => session.upgrade().is_none_or(|session| session.is_closed()),
        }
    }
}
