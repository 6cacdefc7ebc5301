//! A byte stream of any kind that a connection can run on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(any(target_os = "android", target_os = "linux"))]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::UCred;
use tokio::net::{TcpStream, UnixStream};

#[cfg(feature = "_tls")]
use super::tls::Encrypted;
use super::{Address, unix};

/// The socket under a connection, or TLS on one.
#[derive(Debug)]
pub(crate) enum Io {
    Tcp(TcpStream),
    Unix(UnixStream),
    #[cfg(feature = "_tls")]
    Tls(Box<Encrypted>),
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
            Address::Unknown => unsupported("the address is unknown"),
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
            #[cfg(feature = "_tls")]
            Io::Tls(encrypted) => encrypted.socket().local_address(),
        }
    }

    /// Who has connected, where the system tells: by a Unix socket.
    pub(super) fn user(&self) -> Option<UCred> {
        match self {
            Io::Unix(socket) => socket.peer_cred().ok(),
            Io::Tcp(_) => None,
            #[cfg(feature = "_tls")]
            Io::Tls(_) => None,
        }
    }

    /// Has the kernel break the connection when what was sent is not acknowledged for so long (TCP_USER_TIMEOUT, gRFC A18);
    /// where there is such a thing.
    pub(super) fn give_up_after(&self, timeout: Duration) {
        #[cfg(any(target_os = "android", target_os = "linux"))]
        if let Io::Tcp(socket) = self {
            // It is a help, and nothing relies on it.
            let _ = SockRef::from(socket).set_tcp_user_timeout(Some(timeout));
        }
        #[cfg(not(any(target_os = "android", target_os = "linux")))]
        let _ = timeout;
    }

    /// Whether what was written may wait here until it is flushed.
    pub(super) fn holds_back(&self) -> bool {
        match self {
            Io::Tcp(_) | Io::Unix(_) => false,
            #[cfg(feature = "_tls")]
            Io::Tls(_) => true,
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
            #[cfg(feature = "_tls")]
            Io::Tls(encrypted) => {
                let $socket = Pin::new(&mut **encrypted);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn the_kernel_is_told_when_to_give_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let io = Io::connect(&Address::Ip(listener.local_addr().unwrap())).await.unwrap();
        io.give_up_after(Duration::from_millis(1234));
        let Io::Tcp(socket) = &io else { panic!("{io:?}") };
        assert_eq!(SockRef::from(socket).tcp_user_timeout().unwrap(), Some(Duration::from_millis(1234)));
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_unix_socket_needs_no_file() {
        let name = format!("callwright-test-{}", std::process::id());
        let address = Address::UnixAbstract(name.clone().into_bytes());
        assert_eq!(Io::connect(&address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let mut listener = super::super::Listener::bind(&format!("unix-abstract:{name}")).await.unwrap();
        assert_eq!(listener.local_address().unwrap(), address);
        assert_eq!(address.to_string(), format!("unix-abstract:{name}"));
        let (connected, accepted) =
            tokio::join!(Io::connect(&address), std::future::poll_fn(|cx| listener.poll_accept(cx)));
        accepted.unwrap();
        connected.unwrap();
        for bad in [vec![], b"a\0b".to_vec()] {
            let error = Io::connect(&Address::UnixAbstract(bad)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
