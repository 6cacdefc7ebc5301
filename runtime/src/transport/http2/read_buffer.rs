//! What a connection reads into.
//!
//! Large payloads share the memory that they arrived in. What they have let go is read into again: memory that is given back
//! and asked for anew costs more than what is read into it.

use bytes::BytesMut;

/// How much is read at a time once a connection is busy, in bytes, and before that.
const READ: usize = 64 * 1024;
const FIRST_READ: usize = 8 * 1024;
/// How many buffers may wait for their payloads to be let go.
const MOST_SHARED: usize = 32;

/// What was read and not taken, with room for more.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    current: BytesMut,
    /// Those whose memory payloads share; empty.
    shared: Vec<BytesMut>,
    busy: bool,
}

impl ReadBuffer {
    /// What was read and not taken.
    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.current
    }

    /// The same, with room to read into.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        let size = if self.busy { READ } else { FIRST_READ };
        if self.current.capacity() - self.current.len() < size / 4 && !self.current.try_reclaim(size) {
            let mut next =
                self.let_go(size).unwrap_or_else(|| BytesMut::with_capacity(size.max(self.current.len() * 2)));
            next.extend_from_slice(&self.current);
            self.current.clear();
            let before = std::mem::replace(&mut self.current, next);
            // A buffer that nobody shares would have been reclaimed, unless it was too small.
            if before.capacity() > 0 && self.busy && self.shared.len() < MOST_SHARED {
                self.shared.push(before);
            }
        }
        &mut self.current
    }

    /// Notes that a read filled `count` of `room` bytes: one that fills all has more to come.
    pub(super) fn has_read(&mut self, count: usize, room: usize) {
        self.busy |= count == room;
    }

    /// Gives back what is not needed while nothing arrives.
    pub(super) fn rest(&mut self) {
        if self.current.is_empty() {
            *self = ReadBuffer::default();
        }
    }

    /// A buffer that nobody shares any more: of these the last one, which the processor may still have at hand.
    fn let_go(&mut self, size: usize) -> Option<BytesMut> {
        let at = self.shared.iter_mut().rposition(|buffer| buffer.try_reclaim(size))?;
        Some(self.shared.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills the buffer, and takes a payload out of it that shares its memory.
    fn payload(buffer: &mut ReadBuffer, byte: u8) -> bytes::Bytes {
        let room = buffer.room();
        let count = room.capacity() - room.len();
        room.resize(room.capacity(), byte);
        buffer.has_read(count, count);
        let rest = buffer.bytes().split_off(count - 10);
        let payload = std::mem::replace(buffer.bytes(), rest).freeze();
        buffer.bytes().clear();
        payload
    }

    #[test]
    fn memory_that_payloads_have_let_go_is_read_into_again() {
        let mut buffer = ReadBuffer::default();
        let first = payload(&mut buffer, 0);
        assert_eq!(first.len(), FIRST_READ - 10);
        let mut addresses = std::collections::HashSet::new();
        for round in 1..100u8 {
            let payloads: Vec<_> = (0..4).map(|_| payload(&mut buffer, round)).collect();
            for payload in payloads {
                assert!(payload.len() >= READ / 2 && payload.iter().all(|byte| *byte == round));
                addresses.insert(payload.as_ptr());
            }
        }
        assert!(addresses.len() <= 6 && buffer.shared.len() <= 6, "{} {}", addresses.len(), buffer.shared.len());
        assert!(first.iter().all(|byte| *byte == 0));
        buffer.rest();
        assert_eq!((buffer.shared.len(), buffer.current.capacity()), (0, 0));
    }

    #[test]
    fn payloads_that_are_kept_hold_no_more_buffers_than_may_wait() {
        let mut buffer = ReadBuffer::default();
        let kept: Vec<_> = (0..100).map(|round| payload(&mut buffer, round)).collect();
        assert!(buffer.shared.len() <= MOST_SHARED);
        assert!(kept.iter().zip(0..100).all(|(payload, byte)| payload.iter().all(|found| *found == byte)));
    }

    #[test]
    fn the_beginning_of_a_frame_is_kept() {
        let mut buffer = ReadBuffer::default();
        let mut expected = Vec::new();
        for byte in 0..200u8 {
            let room = buffer.room();
            let count = (room.capacity() - room.len()).min(3000);
            room.extend_from_slice(&vec![byte; count]);
            expected.extend(vec![byte; count]);
            buffer.has_read(count, 3001);
        }
        assert_eq!(buffer.bytes(), &expected);
    }
}
