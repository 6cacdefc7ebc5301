//! HEADERS (section 6.2) and the CONTINUATION frames (section 6.10) that go on with its block.

use std::ops::Range;

use super::{CONTINUATION, END_HEADERS, END_STREAM, HEADERS, Head, WITH_PRIORITY, put_head, unpadded};
use crate::error::{ErrorCode, Fault, frame_size};

/// Where the block is in the payload of a HEADERS frame. Priorities are looked at no further than this asks for.
pub(crate) fn block(head: Head, payload: &[u8]) -> Result<Range<usize>, Fault> {
    let range = unpadded(head, payload)?;
    if !head.has(WITH_PRIORITY) {
        return Ok(range);
    }
    let Some(priority) = payload[range.clone()].first_chunk::<5>() else {
        return Err(frame_size("HEADERS too short for its priority"));
    };
    check_priority(head.stream, priority)?;
    Ok(range.start + priority.len()..range.end)
}

/// A stream that depends on itself is an error of that stream (RFC 7540 section 5.3.1).
pub(crate) fn check_priority(stream: u32, priority: &[u8; 5]) -> Result<(), Fault> {
    let &[a, b, c, d, _] = priority;
    if super::id([a, b, c, d]) == stream { Err(Fault::Stream(stream, ErrorCode::PROTOCOL_ERROR)) } else { Ok(()) }
}

/// Appends a block, in as many frames as it takes.
pub(crate) fn put(stream: u32, block: &[u8], end: bool, max_frame: usize, to: &mut Vec<u8>) {
    let end = if end { END_STREAM } else { 0 };
    let (first, mut rest) = block.split_at(block.len().min(max_frame));
    put_head(HEADERS, end | if rest.is_empty() { END_HEADERS } else { 0 }, stream, first.len(), to);
    to.extend_from_slice(first);
    while !rest.is_empty() {
        let part;
        (part, rest) = rest.split_at(rest.len().min(max_frame));
        put_head(CONTINUATION, if rest.is_empty() { END_HEADERS } else { 0 }, stream, part.len(), to);
        to.extend_from_slice(part);
    }
}
