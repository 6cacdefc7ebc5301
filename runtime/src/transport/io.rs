//! A byte stream of any kind that a connection can run on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::{Address, unix};

/// The socket under a connection.
#[derive(Debug)]
pub(crate) enum Io {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Io {
    /// Connects to an address that has a socket.
    pub(super) async fn connect(address: &Address) -> io::Result<Io> {
        let unsupported = |problem| Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        match address {
            Address::Ip(address) => Io::tcp(TcpStream::connect(address).await?),
            Address::Name { host, port } => Io::tcp(TcpStream::connect((host.as_str(), *port)).await?),
            Address::Unix(Some(path)) => Ok(Io::Unix(UnixStream::connect(path).await?)),
            Address::UnixAbstract(name) => Ok(Io::Unix(UnixStream::connect(unix::abstract_path(name)?).await?)),
            Address::Unix(None) => unsupported("the Unix socket has no path"),
            Address::Inproc(_) => unsupported("the server is in this process and has no socket"),
        }
    }
}

impl Io {
    fn tcp(socket: TcpStream) -> io::Result<Io> {
        // Batching writes is the transport's task, not Nagle's.
        socket.set_nodelay(true)?;
        Ok(Io::Tcp(socket))
    }

    /// The address of this side, where the system tells.
    pub(super) fn local_address(&self) -> Option<Address> {
        match self {
            Io::Tcp(socket) => socket.local_addr().ok().map(Address::Ip),
            Io::Unix(socket) => socket.local_addr().ok().map(|address| unix::address(&address)),
        }
    }
}

macro_rules! on_socket {
    ($self:ident, $socket:ident => $call:expr) => {
        match $self.get_mut() {
            Io::Tcp(socket) => {
                let $socket = Pin::new(socket);
                $call
            }
            Io::Unix(socket) => {
                let $socket = Pin::new(socket);
                $call
            }
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, socket => socket.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_socket!(self, socket => socket.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_socket!(self, socket => socket.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, socket => socket.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, socket => socket.poll_shutdown(cx))
    }
}
