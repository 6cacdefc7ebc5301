//! What a server answers to a client that does not keep to gRPC.

use std::io::Write as _;

use bytes::Bytes;
use callwright::{Code, RunningServer};
use callwright_tests::support::raw::{Answer, frame, grpc_request, request, text};
use callwright_tests::support::{Seen, serve};

async fn send(server: &RunningServer, builder: http::request::Builder, body: Vec<Bytes>) -> Answer {
    request(&server.local_addr().to_string(), builder.body(()).unwrap(), body).await
}

#[tokio::test]
async fn a_proper_request_gets_a_proper_answer() {
    let (server, _seen) = serve().await;
    let answer = send(&server, grpc_request("/test.Echo/Say"), vec![text("hello")]).await;
    assert_eq!((answer.status, answer.get("grpc-status")), (200, Some("0")));
    assert_eq!(answer.headers["content-type"], "application/grpc");
    assert_eq!(answer.body, text("hello"));
    assert!(answer.headers["grpc-accept-encoding"].to_str().unwrap().starts_with("identity,deflate,gzip"));
}

#[tokio::test]
async fn another_verb_is_405() {
    let (server, _seen) = serve().await;
    for verb in ["GET", "PUT", "DELETE"] {
        let answer = send(&server, grpc_request("/test.Echo/Say").method(verb), vec![]).await;
        assert_eq!((answer.status, answer.get("allow")), (405, Some("POST")), "{verb}");
    }
}

#[tokio::test]
async fn a_content_type_that_is_not_grpc_is_415() {
    let (server, _seen) = serve().await;
    for content_type in ["text/plain", "application/json", "application/grpc-web", "application/grpc+json", ""] {
        let builder = http::Request::builder().method("POST").uri("http://localhost/test.Echo/Say");
        let answer = send(&server, builder.header("content-type", content_type), vec![text("a")]).await;
        assert_eq!(answer.status, 415, "{content_type:?}");
    }
    let missing = http::Request::builder().method("POST").uri("http://localhost/test.Echo/Say");
    assert_eq!(send(&server, missing, vec![text("a")]).await.status, 415);
}

#[tokio::test]
async fn an_unknown_path_is_unimplemented() {
    let (server, _seen) = serve().await;
    for path in ["/test.Echo/Nope", "/nope.Echo/Say", "/", "/a", "/test.Echo/Say/", "//test.Echo/Say"] {
        let answer = send(&server, grpc_request(path), vec![text("a")]).await;
        assert_eq!((answer.status, answer.get("grpc-status")), (200, Some("12")), "{path}");
    }
}

#[tokio::test]
async fn no_request_and_several_are_unimplemented() {
    let (server, _seen) = serve().await;
    for path in ["/test.Echo/Say", "/test.Echo/Count"] {
        for body in [vec![], vec![frame(0, b""), frame(0, b"")]] {
            let several = !body.is_empty();
            let answer = send(&server, grpc_request(path), body).await;
            assert_eq!(answer.get("grpc-status"), Some("12"), "{path}, several: {several}");
        }
    }
}

#[tokio::test]
async fn an_unknown_encoding_is_unimplemented_and_lists_the_known() {
    let (server, _seen) = serve().await;
    let builder = grpc_request("/test.Echo/Say").header("grpc-encoding", "snappy");
    let answer = send(&server, builder, vec![frame(1, b"x")]).await;
    assert_eq!(answer.get("grpc-status"), Some("12"));
    assert!(answer.get("grpc-accept-encoding").unwrap().contains("gzip"));
    assert!(answer.get("grpc-message").unwrap().contains("snappy"));
}

#[tokio::test]
async fn a_compressed_flag_without_encoding_and_an_unknown_flag_are_internal() {
    let (server, _seen) = serve().await;
    for body in [frame(1, b"x"), frame(2, b"x"), frame(255, b"")] {
        let answer = send(&server, grpc_request("/test.Echo/Say"), vec![body]).await;
        assert_eq!(answer.get("grpc-status"), Some("13"));
    }
}

