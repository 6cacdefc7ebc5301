//! What a server says first: a client is connected only when that was a SETTINGS frame (RFC 9113 section 3.4).
//!
//! The HTTP/2 library calls a connection ready as soon as its own preface is written; a peer that accepts and stays
//! silent, or that speaks HTTP/1.1, must not look READY. So the first bytes are looked at as they pass.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The fourth byte of a frame is its type; SETTINGS is 4.
const TYPE_OFFSET: usize = 3;
const SETTINGS: u8 = 4;
const ENOUGH: usize = 9;

/// What the first bytes from the peer were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstFrame {
    Settings,
    Http1,
    Other,
}

/// A socket whose first bytes from the peer are looked at, and passed on unchanged.
#[derive(Debug)]
pub(super) struct Watched<T> {
    io: T,
    seen: Vec<u8>,
    first: Arc<OnceLock<FirstFrame>>,
}

impl<T> Watched<T> {
    pub(super) fn new(io: T) -> (Self, Arc<OnceLock<FirstFrame>>) {
        let first = Arc::new(OnceLock::new());
        (Watched { io, seen: Vec::new(), first: first.clone() }, first)
    }

    fn look_at(&mut self, bytes: &[u8]) {
        self.seen.extend(bytes.iter().take(ENOUGH - self.seen.len()));
        let first = if b"HTTP/1".starts_with(&self.seen[..self.seen.len().min(6)]) {
            (self.seen.len() >= 6).then_some(FirstFrame::Http1)
        } else {
            (self.seen.len() == ENOUGH).then(|| match self.seen[TYPE_OFFSET] {
                SETTINGS => FirstFrame::Settings,
                _ => FirstFrame::Other,
            })
        };
        if let Some(first) = first {
            let _ = self.first.set(first);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if self.first.get().is_none() {
            self.look_at(&buffer.filled()[before..]);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
