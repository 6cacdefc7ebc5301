//! gRFC L44: details with types, in and out of a status, over the wire.
//!
//! The rows are those of grpcio's `_grpc_status_test.py` (7). What grpcio raises as an exception is an error value here.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use callwright::prost_types::{self, Timestamp};
use callwright::server::{Methods, Service};
use callwright::status::{
    BadRequest, DebugInfo, ErrorDetails, ErrorDetailsError, ErrorInfo, Help, LocalizedMessage, PreconditionFailure,
    QuotaFailure, RequestInfo, ResourceInfo, RetryInfo, RpcStatus,
};
use callwright::{Call, Channel, Code, Method, RunningServer, Server, Status};

const FAIL: Method<String, String> = Method::new("/test.Fails/Fail");
const MESSAGE: &str = "this row's message";

/// Answers with the status that it holds, or succeeds.
struct Fails(Option<Status>);

impl Service for Fails {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Fails", Arc::new(self))
            .unary(FAIL, |fails, request, _context| Box::pin(async move { fails.0.clone().map_or(Ok(request), Err) }));
    }
}

/// What a client gets of a status that a handler returned.
async fn over_the_wire(status: Status) -> Status {
    let (_server, channel) = serve(Some(status)).await;
    Call::unary(&channel, FAIL, String::new()).await.expect_err("a status")
}

async fn serve(status: Option<Status>) -> (RunningServer, Channel) {
    let server = Server::builder().add_service(Fails(status)).bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    (server, channel)
}

/// The message of a `google.rpc.Status`, serialized.
fn raw(code: i32, message: &str, details: ErrorDetails) -> Vec<u8> {
    let details = details.as_slice().to_vec();
    callwright::prost::Message::encode_to_vec(&RpcStatus { code, message: message.to_owned(), details })
}

#[tokio::test]
async fn a_call_that_succeeds_has_no_details() {
    let (_server, channel) = serve(None).await;
    let response = Call::unary(&channel, FAIL, "well".to_owned()).send().await.unwrap();
    assert_eq!(response.trailing_metadata().status_details(), None);
    assert_eq!(ErrorDetails::of_success(response.trailing_metadata()), Ok(ErrorDetails::new()));
}

#[tokio::test]
async fn a_plain_error_has_no_details() {
    let status = over_the_wire(Status::internal(MESSAGE)).await;
    assert_eq!((status.code(), status.message()), (Code::Internal, MESSAGE));
    assert_eq!(status.error_details(), Ok(ErrorDetails::new()));
}

#[tokio::test]
async fn details_arrive_with_their_types() {
    let debug = DebugInfo::new(["frame 1", "frame 2"], "it failed");
    let status = over_the_wire(Status::internal(MESSAGE).with_error_details(debug.clone())).await;
    assert_eq!((status.code(), status.message()), (Code::Internal, MESSAGE));
    let details = status.error_details().unwrap();
    assert_eq!(details.as_slice()[0].type_url, "type.googleapis.com/google.rpc.DebugInfo");
    assert_eq!(details.get(), Ok(Some(debug)));
    assert_eq!(details.get::<ErrorInfo>(), Ok(None));
}

#[tokio::test]
async fn details_of_another_code_or_message_are_an_error_and_the_call_keeps_its_own() {
    let details = raw(Code::InvalidArgument.into(), MESSAGE, DebugInfo::default().into());
    let status = over_the_wire(Status::not_found(MESSAGE).with_details(details)).await;
    assert_eq!(status.code(), Code::NotFound);
    let error = status.error_details().unwrap_err();
    assert_eq!(error, ErrorDetailsError::Code { status: Code::NotFound, details: 3 });
    assert_eq!(RpcStatus::try_from(&status), Err(error));

    let details = raw(Code::NotFound.into(), "another message", ErrorDetails::new());
    let status = over_the_wire(Status::not_found(MESSAGE).with_details(details)).await;
    assert_eq!((status.code(), status.message()), (Code::NotFound, MESSAGE));
    let error = status.error_details().unwrap_err();
    assert!(matches!(&error, ErrorDetailsError::Message { details, .. } if details == "another message"), "{error}");
}

