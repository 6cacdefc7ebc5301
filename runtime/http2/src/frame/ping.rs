//! PING (section 6.7).

use super::{ACK, PING, put_head};
use crate::error::{Fault, frame_size};

pub(crate) fn parse(payload: &[u8]) -> Result<[u8; 8], Fault> {
    payload.try_into().map_err(|_| frame_size("a PING that has not eight bytes"))
}

pub(crate) fn put(payload: [u8; 8], ack: bool, to: &mut Vec<u8>) {
    put_head(PING, if ack { ACK } else { 0 }, 0, payload.len(), to);
    to.extend_from_slice(&payload);
}
