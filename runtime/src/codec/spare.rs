//! Room for large messages that are sent, used again once they have left: memory that is given back and asked for anew costs
//! more than what is written into it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// A message below this many bytes gets room of its own: the allocator has that at hand.
const LARGE: usize = 32 * 1024;
/// How much room one may have that is kept, and how many are kept, by the whole process.
const LARGEST: usize = 1024 * 1024 + 64;
const MOST: usize = 4;

static SPARE: Mutex<Vec<BytesMut>> = Mutex::new(Vec::new());

fn spare() -> MutexGuard<'static, Vec<BytesMut>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room for a message of `size` bytes.
pub(super) fn room(size: usize) -> BytesMut {
    if size >= LARGE {
        let mut spare = spare();
        if let Some(at) = spare.iter_mut().position(|buffer| buffer.try_reclaim(size)) {
            return spare.swap_remove(at);
        }
    }
    BytesMut::with_capacity(size)
}

/// The message in `buffer`; its room is used again when nobody has it any more.
pub(super) fn share(mut buffer: BytesMut) -> Bytes {
    if !(LARGE..=LARGEST).contains(&buffer.len()) || buffer.capacity() > LARGEST {
        return buffer.freeze();
    }
    let message = buffer.split().freeze();
    let mut spare = spare();
    // One that is still on its way is given up for one that will leave later.
    if spare.len() == MOST {
        spare.remove(0);
    }
    spare.push(buffer);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(byte: u8, size: usize) -> Bytes {
        let mut buffer = room(size);
        buffer.resize(size, byte);
        share(buffer)
    }

    #[test]
    fn messages_keep_their_bytes_and_room_is_bounded() {
        let kept: Vec<_> = (0..20u8).map(|byte| message(byte, 40_000 + 10_000 * usize::from(byte))).collect();
        for _ in 0..100 {
            drop(message(0xff, 100_000));
        }
        for (byte, message) in (0..20u8).zip(&kept) {
            assert!(message.len() >= 40_000 && message.iter().all(|found| *found == byte));
        }
        drop(message(1, 10 * LARGEST));
        let spare = spare();
        assert!(spare.len() <= MOST && spare.iter().all(|buffer| buffer.capacity() <= LARGEST));
    }
}