#[tokio::test]
async fn a_code_that_there_is_not_becomes_unknown_and_says_so() {
    for (code, said) in
        [(42, "invalid status code 42: a"), (0, "invalid status code 0: a"), (-1, "invalid status code -1: a")]
    {
        let details = vec![callwright::prost_types::Any::default()];
        let status = over_the_wire(Status::from(RpcStatus { code, message: "a".to_owned(), details })).await;
        assert_eq!((status.code(), status.message()), (Code::Unknown, said));
        assert_eq!(status.error_details().unwrap().as_slice().len(), 1, "the rest is kept");
    }
}

#[tokio::test]
async fn malformed_details_are_an_error_and_the_call_keeps_its_code() {
    let status = over_the_wire(Status::internal(MESSAGE).with_details(&b"\xff\xff"[..])).await;
    assert_eq!((status.code(), status.message(), status.details()), (Code::Internal, MESSAGE, &b"\xff\xff"[..]));
    assert!(matches!(status.error_details(), Err(ErrorDetailsError::Malformed(_))));

    // A detail that is no message of its type leaves the others readable.
    let broken = callwright::prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: vec![0xff],
    };
    let details = ErrorDetails::new().with_any(broken).with(Help::link("more", "https://example.com"));
    let details = over_the_wire(Status::internal(MESSAGE).with_error_details(details)).await.error_details().unwrap();
    let error = details.get::<RetryInfo>().unwrap_err();
    assert!(error.to_string().starts_with("a detail of type google.rpc.RetryInfo cannot be read"), "{error}");
    assert_eq!(details.get::<Help>().unwrap().unwrap().links[0].description, "more");
}

#[tokio::test]
async fn what_goes_wrong_is_one_type_of_error_like_any_other() {
    async fn user() -> Result<Option<RetryInfo>, Box<dyn Error + Send + Sync>> {
        let status = over_the_wire(Status::internal(MESSAGE).with_details(&b"\xff\xff"[..])).await;
        Ok(status.error_details()?.get::<RetryInfo>()?)
    }
    let error = user().await.unwrap_err();
    assert!(error.is::<ErrorDetailsError>() && error.to_string().contains("no google.rpc.Status"), "{error}");
}

#[tokio::test]
async fn all_ten_standard_details_travel_and_keep_their_order() {
    let mut quota = QuotaFailure::violation("project:1", "too many").and_violation("project:2", "far too many");
    quota.violations[0].future_quota_value = Some(0);
    quota.violations[1].quota_dimensions.insert("region".to_owned(), "here".to_owned());
    let mut bad = BadRequest::violation("name", "it is empty").and_violation("age", "it is negative");
    bad.field_violations[0].localized_message = Some(LocalizedMessage::new("de", "er ist leer"));
    let info = ErrorInfo::new("STOCKOUT", "example.com").with_metadata("region", "here").with_metadata("zone", "a");
    let retry = RetryInfo::after(Duration::from_millis(1500));
    let debug = DebugInfo::new(["a", "b"], "c");
    let precondition =
        PreconditionFailure::violation("TOS", "example.com", "not accepted").and_violation("A", "b", "c");
    let request = RequestInfo::new("42", "served here");
    let resource = ResourceInfo::new("table", "users", "it is gone").with_owner("user:me");
    let help = Help::link("how to", "https://example.com/1").and_link("and more", "https://example.com/2");
    let localized = LocalizedMessage::new("fr-CH", "non");
    let sent = ErrorDetails::new()
        .with(info.clone())
        .with(retry)
        .with(debug.clone())
        .with(quota.clone())
        .with(precondition.clone())
        .with(bad.clone())
        .with(request.clone())
        .with(resource.clone())
        .with(help.clone())
        .with(localized.clone());
    let got = over_the_wire(Status::aborted(MESSAGE).with_error_details(sent.clone())).await.error_details().unwrap();
    assert_eq!(got, sent);
    assert_eq!(got.get(), Ok(Some(info)));
    assert_eq!(got.get(), Ok(Some(retry)));
    assert_eq!(retry.delay(), Some(Duration::from_millis(1500)));
    assert_eq!(got.get(), Ok(Some(debug)));
    assert_eq!(got.get(), Ok(Some(quota)));
    assert_eq!(got.get(), Ok(Some(precondition)));
    assert_eq!(got.get(), Ok(Some(bad)));
    assert_eq!(got.get(), Ok(Some(request)));
    assert_eq!(got.get(), Ok(Some(resource)));
    assert_eq!(got.get(), Ok(Some(help)));
    assert_eq!(got.get(), Ok(Some(localized)));
}

