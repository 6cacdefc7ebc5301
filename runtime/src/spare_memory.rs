//! Memory for what is sent, used again once it has left: memory that is given back and asked for anew costs more than what is
//! written into it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// What is smaller, in bytes, is allocated: the allocator has that at hand.
pub(crate) const SMALLEST: usize = 32 * 1024;
/// What is larger is given back.
const LARGEST: usize = 1024 * 1024 + 64;
/// Up to this size many are kept, as the small messages of many streams are joined in them, and above it few.
const MEDIUM: usize = 64 * 1024;
const MANY: usize = 32;
const FEW: usize = 4;

/// What the whole process keeps: 6 MiB at most.
static SPARE: Mutex<Spare> = Mutex::new(Spare { medium: Vec::new(), large: Vec::new() });

struct Spare {
    medium: Vec<BytesMut>,
    large: Vec<BytesMut>,
}

impl Spare {
    fn of_size(&mut self, size: usize) -> (&mut Vec<BytesMut>, usize) {
        if size <= MEDIUM { (&mut self.medium, MANY) } else { (&mut self.large, FEW) }
    }
}

fn spare() -> MutexGuard<'static, Spare> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room for `size` bytes.
pub(crate) fn room(size: usize) -> BytesMut {
    if (SMALLEST..=LARGEST).contains(&size) {
        let mut spare = spare();
        let (buffers, _) = spare.of_size(size);
        // The last one that is free, which the processor may still have at hand.
        if let Some(at) = buffers.iter_mut().rposition(|buffer| buffer.try_reclaim(size)) {
            return buffers.remove(at);
        }
    }
    BytesMut::with_capacity(size)
}

/// What is in `buffer`; its memory is used again when nobody has that any more.
pub(crate) fn share(mut buffer: BytesMut) -> Bytes {
    let size = buffer.capacity();
    if !(SMALLEST..=LARGEST).contains(&size) {
        return buffer.freeze();
    }
    let bytes = buffer.split().freeze();
    let mut spare = spare();
    let (buffers, most) = spare.of_size(size);
    // One that is still in use is given up for one that will be free later.
    if buffers.len() == most {
        buffers.remove(0);
    }
    buffers.push(buffer);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(byte: u8, size: usize) -> Bytes {
        let mut buffer = room(size);
        buffer.resize(size, byte);
        share(buffer)
    }

    #[test]
    fn what_was_shared_stays_as_it_is_and_memory_is_bounded() {
        let kept: Vec<_> = (0..50u8).map(|byte| filled(byte, 33_000 + 5_000 * usize::from(byte))).collect();
        for size in [SMALLEST, 100_000, 1_000_000] {
            (0..100).for_each(|_| drop(filled(0xff, size)));
        }
        drop(filled(1, 10 * LARGEST));
        drop(filled(1, 10));
        for (byte, bytes) in (0..50u8).zip(&kept) {
            assert!(bytes.len() >= 33_000 && bytes.iter().all(|found| *found == byte));
        }
        let spare = spare();
        assert!(spare.medium.len() <= MANY && spare.large.len() <= FEW);
        assert!(spare.medium.iter().chain(&spare.large).all(|buffer| buffer.capacity() <= LARGEST));
    }
}
