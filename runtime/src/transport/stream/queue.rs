//! What goes one way on a stream: a head, data, trailers, each as it was sent and nobody has read it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::spare_memory;
use crate::transport::{Fields, STREAM_WINDOW, StreamError};
use crate::waker_slot::WakerSlot;

/// Chunks below this many bytes are joined where several wait: each costs a frame.
const SMALL: usize = 1024;
/// Small ones are joined into chunks of about this many bytes, in memory that is used again.
const LARGE: usize = spare_memory::SMALLEST;

/// What arrives on a stream, in this order: headers, data any number of times, trailers or a bare end.
#[derive(Debug)]
pub(crate) enum Event {
    /// The response's headers; only a client sees them, a server has them with the stream.
    Headers {
        status: u16,
        headers: Fields,
        end: bool,
    },
    Data {
        data: Bytes,
        /// Nothing comes behind it.
        end: bool,
    },
    Trailers(Fields),
    /// The peer half-closed without trailers.
    End,
}

/// The head of a response.
#[derive(Debug)]
pub(in crate::transport) struct Head {
    pub(in crate::transport) status: StatusCode,
    pub(in crate::transport) headers: Fields,
    pub(in crate::transport) end: bool,
}

/// What is taken out at once; reused.
#[derive(Debug, Default)]
pub(in crate::transport) struct Leaving {
    pub(in crate::transport) head: Option<Head>,
    pub(in crate::transport) data: Vec<Bytes>,
    pub(in crate::transport) trailers: Option<Fields>,
    /// Whether somebody waited for room.
    pub(in crate::transport) woke: bool,
}

/// What goes one way.
#[derive(Debug, Default)]
pub(super) struct Queue {
    head: Option<Head>,
    data: Chunks,
    trailers: Option<Fields>,
    /// Nothing more will be sent.
    pub(super) ended: bool,
    /// Nobody will read it.
    pub(super) unread: bool,
    reader: WakerSlot,
    /// Who waits for room.
    pub(super) writer: WakerSlot,
}

impl Queue {
    /// Bytes of data that are not read.
    pub(super) fn size(&self) -> usize {
        self.data.size
    }

    pub(super) fn push_head(&mut self, head: Head) {
        if !self.unread {
            self.head = Some(head);
            self.reader.wake();
        }
    }

    pub(super) fn push_trailers(&mut self, trailers: Fields) {
        if !self.unread {
            self.trailers = Some(trailers);
        }
        self.end();
    }

    /// Adds data as it is.
    pub(super) fn push(&mut self, data: Bytes) {
        if !self.unread && !data.is_empty() {
            self.data.push(data);
            self.reader.wake();
        }
    }

    /// Adds data to what waits already.
    pub(super) fn join(&mut self, data: Bytes) {
        if !self.unread && !data.is_empty() {
            self.data.join(data);
            self.reader.wake();
        }
    }

    /// Whether somebody reads, and `size` bytes more can wait for that.
    pub(super) fn has_room_for(&self, size: usize) -> bool {
        !self.unread && self.data.size + size <= STREAM_WINDOW
    }

