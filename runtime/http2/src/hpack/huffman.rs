//! The Huffman code of RFC 7541, appendix B.
//!
//! The code is canonical: the lengths of the codes, with the symbols in order, say what each code is.

use std::sync::LazyLock;

use super::HpackError;

/// How many bits the code of each octet has; the last is the end of the string, which never stands in one.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26, 30,
];
const MAX_LENGTH: usize = 30;
/// So many bits are looked up at once: all codes of letters and digits are shorter.
const FAST_BITS: usize = 9;

static CODE: LazyLock<Code> = LazyLock::new(Code::new);

struct Code {
    codes: [u32; 257],
    /// By the next nine bits: the symbol in the high byte and the length of its code below, or 0 for a longer one.
    fast: [u16; 1 << FAST_BITS],
    /// By length: the first code, how many there are, and where their symbols begin.
    first: [u32; MAX_LENGTH + 1],
    count: [u32; MAX_LENGTH + 1],
    offset: [usize; MAX_LENGTH + 1],
    /// The symbols, in the order of their codes.
    symbols: [u16; 257],
}

impl Code {
    fn new() -> Code {
        let mut code = Code {
            codes: [0; 257],
            fast: [0; 1 << FAST_BITS],
            first: [0; MAX_LENGTH + 1],
            count: [0; MAX_LENGTH + 1],
            offset: [0; MAX_LENGTH + 1],
            symbols: [0; 257],
        };
        let (mut next, mut at) = (0u32, 0);
        for length in 1..=MAX_LENGTH {
            next <<= 1;
            code.first[length] = next;
            code.offset[length] = at;
            for symbol in (0..257u16).filter(|symbol| usize::from(LENGTHS[usize::from(*symbol)]) == length) {
                code.codes[usize::from(symbol)] = next;
                code.symbols[at] = symbol;
                if length <= FAST_BITS {
                    let shift = FAST_BITS - length;
                    let from = (next as usize) << shift;
                    code.fast[from..from + (1 << shift)].fill(symbol << 8 | length as u16);
                }
                next += 1;
                at += 1;
            }
            code.count[length] = next - code.first[length];
        }
        code
    }
}

/// Appends what `bytes` stand for to `to`.
///
/// # Errors
/// For padding of more than seven bits or of anything but ones, and for the end of the string inside of it.
pub(super) fn decode(bytes: &[u8], to: &mut Vec<u8>) -> Result<(), HpackError> {
    let code = &*CODE;
    let (mut bits, mut held) = (0u64, 0usize);
    let mut bytes = bytes.iter();
    loop {
        while held <= 56 {
            let Some(byte) = bytes.next() else { break };
            bits = bits << 8 | u64::from(*byte);
            held += 8;
        }
        if held == 0 {
            return Ok(());
        }
        // What is missing at the end is padded with ones, which is the beginning of the code of the string's end.
        let window = |length: usize| -> u32 {
            let value = if held >= length {
                bits >> (held - length)
            } else {
                bits << (length - held) | ((1 << (length - held)) - 1)
            };
            (value & ((1 << length) - 1)) as u32
        };
        let fast = code.fast[window(FAST_BITS) as usize];
        let (symbol, length) = if fast != 0 {
            (fast >> 8, usize::from(fast & 0xff))
        } else {
            let found = (FAST_BITS + 1..=MAX_LENGTH).find_map(|length| {
                let index =
                    window(length).checked_sub(code.first[length]).filter(|index| *index < code.count[length])?;
                Some((code.symbols[code.offset[length] + index as usize], length))
            });
            found.ok_or(HpackError::Huffman)?
        };
        if length > held {
            // The rest is padding: fewer than eight bits, all ones.
            let padding = bits & ((1 << held) - 1);
            return if held < 8 && padding == (1 << held) - 1 { Ok(()) } else { Err(HpackError::Huffman) };
        }
        held -= length;
        bits &= (1u64 << held).wrapping_sub(1);
        to.push(u8::try_from(symbol).map_err(|_| HpackError::Huffman)?);
    }
}

/// How many octets `text` takes encoded.
pub(super) fn encoded_len(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(LENGTHS[usize::from(*byte)])).sum::<usize>().div_ceil(8)
}

/// Appends `text` encoded to `to`.
pub(super) fn encode(text: &[u8], to: &mut Vec<u8>) {
    let code = &*CODE;
    let (mut bits, mut held) = (0u64, 0);
    for byte in text {
        let length = LENGTHS[usize::from(*byte)];
        bits = bits << length | u64::from(code.codes[usize::from(*byte)]);
        held += u32::from(length);
        while held >= 8 {
            held -= 8;
            to.push((bits >> held) as u8);
        }
    }
    if held > 0 {
        to.push((bits << (8 - held)) as u8 | (0xff >> held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        decode(bytes, &mut text).ok().map(|()| text)
    }

    #[test]
    fn the_examples_of_the_rfc() {
        for (text, bytes) in [
            (&b"www.example.com"[..], &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..]),
            (b"no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            (b"302", &[0x64, 0x02]),
            (b"private", &[0xae, 0xc3, 0x77, 0x1a, 0x4b]),
        ] {
            let mut encoded = Vec::new();
            encode(text, &mut encoded);
            assert_eq!((encoded.as_slice(), encoded_len(text)), (bytes, bytes.len()));
            assert_eq!(decoded(bytes).as_deref(), Some(text));
        }
    }

    #[test]
    fn every_octet_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let mut encoded = Vec::new();
        encode(&all, &mut encoded);
        assert_eq!(decoded(&encoded), Some(all));
    }

    #[test]
    fn bad_padding_is_refused() {
        assert_eq!(decoded(&[]), Some(vec![]));
        // Zeros, a whole octet of ones, and the end of the string.
        for bytes in [&[0x18][..], &[0x64, 0x02, 0xff], &[0xff], &[0xff, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0xfc]] {
            assert_eq!(decoded(bytes), None, "{bytes:x?}");
        }
    }
}
