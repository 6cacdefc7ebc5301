//! All four kinds of call, their limits and their ends, and servers that shut down under them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callwright::{Code, Compression, ConnectivityState, Server};
use callwright_tests::support::{
    LARGE, Seen, channel, channel_to, chat, count, say, serve_on, serve_with, sum, under_way,
};
use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::LISTEN;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn all_four_kinds_of_call_work() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let numbers: Vec<_> = count(&channel, 100).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    assert_eq!(sum(&channel).send_all(stream::iter(0..100)).await.unwrap(), 4950);
    let words = ["a", "b", "c"].map(String::from);
    let replies: Vec<_> =
        chat(&channel).send_all(stream::iter(words.clone())).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(replies, words);
}

#[tokio::test]
async fn starting_a_bidi_call_never_waits_for_the_server() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let (mut requests, mut replies) = chat(&channel).start();
    for word in ["one", "two"] {
        requests.send(word.into()).await.unwrap();
        assert_eq!(replies.message().await.unwrap().as_deref(), Some(word));
    }
    requests.finish();
    assert_eq!(replies.message().await.unwrap(), None);
    assert_eq!(replies.message().await.unwrap(), None);
    assert!(replies.trailing_metadata().is_some());
}

#[tokio::test]
async fn a_send_that_is_dropped_half_way_never_breaks_the_stream() {
    let (server, _seen) = serve_on(LISTEN).await;
    let (mut requests, mut replies) = chat(&channel_to(&server)).timeout(LONG).start();
    requests.send("one".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("one"));
    // Ours: part of it is on its way when it is dropped, so the rest goes out with the next.
    assert!(requests.send("y".repeat(LARGE)).now_or_never().is_none());
    let (sent, large) = tokio::join!(requests.send("two".into()), replies.message());
    sent.unwrap();
    assert_eq!(large.unwrap().unwrap().len(), LARGE);
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("two"));
    // The server's.
    requests.send("drop a send".into()).await.unwrap();
    requests.send("three".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().len(), LARGE);
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("three"));
    // And with nothing behind it but the end.
    requests.send("drop a send".into()).await.unwrap();
    assert!(requests.send("z".repeat(LARGE)).now_or_never().is_none());
    requests.finish();
    assert_eq!(replies.message().await.unwrap().unwrap().len(), LARGE);
    assert_eq!(replies.message().await.unwrap().unwrap(), "z".repeat(LARGE));
    assert_eq!(replies.message().await.unwrap(), None);
}

#[tokio::test]
async fn a_handler_may_send_from_a_future_of_its_own() {
    let (server, _seen) = serve_on(LISTEN).await;
    let (mut requests, mut replies) = chat(&channel_to(&server)).timeout(LONG).start();
    requests.send("send apart".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().len(), LARGE);
}

