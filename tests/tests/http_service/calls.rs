//! All four kinds of call, what goes along with their messages, and what handlers see of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use callwright::server::interceptor::{Next, ServerInterceptor};
use callwright::{Address, Compression, Metadata, Server, ServerContext, Status};
use callwright_tests::echo::{Blob, EchoServer, EchoServicer};
use callwright_tests::support::raw::{encoded, frame};
use http::{HeaderMap, HeaderValue, Request, Version};
use http_body_util::{BodyExt as _, Full};

use crate::support::{Answer, begin, call, echo, head, message, next, say, sent, service};

#[tokio::test]
async fn all_four_kinds_of_call_work() {
    let (service, _seen) = echo();
    let answer = call(&service, say("hello")).await;
    assert_eq!((answer.status.as_u16(), answer.headers["content-type"].to_str().unwrap()), (200, "application/grpc"));
    assert_eq!(answer.messages::<String>(), ["hello"]);
    assert_eq!(answer.grpc_status(), (0, String::new()));

    let answer = call(&service, head("Count").body(Full::new(message(3u32))).unwrap()).await;
    assert_eq!((answer.messages::<u32>(), answer.grpc_status().0), (vec![0, 1, 2], 0));

    let numbers: Vec<u8> = (0..100u32).flat_map(|number| message(number).to_vec()).collect();
    let answer = call(&service, head("Sum").body(Full::new(Bytes::from(numbers))).unwrap()).await;
    assert_eq!((answer.messages::<u32>(), answer.grpc_status().0), (vec![4950], 0));

    let (requests, body) = sent();
    requests.send(Ok(message("one".to_owned()))).await.unwrap();
    let Ok(response) = tower_service::Service::call(&mut service.clone(), head("Chat").body(body).unwrap()).await;
    let mut replies = response.into_body();
    assert_eq!(next(&mut replies).await.unwrap().into_data().unwrap(), message("one".to_owned()));
    requests.send(Ok(message("two".to_owned()))).await.unwrap();
    assert_eq!(next(&mut replies).await.unwrap().into_data().unwrap(), message("two".to_owned()));
    drop(requests);
    assert_eq!(next(&mut replies).await.unwrap().into_trailers().unwrap()["grpc-status"], "0");
    assert!(next(&mut replies).await.is_none());
}

#[tokio::test]
async fn messages_may_come_in_any_pieces() {
    let (service, _seen) = echo();
    let (requests, body) = sent();
    let answer = tokio::spawn(async move {
        let Ok(response) = tower_service::Service::call(&mut service.clone(), head("Sum").body(body).unwrap()).await;
        Answer::new(response).await
    });
    for byte in [message(300u32), message(20u32)].concat() {
        requests.send(Ok(Bytes::from(vec![byte]))).await.unwrap();
        requests.send(Ok(Bytes::new())).await.unwrap();
    }
    drop(requests);
    assert_eq!(answer.await.unwrap().messages::<u32>(), [320]);
}

#[tokio::test]
async fn trailers_of_a_request_mean_nothing() {
    let (service, _seen) = echo();
    let trailers = HeaderMap::from_iter([("late".parse().unwrap(), HeaderValue::from_static("yes"))]);
    let body = Full::new(message("hello".to_owned())).with_trailers(async { Some(Ok(trailers)) });
    let answer = call(&service, head("Say").body(body).unwrap()).await;
    assert_eq!((answer.messages::<String>(), answer.grpc_status().0), (vec!["hello".to_owned()], 0));
}

#[tokio::test]
async fn compression_holds_both_ways() {
    let (service, _seen) = service(Server::builder().compression(Compression::Gzip));
    let long = "x".repeat(10_000);
    let gzipped = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&encoded(&long)).unwrap();
        encoder.finish().unwrap()
    };
    let request = head("Say").header("grpc-encoding", "gzip").header("grpc-accept-encoding", "identity,gzip");
    let answer = call(&service, request.body(Full::new(frame(1, &gzipped))).unwrap()).await;
    assert_eq!((answer.grpc_status().0, answer.headers["grpc-encoding"].to_str().unwrap()), (0, "gzip"));
    assert!(answer.body[0] == 1 && answer.body.len() < 1000, "{} bytes", answer.body.len());
    // A client that does not take it gets none.
    let answer = call(&service, say(&long)).await;
    assert_eq!((answer.headers.get("grpc-encoding"), answer.messages::<String>()), (None, vec![long]));
}

