//! Which pages may call (CORS).

use bytes::Bytes;
use callwright::grpc_web::GrpcWeb;
use http::{HeaderMap, Method, Request, Version, header};
use http_body_util::Full;

use crate::support::{Answer, message};
use crate::web::{binary, call, web};

const APP: &str = "https://app.example";

fn preflight(origin: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::OPTIONS)
        .uri("/test.Echo/Say")
        .version(Version::HTTP_11)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-grpc-web,authorization")
        .body(Full::default())
        .unwrap()
}

async fn say(settings: &GrpcWeb, origin: &str) -> Answer {
    let mut request = binary("Say", message("hello".to_owned()));
    request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
    call(&web(settings.clone()), request).await
}

/// What was said of origins.
fn said(headers: &HeaderMap) -> Vec<String> {
    let names = headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-") || *name == "vary");
    let mut said: Vec<_> = names.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    said.sort_unstable();
    said
}

#[tokio::test]
async fn without_more_nothing_is_said_to_other_origins() {
    let settings = GrpcWeb::new();
    let answer = call(&web(settings.clone()), preflight(APP)).await;
    assert_eq!((answer.status.as_u16(), said(&answer.headers)), (403, vec!["vary: origin".to_owned()]));
    let answer = say(&settings, APP).await;
    assert_eq!((answer.status.as_u16(), said(&answer.headers)), (200, vec![]));
}

#[tokio::test]
async fn a_browser_is_told_what_it_asks() {
    let settings = GrpcWeb::new().allow_origin(format!("{APP}/")).allow_origin("http://localhost:8080");
    let answer = call(&web(settings), preflight(APP)).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    assert_eq!(
        said(&answer.headers),
        [
            "access-control-allow-headers: content-type,x-grpc-web,authorization",
            "access-control-allow-methods: POST",
            "access-control-allow-origin: https://app.example",
            "access-control-max-age: 3600",
            "vary: access-control-request-headers",
            "vary: origin",
        ]
    );
}

#[tokio::test]
async fn a_page_that_may_call_sees_the_status_and_what_is_exposed() {
    let settings = GrpcWeb::new().allow_origin(APP).expose_header("x-request-id".parse().unwrap());
    let answer = say(&settings, APP).await;
    assert_eq!(
        said(&answer.headers),
        [
            "access-control-allow-origin: https://app.example",
            "access-control-expose-headers: grpc-status, grpc-message, grpc-status-details-bin, x-request-id",
            "vary: origin",
        ]
    );
    // One that may not has the same response and cannot read it; caches have to know.
    assert_eq!(said(&say(&settings, "https://evil.example").await.headers), ["vary: origin"]);
    let answer = call(&web(settings), preflight("https://evil.example")).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn an_origin_is_allowed_whole_or_not_at_all() {
    let settings = GrpcWeb::new().allow_origin(APP);
    for other in ["https://app.example.evil", "http://app.example", "https://app.example:8443", "https://evil", "null"]
    {
        assert_eq!(call(&web(settings.clone()), preflight(other)).await.status, 403, "{other}");
    }
}

#[tokio::test]
async fn any_origin_never_has_credentials() {
    let settings = GrpcWeb::new().allow_any_origin().allow_credentials();
    assert_eq!(
        said(&say(&settings, APP).await.headers),
        [
            "access-control-allow-origin: *",
            "access-control-expose-headers: grpc-status, grpc-message, grpc-status-details-bin",
        ]
    );
    let listed = GrpcWeb::new().allow_origin(APP).allow_credentials();
    let said = said(&say(&listed, APP).await.headers);
    assert_eq!(
        &said[..2],
        ["access-control-allow-credentials: true", "access-control-allow-origin: https://app.example"]
    );
}

#[tokio::test]
async fn origins_can_be_judged() {
    let settings = GrpcWeb::new().allow_origin_if(|origin| origin.ends_with(".app.example"));
    assert_eq!(call(&web(settings.clone()), preflight("https://one.app.example")).await.status, 204);
    assert_eq!(call(&web(settings.clone()), preflight("https://app.evil")).await.status, 403);
    let settings = settings.max_age(std::time::Duration::from_secs(60));
    let answer = call(&web(settings), preflight("https://one.app.example")).await;
    assert_eq!(answer.headers["access-control-max-age"], "60");
}

#[tokio::test]
async fn options_that_are_no_question_of_a_browser_are_refused_as_any_other_method() {
    let mut request = preflight(APP);
    request.headers_mut().remove("access-control-request-method");
    *request.version_mut() = Version::HTTP_2;
    assert_eq!(call(&web(GrpcWeb::new().allow_any_origin()), request).await.status, 405);
}
