//! What is to be written to the socket: small parts copied together, large ones by reference.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes};

/// A payload of so many bytes or more is not copied.
const BY_REFERENCE: usize = 4096;
/// So many copied bytes that are written are given up, even if others behind them are not, and so many are kept room for.
const MAX_WRITTEN: usize = 64 * 1024;

/// Bytes to be written, in order. [`slices`](Self::slices) for a vectored write, [`advance`](Self::advance) for what was
/// written.
#[derive(Debug, Default)]
pub struct Output {
    copied: Vec<u8>,
    /// How much of `copied` is written.
    written: usize,
    parts: VecDeque<Part>,
    len: usize,
}

#[derive(Debug)]
enum Part {
    /// So many of the copied bytes.
    Copied(usize),
    Shared(Bytes),
}

impl Output {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `slices` from the front, and says how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut copied = &self.copied[self.written..];
        let mut filled = 0;
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = match part {
                Part::Copied(len) => {
                    let (part, rest) = copied.split_at(*len);
                    copied = rest;
                    IoSlice::new(part)
                }
                Part::Shared(bytes) => IoSlice::new(bytes),
            };
            filled += 1;
        }
        filled
    }

    /// Takes off the first `count` bytes, or all if there are fewer.
    pub fn advance(&mut self, mut count: usize) {
        count = count.min(self.len);
        self.len -= count;
        while count > 0 {
            let Some(part) = self.parts.front_mut() else { break };
            let taken = match part {
                Part::Copied(len) => {
                    let taken = count.min(*len);
                    *len -= taken;
                    self.written += taken;
                    (taken, *len == 0)
                }
                Part::Shared(bytes) => {
                    let taken = count.min(bytes.len());
                    bytes.advance(taken);
                    (taken, bytes.is_empty())
                }
            };
            count -= taken.0;
            if taken.1 {
                self.parts.pop_front();
            }
        }
        if self.parts.is_empty() {
            self.copied.clear();
            self.copied.shrink_to(MAX_WRITTEN);
            self.written = 0;
        } else if self.written > MAX_WRITTEN.max(self.copied.len() / 2) {
            // A socket that never takes all must not make this grow for ever.
            self.copied.drain(..self.written);
            self.written = 0;
        }
    }

    /// Appends what `write` writes.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.copied.len();
        write(&mut self.copied);
        let added = self.copied.len() - before;
        self.len += added;
        match self.parts.back_mut() {
            Some(Part::Copied(len)) => *len += added,
            _ if added > 0 => self.parts.push_back(Part::Copied(added)),
            _ => {}
        }
    }

    /// Appends a payload.
    pub(crate) fn payload(&mut self, bytes: Bytes) {
        if bytes.len() < BY_REFERENCE {
            return self.write(|to| to.extend_from_slice(&bytes));
        }
        self.len += bytes.len();
        self.parts.push_back(Part::Shared(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(output: &Output) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = output.slices(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn parts_leave_in_their_order_whatever_is_written_at_a_time() {
        let expected = [vec![1; 10], vec![2; BY_REFERENCE], vec![3; 5], vec![4; BY_REFERENCE + 1]].concat();
        for step in [1, 7, 4096, 100_000] {
            let mut output = Output::default();
            output.write(|to| to.extend_from_slice(&[1; 10]));
            output.payload(vec![2; BY_REFERENCE].into());
            output.payload(vec![3; 5].into());
            output.payload(vec![4; BY_REFERENCE + 1].into());
            assert_eq!((output.len(), all(&output)), (expected.len(), expected.clone()));
            let mut left = &expected[..];
            while !output.is_empty() {
                let count = step.min(output.len());
                output.advance(count);
                left = &left[count..];
                assert_eq!(all(&output), left);
            }
            assert!(output.copied.is_empty() && left.is_empty());
        }
    }

    #[test]
    fn what_is_never_written_to_its_end_does_not_grow() {
        let mut output = Output::default();
        output.write(|to| to.extend_from_slice(&[1; 1000]));
        for _ in 0..10_000 {
            output.write(|to| to.extend_from_slice(&[2; 1000]));
            output.advance(1000);
        }
        assert_eq!((output.len(), all(&output)), (1000, vec![2; 1000]));
        assert!(output.copied.capacity() < 1024 * 1024, "{}", output.copied.capacity());
    }
}
