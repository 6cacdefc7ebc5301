//! gRPC-Web, as browsers speak it (grpc/grpc `doc/PROTOCOL-WEB.md`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes};
use callwright::Server;
use callwright::grpc_web::{GrpcWeb, GrpcWebService};
use callwright_tests::support::Seen;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use tower_service::Service as _;

use crate::support::{self, Answer, echo, message, sent, status_in};

pub(crate) fn web(settings: GrpcWeb) -> GrpcWebService {
    echo().0.grpc_web(settings)
}

pub(crate) fn head(method: &str, content_type: &str) -> http::request::Builder {
    Request::post(format!("/test.Echo/{method}")).version(Version::HTTP_11).header("content-type", content_type)
}

pub(crate) fn binary(method: &str, body: Bytes) -> Request<Full<Bytes>> {
    head(method, "application/grpc-web+proto").body(Full::new(body)).unwrap()
}

fn text(method: &str, body: String) -> Request<Full<Bytes>> {
    head(method, "application/grpc-web-text").body(Full::new(body.into())).unwrap()
}

pub(crate) async fn begin(
    service: &GrpcWebService,
    request: Request<Full<Bytes>>,
) -> Response<callwright::grpc_web::Body> {
    let Ok(response) = service.clone().call(request).await;
    response
}

pub(crate) async fn call(service: &GrpcWebService, request: Request<Full<Bytes>>) -> Answer {
    Answer::new(begin(service, request).await).await
}

/// The messages of a body, and the lines of its trailers.
fn parts(mut body: Bytes) -> (Vec<Bytes>, String) {
    let mut messages = Vec::new();
    loop {
        let flag = body.get_u8();
        let size = body.get_u32() as usize;
        let content = body.split_to(size);
        if flag == 0x80 {
            assert!(body.is_empty(), "the trailers are the last message");
            return (messages, String::from_utf8(content.to_vec()).unwrap());
        }
        assert_eq!(flag, 0);
        messages.push(content);
    }
}

fn decoded(text: &[u8]) -> Bytes {
    // Of pieces, each of which may be padded.
    let pieces = text.chunks(4).map(|four| STANDARD.decode(four).unwrap());
    pieces.collect::<Vec<_>>().concat().into()
}

#[tokio::test]
async fn trailers_are_the_last_message_of_the_body() {
    let service = web(GrpcWeb::new());
    let answer = call(&service, binary("Count", message(2u32))).await;
    assert_eq!((answer.status.as_u16(), answer.trailers), (200, None));
    assert_eq!(answer.headers["content-type"], "application/grpc-web+proto");
    let (messages, trailers) = parts(answer.body);
    assert_eq!((messages.len(), trailers.as_str()), (2, "grpc-status: 0\r\n"));
}

#[tokio::test]
async fn the_same_as_text() {
    let service = web(GrpcWeb::new());
    // Padded in the middle, as a client may that sends it in pieces.
    let message = message("hello".to_owned());
    let body = STANDARD.encode(&message[..4]) + &STANDARD.encode(&message[4..]);
    assert!(body[..body.len() - 4].contains('='));
    let answer = call(&service, text("Say", body)).await;
    assert_eq!(answer.headers["content-type"], "application/grpc-web-text+proto");
    let (messages, trailers) = parts(decoded(&answer.body));
    assert_eq!((messages[0].as_ref(), trailers.as_str()), (&message[5..], "grpc-status: 0\r\n"));
}

#[tokio::test]
async fn a_binary_request_may_have_its_response_as_text() {
    let service = web(GrpcWeb::new());
    let request = head("Say", "application/grpc-web").header("accept", "application/grpc-web-text");
    let answer = call(&service, request.body(Full::new(message("hello".to_owned()))).unwrap()).await;
    assert_eq!(parts(decoded(&answer.body)).1, "grpc-status: 0\r\n");
}