#[tokio::test]
async fn closing_a_channel_ends_calls_on_a_connection_that_drains() {
    let (server, mut seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let call = under_way(say(&channel, "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    let mut states = channel.watch_state();
    let _shutdown = tokio::spawn(server.shutdown(LONG));
    states.wait_for(ConnectivityState::Idle).await.unwrap();
    channel.close();
    let status = tokio::time::timeout(LONG, call).await.expect("the call to end").unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Cancelled, "channel closed"));
}

#[tokio::test]
async fn streams_that_nobody_reads_stall_no_other_call() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    // Responses that the client does not read, and then requests that the server does not: its handlers wait to send.
    let sent = Arc::new(AtomicUsize::new(0));
    let mut unread = Vec::new();
    for _ in 0..40 {
        let (mut requests, replies) = chat(&channel).start();
        let sent = sent.clone();
        tokio::spawn(async move {
            while requests.send("x".repeat(32 * 1024)).await.is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        unread.push(replies);
    }
    let (mut before, mut still) = (0, 0);
    while still < 20 {
        assert_eq!(say(&channel, "hello").timeout(LONG).await.unwrap(), "hello");
        let now = sent.load(Ordering::Relaxed);
        still = if now == before { still + 1 } else { 0 };
        before = now;
    }
    assert!(before >= 40 * 8, "only {before} messages of 32 KiB were sent");
}

#[tokio::test]
async fn large_messages_pass_in_both_directions() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let large = "x".repeat(4 * 1024 * 1024 - 100);
    assert!(say(&channel, &large).await.unwrap() == large);
    let (mut requests, mut replies) = chat(&channel).start();
    for _ in 0..5 {
        requests.send(large.clone()).await.unwrap();
        assert!(replies.message().await.unwrap().unwrap() == large);
    }
}

#[tokio::test]
async fn messages_over_the_limits_end_in_resource_exhausted() {
    let (server, _seen) = serve_with(Server::builder().max_receive_message_size(1000), LISTEN).await;
    let address = server.local_addr().to_string();
    let long = "x".repeat(2000);
    for compression in [Compression::None, Compression::Gzip] {
        let channel = channel(&address).compression(compression).build().unwrap();
        let status = say(&channel, &long).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{compression}: {status}");
        assert!(status.message().contains("1000"), "{status}");
    }
    let strict = channel(&address).max_receive_message_size(10).max_send_message_size(100).build().unwrap();
    assert_eq!(say(&strict, "longer than ten bytes").await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(say(&strict, &long).await.unwrap_err().code(), Code::ResourceExhausted);
    let reply = say(&strict, "longer than ten bytes").max_receive_message_size(100).await.unwrap();
    assert_eq!(reply, "longer than ten bytes");
}

#[tokio::test]
async fn a_panic_is_internal_for_its_call_and_nothing_else() {
    let (server, mut seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let other = under_way(say(&channel, "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    assert_eq!(say(&channel, "panic").await.unwrap_err().code(), Code::Internal);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    assert!(!other.is_finished());
}

#[tokio::test]
async fn a_failure_carries_code_message_and_details() {
    let (server, _seen) = serve_on(LISTEN).await;
    let status = say(&channel_to(&server), "fail").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), status.details()),
        (Code::AlreadyExists, "as asked for", &b"details"[..])
    );
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented_and_named() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    for (path, what) in
        [("/test.Echo/Nope", "method /test.Echo/Nope"), ("/no.Such/Say", "service of method /no.Such/Say")]
    {
        let call: callwright::Call<callwright::Unary, String, String> =
            callwright::Call::unary(&channel, callwright::Method::new(path), String::new());
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains(what), "{status}");
    }
}

#[tokio::test]
async fn a_server_that_ends_a_stream_early_stops_the_sender() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let endless = stream::repeat_with(|| "enough".to_string());
    let mut replies = chat(&channel).send_all(endless).await.unwrap();
    assert_eq!(replies.message().await.unwrap_err().code(), Code::OutOfRange);
    let (mut requests, mut replies) = chat(&channel).start();
    requests.send("enough".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(requests.send("more".into()).await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn graceful_shutdown_waits_for_the_calls_that_are_under_way() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    let (mut requests, mut replies) = chat(&channel).start();
    requests.send("one".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("one"));
    let mut states = channel.watch_state();
    let shutdown = tokio::spawn(server.shutdown(LONG));
    // The server says goodbye: no new calls on this connection, but the old one goes on.
    states.wait_for(ConnectivityState::Idle).await.unwrap();
    requests.send("two".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("two"));
    assert!(!shutdown.is_finished());
    assert_eq!(say(&channel, "new").await.unwrap_err().code(), Code::Unavailable);
    requests.finish();
    assert_eq!(replies.message().await.unwrap(), None);
    shutdown.await.unwrap();
}

#[tokio::test]
async fn graceful_shutdown_ends_what_is_left_after_its_grace() {
    let (server, mut seen) = serve_on(LISTEN).await;
    let call = under_way(say(&channel_to(&server), "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    server.shutdown(Duration::from_millis(50)).await;
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn stopping_drops_the_handlers() {
    let (server, mut seen) = serve_on(LISTEN).await;
    let call = under_way(say(&channel_to(&server), "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    server.stop().await;
    let done = loop {
        match seen.recv().await {
            Some(Seen::Done(outcome)) => break outcome,
            Some(_) => {}
            None => panic!("on_done was not called"),
        }
    };
    assert_eq!((done.status().code(), done.status().message()), (Code::Unavailable, "the server was stopped"));
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_server_whose_handle_is_dropped_goes_on() {
    let (server, _seen) = serve_on(LISTEN).await;
    let channel = channel_to(&server);
    drop(server);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}
