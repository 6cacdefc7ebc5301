//! Where a server listens.

use std::io;
use std::path::PathBuf;
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::io::Io;
use super::server::Socket;
use super::unix::SocketFile;
use super::{Address, inproc, unix};

/// How many clients may wait to be accepted, as far as the system lets it (`net.core.somaxconn`). Clients above that connect late,
/// by the second: after a restart all come at once.
pub(super) const BACKLOG: u32 = 4096;

/// Where a server listens.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix {
        // Dropped before the listener, which keeps the file's inode from being given to another. `None` for a socket without a
        // file, and for one that somebody else has made.
        #[expect(dead_code, reason = "it goes with the listener")]
        file: Option<SocketFile>,
        address: Address,
        listener: UnixListener,
    },
    /// A name that clients in this process connect to.
    Inproc(inproc::Listener),
}

impl Listener {
    /// Listens on `host:port`, with the prefix `unix:` on a socket file, with `unix-abstract:` on one without a file, with
    /// `inproc:` on a name of this process.
    pub(crate) async fn bind(address: &str) -> io::Result<Listener> {
        if let Some(name) = address.strip_prefix("inproc:") {
            return Ok(Listener::Inproc(inproc::Listener::bind(name)?));
        }
        if let Some(name) = address.strip_prefix("unix-abstract:") {
            let listener = unix::listen(&unix::abstract_path(name.as_bytes())?)?;
            return Ok(Listener::Unix { file: None, address: Address::UnixAbstract(name.into()), listener });
        }
        let Some(path) = address.strip_prefix("unix:") else {
            let address = ["ipv4:", "ipv6:"].iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address);
            return Ok(Listener::Tcp(bind_tcp(address).await?));
        };
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        let (listener, file) = SocketFile::bind(path).await?;
        let address = Address::Unix(Some(file.path().to_owned()));
        Ok(Listener::Unix { file: Some(file), address, listener })
    }

    /// Takes a socket that listens already.
    pub(crate) fn take(socket: ListeningSocket) -> io::Result<Listener> {
        match socket.inner {
            Inner::Tcp(listener) => Ok(Listener::Tcp(listener)),
            Inner::Unix(listener) => Listener::unix(listener),
            Inner::StdTcp(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Listener::Tcp(TcpListener::from_std(listener)?))
            }
            Inner::StdUnix(listener) => {
                listener.set_nonblocking(true)?;
                Listener::unix(UnixListener::from_std(listener)?)
            }
        }
    }

    fn unix(listener: UnixListener) -> io::Result<Listener> {
        let address = unix::address(&listener.local_addr()?);
        Ok(Listener::Unix { file: None, address, listener })
    }

    pub(crate) fn local_address(&self) -> io::Result<Address> {
        match self {
            Listener::Tcp(listener) => Ok(Address::Ip(listener.local_addr()?)),
            Listener::Unix { address, .. } => Ok(address.clone()),
            Listener::Inproc(listener) => Ok(Address::Inproc(listener.name().to_owned())),
        }
    }

    /// Whether clients of other processes may come.
    pub(crate) fn is_socket(&self) -> bool {
        !matches!(self, Listener::Inproc(_))
    }

    /// The next client.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, Address)>> {
        Poll::Ready(match self {
            Listener::Tcp(listener) => {
                let (socket, mut peer) = ready!(listener.poll_accept(cx))?;
                // A socket for both families has its IPv4 peers behind ::ffff:, which no peer calls itself.
                peer.set_ip(peer.ip().to_canonical());
                // A socket that the peer has closed already says so again when it is used.
                let _ = socket.set_nodelay(true);
                Ok((Socket::Io(Io::Tcp(socket)), Address::Ip(peer)))
            }
            Listener::Unix { listener, .. } => {
                let (socket, peer) = ready!(listener.poll_accept(cx))?;
                Ok((Socket::Io(Io::Unix(socket)), unix::address(&peer)))
            }
            Listener::Inproc(listener) => {
                let dial = ready!(listener.poll_accept(cx));
                Ok((Socket::Inproc(dial), Address::Inproc(listener.name().to_owned())))
            }
        })
    }
}

/// Listens at the first of an address's addresses that can be had.
async fn bind_tcp(address: &str) -> io::Result<TcpListener> {
    let mut problem = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in tokio::net::lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A server that starts again has its port although connections of the one before are still known.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

/// A socket that listens already, for [`ServerBuilder::bind_listener`](crate::ServerBuilder::bind_listener): made from Tokio's and
/// the standard library's `TcpListener` and `UnixListener`.
///
/// The file of a Unix socket is left to whoever has made it.
#[derive(Debug)]
pub struct ListeningSocket {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpListener),
    Unix(UnixListener),
    StdTcp(std::net::TcpListener),
    StdUnix(std::os::unix::net::UnixListener),
}

impl From<TcpListener> for ListeningSocket {
    fn from(listener: TcpListener) -> Self {
        ListeningSocket { inner: Inner::Tcp(listener) }
    }
}

impl From<UnixListener> for ListeningSocket {
    fn from(listener: UnixListener) -> Self {
        ListeningSocket { inner: Inner::Unix(listener) }
    }
}

impl From<std::net::TcpListener> for ListeningSocket {
    fn from(listener: std::net::TcpListener) -> Self {
        ListeningSocket { inner: Inner::StdTcp(listener) }
    }
}

impl From<std::os::unix::net::UnixListener> for ListeningSocket {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        ListeningSocket { inner: Inner::StdUnix(listener) }
    }
}
