//! RST_STREAM (section 6.4).

use super::{RST_STREAM, put_head};
use crate::error::{ErrorCode, Fault, frame_size};

pub(crate) fn parse(payload: &[u8]) -> Result<ErrorCode, Fault> {
    let code = payload.try_into().map_err(|_| frame_size("an RST_STREAM that has not four bytes"))?;
    Ok(ErrorCode(u32::from_be_bytes(code)))
}

pub(crate) fn put(stream: u32, code: ErrorCode, to: &mut Vec<u8>) {
    put_head(RST_STREAM, 0, stream, 4, to);
    to.extend_from_slice(&code.0.to_be_bytes());
}