/// What a middleware knows of a request.
#[derive(Clone, Debug, PartialEq)]
struct User(&'static str);

struct Metadatas;

impl EchoServicer for Metadatas {
    async fn unary_unary(&self, _: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        let metadata = context.invocation_metadata();
        let hop_by_hop = ["host", "connection", "keep-alive", "transfer-encoding", "upgrade"];
        assert!(hop_by_hop.iter().all(|name| metadata.get(name).is_none()), "{metadata:?}");
        let (key, key_bin) = (metadata.get("key").unwrap_or("none").to_owned(), metadata.get_bin("key-bin"));
        let key_bin = key_bin.map(|value| value.to_vec()).unwrap_or_default();
        let user = context.extensions().get::<User>().cloned();
        let mut initial = Metadata::new();
        initial.append("initial", key)?;
        context.send_initial_metadata(initial)?;
        context.set_trailing_metadata("trailing-bin", key_bin)?;
        let body = format!("{} {user:?}", context.peer());
        Ok(Blob { body: body.into() })
    }
}

fn blob_request() -> http::request::Builder {
    let builder = Request::post("http://example.test/callwright.tests.Echo/UnaryUnary?a=query");
    builder.version(Version::HTTP_2).header("content-type", "application/grpc+proto")
}

fn body_of(answer: &Answer) -> String {
    let blob = answer.messages::<Blob>().remove(0);
    String::from_utf8(blob.body.to_vec()).unwrap()
}

#[tokio::test]
async fn metadata_comes_and_goes_in_headers_and_trailers() {
    let service = Server::builder().add_service(EchoServer::new(Metadatas)).into_http_service().unwrap();
    let request = blob_request()
        .header("key", "value")
        .header("key-bin", "AAEC")
        .header("host", "example.test")
        .header("connection", "keep-alive")
        .header("keep-alive", "timeout=5");
    let answer = call(&service, request.body(Full::new(message(Blob::default()))).unwrap()).await;
    assert_eq!(answer.grpc_status(), (0, String::new()));
    assert_eq!(answer.headers["initial"], "value");
    assert_eq!(answer.trailers.as_ref().unwrap()["trailing-bin"], "AAEC");
}

#[tokio::test]
async fn the_peer_and_all_that_was_put_beside_a_request_reach_the_handler() {
    let service = Server::builder().add_service(EchoServer::new(Metadatas)).into_http_service().unwrap();
    let request = || blob_request().body(Full::new(message(Blob::default()))).unwrap();
    assert_eq!(body_of(&call(&service, request()).await), "unknown None");

    let mut with = request();
    with.extensions_mut().insert(SocketAddr::from(([10, 0, 0, 1], 80)));
    with.extensions_mut().insert(User("ann"));
    assert_eq!(body_of(&call(&service, with).await), "ipv4:10.0.0.1:80 Some(User(\"ann\"))");

    let mut with = request();
    with.extensions_mut().insert(SocketAddr::from(([10, 0, 0, 1], 80)));
    with.extensions_mut().insert(Address::Unix(Some("/run/a.sock".into())));
    assert_eq!(body_of(&call(&service, with).await), "unix:/run/a.sock None");
}

struct Notes(Arc<Mutex<Vec<String>>>);

impl ServerInterceptor for Notes {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let method = context.method().to_owned();
        let result = next.run(context).await;
        self.0.lock().unwrap().push(format!("{method} {:?}", context.code()));
        result
    }
}

#[tokio::test]
async fn interceptors_are_around_all_calls_those_of_unknown_methods_too() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (service, _seen) = service(Server::builder().interceptor(Notes(log.clone())));
    call(&service, say("hello")).await;
    call(&service, say("fail")).await;
    let response = begin(&service, head("Nope").body(Full::new(Bytes::new())).unwrap()).await;
    assert_eq!(crate::support::status_in(response.headers()).0, 12);
    let noted = log.lock().unwrap().clone();
    assert_eq!(
        noted,
        ["/test.Echo/Say Some(Ok)", "/test.Echo/Say Some(AlreadyExists)", "/test.Echo/Nope Some(Unimplemented)"]
    );
}
