//! WINDOW_UPDATE (section 6.9).

use super::{WINDOW_UPDATE, put_head};
use crate::error::{Fault, frame_size};

/// By how much the window grows; 0 is an error that the caller knows the scope of.
pub(crate) fn parse(payload: &[u8]) -> Result<u32, Fault> {
    let increment = payload.try_into().map_err(|_| frame_size("a WINDOW_UPDATE that has not four bytes"))?;
    Ok(super::id(increment))
}

pub(crate) fn put(stream: u32, increment: u32, to: &mut Vec<u8>) {
    put_head(WINDOW_UPDATE, 0, stream, 4, to);
    to.extend_from_slice(&increment.to_be_bytes());
}
