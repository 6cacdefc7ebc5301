//! The header blocks that the peer sends again and again: what was made of each is kept, and found by its bytes.
//!
//! Only blocks of indices alone are kept: they mean the same for as long as the table stays as it is, and whoever writes a field
//! in full means to write it otherwise the next time.

use std::sync::Arc;

use crate::fields::Fields;
use crate::head::Headers;

/// How many blocks are kept, and how long one may be.
const KEPT: usize = 8;
const MAX_LEN: usize = 32;

/// What a block came to, by where it stood.
#[derive(Clone, Debug)]
pub(super) enum Section {
    Headers(Arc<Headers>),
    Trailers(Fields),
}

#[derive(Debug, Default)]
pub(super) struct Known {
    /// The state of the table that they hold for.
    version: u64,
    blocks: Vec<Block>,
    next: usize,
}

#[derive(Debug)]
struct Block {
    len: usize,
    bytes: [u8; MAX_LEN],
    section: Section,
}

impl Known {
    /// What these bytes came to as headers, or as trailers.
    pub(super) fn get(&self, version: u64, bytes: &[u8], trailers: bool) -> Option<&Section> {
        if version != self.version {
            return None;
        }
        let block = self.blocks.iter().find(|block| {
            block.bytes.get(..block.len) == Some(bytes) && matches!(block.section, Section::Trailers(_)) == trailers
        })?;
        Some(&block.section)
    }

    pub(super) fn add(&mut self, version: u64, bytes: &[u8], section: &Section) {
        if version != self.version {
            self.blocks.clear();
            (self.version, self.next) = (version, 0);
        }
        let mut kept = [0; MAX_LEN];
        let Some(to) = kept.get_mut(..bytes.len()) else { return };
        to.copy_from_slice(bytes);
        let block = Block { len: bytes.len(), bytes: kept, section: section.clone() };
        if self.blocks.len() < KEPT {
            self.blocks.push(block);
        } else {
            self.blocks[self.next] = block;
            self.next = (self.next + 1) % KEPT;
        }
    }
}
