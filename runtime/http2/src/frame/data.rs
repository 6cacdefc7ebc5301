//! DATA (section 6.1).

use super::{DATA, END_STREAM, put_head};

/// Appends the head of a frame; the payload follows it.
pub(crate) fn put(stream: u32, len: usize, end: bool, to: &mut Vec<u8>) {
    put_head(DATA, if end { END_STREAM } else { 0 }, stream, len, to);
}
