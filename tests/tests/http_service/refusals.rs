//! What is no call, and what cannot be served.

use bytes::Bytes;
use callwright::{BindError, Compression, MethodLimits, Server, ServerCredentials};
use callwright_tests::support::Echo;
use http::{Request, Version};
use http_body_util::{Empty, Full};
use tower_service::Service as _;

use crate::support::{call, echo, head, say, service as served};

#[tokio::test]
async fn http_1_is_told_that_grpc_needs_http_2() {
    let (service, _seen) = echo();
    let mut request = say("hello");
    *request.version_mut() = Version::HTTP_11;
    let answer = call(&service, request).await;
    assert_eq!(answer.status, 505);
    assert!(answer.body.starts_with(b"gRPC needs HTTP/2"), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_call_is_told_so_over_http_1_too() {
    let (service, _seen) = echo();
    let get = Request::get("/favicon.ico").version(Version::HTTP_11).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(call(&service, get).await.status, 405);
    let form = Request::post("/form").version(Version::HTTP_11).header("content-type", "text/plain");
    assert_eq!(call(&service, form.body(Empty::<Bytes>::new()).unwrap()).await.status, 415);
}

#[test]
fn what_an_http_server_sees_to_cannot_be_set() {
    let listens = Server::builder().listen("127.0.0.1:0").into_http_service().unwrap_err().to_string();
    assert!(listens.starts_with("listen is set") && listens.contains("HTTP server listen there"), "{listens}");
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (certificate.cert.pem(), certificate.signing_key.serialize_pem());
    let secure = Server::builder().credentials(ServerCredentials::tls(chain, key).build().unwrap());
    let secure = secure.into_http_service().unwrap_err().to_string();
    assert!(secure.starts_with("credentials is set"), "{secure}");
}

#[tokio::test]
async fn other_methods_and_content_types_are_refused_as_http_does() {
    let (service, _seen) = echo();
    let get = Request::get("/test.Echo/Say").version(Version::HTTP_2).body(Empty::<Bytes>::new()).unwrap();
    let answer = call(&service, get).await;
    assert_eq!((answer.status.as_u16(), answer.headers["allow"].to_str().unwrap()), (405, "POST"));
    for other in ["application/json", "application/grpc-web", "application/grpc+json", "text/plain"] {
        let request = Request::post("/test.Echo/Say").version(Version::HTTP_2).header("content-type", other);
        let answer = call(&service, request.body(Empty::<Bytes>::new()).unwrap()).await;
        assert_eq!(answer.status, 415, "{other}");
    }
}

#[tokio::test]
async fn headers_over_16_kib_are_refused() {
    let (service, _seen) = echo();
    let with = |size: usize| {
        let mut request = say("hello");
        request.headers_mut().insert("large", "x".repeat(size).parse().unwrap());
        request
    };
    assert_eq!(call(&service, with(16_000)).await.status, 200);
    assert_eq!(call(&service, with(16_500)).await.status, 431);
    let (service, _seen) = served(Server::builder().max_metadata_size(1000));
    assert_eq!(call(&service, with(700)).await.status, 200);
    assert_eq!(call(&service, with(1100)).await.status, 431);
}

#[tokio::test]
async fn a_method_has_the_limits_that_the_builder_says() {
    let limits = MethodLimits::new().max_receive_message_size(7);
    let (service, _seen) = served(Server::builder().method_limits("test.Echo/Say", limits));
    assert_eq!(call(&service, say("hello")).await.grpc_status().0, 0);
    assert_eq!(call(&service, say("hello!")).await.grpc_status().0, 8);
    let nobody = Server::builder().method_limits("test.Nobody", limits);
    assert!(matches!(nobody.into_http_service(), Err(BindError::UnknownMethod { .. })));
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented_and_named() {
    let (service, _seen) = echo();
    let (code, why) = call(&service, head("Nope").body(Full::new(Bytes::new())).unwrap()).await.grpc_status();
    assert_eq!((code, why.as_str()), (12, "method /test.Echo/Nope is not served here"));
    let answer = call(&service, head("Say").header("grpc-encoding", "br").body(Full::new(Bytes::new())).unwrap()).await;
    assert_eq!(answer.grpc_status().0, 12);
    assert!(answer.headers.contains_key("grpc-accept-encoding"));
}

#[test]
fn a_service_is_made_without_a_runtime_and_called_without_one_says_so() {
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};
    let (mut service, _seen) = echo();
    let mut response = std::pin::pin!(service.call(say("hello")));
    let Poll::Ready(Ok(response)) = response.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("there is nothing to wait for");
    };
    let (code, why) = crate::support::status_in(response.headers());
    assert!(code == 13 && why.contains("Tokio"), "{code} {why}");
}

#[test]
fn settings_that_cannot_be_used_are_found() {
    let twice = Server::builder().add_service(Echo::new().0).add_service(Echo::new().0);
    assert!(matches!(twice.into_http_service(), Err(BindError::DuplicateService(name)) if name == "test.Echo"));
    let unknown = Server::builder().compression(Compression::Custom("none such"));
    assert!(matches!(unknown.into_http_service(), Err(BindError::Compression(_))));
}
