//! Integers with a prefix (RFC 7541 section 5.1).

use super::HpackError;

/// What is more than this is no length and no index that a block could mean.
const MAX: u64 = 1 << 28;

/// Reads an integer whose first `prefix` bits are in `first`; the rest follows in `bytes`.
pub(super) fn decode(first: u8, prefix: u32, bytes: &mut &[u8]) -> Result<usize, HpackError> {
    let mask = (1u64 << prefix) - 1;
    let mut value = u64::from(first) & mask;
    if value < mask {
        return Ok(value as usize);
    }
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(HpackError::Truncated)?;
        *bytes = rest;
        if shift > 28 {
            return Err(HpackError::Integer);
        }
        value += u64::from(byte & 0x7f) << shift;
        if value > MAX {
            return Err(HpackError::Integer);
        }
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(value as usize)
}

/// Appends an integer; `first` has the bits before the prefix.
pub(super) fn encode(value: usize, prefix: u32, first: u8, to: &mut Vec<u8>) {
    let mask = (1usize << prefix) - 1;
    if value < mask {
        to.push(first | value as u8);
        return;
    }
    to.push(first | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        for (value, prefix, bytes) in [(10, 5, &[10][..]), (1337, 5, &[31, 154, 10]), (42, 8, &[42])] {
            let mut encoded = Vec::new();
            encode(value, prefix, 0, &mut encoded);
            assert_eq!(encoded, bytes);
            let mut rest = &bytes[1..];
            assert_eq!((decode(bytes[0], prefix, &mut rest), rest.len()), (Ok(value), 0));
        }
    }

    #[test]
    fn what_is_too_large_or_cut_off_is_refused() {
        assert_eq!(decode(31, 5, &mut &[0x80][..]), Err(HpackError::Truncated));
        assert_eq!(decode(31, 5, &mut &[0xff, 0xff, 0xff, 0xff, 0x0f][..]), Err(HpackError::Integer));
        assert_eq!(decode(31, 5, &mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00][..]), Err(HpackError::Integer));
    }
}
