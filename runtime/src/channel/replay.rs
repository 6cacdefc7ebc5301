//! What a call has sent, kept for as long as it may have to be sent again (gRFC A6).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};

/// How much is kept of all calls of a channel together.
#[derive(Debug)]
pub(super) struct ReplayMemory {
    used: AtomicUsize,
    limit: usize,
}

impl ReplayMemory {
    pub(super) fn new(limit: usize) -> Self {
        ReplayMemory { used: AtomicUsize::new(0), limit }
    }

    fn has_room_for(&self, size: usize) -> bool {
        self.used.load(Ordering::Relaxed).saturating_add(size) <= self.limit
    }
}

/// What a call has sent.
#[derive(Debug)]
pub(super) struct Replay {
    /// The first message, which can go out with the head.
    first: Option<Bytes>,
    /// Those behind it, joined.
    rest: BytesMut,
    /// How many there are, and how many of them went out with the head the last time.
    messages: usize,
    with_head: usize,
    /// Nothing more will be sent.
    pub(super) finished: bool,
    /// How much is kept, in bytes; a call that has sent more is not sent again.
    limit: usize,
    memory: Arc<ReplayMemory>,
    /// What of that memory is this call's.
    taken: usize,
}

/// How far an attempt is with what a call has sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    bytes: usize,
    messages: usize,
}

impl Replay {
    pub(super) fn new(first: Option<Bytes>, finished: bool, limit: usize, memory: Arc<ReplayMemory>) -> Replay {
        let messages = usize::from(first.is_some());
        let rest = BytesMut::new();
        let mut replay = Replay { first, rest, messages, with_head: 0, finished, limit, memory, taken: 0 };
        replay.take_memory();
        replay
    }

    /// Notes how much is kept by now.
    fn take_memory(&mut self) {
        let size = self.size();
        self.memory.used.fetch_add(size - self.taken, Ordering::Relaxed);
        self.taken = size;
    }

    /// What goes out with the head now, and whether that is all.
    pub(super) fn first(&mut self) -> (Option<Bytes>, bool) {
        let alone = self.messages <= 1;
        self.with_head = if alone { self.messages } else { 0 };
        if alone { (self.first.clone(), self.finished) } else { (None, false) }
    }

    /// What goes out behind the head, in the order in which it was sent, more may have come meanwhile; how many messages that is.
    pub(super) fn behind_head(&self) -> (impl Iterator<Item = Bytes>, usize) {
        let first = self.first.clone().filter(|_| self.with_head == 0);
        let count = self.messages - self.with_head;
        let rest = (!self.rest.is_empty()).then(|| Bytes::copy_from_slice(&self.rest));
        (first.into_iter().chain(rest), count)
    }

    /// What comes behind a position, joined, and how many messages that is; the position is behind it then.
    pub(super) fn after(&self, position: &mut Position) -> (Bytes, usize) {
        let first = self.first.as_deref().unwrap_or_default();
        let all = [first.get(position.bytes..), self.rest.get(position.bytes.saturating_sub(first.len())..)];
        let joined: Bytes = match all {
            [Some(first), _] if self.rest.is_empty() && position.bytes == 0 && !first.is_empty() => {
                self.first.clone().unwrap_or_default()
            }
            parts => parts.into_iter().flatten().flatten().copied().collect::<Vec<u8>>().into(),
        };
        let count = self.messages - position.messages;
        *position = Position { bytes: first.len() + self.rest.len(), messages: self.messages };
        (joined, count)
    }

    /// Keeps a message.
    pub(super) fn push(&mut self, message: &Bytes) {
        self.messages += 1;
        match self.messages {
            1 => self.first = Some(message.clone()),
            _ => self.rest.extend_from_slice(message),
        }
        self.take_memory();
    }

    /// Keeps a message that `write` writes, and gives it back.
    pub(super) fn write<E>(&mut self, write: impl FnOnce(&mut BytesMut) -> Result<(), E>) -> Result<&[u8], E> {
        let before = self.rest.len();
        if let Err(error) = write(&mut self.rest) {
            self.rest.truncate(before);
            return Err(error);
        }
        self.messages += 1;
        if self.first.is_none() && before == 0 {
            self.first = Some(self.rest.split().freeze());
            self.take_memory();
            return Ok(self.first.as_deref().unwrap_or_default());
        }
        self.take_memory();
        Ok(self.rest.get(before..).unwrap_or_default())
    }

