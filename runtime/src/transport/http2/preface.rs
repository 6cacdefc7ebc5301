//! What a peer says first: a SETTINGS frame (RFC 9113 section 3.4), which a client must see before it is connected, and
//! which tells both sides how much metadata the other takes.
//!
//! The HTTP/2 library calls a connection ready as soon as its own preface is written; a peer that accepts and stays
//! silent, or that speaks HTTP/1.1, must not look READY. And it keeps SETTINGS_MAX_HEADER_LIST_SIZE to itself. So the
//! first bytes are looked at as they pass.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The fourth byte of a frame is its type; SETTINGS is 4.
const TYPE_OFFSET: usize = 3;
const SETTINGS: u8 = 4;
const FRAME_HEAD: usize = 9;
/// A setting is two bytes of name and four of value; SETTINGS_MAX_HEADER_LIST_SIZE is 6.
const SETTING: usize = 6;
const MAX_HEADER_LIST_SIZE: [u8; 2] = [0, 6];
/// The largest frame that a peer may begin with.
const MAX_FRAME: usize = 16 * 1024;
/// What a client sends before its first frame.
const CLIENT_PREFACE: usize = 24;

/// What goes out whatever the peer says, in bytes: a message of many times this is what metadata is not for, and the map
/// that holds the headers ends at 24,576 names.
const LARGEST_HEADER_LIST: usize = 512 * 1024;

/// What the first bytes from the peer were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstFrame {
    Settings {
        /// The largest header list that the peer takes, where it said so.
        max_header_list_size: Option<u32>,
    },
    Http1,
    Other,
}

impl FirstFrame {
    /// The largest header list that can be sent to a peer, in bytes.
    pub(super) fn header_limit(first: &OnceLock<FirstFrame>) -> usize {
        match first.get() {
            Some(FirstFrame::Settings { max_header_list_size: Some(size) }) => {
                usize::try_from(*size).unwrap_or(usize::MAX).min(LARGEST_HEADER_LIST)
            }
            _ => LARGEST_HEADER_LIST,
        }
    }
}

/// A socket whose first bytes from the peer are looked at, and passed on unchanged.
#[derive(Debug)]
pub(super) struct Watched<T> {
    io: T,
    /// What of the peer's bytes comes before its first frame.
    skip: usize,
    seen: Vec<u8>,
    first: Arc<OnceLock<FirstFrame>>,
}

impl<T> Watched<T> {
    /// A server's bytes.
    pub(super) fn server(io: T) -> (Self, Arc<OnceLock<FirstFrame>>) {
        Watched::new(io, 0)
    }

    /// A client's bytes.
    pub(super) fn client(io: T) -> (Self, Arc<OnceLock<FirstFrame>>) {
        Watched::new(io, CLIENT_PREFACE)
    }

    fn new(io: T, skip: usize) -> (Self, Arc<OnceLock<FirstFrame>>) {
        let first = Arc::new(OnceLock::new());
        (Watched { io, skip, seen: Vec::new(), first: first.clone() }, first)
    }

    fn look_at(&mut self, bytes: &[u8]) {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        let room = FRAME_HEAD + MAX_FRAME - self.seen.len();
        self.seen.extend(bytes[skipped..].iter().take(room));
        if let Some(first) = first_frame(&self.seen) {
            let _ = self.first.set(first);
            self.seen = Vec::new();
        }
    }
}

/// What these bytes begin with; `None` until enough are there.
fn first_frame(seen: &[u8]) -> Option<FirstFrame> {
    if b"HTTP/1".starts_with(&seen[..seen.len().min(6)]) {
        return (seen.len() >= 6).then_some(FirstFrame::Http1);
    }
    let (head, payload) = seen.split_at_checked(FRAME_HEAD)?;
    if head[TYPE_OFFSET] != SETTINGS {
        return Some(FirstFrame::Other);
    }
    // A frame that is too large is for the library to refuse.
    let size = usize::from(head[1]) << 8 | usize::from(head[2]);
    let settings = payload.get(..size.min(MAX_FRAME))?;
    let mut largest = settings.chunks_exact(SETTING).filter_map(|setting| match setting {
        [name @ .., a, b, c, d] if *name == MAX_HEADER_LIST_SIZE => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    });
    Some(FirstFrame::Settings { max_header_list_size: largest.next_back() })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known after all of `bytes`, and how many of them it took.
    fn look_at(bytes: &[u8], skip: usize) -> (Option<FirstFrame>, usize) {
        let (mut watched, first) = Watched::new((), skip);
        let known = bytes.chunks(1).position(|byte| {
            watched.look_at(byte);
            first.get().is_some()
        });
        (first.get().copied(), known.map_or(bytes.len(), |last| last + 1))
    }

    #[test]
    fn settings_are_read_once_they_are_whole() {
        let frame = [0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 6, 0, 0, 0x40, 0, 0xff];
        let settings = FirstFrame::Settings { max_header_list_size: Some(0x4000) };
        assert_eq!(look_at(&frame, 0), (Some(settings), 21));
        assert_eq!(look_at(&frame[..20], 0), (None, 20));
        let client = [&[b'x'; CLIENT_PREFACE][..], &frame].concat();
        assert_eq!(look_at(&client, CLIENT_PREFACE), (Some(settings), CLIENT_PREFACE + 21));
    }

    #[test]
    fn anything_else_is_told_apart() {
        let silent = FirstFrame::Settings { max_header_list_size: None };
        assert_eq!(look_at(&[0, 0, 0, 4, 0, 0, 0, 0, 0], 0), (Some(silent), 9));
        assert_eq!(look_at(b"HTTP/1.1 400 Bad Request", 0), (Some(FirstFrame::Http1), 6));
        assert_eq!(look_at(b"SSH-2.0-OpenSSH", 0), (Some(FirstFrame::Other), 9));
        assert_eq!(look_at(b"HTTP", 0), (None, 4));
    }
}
