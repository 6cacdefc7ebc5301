//! What a target means: resolvers of a program's own, what changes, what fails, and what they say of the calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::resolver::{Endpoint, Resolution, ResolveError, Resolver};
use callwright::service_config::{LoadBalancing, MethodConfig, MethodName, RetryPolicy, ServiceConfig};
use callwright::{Address, Channel, ChannelError, Code, ConnectivityState, Server};
use callwright_tests::support::{RefusedPort, channel, chat, say, serve, serve_on, serve_with, under_way};
use tokio::sync::watch;

type Answer = Result<Resolution, String>;

/// A resolver that says what the test has told it last.
#[derive(Clone)]
struct Told {
    answers: watch::Receiver<Option<Answer>>,
    asked: Arc<AtomicU32>,
}

impl Resolver for Told {
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            let answer = self.answers.wait_for(Option::is_some).await?.clone();
            self.answers.mark_unchanged();
            Ok(answer.unwrap_or_else(|| Err("no answer".into()))?)
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if self.answers.changed().await.is_err() {
                std::future::pending().await
            }
        })
    }

    fn min_interval(&self) -> Duration {
        Duration::ZERO
    }
}

fn told() -> (watch::Sender<Option<Answer>>, Told) {
    let (tell, answers) = watch::channel(None);
    (tell, Told { answers, asked: Arc::default() })
}

fn told_channel(told: &Told) -> callwright::ChannelBuilder {
    let told = told.clone();
    channel("told:///service").resolver("told", move |_| Ok(told.clone()))
}

fn at(addresses: &[&str]) -> Resolution {
    Resolution::new(addresses.iter().map(|address| Endpoint::from(Address::Ip(address.parse().unwrap()))))
}

#[tokio::test]
async fn a_scheme_of_ones_own_gets_its_target_in_parts() {
    let parts = Arc::new(Mutex::new(Vec::new()));
    let seen = parts.clone();
    let (server, _) = serve().await;
    let address = server.local_addr().to_string();
    let (tell, told) = told();
    tell.send_replace(Some(Ok(at(&[&address]))));
    let channel = channel("mine://whom/what/else")
        .resolver("mine", move |uri| {
            seen.lock().unwrap().push((uri.scheme().to_owned(), uri.authority().to_owned(), uri.endpoint().to_owned()));
            Ok(told.clone())
        })
        .build()
        .unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let expected = ("mine".to_owned(), "whom".to_owned(), "what/else".to_owned());
    assert!(parts.lock().unwrap().iter().all(|part| *part == expected));
}

#[tokio::test]
async fn a_scheme_can_be_registered_for_all_channels() {
    let (server, _) = serve().await;
    let (tell, told) = told();
    tell.send_replace(Some(Ok(at(&[&server.local_addr().to_string()]))));
    assert!(matches!(Channel::new("everybodys:///x"), Err(ChannelError::Target(_))));
    callwright::resolver::register("everybodys", move |_| Ok(told.clone()));
    assert_eq!(say(&Channel::new("everybodys:///x").unwrap(), "hello").await.unwrap(), "hello");
}

#[test]
fn what_a_resolver_cannot_make_is_an_error_of_the_target() {
    let refuses = |_: &callwright::TargetUri| -> Result<Told, Box<dyn std::error::Error + Send + Sync>> {
        Err("there is no such cluster".into())
    };
    let error = Channel::builder("told:///nowhere").resolver("told", refuses).build().unwrap_err();
    assert!(error.to_string().contains("there is no such cluster"), "{error}");
    let error = Channel::new("zookeeper://a/b").unwrap_err().to_string();
    assert!(error.contains("\"zookeeper\" is not known") && error.contains("dns"), "{error}");
}

#[tokio::test]
async fn calls_follow_the_addresses() {
    let ((one, mut at_one), (other, mut at_other)) = (serve().await, serve().await);
    let (tell, told) = told();
    tell.send_replace(Some(Ok(at(&[&one.local_addr().to_string()]))));
    let channel = told_channel(&told).build().unwrap();
    say(&channel, "first").await.unwrap();
    assert!(at_one.recv().await.is_some());

    let kept = say(&channel, "forever");
    let kept = tokio::spawn(kept.into_future());
    assert!(at_one.recv().await.is_some());
    tell.send_replace(Some(Ok(at(&[&other.local_addr().to_string()]))));
    loop {
        say(&channel, "next").await.unwrap();
        if at_other.try_recv().is_ok() {
            break;
        }
    }
    // What was under way goes on.
    assert!(!kept.is_finished());
    kept.abort();
}

