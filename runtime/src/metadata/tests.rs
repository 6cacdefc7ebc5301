use http::{HeaderMap, HeaderValue};

use super::{Metadata, MetadataError};

#[test]
fn reserved_names_are_refused() {
    let mut metadata = Metadata::new();
    for key in [
        "grpc-status",
        "grpc-foo",
        "GRPC-Timeout",
        ":path",
        "content-type",
        "te",
        "user-agent",
        "grpc-status-details-bin",
        "host",
    ] {
        assert!(matches!(metadata.append(key, "x"), Err(MetadataError::ReservedKey { .. })), "{key}");
    }
}

#[test]
fn malformed_keys_and_values_are_refused() {
    let mut metadata = Metadata::new();
    for key in ["", "a b", "k\u{e9}y", "a/b", "a\n"] {
        assert!(matches!(metadata.append(key, "x"), Err(MetadataError::InvalidKey { .. })), "{key:?}");
    }
    for value in ["line\nbreak", "\u{e9}", "tab\t"] {
        assert!(matches!(metadata.append("key", value), Err(MetadataError::InvalidValue { .. })), "{value:?}");
    }
    assert!(metadata.is_empty());
}

#[test]
fn both_kinds_survive_the_wire_in_order() {
    let mut metadata = Metadata::new();
    metadata.append("A-Key", "one").unwrap();
    metadata.append("a-key", "two").unwrap();
    metadata.append("b-bin", &[0u8, 255, 10]).unwrap();
    metadata.append("empty-bin", &[]).unwrap();
    let mut headers = HeaderMap::new();
    metadata.append_to(&mut headers);
    assert_eq!(headers["b-bin"], "AP8K");
    assert_eq!(Metadata::from_headers(&headers).unwrap(), metadata);
    assert_eq!(metadata.get_all("a-key").map(|value| value.as_str().unwrap()).collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn joined_and_padded_binary_values_are_read() {
    let mut headers = HeaderMap::new();
    headers.append("k-bin", HeaderValue::from_static("q6ur,AA==, /w"));
    let metadata = Metadata::from_headers(&headers).unwrap();
    let values: Vec<_> = metadata.get_all("k-bin").map(|value| value.as_bytes().to_vec()).collect();
    assert_eq!(values, [vec![0xab, 0xab, 0xab], vec![0], vec![0xff]]);
}

#[test]
fn bad_base64_is_an_error_that_names_the_key() {
    let mut headers = HeaderMap::new();
    headers.append("k-bin", HeaderValue::from_static("*"));
    assert_eq!(Metadata::from_headers(&headers), Err(MetadataError::InvalidBase64 { key: "k-bin".into() }));
    assert!(Metadata::from_headers_lossy(&headers).is_empty());
}

#[test]
fn insert_replaces_and_remove_takes_all() {
    let mut metadata = Metadata::new();
    metadata.append("k", "1").unwrap();
    metadata.append("k", "2").unwrap();
    metadata.insert("k", "3").unwrap();
    assert_eq!((metadata.len(), metadata.get("K")), (1, Some("3")));
    assert!(metadata.remove("k") && !metadata.remove("k"));
}
