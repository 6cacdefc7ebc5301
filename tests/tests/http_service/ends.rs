//! What ends a call: its handler, its deadline, its client, its server.

use std::time::Duration;

use callwright::Server;
use callwright::health::{Health, ServingStatus};
use callwright_tests::support::Seen;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};
use tokio::sync::mpsc;
use tower_service::Service as _;

use crate::support::{begin, call, echo, head, is_bare, message, next, say, sent, service, status_in};

async fn until_started(seen: &mut mpsc::UnboundedReceiver<Seen>) {
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
}

/// Waits until the handler is gone and has been told, and gives the code that its `on_done` saw.
async fn until_over(seen: &mut mpsc::UnboundedReceiver<Seen>) -> callwright::Code {
    let (mut dropped, mut cancelled, mut done) = (false, false, None);
    while !dropped || !cancelled || done.is_none() {
        match seen.recv().await.expect("the handler to be dropped") {
            Seen::Dropped => dropped = true,
            Seen::Cancelled => cancelled = true,
            Seen::Done(outcome) => done = Some(outcome.status().code()),
            Seen::Started(_) | Seen::Inactive => {}
        }
    }
    done.unwrap()
}

#[tokio::test]
async fn a_failure_is_in_the_headers_when_there_is_nothing_else() {
    let (service, _seen) = echo();
    let response = begin(&service, say("fail")).await;
    assert!(is_bare(&response));
    assert_eq!(response.headers()["grpc-status-details-bin"], "ZGV0YWlscw");
    assert_eq!(status_in(response.headers()), (6, "as asked for".to_owned()));
    assert_eq!(response.headers()["content-type"], "application/grpc");
}

