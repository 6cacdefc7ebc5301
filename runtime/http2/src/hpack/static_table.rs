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

/// The first entry with this name.
pub(super) fn find_name(name: &[u8]) -> Option<usize> {
    ENTRIES.iter().position(|(known, _)| known.as_bytes() == name).map(|at| at + 1)
}

/// The entry with this name and value.
pub(super) fn find(name: &[u8], value: &[u8]) -> Option<usize> {
    ENTRIES.iter().position(|(known, content)| known.as_bytes() == name && content.as_bytes() == value).map(|at| at + 1)
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
        assert_eq!((find_name(b"content-type"), find(b":method", b"POST")), (Some(31), Some(3)));
    }
}
