//! gRFC L42 (`doc/wait-for-ready.md`): what a call meets in each state of its channel.

use std::time::Duration;

use callwright::{Channel, Code, ConnectivityState, Server};
use callwright_tests::support::{
    LARGE, RefusedPort, Seen, channel, channel_to, chat, count, say, serve, serve_on, serve_with, sum, under_way,
};
use futures_util::FutureExt as _;
use tokio::net::TcpListener;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn idle_connects_and_queues_in_both_modes() {
    let (server, _seen) = serve().await;
    for wait in [false, true] {
        let channel = channel_to(&server);
        assert_eq!(channel.state(), ConnectivityState::Idle);
        assert_eq!(say(&channel, "hello").wait_for_ready(wait).await.unwrap(), "hello");
        assert_eq!(channel.state(), ConnectivityState::Ready);
    }
}

#[tokio::test]
async fn idle_fail_fast_fails_with_the_first_attempt() {
    let port = RefusedPort::new();
    let channel = channel(port.address()).build().unwrap();
    let status = say(&channel, "hello").timeout(LONG).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn unset_means_fail_fast() {
    let port = RefusedPort::new();
    let channel = port.failed_channel().await;
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn connecting_queues_in_both_modes() {
    // A peer that accepts and says nothing: the channel stays in CONNECTING.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(&silent.local_addr().unwrap().to_string()).build().unwrap();
    for wait in [false, true] {
        let status = say(&channel, "hello").wait_for_ready(wait).timeout(SHORT).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains("CONNECTING"), "{status}");
        assert_eq!(channel.state(), ConnectivityState::Connecting);
    }
}

#[tokio::test]
async fn ready_sends_in_both_modes() {
    let (server, _seen) = serve().await;
    let channel = channel_to(&server);
    channel.wait_until_ready(LONG).await.unwrap();
    for wait in [false, true] {
        assert_eq!(say(&channel, "hello").wait_for_ready(wait).await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn transient_failure_fails_fail_fast_calls_naming_address_stage_and_cause() {
    let port = RefusedPort::new();
    let channel = port.failed_channel().await;
    let status = say(&channel, "hello").wait_for_ready(false).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    for part in [port.address(), "stage: connect", "refused"] {
        assert!(status.message().contains(part), "{part:?} is not in {status}");
    }
    assert!(std::error::Error::source(&status).is_some());
}

#[tokio::test]
async fn transient_failure_keeps_waiting_calls_until_a_server_is_there() {
    let port = RefusedPort::new();
    let channel = channel(port.address()).build().unwrap();
    let mut states = channel.watch_state();
    let call = under_way(say(&channel, "hello").wait_for_ready(true).timeout(LONG));
    states.wait_for(ConnectivityState::TransientFailure).await.unwrap();
    let (_server, _seen) = serve_with(Server::builder(), port.address()).await;
    assert_eq!(call.await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn shutdown_cancels_in_both_modes() {
    let channel = Channel::new("127.0.0.1:1").unwrap();
    channel.close();
    assert_eq!(channel.state(), ConnectivityState::Shutdown);
    for wait in [false, true] {
        let status = say(&channel, "hello").wait_for_ready(wait).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Cancelled, "channel closed"));
    }
}

#[tokio::test]
async fn a_call_stays_queued_over_three_reconnects() {
    // Each connection is accepted and closed at once, three times; then a server takes the port.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let channel = channel(&address).build().unwrap();
    let call = under_way(say(&channel, "hello").wait_for_ready(true).timeout(LONG));
    for _ in 0..3 {
        drop(listener.accept().await.unwrap());
    }
    drop(listener);
    let (_server, _seen) = serve_with(Server::builder(), &address).await;
    assert_eq!(call.await.unwrap().unwrap(), "hello");
}

async fn thousand_calls_leave_in_order(server: callwright::ServerBuilder) {
    let port = RefusedPort::new();
    let channel = channel(port.address()).build().unwrap();
    let names: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    let mut calls = Vec::new();
    for name in &names {
        calls.push(under_way(say(&channel, name).wait_for_ready(true).timeout(LONG)));
    }
    // On one thread, tasks start in the order they were spawned: all are queued when the first has failed to connect.
    channel.watch_state().wait_for(ConnectivityState::TransientFailure).await.unwrap();
    let (echo, _seen) = callwright_tests::support::Echo::new();
    let order = echo.order.clone();
    let _server = server.add_service(echo).bind(port.address()).await.unwrap();
    for (call, name) in calls.into_iter().zip(&names) {
        assert_eq!(call.await.unwrap().unwrap(), *name);
    }
    assert_eq!(*order.lock().unwrap(), names);
}

#[tokio::test]
async fn a_thousand_queued_calls_leave_in_order() {
    thousand_calls_leave_in_order(Server::builder()).await;
}

#[tokio::test]
async fn a_thousand_queued_calls_leave_in_order_ten_at_a_time() {
    thousand_calls_leave_in_order(Server::builder().max_concurrent_streams(10)).await;
}

#[tokio::test]
async fn a_queued_call_ends_at_its_deadline_and_says_what_it_waited_for() {
    let port = RefusedPort::new();
    let channel = port.failed_channel().await;
    let status = say(&channel, "hello").wait_for_ready(true).timeout(SHORT).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    for part in [port.address(), "TRANSIENT_FAILURE", "refused"] {
        assert!(status.message().contains(part), "{part:?} is not in {status}");
    }
}

#[tokio::test]
async fn a_deadline_that_has_passed_ends_the_call_before_it_is_made() {
    let channel = Channel::new("127.0.0.1:1").unwrap();
    for call in [say(&channel, "a").timeout(Duration::ZERO), say(&channel, "b").deadline(std::time::Instant::now())] {
        assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
    }
    assert_eq!(channel.state(), ConnectivityState::Idle);
}

#[tokio::test]
async fn the_queue_is_bounded_and_a_dropped_call_leaves_it() {
    let port = RefusedPort::new();
    let channel = channel(port.address()).queue_limit(1).build().unwrap();
    let (first_sender, first) = sum(&channel).wait_for_ready(true).start();
    let status = say(&channel, "second").wait_for_ready(true).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("queue_limit"), "{status}");
    drop(first);
    drop(first_sender);
    let third = say(&channel, "third").wait_for_ready(true).timeout(SHORT).await.unwrap_err();
    assert_eq!(third.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_message_whose_sending_was_given_up_in_the_queue_goes_out_with_the_end() {
    let port = RefusedPort::new();
    let channel = channel(port.address()).build().unwrap();
    let (mut requests, mut replies) = chat(&channel).wait_for_ready(true).timeout(LONG).start();
    assert!(requests.send("x".repeat(LARGE)).now_or_never().is_none());
    requests.finish();
    let (_server, _seen) = serve_with(Server::builder(), port.address()).await;
    assert_eq!(replies.message().await.unwrap().unwrap().len(), LARGE);
    assert_eq!(replies.message().await.unwrap(), None);
}

#[tokio::test]
async fn closing_the_channel_cancels_queued_calls() {
    let port = RefusedPort::new();
    let channel = port.failed_channel().await;
    let (_sender, reply) = sum(&channel).wait_for_ready(true).start();
    let stream = count(&channel, 3).wait_for_ready(true).into_future();
    let (stream, ()) = tokio::join!(stream, async { channel.clone().close() });
    for status in [reply.await.unwrap_err(), stream.unwrap_err()] {
        assert_eq!((status.code(), status.message()), (Code::Cancelled, "channel closed"));
    }
}

#[tokio::test]
async fn closing_the_channel_cancels_calls_under_way() {
    let (server, mut seen) = serve().await;
    let channel = channel_to(&server);
    let call = under_way(say(&channel, "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    channel.close();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Cancelled, "channel closed"));
}

#[tokio::test]
async fn resetting_the_backoff_connects_at_once() {
    let port = RefusedPort::new();
    let channel = port.failed_channel().await;
    let call = under_way(say(&channel, "hello").wait_for_ready(true).timeout(LONG));
    let (_server, _seen) = serve_with(Server::builder(), port.address()).await;
    channel.reset_connect_backoff();
    assert_eq!(call.await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn waiting_for_ready_does_not_hide_a_call_that_broke() {
    let (server, mut seen) = serve().await;
    let channel = channel_to(&server);
    let call = under_way(say(&channel, "forever").wait_for_ready(true).timeout(LONG));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    server.stop().await;
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_channel_outlives_its_servers() {
    let port = RefusedPort::new();
    let channel = channel(port.address()).build().unwrap();
    for _ in 0..3 {
        let (server, _seen) = serve_with(Server::builder(), port.address()).await;
        let reply = say(&channel, "hello").wait_for_ready(true).timeout(LONG).await.unwrap();
        assert_eq!(reply, "hello");
        server.stop().await;
        let mut states = channel.watch_state();
        states.wait_for(ConnectivityState::Idle).await.unwrap();
    }
}

#[tokio::test]
async fn calls_above_the_servers_limit_wait_for_a_free_stream() {
    let (server, mut seen) = serve_with(Server::builder().max_concurrent_streams(1), "127.0.0.1:0").await;
    let channel = channel_to(&server);
    channel.wait_until_ready(LONG).await.unwrap();
    let first = under_way(say(&channel, "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    let status = say(&channel, "second").timeout(SHORT).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("MAX_CONCURRENT_STREAMS"), "{status}");
    first.abort();
    assert_eq!(say(&channel, "third").timeout(LONG).await.unwrap(), "third");
}

#[tokio::test]
async fn wait_until_ready_says_what_it_waited_for() {
    let port = RefusedPort::new();
    let channel = channel(port.address()).build().unwrap();
    let status = channel.wait_until_ready(SHORT).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("refused"), "{status}");
    let (_server, _seen) = serve_with(Server::builder(), port.address()).await;
    channel.wait_until_ready(LONG).await.unwrap();
}

#[tokio::test]
async fn a_name_that_does_not_resolve_fails_like_a_server_that_is_not_there() {
    let channel = channel("dns:///no-such-host.invalid:50051").build().unwrap();
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("stage: resolve"), "{status}");
    let status = say(&channel, "hello").wait_for_ready(true).timeout(SHORT).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_missing_unix_socket_names_its_path() {
    let channel = channel("unix:/nonexistent/callwright.sock").build().unwrap();
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("unix:/nonexistent/callwright.sock"), "{status}");
}

#[tokio::test]
async fn a_server_of_http1_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(&listener.local_addr().unwrap().to_string()).build().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await.unwrap();
        std::future::pending::<()>().await
    });
    let status = say(&channel, "hello").timeout(LONG).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("HTTP/1.1"), "{status}");
}

#[test]
fn a_channel_used_outside_of_a_runtime_says_so() {
    let channel = Channel::new("127.0.0.1:1").unwrap();
    let status = channel.connect().unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("Tokio"), "{status}");
    let (_sender, reply) = sum(&channel).timeout(SHORT).start();
    let status = reply.into_future().now_or_never().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    // Nor is it enough that another runtime has connected the channel: the timer is this one's.
    let elsewhere = tokio::runtime::Runtime::new().unwrap();
    elsewhere.block_on(async { channel.connect() }).unwrap();
    let status = channel.wait_until_ready(SHORT).now_or_never().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[test]
fn a_channel_survives_the_runtime_that_connected_it() {
    let port = RefusedPort::new();
    let channel = channel(port.address()).build().unwrap();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (server, _seen) = serve_with(Server::builder(), port.address()).await;
            assert_eq!(say(&channel, "hello").wait_for_ready(true).timeout(LONG).await.unwrap(), "hello");
            server.stop().await;
        });
    }
}

#[tokio::test]
async fn calls_that_fail_one_after_the_other_leave_the_channel_its_turn() {
    let port = RefusedPort::new();
    let channel = channel(port.address()).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    let (_server, _) = serve_on(port.address()).await;
    // Nothing here waits for anything but the calls themselves.
    while say(&channel, "hello").await.is_err() {}
    while count(&channel, 1).await.is_err() {}
}