#[tokio::test]
async fn a_target_that_cannot_be_looked_up_says_why_until_it_can() {
    let (server, _) = serve().await;
    let (tell, told) = told();
    tell.send_replace(Some(Err("the registry is down".into())));
    let channel = told_channel(&told).build().unwrap();
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    for part in ["told:///service", "stage: resolve", "the registry is down"] {
        assert!(status.message().contains(part), "{part:?} is missing in {status}");
    }
    let waiting = tokio::spawn(say(&channel, "hello").wait_for_ready(true).into_future());
    tell.send_replace(Some(Ok(at(&[]))));
    channel.watch_state().wait_for(ConnectivityState::TransientFailure).await.unwrap();
    tell.send_replace(Some(Ok(at(&[&server.local_addr().to_string()]))));
    assert_eq!(waiting.await.unwrap().unwrap(), "hello");
    // What was found stays in use when the registry fails later.
    tell.send_replace(Some(Err("down again".into())));
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_lost_server_has_the_resolver_asked_again() {
    let port = RefusedPort::new();
    let (server, _) = serve_on(port.address()).await;
    let (tell, told) = told();
    tell.send_replace(Some(Ok(at(&[port.address()]))));
    let channel = told_channel(&told).build().unwrap();
    say(&channel, "hello").await.unwrap();
    let before = told.asked.load(Ordering::SeqCst);
    server.stop().await;
    let _ = say(&channel, "hello").await;
    while told.asked.load(Ordering::SeqCst) == before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_calls_wait_for_the_service_config_of_the_resolver() {
    let port = RefusedPort::new();
    let (tell, told) = told();
    let channel = told_channel(&told).build().unwrap();
    let unset = tokio::spawn(say(&channel, "hello").into_future());
    let fails_fast = tokio::spawn(say(&channel, "hello").wait_for_ready(false).into_future());
    let (_sender, mut replies) = chat(&channel).start();
    tokio::task::yield_now().await;
    let config = ServiceConfig::new().with_method(
        MethodConfig::new([MethodName::service("test.Echo")])
            .with_wait_for_ready(true)
            .with_timeout(Duration::from_millis(300)),
    );
    tell.send_replace(Some(Ok(at(&[port.address()]).with_service_config(config))));
    // Unset is filled in, and false is not (gRFC L42).
    assert_eq!(fails_fast.await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert_eq!(unset.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(replies.message().await.unwrap_err().code(), Code::DeadlineExceeded);
    // So it is for calls that come later.
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::DeadlineExceeded);
    let (_server, _) = serve_on(port.address()).await;
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_service_config_changes_the_balancing_of_a_channel_in_use() {
    let ((one, mut at_one), (other, mut at_other)) = (serve().await, serve().await);
    let addresses = [one.local_addr().to_string(), other.local_addr().to_string()];
    let addresses = addresses.each_ref().map(String::as_str);
    let (tell, told) = told();
    tell.send_replace(Some(Ok(at(&addresses))));
    let channel = told_channel(&told).build().unwrap();
    for _ in 0..10 {
        say(&channel, "hello").await.unwrap();
    }
    assert!(at_one.try_recv().is_ok() != at_other.try_recv().is_ok(), "pick_first uses one");
    while at_one.try_recv().is_ok() || at_other.try_recv().is_ok() {}
    let config = ServiceConfig::new().with_load_balancing(LoadBalancing::round_robin());
    tell.send_replace(Some(Ok(at(&addresses).with_service_config(config))));
    let (mut seen_one, mut seen_other) = (false, false);
    while !(seen_one && seen_other) {
        say(&channel, "hello").await.unwrap();
        seen_one |= at_one.try_recv().is_ok();
        seen_other |= at_other.try_recv().is_ok();
    }
}

#[tokio::test]
async fn a_service_config_that_makes_no_sense_fails_calls_only_where_there_was_none_before() {
    let (server, _) = serve().await;
    let address = server.local_addr().to_string();
    let broken = || {
        let mut resolution = at(&[&address]);
        resolution.service_config = Some(Err("methodConfig[0]: nonsense".into()));
        resolution
    };
    let (tell, told) = told();
    tell.send_replace(Some(Ok(broken())));
    let channel = told_channel(&told).build().unwrap();
    let status = say(&channel, "hello").await.unwrap_err();
    assert!(status.code() == Code::Unavailable && status.message().contains("methodConfig[0]: nonsense"), "{status}");
    tell.send_replace(Some(Ok(at(&[&address]))));
    assert_eq!(say(&channel, "hello").wait_for_ready(true).await.unwrap(), "hello");
    tell.send_replace(Some(Ok(broken())));
    tokio::task::yield_now().await;
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_service_config_that_a_resolver_made_is_looked_at_as_json_is() {
    let (server, _) = serve().await;
    let address = server.local_addr().to_string();
    let method = MethodConfig::new([]).with_retry_policy(RetryPolicy::new(0, [Code::Unavailable]));
    let broken = ServiceConfig::new().with_method(method);
    let (tell, told) = told();
    tell.send_replace(Some(Ok(at(&[&address]).with_service_config(broken))));
    let status = say(&told_channel(&told).build().unwrap(), "hello").await.unwrap_err();
    let why = "its service config cannot be used: methodConfig[0].retryPolicy.maxAttempts: 0 is less than 2";
    assert!(status.code() == Code::Unavailable && status.message().contains(why), "{status}");
}

#[tokio::test]
async fn sizes_of_the_service_config_hold_for_calls_that_say_nothing() {
    let (server, _) = serve().await;
    let json = r#"{"methodConfig": [{"name": [{"service": "test.Echo", "method": "Say"}],
        "maxRequestMessageBytes": "20", "maxResponseMessageBytes": 10}]}"#;
    let channel = channel(&server.local_addr().to_string()).service_config_json(json).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let larger = say(&channel, "a longer message").await.unwrap_err();
    assert!(larger.code() == Code::ResourceExhausted && larger.message().contains("10"), "{larger}");
    assert_eq!(say(&channel, "a longer message").max_receive_message_size(100).await.unwrap(), "a longer message");
    let request = say(&channel, "a message of more than twenty bytes").await.unwrap_err();
    assert!(request.code() == Code::ResourceExhausted && request.message().contains("20"), "{request}");
}

#[test]
fn a_service_config_that_cannot_be_used_is_an_error_of_build() {
    for (json, why) in [
        ("{", "service config"),
        (r#"{"loadBalancingConfig": [{"unheard_of": {}}]}"#, "round_robin"),
        (r#"{"methodConfig": [{"name": [{}], "timeout": "1"}]}"#, "methodConfig[0].timeout"),
    ] {
        let error = Channel::builder("localhost:1").service_config_json(json).build().unwrap_err().to_string();
        assert!(error.contains(why), "{json}: {error}");
    }
    let custom = LoadBalancing::Custom { name: "mine".into(), config: "{}".into() };
    let error = Channel::builder("localhost:1").load_balancing(custom).build().unwrap_err().to_string();
    assert!(error.contains("\"mine\"") && error.contains("ChannelBuilder::balancer"), "{error}");
}

#[tokio::test]
async fn calls_that_wait_for_a_stream_get_it_when_the_config_allows_more_connections() {
    let (server, mut seen) = serve_with(Server::builder().max_concurrent_streams(1), "127.0.0.1:0").await;
    let address = server.local_addr().to_string();
    let (tell, told) = told();
    let resolution = |connections| {
        let config = ServiceConfig::new().with_max_connections_per_subchannel(connections);
        Some(Ok(at(&[&address]).with_service_config(config)))
    };
    tell.send_replace(resolution(1));
    let channel = told_channel(&told).build().unwrap();
    let calls: Vec<_> = (0..2).map(|_| under_way(say(&channel, "forever"))).collect();
    seen.recv().await.unwrap();
    let waited = say(&channel, "hello").timeout(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(waited.code(), Code::DeadlineExceeded);
    tell.send_replace(resolution(3));
    seen.recv().await.unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    // Fewer again: those that there are stay.
    tell.send_replace(resolution(1));
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}
