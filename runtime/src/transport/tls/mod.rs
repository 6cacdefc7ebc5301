//! TLS between a socket and HTTP/2.

pub(super) mod client;
mod failure;
pub(super) mod peer;
pub(super) mod server;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use super::io::Io;

pub(super) use failure::in_http2;

/// What HTTP/2 is called in ALPN (RFC 9113 section 3.2).
const H2: &[u8] = b"h2";

/// What is encrypted on its way to a socket, and decrypted on its way from it.
#[derive(Debug)]
pub(crate) struct Encrypted(TlsStream<Io>);

impl Encrypted {
    /// What is below.
    pub(super) fn socket(&self) -> &Io {
        self.0.get_ref().0
    }

    /// Whether both sides have agreed to speak HTTP/2.
    fn speaks_http2(&self) -> bool {
        self.0.get_ref().1.alpn_protocol() == Some(H2)
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(cx, buffer) {
            // HTTP/2 says by itself where its streams end, and many close without the last word of TLS.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            polled => polled,
        }
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
