//! Where a server listens.

use std::io;
use std::path::PathBuf;
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, UnixListener};

use super::io::Io;
use super::server::Socket;
use super::unix::SocketFile;
use super::{Address, inproc, unix};

/// Where a server listens.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix {
        // Dropped before the listener, which keeps the file's inode from being given to another.
        file: SocketFile,
        listener: UnixListener,
    },
    /// A Unix socket without a file, and its name.
    UnixAbstract {
        name: Vec<u8>,
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
            let listener = UnixListener::bind(unix::abstract_path(name.as_bytes())?)?;
            return Ok(Listener::UnixAbstract { name: name.into(), listener });
        }
        let Some(path) = address.strip_prefix("unix:") else {
            let address = ["ipv4:", "ipv6:"].iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address);
            return Ok(Listener::Tcp(TcpListener::bind(address).await?));
        };
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        let (listener, file) = SocketFile::bind(path).await?;
        Ok(Listener::Unix { file, listener })
    }

    pub(crate) fn local_address(&self) -> io::Result<Address> {
        match self {
            Listener::Tcp(listener) => Ok(Address::Ip(listener.local_addr()?)),
            Listener::Unix { file, .. } => Ok(Address::Unix(Some(file.path().to_owned()))),
            Listener::UnixAbstract { name, .. } => Ok(Address::UnixAbstract(name.clone())),
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
            Listener::Unix { listener, .. } | Listener::UnixAbstract { listener, .. } => {
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