#[tokio::test]
async fn corrupt_and_cut_messages_are_internal() {
    let (server, _seen) = serve().await;
    let gzip = || grpc_request("/test.Echo/Say").header("grpc-encoding", "gzip");
    for (builder, body) in [
        (gzip(), frame(1, b"this is not gzip")),
        (grpc_request("/test.Echo/Say"), text("hello").slice(..8)),
        (grpc_request("/test.Echo/Say"), Bytes::from_static(&[0, 0])),
        (grpc_request("/test.Echo/Say"), frame(0, &[0xff, 0xff, 0xff])),
    ] {
        let answer = send(&server, builder, vec![body]).await;
        assert_eq!(answer.get("grpc-status"), Some("13"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_bomb_is_resource_exhausted() {
    let (server, _seen) = serve().await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 16 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let builder = grpc_request("/test.Echo/Say").header("grpc-encoding", "gzip");
    let answer = send(&server, builder, vec![frame(1, &bomb)]).await;
    assert_eq!(answer.get("grpc-status"), Some("8"));
    let huge = Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]);
    let answer = send(&server, grpc_request("/test.Echo/Say"), vec![huge]).await;
    assert_eq!(answer.get("grpc-status"), Some("8"));
}

#[tokio::test]
async fn a_malformed_timeout_is_internal() {
    let (server, _seen) = serve().await;
    for timeout in ["soon", "5", "5s", "123456789S", "-1S"] {
        let builder = grpc_request("/test.Echo/Say").header("grpc-timeout", timeout);
        let answer = send(&server, builder, vec![text("hello")]).await;
        assert_eq!(answer.get("grpc-status"), Some("13"), "{timeout:?}");
    }
    let builder = grpc_request("/test.Echo/Say").header("grpc-timeout", "0n");
    assert_eq!(send(&server, builder, vec![text("forever")]).await.get("grpc-status"), Some("4"));
}

#[tokio::test]
async fn binary_metadata_that_is_no_base64_is_internal_and_named() {
    let (server, _seen) = serve().await;
    let builder = grpc_request("/test.Echo/Say").header("token-bin", "!!!");
    let answer = send(&server, builder, vec![text("hello")]).await;
    assert_eq!(answer.get("grpc-status"), Some("13"));
    assert!(answer.get("grpc-message").unwrap().contains("token-bin"));
}

#[tokio::test]
async fn responses_are_not_compressed_for_a_client_that_does_not_say_it_takes_them() {
    let server = callwright::Server::builder().compression(callwright::Compression::Gzip);
    let (server, _seen) = callwright_tests::support::serve_with(server, "127.0.0.1:0").await;
    let long = text(&"x".repeat(1000));
    for (accepts, flag) in [(None, 0), (Some("identity"), 0), (Some("identity,deflate"), 0), (Some("deflate, gzip"), 1)]
    {
        let mut builder = grpc_request("/test.Echo/Say");
        if let Some(accepts) = accepts {
            builder = builder.header("grpc-accept-encoding", accepts);
        }
        let answer = send(&server, builder, vec![long.clone()]).await;
        assert_eq!(answer.body[0], flag, "{accepts:?}");
        assert_eq!(answer.headers.get("grpc-encoding").is_some(), flag == 1, "{accepts:?}");
    }
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let (server, _seen) = serve().await;
    let large = "x".repeat(32 * 1024);
    let builder = grpc_request("/test.Echo/Say").header("large", large);
    let answer = send(&server, builder, vec![text("hello")]).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn the_handler_is_dropped_at_the_deadline_and_the_server_says_deadline_exceeded() {
    // A client that sets a deadline and does not keep it itself: what comes is the server's own answer.
    let (server, mut seen) = serve().await;
    let late = grpc_request("/test.Echo/Say").header("grpc-timeout", "50m");
    let answer = send(&server, late, vec![text("forever")]).await;
    assert_eq!(answer.get("grpc-status"), Some("4"));
    let done = loop {
        match seen.recv().await.expect("the handler to end") {
            Seen::Done(outcome) => break outcome.status().code(),
            Seen::Started(_) | Seen::Inactive | Seen::Dropped | Seen::Cancelled => {}
        }
    };
    assert_eq!(done, Code::DeadlineExceeded);
}
