//! Where a channel's calls could hang, be made too often, or leave something behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::credentials::{CallContext, CallCredentials};
use callwright::resolver::{Endpoint, Resolution, ResolveError, Resolver};
use callwright::service_config::{
    FailurePercentageEjection, LoadBalancing, OutlierDetectionSettings, ServiceConfig, WeightedRoundRobinSettings,
};
use callwright::{Address, ChannelBuilder, Code, ConnectivityState, Metadata, Status};
use callwright_tests::support::raw::{self, head, text, trailers};
use callwright_tests::support::{channel, chat, say, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

const GRPC: (&str, &str) = ("content-type", "application/grpc");
const SOON: Duration = Duration::from_secs(3);

fn configured(target: &str, json: &str) -> ChannelBuilder {
    channel(target).service_config(ServiceConfig::from_json(json).unwrap())
}

/// A code, headers beside it, and how many milliseconds it takes.
type Answered = (u32, &'static [(&'static str, &'static str)], u64);

/// Answers each request with a code, some headers, after a delay; 0 is OK with a message.
async fn server(answers: &[Answered]) -> (String, mpsc::UnboundedReceiver<Instant>) {
    let (seen, attempts) = mpsc::unbounded_channel();
    let next = Arc::new(Mutex::new(answers.to_vec()));
    let address = raw::server(move |_, _, _request, mut response| {
        let (seen, next) = (seen.clone(), next.clone());
        async move {
            let (code, more, delay) = {
                let mut next = next.lock().unwrap();
                if next.len() > 1 { next.remove(0) } else { next[0] }
            };
            let _ = seen.send(Instant::now());
            tokio::time::sleep(Duration::from_millis(delay)).await;
            if code == 0 {
                let mut stream = response.send_response(head(200, &[GRPC]), false).unwrap();
                let _ = stream.send_data(text("ok"), false);
                let _ = stream.send_trailers(trailers(&[("grpc-status", "0")]));
            } else {
                let code = code.to_string();
                let mut headers = vec![GRPC, ("grpc-status", code.as_str()), ("grpc-message", "as asked for")];
                headers.extend(more);
                drop(response.send_response(head(200, &headers), true));
            }
        }
    })
    .await;
    (address, attempts)
}

#[tokio::test]
async fn a_hedged_call_ends_whose_next_attempt_the_tokens_no_longer_allow() {
    let (address, mut attempts) = server(&[(14, &[("grpc-retry-pushback-ms", "300")], 0), (14, &[], 0)]).await;
    let json = r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "3600s",
        "nonFatalStatusCodes": ["UNAVAILABLE"]}}], "retryThrottling": {"maxTokens": 4, "tokenRatio": 0.1}}"#;
    let channel = configured(&address, json).build().unwrap();
    let first = tokio::spawn(say(&channel, "first").into_future());
    attempts.recv().await.unwrap();
    // Its server's answer is here before the next call's is: they share a connection.
    let _ = timeout(SOON, say(&channel, "second")).await.expect("the second call hangs");
    let ended = timeout(SOON, first).await.expect("the first call hangs");
    assert_eq!(ended.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn closing_the_channel_ends_a_call_that_waits_for_its_next_attempt() {
    let (address, mut attempts) = server(&[(14, &[], 0)]).await;
    let json = r#"{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "3600s",
        "maxBackoff": "3600s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let channel = configured(&address, json).build().unwrap();
    let call = tokio::spawn(say(&channel, "hello").into_future());
    attempts.recv().await.unwrap();
    // The answer has been read when a second call's attempt has been made and answered on the same connection.
    tokio::time::sleep(Duration::from_millis(100)).await;
    channel.close();
    let ended = timeout(SOON, call).await.expect("the call hangs though its channel is closed");
    assert_eq!(ended.unwrap().unwrap_err().code(), Code::Cancelled);
}

#[tokio::test]
async fn closing_the_channel_ends_a_hedged_call_that_waits_for_its_next_attempt() {
    let (address, mut attempts) = server(&[(14, &[("grpc-retry-pushback-ms", "3600000")], 0)]).await;
    let json = r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "3600s",
        "nonFatalStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let channel = configured(&address, json).build().unwrap();
    let call = tokio::spawn(say(&channel, "hello").into_future());
    attempts.recv().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    channel.close();
    let ended = timeout(SOON, call).await.expect("the call hangs though its channel is closed");
    assert_eq!(ended.unwrap().unwrap_err().code(), Code::Cancelled);
}

async fn tasks_left_by(json: &str, answers: &[Answered]) -> usize {
    let (address, _attempts) = server(answers).await;
    let channel = configured(&address, json).build().unwrap();
    let _ = say(&channel, "warm").timeout(Duration::from_millis(100)).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for _ in 0..50 {
        let _ = say(&channel, "hello").timeout(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    metrics.num_alive_tasks().saturating_sub(before)
}

#[tokio::test]
async fn an_answered_call_leaves_no_timer_of_its_attempt_behind() {
    let json = r#"{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "1s",
        "maxBackoff": "1s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"], "perAttemptRecvTimeout": "3600s"}}]}"#;
    assert!(tasks_left_by(json, &[(0, &[], 0)]).await < 10);
}