#[tokio::test]
async fn a_call_that_has_nothing_but_a_status_has_it_in_its_headers() {
    let service = web(GrpcWeb::new());
    for method in ["Say", "Nope"] {
        let answer = call(&service, binary(method, message("fail".to_owned()))).await;
        assert_eq!((answer.status.as_u16(), answer.body.len(), answer.trailers), (200, 0, None));
        assert_eq!(answer.headers["content-type"], "application/grpc-web+proto");
        let (code, _) = status_in(&answer.headers);
        assert_eq!(code, if method == "Say" { 6 } else { 12 });
    }
}

#[tokio::test]
async fn a_call_that_fails_after_a_message_says_so_behind_it() {
    let service = web(GrpcWeb::new());
    let requests = [message("one".to_owned()), message("enough".to_owned())].concat();
    let (messages, trailers) = parts(call(&service, binary("Chat", requests.into())).await.body);
    assert_eq!(messages.len(), 1);
    let mut lines: Vec<_> = trailers.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["grpc-message: as asked for", "grpc-status: 11"]);
}

#[tokio::test]
async fn messages_arrive_as_they_are_sent() {
    let service = web(GrpcWeb::new());
    let (requests, body) = sent();
    let request = head("Chat", "application/grpc-web-text").body(body).unwrap();
    let encoded = |word: &str| Bytes::from(STANDARD.encode(message(word.to_owned())));
    requests.send(Ok(encoded("one"))).await.unwrap();
    let Ok(response) = service.clone().call(request).await;
    let mut replies = response.into_body();
    for word in ["one", "two"] {
        let frame = replies.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(decoded(&frame), message(word.to_owned()));
        if word == "one" {
            requests.send(Ok(encoded("two"))).await.unwrap();
        }
    }
    drop(requests);
    let frame = replies.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(parts(decoded(&frame)).1, "grpc-status: 0\r\n");
    assert!(replies.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn deadlines_limits_and_cancellation_hold() {
    let (echo, mut seen) = support::service(Server::builder().max_receive_message_size(1000));
    let service = echo.grpc_web(GrpcWeb::new());
    let request = head("Say", "application/grpc-web").header("grpc-timeout", "1S");
    let request = request.body(Full::new(message("forever".to_owned()))).unwrap();
    assert_eq!(status_in(&call(&service, request).await.headers).0, 4);
    let answer = call(&service, binary("Say", message("x".repeat(2000)))).await;
    assert_eq!(status_in(&answer.headers).0, 8);

    while seen.try_recv().is_ok() {}
    let response = tokio::spawn(service.clone().call(binary("Say", message("forever".to_owned()))));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    response.abort();
    assert!(matches!(seen.recv().await, Some(Seen::Done(_) | Seen::Dropped | Seen::Cancelled)));
}

#[tokio::test]
async fn text_that_is_no_base64_ends_the_call() {
    let service = web(GrpcWeb::new());
    for broken in ["!!!!", "AAAAA"] {
        let answer = call(&service, text("Sum", broken.to_owned())).await;
        let (code, why) = status_in(&answer.headers);
        assert!(code == 13 && why.starts_with("the request cannot be read: its "), "{broken}: {code} {why}");
    }
}

#[tokio::test]
async fn all_else_is_answered_as_without_it() {
    let service = web(GrpcWeb::new());
    let answer = call(&service, support::say("hello")).await;
    assert_eq!((answer.messages::<String>(), answer.grpc_status().0), (vec!["hello".to_owned()], 0));
    assert_eq!(answer.headers["content-type"], "application/grpc");
    let mut over_http_1 = support::say("hello");
    *over_http_1.version_mut() = Version::HTTP_11;
    assert_eq!(call(&service, over_http_1).await.status, 505);
    let json = head("Say", "application/grpc-web+json").version(Version::HTTP_2).body(Full::default()).unwrap();
    assert_eq!(call(&service, json).await.status, 415);
    let get = Request::get("/test.Echo/Say").version(Version::HTTP_2).header("content-type", "application/grpc-web");
    assert_eq!(call(&service, get.body(Full::default()).unwrap()).await.status, 405);
}

#[tokio::test]
async fn it_is_shut_down_by_the_service_in_it() {
    let service = web(GrpcWeb::new());
    service.http_service().shutdown(std::time::Duration::ZERO).await;
    assert_eq!(status_in(&call(&service, binary("Say", message("hello".to_owned()))).await.headers).0, 14);
}

#[tokio::test]
async fn content_types_are_the_same_in_any_case() {
    let service = web(GrpcWeb::new());
    for content_type in ["Application/gRPC-Web", "application/grpc-web+PROTO", "APPLICATION/GRPC-WEB+PROTO; charset=x"]
    {
        let request = head("Say", content_type).body(Full::new(message("hello".to_owned()))).unwrap();
        let answer = call(&service, request).await;
        assert_eq!(answer.status, 200, "{content_type}");
        assert_eq!(parts(answer.body).1, "grpc-status: 0\r\n");
    }
}

#[tokio::test]
async fn messages_that_no_client_sends_end_their_call() {
    let service = web(GrpcWeb::new());
    let good = message("hello".to_owned());
    let trailers = Bytes::from_static(b"\x80\0\0\0\x10grpc-status: 0\r\n");
    for (body, code) in [
        (trailers.clone(), 13),
        ([good.clone(), trailers.clone(), trailers].concat().into(), 13),
        (Bytes::from_static(b"\0\xff\xff\xff\xff"), 8),
        (Bytes::from_static(b"\x01\0\0\0\0"), 13),
        (good.slice(..good.len() - 1), 13),
        ([good.clone(), good].concat().into(), 12),
        (Bytes::new(), 12),
    ] {
        for request in [binary("Say", body.clone()), text("Say", STANDARD.encode(&body))] {
            let mut over_http_1_0 = request.map(|body| body);
            *over_http_1_0.version_mut() = Version::HTTP_10;
            let answer = call(&service, over_http_1_0).await;
            assert_eq!((answer.status.as_u16(), status_in(&answer.headers).0), (200, code), "{body:?}");
        }
    }
}

#[tokio::test]
async fn bodies_of_any_bytes_in_any_pieces_end_with_a_status() {
    let service = web(GrpcWeb::new());
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..500 {
        let mut body: Vec<u8> = (0..random.usize(1..4)).flat_map(|_| message("hello".to_owned()).to_vec()).collect();
        let content_type = ["application/grpc-web", "application/grpc-web-text"][round % 2];
        if round % 2 == 1 {
            body = STANDARD.encode(&body).into_bytes();
        }
        for _ in 0..random.usize(..3) {
            let at = random.usize(..body.len());
            match random.usize(..3) {
                0 => body[at] = random.u8(..),
                1 => body.truncate(at + 1),
                _ => body.insert(at, b"=A\0\xff"[random.usize(..4)]),
            }
        }
        let (requests, sent) = sent();
        let mut response = tokio::spawn(service.clone().call(head("Chat", content_type).body(sent).unwrap()));
        let mut left = Bytes::from(body.clone());
        while !left.is_empty() {
            // The call may be over.
            let _ = requests.send(Ok(left.split_to(random.usize(1..=left.len())))).await;
        }
        drop(requests);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(10), async {
            let Ok(response) = (&mut response).await.unwrap();
            Answer::new(response).await
        });
        let answer = ended.await.unwrap_or_else(|_| panic!("{round}: {body:?} hangs"));
        assert_eq!(answer.status, 200);
        if !answer.headers.contains_key("grpc-status") {
            let body = if round % 2 == 1 { decoded(&answer.body) } else { answer.body };
            assert!(parts(body).1.contains("grpc-status: "), "{round}");
        }
    }
}
