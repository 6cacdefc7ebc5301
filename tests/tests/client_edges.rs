//! What a client makes of a server that does not keep to gRPC: HTTP statuses, resets, missing and double messages.

use std::time::Duration;

use bytes::Bytes;
use callwright::{Channel, Code, Status};
use callwright_tests::support::raw::{self, frame, head, text, trailers};
use callwright_tests::support::{chat, count, say};
use http::HeaderMap;

const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// What the server sends in answer to any request.
#[derive(Clone, Default)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<Bytes>,
    trailers: Option<Vec<(&'static str, &'static str)>>,
    reset: Option<u32>,
}

impl Answer {
    fn grpc(body: Vec<Bytes>, entries: &[(&'static str, &'static str)]) -> Answer {
        Answer { status: 200, headers: vec![GRPC], body, trailers: Some(entries.to_vec()), reset: None }
    }

    fn trailers_only(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        Answer { status, headers: headers.to_vec(), ..Answer::default() }
    }

    async fn channel(self) -> Channel {
        let address = raw::server(move |_, _, _, mut response| {
            let answer = self.clone();
            async move {
                let only = answer.body.is_empty() && answer.trailers.is_none() && answer.reset.is_none();
                if answer.status == 0 {
                    return response.send_reset(answer.reset.unwrap_or_default().into());
                }
                let mut stream = response.send_response(head(answer.status, &answer.headers), only).unwrap();
                for part in &answer.body {
                    stream.send_data(part.clone(), false).unwrap();
                }
                match (answer.trailers, answer.reset) {
                    (Some(entries), _) => {
                        let entries: HeaderMap = trailers(&entries);
                        stream.send_trailers(entries).unwrap();
                    }
                    (None, Some(reset)) => {
                        // What was sent before the reset has to be on the wire when it comes.
                        tokio::task::yield_now().await;
                        stream.send_reset(reset.into());
                    }
                    (None, None) if !only => stream.send_data(Bytes::new(), true).unwrap(),
                    (None, None) => {}
                }
            }
        })
        .await;
        Channel::new(address).unwrap()
    }

    async fn unary(self) -> Result<String, Status> {
        say(&self.channel().await, "hello").await
    }
}

#[tokio::test]
async fn http_statuses_map_as_documented() {
    let table = [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (409, Code::Unknown),
        (412, Code::Unknown),
        (413, Code::Unknown),
        (415, Code::Unknown),
        (429, Code::Unavailable),
        (431, Code::Unknown),
        (500, Code::Unknown),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
        (505, Code::Unknown),
    ];
    for (http, code) in table {
        let status = Answer::trailers_only(http, &[("content-type", "text/html")]).unary().await.unwrap_err();
        assert_eq!(status.code(), code, "HTTP {http}");
        assert!(status.message().ends_with(&format!("HTTP status {http}, content-type \"text/html\"")), "{status}");
        let status = Answer::trailers_only(http, &[]).unary().await.unwrap_err();
        assert!(status.message().ends_with(&format!("HTTP status {http}, no content-type")), "{status}");
    }
}

#[tokio::test]
async fn a_grpc_status_wins_over_the_http_status() {
    let status = Answer::trailers_only(503, &[GRPC, ("grpc-status", "5"), ("grpc-message", "gone")]).unary().await;
    let status = status.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "gone"));
}

#[tokio::test]
async fn foreign_content_types_are_unknown_and_foreign_codecs_internal() {
    for (content_type, code) in [
        ("text/html", Code::Unknown),
        ("application/grpc-web", Code::Unknown),
        ("application/grpc+json", Code::Internal),
    ] {
        let mut answer = Answer::grpc(vec![text("hello")], &[("grpc-status", "0")]);
        answer.headers = vec![("content-type", content_type)];
        assert_eq!(answer.unary().await.unwrap_err().code(), code, "{content_type}");
    }
    for content_type in ["application/grpc+proto", "application/grpc;charset=utf-8", "application/grpc+proto; a=b"] {
        let mut answer = Answer::grpc(vec![text("hello")], &[("grpc-status", "0")]);
        answer.headers = vec![("content-type", content_type)];
        assert_eq!(answer.unary().await.unwrap(), "hello", "{content_type}");
    }
}

#[tokio::test]
async fn a_missing_status_is_unknown() {
    let body = Answer { status: 200, headers: vec![GRPC], body: vec![text("hello")], ..Answer::default() };
    for answer in [Answer::trailers_only(200, &[GRPC]), body, Answer::grpc(vec![text("hello")], &[("a", "b")])] {
        assert_eq!(answer.unary().await.unwrap_err().code(), Code::Unknown);
    }
}

