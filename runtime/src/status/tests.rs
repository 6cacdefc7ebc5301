use http::HeaderMap;

use super::{Code, Status, wire};

fn through_the_wire(status: &Status) -> Status {
    let mut trailers = HeaderMap::new();
    wire::encode(status, &mut trailers);
    wire::decode(&trailers).expect("a grpc-status").expect_err("an error")
}

#[test]
fn message_survives_percent_encoding() {
    let message = "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n 100%";
    assert_eq!(through_the_wire(&Status::unknown(message)).message(), message);
}

#[test]
fn message_is_escaped_as_the_protocol_says() {
    let mut trailers = HeaderMap::new();
    wire::encode(&Status::unknown("a b%\u{263a}"), &mut trailers);
    assert_eq!(trailers["grpc-message"], "a b%25%E2%98%BA");
}

#[test]
fn broken_escapes_are_taken_as_they_stand() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "2".parse().unwrap());
    trailers.insert("grpc-message", "a%20b%ZZ%E2%98%BA".parse().unwrap());
    let status = wire::decode(&trailers).unwrap().unwrap_err();
    assert_eq!(status.message(), "a b%ZZ\u{263a}");
}

#[test]
fn every_code_survives() {
    for code in Code::ALL.into_iter().skip(1) {
        assert_eq!(through_the_wire(&Status::new(code, "m")).code(), code);
        assert_eq!(Code::from(code as i32), code);
    }
}

#[test]
fn unknown_numbers_read_as_unknown() {
    for value in ["17", "42", "-1", "abc", "", "99999999999999"] {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", value.parse().unwrap());
        assert_eq!(wire::decode(&trailers).unwrap().unwrap_err().code(), Code::Unknown, "{value:?}");
    }
}

#[test]
fn missing_status_is_told_apart() {
    assert!(wire::decode(&HeaderMap::new()).is_none());
}

#[test]
fn details_survive_with_and_without_padding() {
    let status = through_the_wire(&Status::internal("m").with_details(&b"\x00\xff\x01"[..]));
    assert_eq!(status.details(), b"\x00\xff\x01");
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "13".parse().unwrap());
    trailers.insert("grpc-status-details-bin", "//8=".parse().unwrap());
    assert_eq!(wire::decode(&trailers).unwrap().unwrap_err().details(), b"\xff\xff");
}

#[test]
fn malformed_details_never_hide_the_code() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "5".parse().unwrap());
    trailers.insert("grpc-status-details-bin", "!!not base64!!".parse().unwrap());
    let status = wire::decode(&trailers).unwrap().unwrap_err();
    assert_eq!((status.code(), status.details()), (Code::NotFound, &[][..]));
}

#[test]
fn details_of_a_success_are_kept_apart_from_its_metadata() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    assert_eq!(wire::decode(&trailers).unwrap().unwrap().status_details(), None);
    trailers.insert("grpc-status-details-bin", "AQI".parse().unwrap());
    let metadata = wire::decode(&trailers).unwrap().unwrap();
    assert_eq!(metadata.status_details(), Some(&[1, 2][..]));
    assert!(metadata.is_empty());
    let mut passed_on = HeaderMap::new();
    metadata.append_to(&mut passed_on);
    assert!(passed_on.is_empty());
}

#[cfg(feature = "status")]
#[test]
fn details_that_are_not_base64_are_an_error() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "5".parse().unwrap());
    trailers.insert("grpc-status-details-bin", "!!not base64!!".parse().unwrap());
    let status = wire::decode(&trailers).unwrap().unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.error_details(), Err(super::ErrorDetailsError::NotBase64));
}

#[cfg(feature = "status")]
#[test]
fn details_that_are_not_base64_can_be_replaced() {
    let mut trailers = HeaderMap::new();
    trailers.insert(wire::GRPC_STATUS, "5".parse().unwrap());
    trailers.insert(wire::GRPC_STATUS_DETAILS, "!".parse().unwrap());
    let garbled = wire::decode(&trailers).unwrap().unwrap_err();
    assert!(garbled.error_details().is_err());
    let replaced = garbled.with_error_details(super::RequestInfo::new("1", ""));
    assert_eq!(replaced.error_details().unwrap().as_slice().len(), 1);
}

#[test]
fn http_and_http2_codes_map_as_documented() {
    let table = [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
    ];
    for (http, code) in table {
        assert_eq!(Code::from_http(http), code);
    }
    for http in [429, 502, 503, 504] {
        assert_eq!(Code::from_http(http), Code::Unavailable);
    }
    for http in [409, 412, 413, 415, 431, 500, 505, 418] {
        assert_eq!(Code::from_http(http), Code::Unknown);
    }
    for error in [0, 1, 2, 3, 4, 5, 6, 9, 10, 13] {
        assert_eq!(Code::from_http2(error), Code::Internal);
    }
    assert_eq!(Code::from_http2(7), Code::Unavailable);
    assert_eq!(Code::from_http2(8), Code::Cancelled);
    assert_eq!(Code::from_http2(11), Code::ResourceExhausted);
    assert_eq!(Code::from_http2(12), Code::PermissionDenied);
}

#[test]
fn very_long_message_is_cut_at_a_character() {
    let status = through_the_wire(&Status::unknown("\u{263a}".repeat(5000)));
    assert!(status.message().len() > 1000 && status.message().chars().all(|c| c == '\u{263a}'));
}

#[test]
fn a_message_takes_no_more_than_its_share_of_the_trailers() {
    for text in ["x", "%", "\n", "\u{e9}", "\u{263a}", "\u{1f980}"] {
        let mut trailers = HeaderMap::new();
        wire::encode(&Status::unknown(text.repeat(10_000)), &mut trailers);
        let length = trailers["grpc-message"].len();
        assert!((4000..=4096).contains(&length), "{text:?}: {length}");
    }
}
