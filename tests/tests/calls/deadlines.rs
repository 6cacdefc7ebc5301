//! Deadlines and cancellation: both cover the whole call, on both sides.

use std::time::Duration;

use callwright::{Code, Status};
use callwright_tests::support::{Seen, channel_to, chat, count, say, serve_on, sum, under_way};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::LISTEN;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

async fn next(seen: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
    tokio::time::timeout(LONG, seen.recv()).await.expect("the handler to do something").expect("a handler")
}

/// The handler was dropped, its `cancelled()` resolved and `on_done` was told this code, in whatever order.
async fn assert_handler_ended(seen: &mut mpsc::UnboundedReceiver<Seen>, code: Code) {
    let (mut dropped, mut cancelled, mut done) = (false, false, None);
    while !dropped || !cancelled || done.is_none() {
        match next(seen).await {
            Seen::Started(_) | Seen::Inactive => {}
            Seen::Dropped => dropped = true,
            Seen::Cancelled => cancelled = true,
            Seen::Done(outcome) => done = Some(outcome.status().code()),
        }
    }
    assert_eq!(done, Some(code));
}

#[tokio::test]
async fn a_handler_that_takes_too_long_ends_in_deadline_exceeded_here() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let status = say(&channel, "forever").timeout(SHORT).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn the_handler_sees_what_is_left_of_the_deadline() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let left = say(&channel, "remaining").timeout(Duration::from_secs(100)).await.unwrap();
    assert!(left == "Some(99)" || left == "Some(100)", "{left}");
    assert_eq!(say(&channel, "remaining").await.unwrap(), "None");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_never_waits_sees_its_deadline_and_its_cancellation() {
    let (server, mut seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    // What it answers then and the client's own deadline are in a race.
    let late = under_way(say(&channel, "busy").timeout(SHORT));
    assert!(matches!(next(&mut seen).await, Seen::Started(_)));
    assert!(matches!(next(&mut seen).await, Seen::Inactive));
    let _ = late.await.unwrap();
    let cancelled = under_way(say(&channel, "busy"));
    assert!(matches!(next(&mut seen).await, Seen::Started(_)));
    cancelled.abort();
    assert!(matches!(next(&mut seen).await, Seen::Inactive));
}

#[tokio::test]
async fn the_deadline_covers_a_stream_that_was_open_before() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let (mut requests, mut replies) = chat(&channel).timeout(SHORT).start();
    requests.send("one".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("one"));
    assert_eq!(replies.message().await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(requests.send("two".into()).await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn dropping_a_call_cancels_it_at_the_server() {
    let (server, mut seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let call = under_way(say(&channel, "forever"));
    assert!(matches!(next(&mut seen).await, Seen::Started(_)));
    call.abort();
    assert_handler_ended(&mut seen, Code::Cancelled).await;
}

#[tokio::test]
async fn losing_the_connection_cancels_the_handler() {
    let (server, mut seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let call = under_way(say(&channel, "forever"));
    assert!(matches!(next(&mut seen).await, Seen::Started(_)));
    channel.close();
    assert_handler_ended(&mut seen, Code::Cancelled).await;
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Cancelled);
}

#[tokio::test]
async fn dropping_a_sender_before_finish_cancels_the_call() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let (mut requests, reply) = sum(&channel).start();
    requests.send(1).await.unwrap();
    drop(requests);
    let status: Status = reply.await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    assert!(status.message().contains("finish()"), "{status}");
}

#[tokio::test]
async fn dropping_a_stream_ends_the_sending_half() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let (mut requests, replies) = chat(&channel).start();
    requests.send("one".into()).await.unwrap();
    drop(replies);
    assert_eq!(requests.send("two".into()).await.unwrap_err().code(), Code::Cancelled);
}

#[tokio::test]
async fn a_stream_dropped_half_way_leaves_the_connection_usable() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    for _ in 0..4 {
        let mut numbers = count(&channel, 1_000_000).await.unwrap();
        for expected in 0..10 {
            assert_eq!(numbers.next().await.unwrap().unwrap(), expected);
        }
    }
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}
