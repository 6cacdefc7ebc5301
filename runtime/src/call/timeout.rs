//! `grpc-timeout` (`doc/PROTOCOL-HTTP2.md`): at most eight digits and a unit.

use std::time::Duration;

use http::HeaderValue;

const MAX_VALUE: u128 = 99_999_999;

/// Nanoseconds in each unit, finest first.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// Writes a timeout in the finest unit that can hold it, rounded up so that the peer never gives up first.
pub(crate) fn encode(timeout: Duration) -> HeaderValue {
    let nanos = timeout.as_nanos();
    let (unit, value) = UNITS
        .iter()
        .map(|(unit, size)| (*unit, nanos.div_ceil(*size)))
        .find(|(_, value)| *value <= MAX_VALUE)
        .unwrap_or((b'H', MAX_VALUE));
    let text = format!("{value}{}", char::from(unit));
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("99999999H"))
}

/// Reads a timeout; `None` for anything that the protocol does not allow.
pub(crate) fn decode(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'n' => Some(Duration::from_nanos(value)),
        b'u' => Some(Duration::from_micros(value)),
        b'm' => Some(Duration::from_millis(value)),
        b'S' => Some(Duration::from_secs(value)),
        b'M' => Some(Duration::from_secs(value * 60)),
        b'H' => Some(Duration::from_secs(value * 3600)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_survives_and_never_shrinks() {
        for timeout in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_nanos(100_000_001),
            Duration::from_millis(1),
            Duration::from_secs(5),
            Duration::from_secs(86_400 * 365),
            Duration::from_secs(u64::from(u32::MAX)),
        ] {
            let encoded = encode(timeout);
            assert!(encoded.len() <= 9, "{encoded:?}");
            assert!(decode(&encoded).unwrap() >= timeout, "{timeout:?} became {encoded:?}");
        }
        assert_eq!(encode(Duration::from_millis(50)), "50000000n");
        assert_eq!(encode(Duration::MAX), "99999999H");
    }

    #[test]
    fn what_the_protocol_does_not_allow_is_refused() {
        for text in ["", "n", "5", "5s", "-5S", "+5S", "123456789S", "5 S", "1.5S", "S5"] {
            assert_eq!(decode(&HeaderValue::from_static(text)), None, "{text:?}");
        }
    }

    #[test]
    fn every_unit_is_read() {
        let read = |text| decode(&HeaderValue::from_static(text)).unwrap();
        assert_eq!(read("99999999H"), Duration::from_secs(99_999_999 * 3600));
        assert_eq!(
            [read("2M"), read("2S"), read("2m")],
            [Duration::from_secs(120), Duration::from_secs(2), Duration::from_millis(2)]
        );
        assert_eq!([read("2u"), read("2n")], [Duration::from_micros(2), Duration::from_nanos(2)]);
    }
}
