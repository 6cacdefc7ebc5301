//! The static table of RFC 7541, appendix A.

use std::sync::LazyLock;

use bytes::Bytes;

use super::field::{Field, Name, Value};

/// How many entries there are.
pub(super) const LEN: usize = 61;

const ENTRIES: [(&str, &str); LEN] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let field = |(name, value): &(&str, &'static str)| Field {
        name: Name::parse(name.as_bytes()),
        value: Value::parse(Bytes::from_static(value.as_bytes())),
    };
    ENTRIES.iter().map(field).collect()
});

/// The entry at `index`, which counts from 1.
pub(super) fn get(index: usize) -> Option<&'static Field> {
    FIELDS.get(index.checked_sub(1)?)
}

/// The entries by the length of their names, which tells most of them apart.
static BY_LENGTH: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let longest = ENTRIES.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let with = |length| (1..=LEN).filter(|index| ENTRIES[index - 1].0.len() == length).collect();
    (0..=longest).map(with).collect()
});

/// Where a field is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The entry with this name and value.
    Field(usize),
    /// The first entry with this name.
    Name(usize),
    Nothing,
}

/// Looks a field up.
pub(super) fn find(name: &[u8], value: &[u8]) -> Found {
    let mut found = Found::Nothing;
    for &index in BY_LENGTH.get(name.len()).map_or(&[][..], Vec::as_slice) {
        let (known, content) = ENTRIES[index - 1];
        if known.as_bytes() != name {
            continue;
        }
        if content.as_bytes() == value {
            return Found::Field(index);
        }
        if found == Found::Nothing {
            found = Found::Name(index);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_where_the_rfc_has_them() {
        for (index, name, value) in [
            (1, ":authority", ""),
            (3, ":method", "POST"),
            (8, ":status", "200"),
            (31, "content-type", ""),
            (61, "www-authenticate", ""),
        ] {
            let field = get(index).unwrap();
            assert_eq!((field.name.as_bytes(), field.value.as_bytes()), (name.as_bytes(), value.as_bytes()));
        }
        assert_eq!((get(0), get(62)), (None, None));
        assert_eq!(find(b":method", b"POST"), Found::Field(3));
        assert_eq!(find(b":status", b"201"), Found::Name(8));
        assert_eq!((find(b"x-type", b""), find(&[b'x'; 100], b"")), (Found::Nothing, Found::Nothing));
        for (at, (name, value)) in ENTRIES.iter().enumerate() {
            assert_eq!(find(name.as_bytes(), value.as_bytes()), Found::Field(at + 1));
        }
    }
}
