//! Connections within the process, used by many tasks of many threads at once.

use std::time::Duration;

use callwright::{Code, Server};
use callwright_tests::support::{channel_to, chat, count, say, serve_on, serve_with, sum};
use futures_util::{StreamExt as _, stream};
use tokio::task::JoinSet;

/// How often the races are run.
const ROUNDS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stops_is_unavailable_to_calls_that_begin_meanwhile() {
    for _ in 0..ROUNDS {
        let (server, _seen) = serve_on("inproc:").await;
        let channel = channel_to(&server);
        assert_eq!(say(&channel, "connected").await.unwrap(), "connected");
        let mut calls = JoinSet::new();
        for _ in 0..4 {
            let channel = channel.clone();
            calls.spawn(async move {
                loop {
                    if let Err(status) = say(&channel, "hello").await {
                        return status;
                    }
                }
            });
        }
        server.stop().await;
        for status in calls.join_all().await {
            assert_eq!(status.code(), Code::Unavailable, "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_kinds_of_call_with_cancels_and_deadlines_leave_nothing_behind() {
    let (server, _seen) = serve_with(Server::builder().max_concurrent_streams(3), "inproc:").await;
    let channel = channel_to(&server);
    let mut calls = JoinSet::new();
    for number in 0..40_u32 {
        let channel = channel.clone();
        calls.spawn(async move {
            for round in 0..ROUNDS / 10 {
                match (number as usize + round) % 8 {
                    0 => assert_eq!(say(&channel, "hello").await.unwrap(), "hello"),
                    1 => {
                        let numbers: Vec<_> = count(&channel, 500).await.unwrap().map(Result::unwrap).collect().await;
                        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
                    }
                    2 => assert_eq!(sum(&channel).send_all(stream::iter(0..500)).await.unwrap(), 124_750),
                    3 => {
                        let (mut requests, mut replies) = chat(&channel).start();
                        let sender = tokio::spawn(async move {
                            for number in 0..20 {
                                requests.send(number.to_string().repeat(20_000)).await.unwrap();
                            }
                            requests.finish();
                        });
                        for number in 0..20 {
                            let reply = replies.message().await.unwrap();
                            assert_eq!(reply.unwrap(), number.to_string().repeat(20_000));
                        }
                        assert_eq!(replies.message().await.unwrap(), None);
                        sender.await.unwrap();
                    }
                    // Given up: while it is queued, at work, or has responses that nobody reads.
                    4 => {
                        let call = tokio::spawn(say(&channel, "forever").into_future());
                        tokio::task::yield_now().await;
                        call.abort();
                        assert!(call.await.unwrap_err().is_cancelled());
                    }
                    5 => {
                        let mut numbers = count(&channel, u32::MAX).await.unwrap();
                        assert_eq!(numbers.message().await.unwrap(), Some(0));
                    }
                    // Ended by the server while the client still sends.
                    6 => {
                        let (mut requests, mut replies) = chat(&channel).start();
                        requests.send("enough".into()).await.unwrap();
                        let sent = requests.send("x".repeat(5_000_000)).await;
                        assert_eq!(replies.message().await.unwrap_err().code(), Code::OutOfRange, "{sent:?}");
                    }
                    _ => {
                        let status = say(&channel, "forever").timeout(Duration::from_millis(3)).await.unwrap_err();
                        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
                    }
                }
            }
        });
    }
    while let Some(ended) = calls.join_next().await {
        ended.unwrap();
    }
    // Each of the three streams is free again, and the server has nobody to wait for.
    let streams: Vec<_> = (0..3).map(|_| chat(&channel).start()).collect();
    for (mut requests, mut replies) in streams {
        requests.send("free".into()).await.unwrap();
        assert_eq!(replies.message().await.unwrap().as_deref(), Some("free"));
    }
    drop(channel);
    server.shutdown(Duration::from_secs(3600)).await;
}

#[test]
fn a_server_and_its_clients_can_have_a_runtime_each() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for _ in 0..ROUNDS / 10 {
        let (servers, clients) = (runtime(), runtime());
        let (server, _seen) = servers.block_on(serve_on("inproc:"));
        let channel = clients.block_on(async { channel_to(&server) });
        let call = clients.block_on(async {
            let (mut requests, mut replies) = chat(&channel).start();
            requests.send("hello".into()).await.unwrap();
            assert_eq!(replies.message().await.unwrap().as_deref(), Some("hello"));
            (requests, replies)
        });
        // The server's runtime ends, and with it the server and its calls.
        servers.shutdown_background();
        let (_requests, mut replies) = call;
        let status = clients.block_on(replies.message()).unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        let status = clients.block_on(say(&channel, "hello").into_future()).unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    }
}