#[test]
fn whatever_delay_a_peer_sends_is_one_or_none() {
    let delay = |seconds, nanos| RetryInfo { retry_delay: Some(prost_types::Duration { seconds, nanos }) }.delay();
    assert_eq!(delay(3, 500_000_000), Some(Duration::from_millis(3500)));
    assert_eq!(delay(3, -500_000_000), Some(Duration::from_millis(2500)));
    assert_eq!(delay(0, i32::MAX), Some(Duration::from_nanos(2_147_483_647)));
    assert_eq!(delay(i64::MAX, 999_999_999), Some(Duration::new(i64::MAX as u64, 999_999_999)));
    for (seconds, nanos) in [(0, -1), (-1, 0), (-1, 999_999_999), (i64::MIN, 0), (i64::MIN, i32::MIN), (0, i32::MIN)] {
        assert_eq!(delay(seconds, nanos), None, "{seconds} {nanos}");
    }
    assert_eq!(delay(-1, 1_000_000_000), Some(Duration::ZERO));
}

#[tokio::test]
async fn any_message_can_be_a_detail_and_a_type_may_stand_more_than_once() {
    let times = [1, 2].map(|seconds| Timestamp { seconds, nanos: 0 });
    let sent = ErrorDetails::new().with(times[0]).with(RetryInfo::default()).with(times[1]);
    let got = over_the_wire(Status::aborted("").with_error_details(sent)).await.error_details().unwrap();
    assert_eq!(got.all().collect::<Result<Vec<Timestamp>, _>>().as_deref(), Ok(&times[..]));
}

#[tokio::test]
async fn a_message_too_long_for_its_header_still_agrees_with_its_details() {
    let status = Status::aborted("\u{263a}".repeat(5000)).with_error_details(RetryInfo::default());
    assert_eq!(status.error_details().unwrap().as_slice().len(), 1);
    let got = over_the_wire(status).await;
    assert!(got.message().len() < 5000 * 3);
    let sent: RpcStatus = callwright::prost::Message::decode(got.details()).unwrap();
    assert_eq!(sent.message, got.message(), "others compare them as they are");
    assert_eq!(got.error_details().unwrap().as_slice().len(), 1);
}

#[tokio::test]
async fn details_that_have_no_room_are_left_out_and_the_message_says_so() {
    let details = DebugInfo::new(["x".repeat(1_000_000)], "");
    let got = over_the_wire(Status::aborted(MESSAGE).with_error_details(details)).await;
    assert_eq!((got.code(), got.error_details()), (Code::Aborted, Ok(ErrorDetails::new())));
    assert!(got.message().starts_with(MESSAGE) && got.message().contains("without its details"), "{got}");
}

#[test]
fn the_longest_delay_is_the_longest_that_protobuf_has() {
    let delay = RetryInfo::after(Duration::MAX).delay().unwrap();
    assert_eq!(delay.as_secs(), 315_576_000_000);
    let negative = callwright::prost_types::Duration { seconds: -1, nanos: 0 };
    assert_eq!(RetryInfo { retry_delay: Some(negative) }.delay(), None);
}