#[tokio::test]
async fn an_answered_call_leaves_no_timer_of_its_hedges_behind() {
    let json = r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "3600s"}}]}"#;
    assert!(tasks_left_by(json, &[(0, &[], 0)]).await < 10);
}

#[tokio::test]
async fn a_call_that_ended_leaves_no_timer_of_a_servers_pushback_behind() {
    let json = r#"{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "1s",
        "maxBackoff": "1s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let left = tasks_left_by(json, &[(14, &[("grpc-retry-pushback-ms", "2147483647")], 0)]).await;
    assert!(left < 10, "{left} tasks that sleep for 24 days");
}

#[tokio::test]
async fn a_hedge_that_finds_no_place_in_the_queue_does_not_end_the_attempt_that_runs() {
    let (server, _) =
        callwright_tests::support::serve_with(callwright::Server::builder().max_concurrent_streams(1), "127.0.0.1:0")
            .await;
    let json = r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "0.05s"}}]}"#;
    let channel = configured(&server.local_addr().to_string(), json).queue_limit(1).build().unwrap();
    channel.wait_until_ready(SOON).await.unwrap();
    let (mut sender, mut replies) = chat(&channel).start();
    sender.send("a".into()).await.unwrap();
    // Another call takes the one place.
    let other = tokio::spawn(say(&channel, "other").into_future());
    let ended = timeout(SOON, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        replies.message().await
    })
    .await;
    assert_eq!(ended.unwrap().unwrap().as_deref(), Some("a"));
    other.abort();
}

#[derive(Debug)]
struct Slow;

impl CallCredentials for Slow {
    fn metadata<'a>(
        &'a self,
        _: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send + 'a>> {
        Box::pin(std::future::pending())
    }

    fn requires_tls(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_sender_whose_call_waits_for_credentials_ends_at_the_deadline() {
    let (server, _) = serve().await;
    let channel = channel(&server.local_addr().to_string()).call_credentials(Slow).build().unwrap();
    let (mut sender, _replies) = chat(&channel).timeout(Duration::from_millis(100)).start();
    let sent = timeout(SOON, async {
        loop {
            if let Err(status) = sender.send("a".into()).await {
                break status;
            }
        }
    });
    let status = sent.await.expect("send() hangs past its call's deadline");
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled));
}

type Answer = Vec<String>;

#[derive(Clone)]
struct Told(watch::Receiver<Answer>);

impl Resolver for Told {
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
        Box::pin(async {
            let addresses = self.0.borrow_and_update().clone();
            Ok(Resolution::new(addresses.iter().map(|it| Endpoint::from(Address::Ip(it.parse().unwrap())))))
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if self.0.changed().await.is_err() {
                std::future::pending().await
            }
        })
    }

    fn min_interval(&self) -> Duration {
        Duration::from_secs(3600)
    }
}

/// Takes connections, tells of each, and closes them after a while.
async fn closing(delay: u64) -> (String, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (seen, accepted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let _ = seen.send(());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                drop(socket);
            });
        }
    });
    (address, accepted)
}

