//! Frames (RFC 9113 sections 4 and 6): the head that each has, and a file for each kind.

pub(crate) mod data;
pub(crate) mod goaway;
pub(crate) mod headers;
pub(crate) mod ping;
pub(crate) mod reset;
pub(crate) mod settings;
pub(crate) mod window_update;

use crate::error::{Fault, protocol};

/// Bytes before each payload.
pub(crate) const HEAD_LEN: usize = 9;
/// Which of them says what kind of frame it is.
pub(crate) const KIND_AT: usize = 3;
/// What a client sends before its first frame.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const WITH_PRIORITY: u8 = 0x20;

/// What is before each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) len: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl Head {
    /// The head at the beginning of `bytes`; `None` until all of it is there.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Head> {
        let &[a, b, c, kind, flags, s0, s1, s2, s3] = bytes.first_chunk::<HEAD_LEN>()?;
        let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        Some(Head { len, kind, flags, stream: id([s0, s1, s2, s3]) })
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Four bytes of which the first bit is reserved.
pub(crate) fn id(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes) & 0x7fff_ffff
}

/// Appends a head.
pub(crate) fn put_head(kind: u8, flags: u8, stream: u32, len: usize, to: &mut Vec<u8>) {
    let len = (len as u32).to_be_bytes();
    to.extend_from_slice(&[len[1], len[2], len[3], kind, flags]);
    to.extend_from_slice(&stream.to_be_bytes());
}

/// What is left of a payload without its padding.
pub(crate) fn unpadded(head: Head, payload: &[u8]) -> Result<std::ops::Range<usize>, Fault> {
    if !head.has(PADDED) {
        return Ok(0..payload.len());
    }
    let Some((&padding, rest)) = payload.split_first() else {
        return Err(crate::error::frame_size("a padded frame without the length of its padding"));
    };
    match rest.len().checked_sub(usize::from(padding)) {
        Some(len) => Ok(1..1 + len),
        None => Err(protocol("a frame has more padding than payload")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back() {
        let mut bytes = Vec::new();
        put_head(HEADERS, END_HEADERS, 0x7fff_ffff, 0x01_02_03, &mut bytes);
        assert_eq!(bytes.len(), HEAD_LEN);
        let head = Head { len: 0x01_02_03, kind: HEADERS, flags: END_HEADERS, stream: 0x7fff_ffff };
        assert_eq!(Head::parse(&bytes), Some(head));
        assert_eq!(Head::parse(&bytes[..8]), None);
        bytes[5] |= 0x80;
        assert_eq!(Head::parse(&bytes), Some(head));
    }

    #[test]
    fn padding_is_taken_off() {
        let head = Head { len: 5, kind: DATA, flags: PADDED, stream: 1 };
        assert_eq!(unpadded(head, &[2, b'a', b'b', 0, 0]), Ok(1..3));
        assert_eq!(unpadded(head, &[0]), Ok(1..1));
        assert!(unpadded(head, &[1]).is_err() && unpadded(head, &[]).is_err());
    }
}
