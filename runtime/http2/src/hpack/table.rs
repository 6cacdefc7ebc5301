//! The dynamic table (RFC 7541 section 2.3.2): the newest entry has the smallest index.

use std::collections::VecDeque;

use super::field::Field;

/// Entries up to a size, the oldest evicted first.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Field>,
    size: usize,
    max_size: usize,
}

impl Table {
    pub(super) fn new(max_size: usize) -> Table {
        Table { entries: VecDeque::new(), size: 0, max_size }
    }

    pub(super) fn max_size(&self) -> usize {
        self.max_size
    }

    /// The entry at `index`, counted from 0, the newest first.
    pub(super) fn get(&self, index: usize) -> Option<&Field> {
        self.entries.get(index)
    }

    /// Adds a field; one that is larger than the table empties it and is not added.
    pub(super) fn add(&mut self, field: Field) {
        let size = field.size();
        self.evict(self.max_size.saturating_sub(size));
        if size <= self.max_size {
            self.size += size;
            self.entries.push_front(field);
        }
    }

    pub(super) fn resize(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.evict(max_size);
    }

    /// Evicts until no more than `room` bytes are taken.
    fn evict(&mut self, room: usize) {
        while self.size > room {
            let Some(field) = self.entries.pop_back() else { return };
            self.size -= field.size();
        }
    }
}
