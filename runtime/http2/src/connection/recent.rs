//! Which streams were closed lately, and how: it decides what a late frame for one means (RFC 9113 section 5.1).

use std::collections::{HashMap, VecDeque};

/// How many are remembered. A peer that still sends on a stream that is forgotten is more than so many streams late.
const REMEMBERED: usize = 8192;

/// How a stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// By a reset from here: what the peer sent before it knew is dropped.
    ResetHere,
    /// By a reset from the peer, which should know.
    ResetByPeer,
    /// By END_STREAM both ways.
    Ended,
}

/// The streams that were closed last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    how: HashMap<u32, Closed>,
    order: VecDeque<u32>,
}

impl Recent {
    pub(super) fn add(&mut self, id: u32, closed: Closed) {
        if self.how.insert(id, closed).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.how.remove(&oldest);
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<Closed> {
        self.how.get(&id).copied()
    }
}
