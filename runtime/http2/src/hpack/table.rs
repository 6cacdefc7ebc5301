//! The dynamic table (RFC 7541 section 2.3.2): the newest entry has the smallest index.

use std::collections::VecDeque;

use super::field::{Field, Name};

/// Entries up to a size, the oldest evicted first.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<(u32, Field)>,
    size: usize,
    max_size: usize,
    /// Counts the changes: with the same version, an index means the same field.
    version: u64,
}

impl Table {
    pub(super) fn new(max_size: usize) -> Table {
        Table { entries: VecDeque::new(), size: 0, max_size, version: 0 }
    }

    pub(super) fn max_size(&self) -> usize {
        self.max_size
    }

    /// Which state of the table this is.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The entry at `index`, counted from 0, the newest first.
    pub(super) fn get(&self, index: usize) -> Option<&Field> {
        self.entries.get(index).map(|(_, field)| field)
    }

    /// The index of a field that was added with this hash.
    pub(super) fn find(&self, hash: u32, name: &Name, value: &[u8]) -> Option<usize> {
        self.entries
            .iter()
            .position(|(known, field)| *known == hash && field.value.as_bytes() == value && field.name == *name)
    }

    /// The index of the newest field of this name.
    pub(super) fn find_name(&self, name: &Name) -> Option<usize> {
        self.entries.iter().position(|(_, field)| field.name == *name)
    }

    /// Adds a field, to be found by this hash; one that is larger than the table empties it and is not added.
    pub(super) fn add(&mut self, field: Field, hash: u32) {
        self.version += 1;
        let size = field.size();
        self.evict(self.max_size.saturating_sub(size));
        if size <= self.max_size {
            self.size += size;
            self.entries.push_front((hash, field));
        }
    }

    pub(super) fn resize(&mut self, max_size: usize) {
        self.version += 1;
        self.max_size = max_size;
        self.evict(max_size);
    }

    /// Evicts until no more than `room` bytes are taken.
    fn evict(&mut self, room: usize) {
        while self.size > room {
            let Some((_, field)) = self.entries.pop_back() else { return };
            self.size -= field.size();
        }
    }
}