#[tokio::test]
async fn pick_first_ends_its_pass_though_the_addresses_changed_during_it() {
    let ((a, _), (b, mut at_b)) = (closing(120).await, closing(50).await);
    let (tell, told) = watch::channel(vec![b.clone()]);
    let told = Told(told);
    let channel = channel("told:///x").resolver("told", move |_| Ok(told.clone())).build().unwrap();
    channel.connect().unwrap();
    at_b.recv().await.unwrap();
    tell.send_replace(vec![a, b]);
    let failed = timeout(SOON, say(&channel, "hello")).await.expect("the channel is CONNECTING for ever");
    assert_eq!(failed.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn http_503_is_retried_as_the_unavailable_that_it_means() {
    let (seen, mut attempts) = mpsc::unbounded_channel();
    let address = raw::server(move |_, _, _request, mut response| {
        let seen = seen.clone();
        async move {
            let _ = seen.send(());
            drop(response.send_response(head(503, &[]), true));
        }
    })
    .await;
    let json = r#"{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.01s",
        "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let channel = configured(&address, json).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(std::iter::from_fn(|| attempts.try_recv().ok()).count(), 3);
}

struct Panics;

impl Resolver for Panics {
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
        Box::pin(async { panic!("as in the test") })
    }
}

#[tokio::test]
async fn a_resolver_that_panics_fails_calls_and_does_not_leave_them_waiting() {
    let channel = channel("told:///x").resolver("told", move |_| Ok(Panics)).build().unwrap();
    let failed = timeout(SOON, say(&channel, "hello")).await.expect("the call hangs");
    assert_eq!(failed.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_weight_update_period_without_end_is_no_panic() {
    let (server, _) = serve().await;
    let settings = WeightedRoundRobinSettings::default().with_weight_update_period(Duration::MAX);
    let config = ServiceConfig::new().with_load_balancing(LoadBalancing::WeightedRoundRobin(settings));
    let channel = channel(&server.local_addr().to_string()).service_config(config).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn an_outlier_interval_without_end_is_no_panic() {
    let (server, _) = serve().await;
    let settings = OutlierDetectionSettings::new(LoadBalancing::round_robin())
        .with_interval(Duration::MAX)
        .with_failure_percentage_ejection(FailurePercentageEjection::default());
    let config = ServiceConfig::new().with_load_balancing(LoadBalancing::OutlierDetection(settings));
    let channel = channel(&server.local_addr().to_string()).service_config(config).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn an_outlier_interval_of_nothing_is_no_loop() {
    let (server, _) = serve().await;
    let settings = OutlierDetectionSettings::new(LoadBalancing::round_robin())
        .with_interval(Duration::ZERO)
        .with_failure_percentage_ejection(FailurePercentageEjection::default());
    let config = ServiceConfig::new().with_load_balancing(LoadBalancing::OutlierDetection(settings));
    let channel = channel(&server.local_addr().to_string()).service_config(config).build().unwrap();
    assert_eq!(timeout(SOON, say(&channel, "hello")).await.expect("hangs").unwrap(), "hello");
    assert_eq!(channel.state(), ConnectivityState::Ready);
    let polls = tokio::runtime::Handle::current().metrics();
    let _ = polls;
}

struct Fails(Arc<std::sync::atomic::AtomicUsize>);

impl Resolver for Fails {
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(std::future::ready(Err("no".into())))
    }
}

#[tokio::test]
async fn a_backoff_of_nothing_is_no_loop() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    let channel = callwright::Channel::builder("told:///x")
        .backoff(callwright::Backoff::default().with_initial(Duration::ZERO))
        .resolver("told", move |_| Ok(Fails(count.clone())))
        .build()
        .unwrap();
    channel.connect().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = asked.load(std::sync::atomic::Ordering::SeqCst);
    assert!(asked < 100, "asked {asked} times in 200 ms");
}

#[tokio::test]
async fn a_deadline_that_passes_while_credentials_are_made_is_the_senders_too() {
    let (server, _) = serve().await;
    let channel = channel(&server.local_addr().to_string()).call_credentials(Slow).build().unwrap();
    let (mut sender, mut replies) = chat(&channel).timeout(Duration::from_millis(100)).start();
    sender.send("a".into()).await.unwrap();
    let (sent, got) = tokio::join!(timeout(SOON, sender.send("b".into())), timeout(SOON, replies.message()));
    assert_eq!(got.expect("the reply hangs").unwrap_err().code(), Code::DeadlineExceeded);
    assert!(sent.expect("send hangs").is_err());
}

#[tokio::test]
async fn a_server_is_healthy_whose_first_connection_ended_while_another_is_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (seen, mut calls) = mpsc::unbounded_channel::<usize>();
    let (kill, killed) = watch::channel(false);
    tokio::spawn(async move {
        for number in 0.. {
            let (socket, _) = listener.accept().await.unwrap();
            let (seen, mut killed) = (seen.clone(), killed.clone());
            tokio::spawn(async move {
                let mut h2 = h2::server::Builder::new().max_concurrent_streams(2).handshake(socket).await.unwrap();
                loop {
                    let accepted = tokio::select! {
                        accepted = h2.accept() => accepted,
                        _ = killed.wait_for(|it| *it && number == 0) => return,
                    };
                    let Some(Ok((request, mut response))) = accepted else { return };
                    let mut stream = response.send_response(head(200, &[GRPC]), false).unwrap();
                    if request.uri().path().ends_with("Watch") {
                        stream.send_data(raw::frame(0, &[8, 1]), false).unwrap();
                        // It lasts as long as the connection.
                        std::mem::forget((stream, request));
                        continue;
                    }
                    let _ = seen.send(number);
                    if number == 0 {
                        // Never answered.
                        std::mem::forget((stream, request));
                    } else {
                        let _ = stream.send_data(text("ok"), false);
                        let _ = stream.send_trailers(trailers(&[("grpc-status", "0")]));
                    }
                }
            });
        }
    });
    let json = r#"{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}"#;
    let channel = configured(&address, json).max_connections_per_address(2).build().unwrap();
    let _stays = tokio::spawn(say(&channel, "stays").into_future());
    assert_eq!(calls.recv().await, Some(0));
    // The second connection is made for this one.
    assert_eq!(timeout(SOON, say(&channel, "further")).await.expect("no second connection").unwrap(), "ok");
    kill.send_replace(true);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let call = say(&channel, "after").wait_for_ready(true).timeout(SOON).await;
    assert_eq!(call.unwrap(), "ok");
}

#[tokio::test]
async fn a_request_larger_than_what_is_kept_is_sent_once() {
    let (address, mut attempts) = server(&[(14, &[], 0)]).await;
    let json = r#"{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.01s",
        "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let channel = configured(&address, json).retry_buffer_limit(10).build().unwrap();
    assert!(say(&channel, &"x".repeat(100)).await.is_err());
    assert_eq!(std::iter::from_fn(|| attempts.try_recv().ok()).count(), 1);
}

/// Where the server is, and what the service config says of its methods.
struct WithConfig(String, &'static str);

impl Resolver for WithConfig {
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
        let config = ServiceConfig::from_json(&format!(r#"{{"methodConfig": [{{"name": [{{}}], {}}}]}}"#, self.1));
        let found = Resolution::new([Endpoint::from(Address::Ip(self.0.parse().unwrap()))]);
        Box::pin(std::future::ready(Ok(found.with_service_config(config.unwrap()))))
    }
}

#[tokio::test]
async fn the_first_call_keeps_to_the_size_that_the_resolver_says() {
    let (server, _) = serve().await;
    let address = server.local_addr().to_string();
    let limit = r#""maxRequestMessageBytes": 10"#;
    let channel = channel("told:///x").resolver("told", move |_| Ok(WithConfig(address.clone(), limit)));
    let channel = channel.build().unwrap();
    let first = say(&channel, &"x".repeat(100)).await;
    let second = say(&channel, &"x".repeat(100)).await;
    assert_eq!(second.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(first.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn the_first_call_is_hedged_as_the_resolver_says() {
    const POLICY: &str = r#""hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.02s",
        "nonFatalStatusCodes": ["UNAVAILABLE"]}"#;
    for answers in [[(0, &[][..], 3_600_000), (0, &[], 0)], [(14, &[], 0), (0, &[], 0)]] {
        let (address, mut attempts) = server(&answers).await;
        let channel = channel("told:///x").resolver("told", move |_| Ok(WithConfig(address.clone(), POLICY)));
        let channel = channel.build().unwrap();
        let call = timeout(SOON, say(&channel, "hello").into_future()).await.expect("there is no second attempt");
        assert_eq!(call.unwrap(), "ok");
        assert_eq!(std::iter::from_fn(|| attempts.try_recv().ok()).count(), 2);
    }
}

#[tokio::test]
async fn a_hedge_does_not_go_out_before_the_server_wants_it() {
    let (address, mut attempts) = server(&[(14, &[("grpc-retry-pushback-ms", "600")], 0), (0, &[], 0)]).await;
    let json = r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.1s",
        "nonFatalStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let channel = configured(&address, json).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "ok");
    let (first, second) = (attempts.recv().await.unwrap(), attempts.recv().await.unwrap());
    assert!(second - first >= Duration::from_millis(600), "after {:?}", second - first);
}

#[tokio::test]
async fn a_sender_that_is_dropped_ends_its_call_though_that_waits_for_credentials() {
    let (server, _) = serve().await;
    let channel = channel(&server.local_addr().to_string()).call_credentials(Slow).build().unwrap();
    let (sender, mut replies) = chat(&channel).start();
    drop(sender);
    let ended = timeout(SOON, replies.message()).await.expect("the call goes on though its sender is gone");
    assert_eq!(ended.unwrap_err().code(), Code::Cancelled);
}

#[tokio::test]
async fn closing_the_channel_ends_a_call_that_waits_for_credentials() {
    let (server, _) = serve().await;
    let channel = channel(&server.local_addr().to_string()).call_credentials(Slow).build().unwrap();
    let call = tokio::spawn(say(&channel, "hello").into_future());
    tokio::time::sleep(Duration::from_millis(50)).await;
    channel.close();
    let ended = timeout(SOON, call).await.expect("the call hangs though its channel is closed");
    assert_eq!(ended.unwrap().unwrap_err().code(), Code::Cancelled);
}