#[tokio::test]
async fn a_panic_is_internal_for_its_call_and_nothing_else() {
    let (service, _seen) = echo();
    assert_eq!(call(&service, say("panic")).await.grpc_status(), (13, "the handler panicked".to_owned()));
    assert_eq!(call(&service, say("hello")).await.grpc_status().0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_call_and_its_handler() {
    let (service, mut seen) = echo();
    let began = tokio::time::Instant::now();
    let request = head("Say").header("grpc-timeout", "5S").body(Full::new(message("forever".to_owned()))).unwrap();
    assert_eq!(call(&service, request).await.grpc_status().0, 4);
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(until_over(&mut seen).await, callwright::Code::DeadlineExceeded);
}

#[tokio::test]
async fn dropping_a_response_that_is_awaited_cancels_the_call() {
    let (mut service, mut seen) = echo();
    let response = tokio::spawn(service.call(say("forever")));
    until_started(&mut seen).await;
    response.abort();
    assert_eq!(until_over(&mut seen).await, callwright::Code::Cancelled);
}

#[tokio::test]
async fn dropping_a_body_cancels_the_call_while_its_requests_still_come() {
    let (service, _seen) = echo();
    let (requests, body) = sent();
    requests.send(Ok(message("one".to_owned()))).await.unwrap();
    let Ok(response) = service.clone().call(head("Chat").body(body).unwrap()).await;
    let mut replies = response.into_body();
    assert!(next(&mut replies).await.is_some());
    drop(replies);
    // Nobody reads the body any more.
    requests.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_never_waits_sees_that_its_client_is_gone() {
    let (mut service, mut seen) = echo();
    let response = service.call(say("busy"));
    until_started(&mut seen).await;
    drop(response);
    assert!(matches!(seen.recv().await, Some(Seen::Inactive)));
}

#[tokio::test]
async fn a_request_that_breaks_cancels_the_call_and_says_why() {
    let (service, _seen) = echo();
    let (requests, body) = sent();
    requests.send(Ok(message("one".to_owned()))).await.unwrap();
    let Ok(response) = service.clone().call(head("Chat").body(body).unwrap()).await;
    requests.send(Err("too many bytes")).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    let status = status_in(collected.trailers().unwrap());
    assert_eq!(status, (13, "the request cannot be read: too many bytes".to_owned()));
}

#[tokio::test]
async fn a_request_that_breaks_at_once_still_has_a_response() {
    let (service, _seen) = echo();
    let (requests, body) = sent();
    requests.send(Err("nothing came")).await.unwrap();
    let Ok(response) = service.clone().call(head("Say").body(body).unwrap()).await;
    assert_eq!(status_in(response.headers()), (13, "the request cannot be read: nothing came".to_owned()));
}

#[tokio::test]
async fn a_response_that_ends_early_lets_go_of_the_request() {
    let (service, _seen) = echo();
    let (requests, body) = sent();
    requests.send(Ok(message("enough".to_owned()))).await.unwrap();
    let Ok(response) = service.clone().call(head("Chat").body(body).unwrap()).await;
    assert_eq!(status_in(response.headers()).0, 11);
    requests.closed().await;
    // One that no handler is asked for does not even look at it.
    let (requests, body) = sent();
    let Ok(response) = service.clone().call(head("Nope").body(body).unwrap()).await;
    assert_eq!(status_in(response.headers()).0, 12);
    requests.closed().await;
}

#[tokio::test]
async fn a_shutdown_serves_what_comes_while_it_waits_and_nothing_behind_it() {
    let (service, _seen) = echo();
    let (requests, body) = sent();
    requests.send(Ok(message("one".to_owned()))).await.unwrap();
    let Ok(response) = service.clone().call(head("Chat").body(body).unwrap()).await;
    let mut replies = response.into_body();
    assert!(next(&mut replies).await.is_some());
    let shutdown = tokio::spawn({
        let service = service.clone();
        async move { service.shutdown(Duration::from_secs(3600)).await }
    });
    tokio::task::yield_now().await;
    // Its client has not heard of the end.
    assert_eq!(call(&service, say("hello")).await.grpc_status().0, 0);
    assert!(!shutdown.is_finished());
    requests.send(Ok(message("two".to_owned()))).await.unwrap();
    assert!(next(&mut replies).await.is_some());
    drop(requests);
    assert_eq!(next(&mut replies).await.unwrap().into_trailers().unwrap()["grpc-status"], "0");
    shutdown.await.unwrap();
    assert_eq!(call(&service, say("hello")).await.grpc_status().0, 14);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_what_is_left_after_its_grace() {
    let (mut service, mut seen) = echo();
    let response = tokio::spawn(service.call(say("forever")));
    until_started(&mut seen).await;
    let (requests, body) = sent();
    requests.send(Ok(message("one".to_owned()))).await.unwrap();
    let Ok(chat) = service.clone().call(head("Chat").body(body).unwrap()).await;
    service.shutdown(Duration::from_secs(5)).await;
    let Ok(response) = response.await.unwrap();
    assert_eq!(status_in(response.headers()), (14, "the server stopped".to_owned()));
    assert_eq!(until_over(&mut seen).await, callwright::Code::Unavailable);
    // What was sent before that arrives.
    let collected = chat.into_body().collect().await.unwrap();
    assert_eq!(status_in(collected.trailers().unwrap()).0, 14);
    assert_eq!(collected.to_bytes(), message("one".to_owned()));
}

#[tokio::test]
async fn services_are_told_of_a_shutdown() {
    let health = Health::new();
    let (service, _seen) = service(Server::builder().add_service(health.service()));
    health.set("test.Echo", ServingStatus::Serving);
    service.shutdown(Duration::ZERO).await;
    assert_eq!(health.status("test.Echo"), Some(ServingStatus::NotServing));
}

#[tokio::test]
async fn calls_go_on_when_the_service_is_dropped() {
    let (service, _seen) = echo();
    let (requests, body) = sent();
    requests.send(Ok(message("one".to_owned()))).await.unwrap();
    let Ok(response) = service.clone().call(head("Chat").body(body).unwrap()).await;
    drop(service);
    requests.send(Ok(message("two".to_owned()))).await.unwrap();
    drop(requests);
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(status_in(collected.trailers().unwrap()).0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_abandoned_anywhere_leave_nothing_behind() {
    let (service, mut seen) = echo();
    for number in 0..600usize {
        let (requests, body) = sent();
        let method = ["Say", "Count", "Sum", "Chat"][number % 4];
        let first = match method {
            "Say" => message(["hello", "forever"][number / 4 % 2].to_owned()),
            "Chat" => message("hello".to_owned()),
            _ => message(1000u32),
        };
        let mut response = Box::pin(service.clone().call(head(method).body(body).unwrap()));
        // As far as the number says: nothing sent, a part of a message, all of it, its end.
        let parts = number / 8 % 4;
        if parts > 0 {
            let size = if parts == 1 { 3 } else { first.len() };
            requests.send(Ok(first.slice(..size))).await.unwrap();
        }
        let requests = (parts < 3).then_some(requests);
        // And as far with the response: not awaited, its head, some of its body.
        let patience = number / 32 % 5;
        for _ in 0..patience {
            tokio::task::yield_now().await;
        }
        if let Some(Ok(response)) = (&mut response).now_or_never() {
            let mut body = response.into_body();
            for _ in 0..patience {
                let _ = body.frame().now_or_never();
            }
        }
        // Whichever is dropped first.
        if number % 3 == 0 {
            drop(requests);
            drop(response);
        } else {
            drop(response);
            drop(requests);
        }
    }
    // It would wait for a call that has not ended.
    service.shutdown(Duration::from_secs(3600)).await;
    drop(service);
    // Every handler is gone, and what it has started.
    while seen.recv().await.is_some() {}
}
