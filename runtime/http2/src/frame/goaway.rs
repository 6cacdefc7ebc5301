//! GOAWAY (section 6.8).

use super::{GOAWAY, put_head};
use crate::error::{ErrorCode, Fault, frame_size};

/// How much of a peer's words is kept, in bytes.
const MAX_DEBUG: usize = 256;

/// The last stream that the peer has looked at, and why it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoAway {
    pub(crate) last: u32,
    pub(crate) code: ErrorCode,
    pub(crate) debug: String,
}

pub(crate) fn parse(payload: &[u8]) -> Result<GoAway, Fault> {
    let Some((&[l0, l1, l2, l3, c0, c1, c2, c3], debug)) = payload.split_first_chunk::<8>() else {
        return Err(frame_size("a GOAWAY of fewer than eight bytes"));
    };
    let debug = &debug[..debug.len().min(MAX_DEBUG)];
    Ok(GoAway {
        last: super::id([l0, l1, l2, l3]),
        code: ErrorCode(u32::from_be_bytes([c0, c1, c2, c3])),
        debug: String::from_utf8_lossy(debug).into_owned(),
    })
}

pub(crate) fn put(last: u32, code: ErrorCode, debug: &str, to: &mut Vec<u8>) {
    put_head(GOAWAY, 0, 0, 8 + debug.len(), to);
    to.extend_from_slice(&last.to_be_bytes());
    to.extend_from_slice(&code.0.to_be_bytes());
    to.extend_from_slice(debug.as_bytes());
}