#[tokio::test]
async fn unary_ok_without_a_message_or_with_several_is_unimplemented() {
    for body in [vec![], vec![text("a"), text("b")]] {
        let status = Answer::grpc(body, &[("grpc-status", "0")]).unary().await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
    }
    let status = Answer::trailers_only(200, &[GRPC, ("grpc-status", "0")]).unary().await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn an_error_after_a_message_is_the_result() {
    let status = Answer::grpc(vec![text("hello")], &[("grpc-status", "10")]).unary().await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
}

#[tokio::test]
async fn messages_after_a_status_in_the_headers_are_internal() {
    let mut answer = Answer::grpc(vec![text("hello")], &[("a", "b")]);
    answer.headers.push(("grpc-status", "0"));
    assert_eq!(answer.unary().await.unwrap_err().code(), Code::Internal);
}

#[tokio::test]
async fn compression_that_was_not_agreed_on_is_internal() {
    let bad_flag = Answer::grpc(vec![frame(2, b"")], &[("grpc-status", "0")]);
    let undeclared = Answer::grpc(vec![frame(1, b"xx")], &[("grpc-status", "0")]);
    let mut unknown = Answer::grpc(vec![text("hello")], &[("grpc-status", "0")]);
    unknown.headers.push(("grpc-encoding", "snappy"));
    let mut corrupt = Answer::grpc(vec![frame(1, b"not gzip")], &[("grpc-status", "0")]);
    corrupt.headers.push(("grpc-encoding", "gzip"));
    for answer in [bad_flag, undeclared, unknown, corrupt] {
        let status = answer.unary().await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");
    }
}

#[tokio::test]
async fn a_message_cut_short_is_internal() {
    let cut = text("hello").slice(..7);
    assert_eq!(Answer::grpc(vec![cut], &[("grpc-status", "0")]).unary().await.unwrap_err().code(), Code::Internal);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_internal() {
    let status = Answer::grpc(vec![frame(0, &[0xff, 0xff])], &[("grpc-status", "0")]).unary().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("/test.Echo/Say"), "{status}");
}

#[tokio::test]
async fn resets_map_as_documented() {
    for (reset, code) in [
        (0, Code::Internal),
        (1, Code::Internal),
        (2, Code::Internal),
        (3, Code::Internal),
        (8, Code::Cancelled),
        (11, Code::ResourceExhausted),
        (12, Code::PermissionDenied),
        (13, Code::Internal),
    ] {
        let before_headers = Answer { reset: Some(reset), ..Answer::default() };
        let status = before_headers.unary().await.unwrap_err();
        assert_eq!(status.code(), code, "RST_STREAM {reset}: {status}");
        let after_headers = Answer { status: 200, headers: vec![GRPC], reset: Some(reset), ..Answer::default() };
        let status = after_headers.unary().await.unwrap_err();
        assert_eq!(status.code(), code, "RST_STREAM {reset} after headers: {status}");
    }
}

#[tokio::test]
async fn what_came_before_a_reset_is_not_lost_on_a_stream() {
    let one = frame(0, &callwright_tests::support::raw::encoded(&7u32));
    let answer = Answer { status: 200, headers: vec![GRPC], body: vec![one], reset: Some(2), ..Answer::default() };
    let channel = answer.channel().await;
    let mut numbers = count(&channel, 1).await.unwrap();
    let first = numbers.message().await;
    // The reset may overtake the message inside the HTTP/2 library; it never turns into a clean end.
    assert!(matches!(&first, Ok(Some(7)) | Err(_)), "{first:?}");
    if first.is_ok() {
        assert_eq!(numbers.message().await.unwrap_err().code(), Code::Internal);
    }
}

#[tokio::test]
async fn broken_metadata_does_not_hide_the_status() {
    let entries =
        [("grpc-status", "5"), ("grpc-message", "a%ZZb"), ("x-bin", "!!!"), ("grpc-status-details-bin", "!!!")];
    let status = Answer::grpc(vec![], &entries).unary().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "a%ZZb"));
    assert!(status.details().is_empty());
}

#[tokio::test]
async fn metadata_that_came_from_elsewhere_does_not_speak_for_the_channel() {
    let address = raw::server(|_, _, request, mut response| async move {
        let agents = request.headers().get_all("user-agent").iter().count().to_string();
        let mut stream = response.send_response(head(200, &[GRPC, ("user-agent", "another")]), false).unwrap();
        stream.send_data(text("hello"), false).unwrap();
        stream.send_trailers(trailers(&[("grpc-status", "0"), ("x-agents", &agents)])).unwrap();
    })
    .await;
    let channel = Channel::new(address).unwrap();
    let first = say(&channel, "hello").send().await.unwrap();
    // As a proxy passes on what it was called with.
    let passed_on = first.initial_metadata().clone();
    assert_eq!(passed_on.get("user-agent"), Some("another"));
    let second = say(&channel, "hello").extend_metadata(passed_on).send().await.unwrap();
    assert_eq!(second.trailing_metadata().get("x-agents"), Some("1"));
}

#[tokio::test]
async fn the_deadline_covers_sending_to_a_server_that_does_not_read() {
    // The server takes the call and never reads: flow control stops the sender.
    let address = raw::server(|_, _, request, response| async move {
        let _keep = (request, response);
        std::future::pending().await
    })
    .await;
    let channel = Channel::new(address).unwrap();
    let (mut requests, _replies) = chat(&channel).timeout(Duration::from_millis(200)).start();
    let big = "x".repeat(100_000);
    let status = loop {
        if let Err(status) = requests.send(big.clone()).await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
}
