//! Servers from bind to stop, and what clients see of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callwright::{BindError, Channel, Code, Compression, ConnectivityState, Server};
use callwright_tests::support::{
    Echo, LARGE, RefusedPort, Seen, channel, channel_to, chat, count, say, serve, serve_with, sum, under_way,
};
use futures_util::{FutureExt as _, StreamExt as _, stream};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn all_four_kinds_of_call_work() {
    let (server, _seen) = serve().await;
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
    let (server, _seen) = serve().await;
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
    let (server, _seen) = serve().await;
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
    let (server, _seen) = serve().await;
    let (mut requests, mut replies) = chat(&channel_to(&server)).timeout(LONG).start();
    requests.send("send apart".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().len(), LARGE);
}

#[tokio::test]
async fn awaiting_a_stream_of_responses_waits_until_the_call_is_out() {
    let port = RefusedPort::new();
    let failing = port.failed_channel().await;
    assert_eq!(count(&failing, 3).await.unwrap_err().code(), Code::Unavailable);
    let late = count(&failing, 3).wait_for_ready(true).timeout(Duration::from_millis(20)).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn closing_a_channel_ends_calls_on_a_connection_that_drains() {
    let (server, mut seen) = serve().await;
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
    let (server, _seen) = serve().await;
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
    let (server, _seen) = serve().await;
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
    let (server, _seen) = serve_with(Server::builder().max_receive_message_size(1000), "127.0.0.1:0").await;
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
    let (server, mut seen) = serve().await;
    let channel = channel_to(&server);
    let other = under_way(say(&channel, "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    assert_eq!(say(&channel, "panic").await.unwrap_err().code(), Code::Internal);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    assert!(!other.is_finished());
}

#[tokio::test]
async fn a_failure_carries_code_message_and_details() {
    let (server, _seen) = serve().await;
    let status = say(&channel_to(&server), "fail").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), status.details()),
        (Code::AlreadyExists, "as asked for", &b"details"[..])
    );
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented_and_named() {
    let (server, _seen) = serve().await;
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
    let (server, _seen) = serve().await;
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
    let (server, _seen) = serve().await;
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
    let (server, mut seen) = serve().await;
    let call = under_way(say(&channel_to(&server), "forever"));
    assert!(matches!(seen.recv().await, Some(Seen::Started(_))));
    server.shutdown(Duration::from_millis(50)).await;
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn graceful_shutdown_does_not_wait_for_a_connection_that_says_nothing() {
    let (server, _seen) = serve().await;
    let _silent = tokio::net::TcpStream::connect(server.local_addr().to_string()).await.unwrap();
    // Connections are accepted in the order they came.
    assert_eq!(say(&channel_to(&server), "hello").await.unwrap(), "hello");
    tokio::time::timeout(Duration::from_secs(10), server.shutdown(LONG)).await.unwrap();
}

#[tokio::test]
async fn stopping_drops_the_handlers() {
    let (server, mut seen) = serve().await;
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
    let (server, _seen) = serve().await;
    let channel = channel_to(&server);
    drop(server);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn unix_sockets_work_and_are_cleaned_up() {
    let folder = std::env::temp_dir().join(format!("callwright-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("echo.sock");
    let address = format!("unix:{}", path.display());
    for _ in 0..2 {
        let (server, _seen) = serve_with(Server::builder(), &address).await;
        assert_eq!(server.local_addr().to_string(), address);
        assert_eq!(server.local_addr().socket_addr(), None);
        let channel = Channel::new(format!("unix://{}", path.display())).unwrap();
        assert_eq!(say(&channel, "peer").await.unwrap(), "unix:");
        let (echo, _) = Echo::new();
        let taken = Server::builder().add_service(echo).bind(&address).await;
        assert!(matches!(taken, Err(BindError::Listen { .. })), "{taken:?}");
        server.stop().await;
        assert!(!path.exists());
        // What a server that was killed leaves behind does not stop the next one.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_never_replaced() {
    let file = std::env::temp_dir().join(format!("callwright-{}.txt", std::process::id()));
    std::fs::write(&file, "precious").unwrap();
    let error = Server::builder().bind(format!("unix:{}", file.display())).await.unwrap_err();
    assert!(error.to_string().contains("no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_socket_file_that_another_server_has_by_now_stays() {
    let path = std::env::temp_dir().join(format!("callwright-{}.sock", std::process::id()));
    let address = format!("unix:{}", path.display());
    let (first, _seen) = serve_with(Server::builder(), &address).await;
    std::fs::remove_file(&path).unwrap();
    let (second, _seen) = serve_with(Server::builder(), &address).await;
    first.stop().await;
    assert_eq!(say(&channel_to(&second), "peer").await.unwrap(), "unix:");
    second.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn peers_are_named_as_grpc_names_them() {
    let (server, _seen) = serve().await;
    let peer = say(&channel_to(&server), "peer").await.unwrap();
    assert!(peer.starts_with("ipv4:127.0.0.1:"), "{peer}");
    let (server, _seen) = serve_with(Server::builder(), "[::1]:0").await;
    let peer = say(&channel_to(&server), "peer").await.unwrap();
    assert!(peer.starts_with("ipv6:[::1]:"), "{peer}");
    // A socket for both families has its IPv4 clients behind ::ffff:.
    let (server, _seen) = serve_with(Server::builder(), "[::]:0").await;
    let port = server.local_addr().socket_addr().unwrap().port();
    let peer = say(&Channel::new(format!("127.0.0.1:{port}")).unwrap(), "peer").await.unwrap();
    assert!(peer.starts_with("ipv4:127.0.0.1:"), "{peer}");
}

#[tokio::test]
async fn the_local_address_is_a_target_and_an_address_to_bind() {
    for (address, host) in [("127.0.0.1:0", "127.0.0.1:"), ("[::1]:0", "[::1]:"), ("ipv4:127.0.0.1:0", "127.0.0.1:")] {
        let (server, _seen) = serve_with(Server::builder(), address).await;
        let local = server.local_addr().to_string();
        assert!(local.starts_with(host), "{local}");
        assert_eq!(local, server.local_addr().socket_addr().unwrap().to_string());
        for target in [local.clone(), format!("dns:///{local}"), format!("http://{local}")] {
            assert_eq!(say(&Channel::new(target).unwrap(), "hello").await.unwrap(), "hello");
        }
        server.stop().await;
        let (_server, _seen) = serve_with(Server::builder(), &local).await;
    }
}

#[test]
fn a_server_outside_of_a_runtime_says_so() {
    let bind = Server::builder().bind("127.0.0.1:0");
    assert!(matches!(bind.now_or_never(), Some(Err(BindError::NoRuntime))));
}

#[tokio::test]
async fn a_server_takes_a_listener_and_stops_at_a_signal() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::builder().add_service(Echo::new().0).bind_listener(listener).unwrap();
    assert_eq!(say(&channel_to(&server), "hello").await.unwrap(), "hello");
    let address = server.local_addr().socket_addr().unwrap();
    server.stop().await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let signal = async { drop(stopped.await) };
    let serving = tokio::spawn(Server::builder().add_service(Echo::new().0).serve_with_shutdown(address, signal, LONG));
    let channel = channel(&address.to_string()).build().unwrap();
    assert_eq!(say(&channel, "hello").wait_for_ready(true).await.unwrap(), "hello");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_cannot_be_served_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Server::builder().bind(taken.local_addr().unwrap().to_string()).await.unwrap_err();
    assert!(error.to_string().contains(&taken.local_addr().unwrap().to_string()), "{error}");
    let twice = Server::builder().add_service(Echo::new().0).add_service(Echo::new().0).bind("127.0.0.1:0").await;
    assert!(matches!(twice, Err(BindError::DuplicateService(name)) if name == "test.Echo"));
    for address in ["8080", "localhost", "http://127.0.0.1:0", "unix:"] {
        let error = Server::builder().bind(address).await.unwrap_err();
        assert!(matches!(error, BindError::Address { .. }), "{error}");
    }
    let unknown = Server::builder().compression(Compression::Custom("snappy")).bind("127.0.0.1:0").await;
    assert!(matches!(unknown, Err(BindError::Compression(_))));
}