    /// Whether `size` bytes more can be kept.
    pub(super) fn has_room_for(&self, size: usize) -> bool {
        self.size() + size <= self.limit && self.memory.has_room_for(size)
    }

    /// Whether it is more than may be sent again as a policy says: a first message that is large is kept for as long as no server
    /// may have seen it.
    pub(super) fn is_over_limit(&self) -> bool {
        self.size() > self.limit
    }

    /// Whether the calls of the channel keep more than they may: what is on its way then is not kept any longer.
    pub(super) fn is_beyond_memory(&self) -> bool {
        !self.memory.has_room_for(0)
    }

    /// How large the first message is, with its prefix, in bytes.
    pub(super) fn first_size(&self) -> usize {
        self.first.as_ref().map_or(0, Bytes::len)
    }

    fn size(&self) -> usize {
        self.first_size() + self.rest.len()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1024;

    fn kept(first: Option<Bytes>, memory: &Arc<ReplayMemory>) -> Replay {
        Replay::new(first, false, LIMIT, memory.clone())
    }

    fn write(replay: &mut Replay, message: &'static [u8]) -> Vec<u8> {
        let written = replay.write(|to| {
            to.extend_from_slice(message);
            Ok::<_, ()>(())
        });
        written.unwrap().to_vec()
    }

    fn behind_head(replay: &Replay) -> (Vec<u8>, usize) {
        let (parts, count) = replay.behind_head();
        (parts.flatten().collect(), count)
    }

    #[test]
    fn what_was_sent_comes_again_in_its_order() {
        let memory = Arc::new(ReplayMemory::new(usize::MAX));
        let mut replay = kept(Some(Bytes::from_static(b"one")), &memory);
        assert_eq!((replay.first(), behind_head(&replay)), ((Some(Bytes::from_static(b"one")), false), (vec![], 0)));
        assert_eq!(write(&mut replay, b"two"), b"two");
        replay.push(&Bytes::from_static(b"three"));
        assert_eq!((replay.first(), behind_head(&replay)), ((None, false), (b"onetwothree".to_vec(), 3)));

        let mut empty = kept(None, &memory);
        // What comes between the head and the rest goes with the rest.
        assert_eq!(empty.first(), (None, false));
        empty.push(&Bytes::from_static(b"late"));
        assert_eq!(behind_head(&empty), (b"late".to_vec(), 1));
        let mut one = kept(Some(Bytes::from_static(b"one")), &memory);
        assert_eq!(one.first().0, Some(Bytes::from_static(b"one")));
        one.push(&Bytes::from_static(b"late"));
        assert_eq!(behind_head(&one), (b"late".to_vec(), 1));

        let mut position = Position::default();
        assert_eq!(replay.after(&mut position), (Bytes::from_static(b"onetwothree"), 3));
        assert_eq!(replay.after(&mut position), (Bytes::new(), 0));
        replay.push(&Bytes::from_static(b"four"));
        assert_eq!(replay.after(&mut position), (Bytes::from_static(b"four"), 1));

        let mut empty = kept(None, &memory);
        assert_eq!(write(&mut empty, b"one"), b"one");
        assert!(
            empty
                .write(|to| {
                    to.extend_from_slice(b"half");
                    Err(())
                })
                .is_err()
        );
        assert_eq!((empty.first().0, behind_head(&empty)), (Some(Bytes::from_static(b"one")), (vec![], 0)));
        assert!(empty.has_room_for(LIMIT - 3) && !empty.has_room_for(LIMIT - 2));
    }

    #[test]
    fn the_calls_of_a_channel_keep_so_much_together() {
        let memory = Arc::new(ReplayMemory::new(10));
        let mut one = kept(Some(Bytes::from_static(b"1234")), &memory);
        assert!(one.has_room_for(6) && !one.has_room_for(7));
        let mut other = kept(None, &memory);
        assert_eq!(write(&mut other, b"12"), b"12");
        assert_eq!(write(&mut other, b"34"), b"34");
        assert!(one.has_room_for(2) && !one.has_room_for(3) && !one.is_beyond_memory());
        // What has to be kept is.
        one.push(&Bytes::from_static(b"567"));
        assert!(other.is_beyond_memory() && !other.has_room_for(0));
        drop(one);
        assert!(other.has_room_for(6) && !other.has_room_for(7));
        drop(other);
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
    }
}
