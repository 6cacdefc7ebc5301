//! Servers and clients of one process.

use callwright::{BindError, Channel, Code, Server};
use callwright_tests::support::{Echo, Seen, channel, channel_to, chat, say, serve_on, serve_with, under_way};

#[tokio::test]
async fn a_name_is_a_target_an_address_and_a_peer() {
    let (server, _seen) = serve_on("inproc:a name").await;
    assert_eq!(server.local_addr().to_string(), "inproc:a name");
    assert_eq!(server.local_addr().socket_addr(), None);
    assert_eq!(say(&channel_to(&server), "peer").await.unwrap(), "inproc:a name");
}

#[tokio::test]
async fn servers_without_a_name_get_one_each() {
    let (one, _seen) = serve_on("inproc:").await;
    let (other, _seen) = serve_on("inproc:").await;
    assert_ne!(one.local_addr(), other.local_addr());
    assert_eq!(say(&channel_to(&other), "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_name_is_taken_until_its_server_is_gone() {
    let (server, _seen) = serve_on("inproc:taken").await;
    let error = Server::builder().add_service(Echo::new().0).bind("inproc:taken").await.unwrap_err();
    assert!(matches!(&error, BindError::Listen { .. }), "{error}");
    assert!(error.to_string().contains("another server of this process"), "{error}");
    server.stop().await;
    serve_on("inproc:taken").await.0.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_a_call_can_wait_for_it() {
    let target = "inproc:not there yet";
    let channel = channel(target).build().unwrap();
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("inproc:not there yet (stage: connect)"), "{status}");
    let waiting = under_way(say(&channel, "hello").wait_for_ready(true));
    let (server, _seen) = serve_on(target).await;
    assert_eq!(waiting.await.unwrap().unwrap(), "hello");
    // And over a restart.
    server.stop().await;
    let waiting = under_way(say(&channel, "again").wait_for_ready(true));
    let (_server, _seen) = serve_on(target).await;
    assert_eq!(waiting.await.unwrap().unwrap(), "again");
}

#[tokio::test]
async fn calls_over_the_servers_limit_wait_for_a_stream() {
    let (server, mut seen) = serve_with(Server::builder().max_concurrent_streams(1), "inproc:").await;
    let channel = channel_to(&server);
    let first = under_way(say(&channel, "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    let second = under_way(say(&channel, "hello"));
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    first.abort();
    assert_eq!(second.await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn a_channel_that_is_dropped_lets_its_calls_end_and_then_the_connection() {
    let (server, _seen) = serve_on("inproc:").await;
    let channel = channel_to(&server);
    let (mut requests, mut replies) = chat(&channel).start();
    drop(channel);
    requests.send("one".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("one"));
    requests.finish();
    assert_eq!(replies.message().await.unwrap(), None);
    drop(replies);
    // There is nobody to wait for.
    server.shutdown(std::time::Duration::from_secs(3600)).await;
}

#[tokio::test]
async fn a_name_that_is_empty_is_no_target() {
    let error = Channel::new("inproc:").unwrap_err();
    assert!(error.to_string().contains("name"), "{error}");
}
