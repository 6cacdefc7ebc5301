//! Which streams were closed lately, and how: it decides what a late frame for one means (RFC 9113 section 5.1).

/// How many ids back are remembered. A peer that still sends on a stream that is forgotten is more than so many late.
const REMEMBERED: usize = 4096;
const FEWEST: usize = 64;

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

/// The streams that were closed last, each at the place that its id gives it: every stream is noted and hardly any is asked
/// for, so that noting must cost nothing. Clients open all streams (there is no push), so that all ids are odd.
#[derive(Debug, Default)]
pub(super) struct Recent(Vec<Option<(u32, Closed)>>);

impl Recent {
    pub(super) fn add(&mut self, id: u32, closed: Closed) {
        let needed = (id as usize / 2 + 1).next_power_of_two().clamp(FEWEST, REMEMBERED);
        if self.0.len() < needed {
            self.0.resize(needed, None);
        }
        let at = self.place(id);
        self.0[at] = Some((id, closed));
    }

    pub(super) fn get(&self, id: u32) -> Option<Closed> {
        let (noted, closed) = (*self.0.get(self.place(id))?)?;
        (noted == id).then_some(closed)
    }

    fn place(&self, id: u32) -> usize {
        id as usize / 2 % self.0.len().max(FEWEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_streams_are_remembered_and_no_more_memory_is_taken() {
        let mut recent = Recent::default();
        assert_eq!(recent.get(1), None);
        for id in (1..100_001).step_by(2) {
            recent.add(id, if id % 3 == 0 { Closed::Ended } else { Closed::ResetHere });
        }
        let oldest = 100_001 - 2 * REMEMBERED as u32;
        assert_eq!((recent.get(oldest - 2), recent.0.len()), (None, REMEMBERED));
        for id in (oldest..100_001).step_by(2) {
            assert_eq!(recent.get(id), Some(if id % 3 == 0 { Closed::Ended } else { Closed::ResetHere }));
        }
    }
}