    /// Adds what `write` writes, which is `size` bytes, if there is room for it.
    pub(super) fn append<E>(
        &mut self,
        size: usize,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<bool, E> {
        if !self.has_room_for(size) {
            return Ok(false);
        }
        self.data.append(write)?;
        self.reader.wake();
        Ok(true)
    }

    /// Adds as much of `data` as there is room for; ready when that is all of it.
    pub(super) fn poll_join(&mut self, cx: &Context<'_>, data: &mut Bytes) -> Poll<()> {
        if self.unread {
            data.clear();
            return Poll::Ready(());
        }
        let room = STREAM_WINDOW.saturating_sub(self.data.size);
        if data.len() <= room {
            self.join(std::mem::take(data));
            return Poll::Ready(());
        }
        self.join(data.split_to(room));
        self.writer.keep(cx.waker());
        Poll::Pending
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.reader.wake();
    }

    /// What comes next; `error` when that is nothing, and the stream has broken.
    pub(super) fn poll(&mut self, cx: &Context<'_>, error: Option<&StreamError>) -> Poll<Result<Event, StreamError>> {
        if let Some(Head { status, headers, end }) = self.head.take() {
            return Poll::Ready(Ok(Event::Headers { status: status.as_u16(), headers, end }));
        }
        if let Some(data) = self.data.pop() {
            self.writer.wake();
            let end = self.ended && self.data.size == 0 && self.trailers.is_none();
            return Poll::Ready(Ok(Event::Data { data, end }));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Ok(Event::Trailers(trailers)));
        }
        match error {
            _ if self.ended => Poll::Ready(Ok(Event::End)),
            Some(error) => Poll::Ready(Err(error.clone())),
            None => {
                self.reader.keep(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Takes out what there is, data until it is `room` bytes or more; whether that is all there will be.
    pub(super) fn take(&mut self, room: usize, to: &mut Leaving) -> bool {
        to.head = self.head.take();
        let mut taken = 0;
        while taken < room
            && let Some(data) = self.data.pop()
        {
            taken += data.len();
            to.data.push(data);
        }
        to.woke |= taken > 0 && self.writer.wake();
        if self.data.size > 0 {
            return false;
        }
        to.trailers = self.trailers.take();
        self.ended
    }

    pub(super) fn abandon(&mut self) {
        self.unread = true;
        self.head = None;
        self.data = Chunks::default();
        self.trailers = None;
        self.writer.wake();
    }

    pub(super) fn wake_all(&mut self) {
        self.reader.wake();
        self.writer.wake();
    }
}

/// Data in order. Most streams have one chunk at a time, and no room for more.
#[derive(Debug, Default)]
struct Chunks {
    first: Bytes,
    more: Option<Box<More>>,
    size: usize,
}

/// What is behind the first chunk.
#[derive(Debug, Default)]
struct More {
    rest: VecDeque<Bytes>,
    /// Small ones behind those, joined.
    tail: BytesMut,
    /// How long the last one was.
    usual: usize,
}

impl Chunks {
    fn push(&mut self, data: Bytes) {
        if self.size == 0 {
            self.first = data;
            self.size = self.first.len();
            return;
        }
        self.size += data.len();
        let more = self.more.get_or_insert_default();
        more.close_tail();
        more.rest.push_back(data);
    }

    fn join(&mut self, data: Bytes) {
        if self.size == 0 || data.len() >= SMALL {
            return self.push(data);
        }
        let more = self.more.get_or_insert_default();
        if more.tail.is_empty() && more.rest.is_empty() && self.first.len() < SMALL {
            more.tail.extend_from_slice(&std::mem::take(&mut self.first));
        }
        let Ok(()) = self.append(|tail| {
            tail.extend_from_slice(&data);
            Ok::<_, Infallible>(())
        });
    }

    fn append<E>(&mut self, write: impl FnOnce(&mut BytesMut) -> Result<(), E>) -> Result<(), E> {
        let more = self.more.get_or_insert_default();
        match more.add(write) {
            Ok(added) => self.size += added,
            Err(error) => {
                // Whoever did not write may have taken away.
                self.size = self.first.len() + more.rest.iter().map(Bytes::len).sum::<usize>() + more.tail.len();
                return Err(error);
            }
        }
        Ok(())
    }

    fn pop(&mut self) -> Option<Bytes> {
        let data = match self.first.is_empty() {
            false => std::mem::take(&mut self.first),
            true => self.more.as_mut()?.pop()?,
        };
        self.size -= data.len();
        Some(data)
    }
}

impl More {
    /// Adds what `write` writes to the tail, and says how much that was.
    fn add<E>(&mut self, write: impl FnOnce(&mut BytesMut) -> Result<(), E>) -> Result<usize, E> {
        if self.tail.len() >= LARGE {
            self.close_tail();
        }
        let before = self.tail.len();
        if before == 0 {
            // One that was large once will be so again, with the last message past the mark.
            self.tail = spare_memory::room(if self.usual > LARGE / 2 { LARGE + 2 * SMALL } else { self.usual });
        }
        let mut whole = Whole { tail: &mut self.tail, before };
        write(whole.tail)?;
        whole.before = whole.tail.len();
        drop(whole);
        Ok(self.tail.len().saturating_sub(before))
    }

    fn pop(&mut self) -> Option<Bytes> {
        if let Some(data) = self.rest.pop_front() {
            return Some(data);
        }
        self.take_tail()
    }

    fn close_tail(&mut self) {
        if let Some(tail) = self.take_tail() {
            self.rest.push_back(tail);
        }
    }

    fn take_tail(&mut self) -> Option<Bytes> {
        if self.tail.is_empty() {
            return None;
        }
        self.usual = self.tail.len();
        Some(spare_memory::share(std::mem::take(&mut self.tail)))
    }
}

/// Takes back what was written when the rest of it did not follow.
struct Whole<'a> {
    tail: &'a mut BytesMut,
    before: usize,
}

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        self.tail.truncate(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_out_in_their_order_however_they_went_in() {
        for seed in 0..200u64 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut chunks, mut expected, mut got) = (Chunks::default(), Vec::new(), Vec::new());
            let mut next = 0u8;
            for _ in 0..50 {
                let size = [1, 7, SMALL - 1, SMALL, 3 * SMALL][random.usize(..5)];
                let data = Bytes::from(vec![next; size]);
                next = next.wrapping_add(1);
                expected.extend_from_slice(&data);
                if random.bool() {
                    chunks.push(data)
                } else {
                    chunks.join(data)
                }
                while random.u8(..3) == 0
                    && let Some(data) = chunks.pop()
                {
                    got.extend_from_slice(&data);
                }
                assert_eq!(chunks.size, expected.len() - got.len());
            }
            while let Some(data) = chunks.pop() {
                assert!(!data.is_empty());
                got.extend_from_slice(&data);
            }
            assert_eq!((got == expected, chunks.size), (true, 0), "{seed}");
        }
    }

    #[test]
    fn what_was_not_written_whole_is_taken_back_and_what_was_taken_away_is_not_counted() {
        let mut chunks = Chunks::default();
        chunks.push(Bytes::from_static(b"first"));
        let write = |to: &mut BytesMut, bytes: &[u8], result: Result<(), ()>| {
            to.extend_from_slice(bytes);
            result
        };
        chunks.append(|to| write(to, b"second", Ok(()))).unwrap();
        assert!(chunks.append(|to| write(to, b"half", Err(()))).is_err());
        assert_eq!(chunks.size, 11);
        let take_away = |to: &mut BytesMut| {
            to.clear();
            Err::<(), ()>(())
        };
        assert!(chunks.append(take_away).is_err());
        assert_eq!((chunks.size, chunks.pop().as_deref(), chunks.pop()), (5, Some(&b"first"[..]), None));
    }
}
