//! Which of several servers a call goes to, and what becomes of it when servers come and go.

mod connections;
mod health;
mod named;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use callwright::balancer::{
    Balancer, CallOutcome, ChannelControl, Pick, PickArgs, Picked, Picker, Subchannel, SubchannelState,
};
use callwright::orca::{OrcaService, ServerMetrics};
use callwright::resolver::Endpoint;
use callwright::service_config::{
    FailurePercentageEjection, LeastRequestSettings, LoadBalancing, OutlierDetectionSettings,
    WeightedRoundRobinSettings,
};
use callwright::stats::ChannelStats;
use callwright::{Channel, ChannelBuilder, Code, ConnectivityState, Server};
use callwright_tests::support::{RefusedPort, channel, say, serve, serve_on};
use named::{Named, names, serve_named, spread};
use tokio::net::TcpListener;

fn target(addresses: &[&str]) -> String {
    format!("ipv4:{}", addresses.join(","))
}

fn balanced(addresses: &[&str], policy: LoadBalancing) -> ChannelBuilder {
    channel(&target(addresses)).load_balancing(policy)
}

async fn ready(channel: &Channel) {
    channel.wait_until_ready(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_down_takes_no_calls_while_another_is_up() {
    let dead = RefusedPort::new();
    let (server, _) = serve().await;
    let alive = server.local_addr().to_string();
    for policy in [LoadBalancing::pick_first(), LoadBalancing::round_robin(), LoadBalancing::least_request()] {
        for order in [[dead.address(), &alive], [&alive, dead.address()]] {
            let channel = balanced(&order, policy.clone()).build().unwrap();
            for _ in 0..10 {
                assert_eq!(say(&channel, "hello").await.unwrap(), "hello", "{policy:?} {order:?}");
            }
        }
    }
}

#[tokio::test]
async fn when_all_are_down_each_is_named_with_its_cause() {
    let (one, other) = (RefusedPort::new(), RefusedPort::new());
    for policy in [LoadBalancing::pick_first(), LoadBalancing::round_robin(), LoadBalancing::weighted_round_robin()] {
        let channel = balanced(&[one.address(), other.address()], policy).build().unwrap();
        let status = say(&channel, "hello").await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        for part in
            [one.address(), other.address(), "stage: connect", "refused", &target(&[one.address(), other.address()])]
        {
            assert!(status.message().contains(part), "{part:?} is missing in {status}");
        }
    }
}

#[tokio::test]
async fn round_robin_gives_each_server_its_turn() {
    let servers = [serve_named("a").await, serve_named("b").await, serve_named("c").await];
    let addresses = servers.each_ref().map(Named::address);
    let channel = balanced(&addresses.each_ref().map(String::as_str), LoadBalancing::round_robin()).build().unwrap();
    ready(&channel).await;
    // All are connected once each has been seen.
    while names(&channel, 30).await.len() < 3 {}
    assert_eq!(
        names(&channel, 300).await,
        BTreeMap::from([("a", 100), ("b", 100), ("c", 100)].map(|(n, c)| (n.to_owned(), c)))
    );
}

#[tokio::test]
async fn pick_first_stays_with_one_server() {
    let servers = [serve_named("a").await, serve_named("b").await];
    let addresses = servers.each_ref().map(Named::address);
    let channel = channel(&target(&addresses.each_ref().map(String::as_str))).build().unwrap();
    assert_eq!(names(&channel, 50).await.into_keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn shuffled_addresses_do_not_all_begin_with_the_first() {
    let servers = [serve_named("a").await, serve_named("b").await];
    let addresses = servers.each_ref().map(Named::address);
    let json = r#"{"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": true}}]}"#;
    let mut seen = BTreeMap::new();
    for _ in 0..100 {
        let target = target(&addresses.each_ref().map(String::as_str));
        let channel = channel(&target).service_config_json(json).build().unwrap();
        spread(&mut seen, names(&channel, 1).await);
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_not_waited_for() {
    // It accepts, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_address = silent.local_addr().unwrap().to_string();
    let named = serve_named("b").await;
    let channel = channel(&target(&[&silent_address, &named.address()])).build().unwrap();
    assert_eq!(names(&channel, 1).await.into_keys().collect::<Vec<_>>(), ["b"]);
}

/// Makes wait-for-ready calls from several tasks until told to stop; gives how many there were. None may fail.
fn load(channel: &Channel, stop: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<u32>> {
    let task = |_| {
        let (channel, stop) = (channel.clone(), stop.clone());
        tokio::spawn(async move {
            let mut calls = 0;
            while !stop.load(Ordering::Relaxed) {
                say(&channel, "hello").wait_for_ready(true).timeout(Duration::from_secs(30)).await.unwrap();
                calls += 1;
            }
            calls
        })
    };
    (0..8).map(task).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_killed_and_revived_under_load_lose_no_call_that_waits() {
    let ports = [RefusedPort::new(), RefusedPort::new(), RefusedPort::new()];
    let addresses = ports.each_ref().map(RefusedPort::address);
    // Killed servers break the calls that they have: their clients retry, as gRPC says they have to.
    let retry = r#"{"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5,
        "initialBackoff": "0.01s", "maxBackoff": "0.1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let channel = channel(&target(&addresses)).service_config_json(retry).build().unwrap();
    let mut servers = Vec::new();
    for address in addresses {
        servers.push(Some(serve_on(address).await.0));
    }
    ready(&channel).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = load(&channel, &stop);
    for round in 0..12 {
        let victim = round % 3;
        servers[victim].take().unwrap().stop().await;
        // Once it is known to be dead, no call goes there: nobody is there to break one.
        tokio::time::sleep(Duration::from_millis(30)).await;
        servers[victim] = Some(serve_on(addresses[victim]).await.0);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for task in load {
        calls += task.await.unwrap();
    }
    assert!(calls > 100, "{calls} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_goes_to_an_address_that_is_known_to_be_dead() {
    let ports = [RefusedPort::new(), RefusedPort::new(), RefusedPort::new()];
    let addresses = ports.each_ref().map(RefusedPort::address);
    let mut servers = Vec::new();
    for address in addresses {
        servers.push(serve_on(address).await.0);
    }
    let channel = balanced(&addresses, LoadBalancing::round_robin()).build().unwrap();
    while connected(&channel) < 3 {
        say(&channel, "hello").await.unwrap();
    }
    servers.remove(0).stop().await;
    while connected(&channel) > 2 {
        let _ = say(&channel, "hello").await;
    }
    // Fail-fast calls, none of which may meet the dead one.
    for _ in 0..300 {
        assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    }
}

/// How many of a channel's subchannels are READY.
fn connected(channel: &Channel) -> usize {
    let subchannels = stats(channel).subchannels();
    subchannels.iter().filter(|subchannel| subchannel.state() == ConnectivityState::Ready).count()
}

fn stats(channel: &Channel) -> Arc<ChannelStats> {
    let (channels, _) = callwright::stats::channels(0, usize::MAX);
    let target = channel.target();
    channels.into_iter().find(|stats| stats.target() == target).unwrap()
}

/// Resolves when so many subchannels are READY; one that never is tells what became of it.
async fn until_connected(channel: &Channel, count: usize) {
    let all = async {
        while connected(channel) < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), all).await.is_err() {
        let traces: Vec<_> = stats(channel).subchannels().iter().map(|subchannel| subchannel.trace()).collect();
        panic!("{:#?}", traces);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_loses_no_call() {
    let ports = [RefusedPort::new(), RefusedPort::new(), RefusedPort::new()];
    let addresses = ports.each_ref().map(RefusedPort::address);
    let mut servers = Vec::new();
    for address in addresses {
        servers.push(Some(serve_on(address).await.0));
    }
    let channel = balanced(&addresses, LoadBalancing::round_robin()).build().unwrap();
    ready(&channel).await;
    // 1,000 calls a second, whether they are answered or not, and without any retry policy: fail-fast ones.
    let stop = Arc::new(AtomicBool::new(false));
    let pacer = {
        let (channel, stop) = (channel.clone(), stop.clone());
        tokio::spawn(async move {
            let mut calls = Vec::new();
            let mut tick = tokio::time::interval(Duration::from_millis(1));
            while !stop.load(Ordering::Relaxed) {
                tick.tick().await;
                calls.push(tokio::spawn(say(&channel, "hello").into_future()));
            }
            calls
        })
    };
    for round in 0..6 {
        let server = servers[round % 3].take().unwrap();
        server.shutdown(Duration::from_secs(10)).await;
        servers[round % 3] = Some(serve_on(addresses[round % 3]).await.0);
        until_connected(&channel, 3).await;
    }
    stop.store(true, Ordering::Relaxed);
    let calls = pacer.await.unwrap();
    let count = calls.len();
    for call in calls {
        let reply = call.await.unwrap();
        assert_eq!(reply.unwrap(), "hello", "one of {count}");
    }
}

#[tokio::test]
async fn least_request_leaves_a_busy_server_alone() {
    let servers = [serve_named("a").await, serve_named("b").await];
    let addresses = servers.each_ref().map(Named::address);
    // With ten choices of two servers, both are nearly always compared.
    let policy = LoadBalancing::LeastRequest(LeastRequestSettings::default().with_choice_count(10));
    let channel = balanced(&addresses.each_ref().map(String::as_str), policy).build().unwrap();
    ready(&channel).await;
    while names(&channel, 30).await.len() < 2 {}
    let busy: Vec<_> = (0..20).map(|_| tokio::spawn(say(&channel, "wait").into_future())).collect();
    while servers.iter().map(Named::waiting).sum::<u32>() < 20 {
        tokio::task::yield_now().await;
    }
    let waiting = servers.each_ref().map(Named::waiting);
    assert!(waiting.iter().all(|count| (6..=14).contains(count)), "{waiting:?}");
    // All of one server's calls end: the next ones go there.
    servers[0].release();
    while servers[0].waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let seen = names(&channel, 50).await;
    assert!(seen["a"] >= 45, "{seen:?}");
    servers[1].release();
    for call in busy {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn weighted_round_robin_follows_the_load_reports() {
    let servers = [serve_named("a").await, serve_named("b").await];
    servers[0].report_load(0.1, 100.0);
    servers[1].report_load(0.9, 100.0);
    let addresses = servers.each_ref().map(Named::address);
    let settings = WeightedRoundRobinSettings::default()
        .with_blackout_period(Duration::ZERO)
        .with_weight_update_period(Duration::from_millis(100));
    let policy = LoadBalancing::WeightedRoundRobin(settings);
    let channel = balanced(&addresses.each_ref().map(String::as_str), policy).build().unwrap();
    ready(&channel).await;
    loop {
        let seen = names(&channel, 100).await;
        // Nine to one, once the reports of both are in a picker.
        if seen.len() == 2 && (85..=95).contains(&seen["a"]) {
            break;
        }
    }
}

#[tokio::test]
async fn weighted_round_robin_follows_reports_beside_the_calls() {
    let mut servers = Vec::new();
    for (name, cpu) in [("a", 0.1), ("b", 0.9)] {
        let metrics = ServerMetrics::new();
        metrics.set_cpu_utilization(cpu);
        metrics.set_rps(100.0);
        let reports = OrcaService::new(&metrics).min_interval(Duration::from_millis(50));
        servers.push(Named::start(name, Server::builder().add_service(reports)).await);
    }
    let addresses: Vec<String> = servers.iter().map(Named::address).collect();
    let settings = WeightedRoundRobinSettings::default()
        .with_enable_oob_load_report(true)
        .with_oob_reporting_period(Duration::from_millis(50))
        .with_blackout_period(Duration::ZERO)
        .with_weight_update_period(Duration::from_millis(100));
    let policy = LoadBalancing::WeightedRoundRobin(settings);
    let channel = balanced(&addresses.iter().map(String::as_str).collect::<Vec<_>>(), policy).build().unwrap();
    ready(&channel).await;
    loop {
        let seen = names(&channel, 100).await;
        if seen.len() == 2 && (85..=95).contains(&seen["a"]) {
            break;
        }
    }
}

#[tokio::test]
async fn an_outlier_takes_no_calls_until_its_time_is_over() {
    let servers = [serve_named("a").await, serve_named("b").await, serve_named("c").await];
    let addresses = servers.each_ref().map(Named::address);
    servers[0].fail(true);
    let ejection = FailurePercentageEjection::default().with_threshold(50).with_minimum_hosts(3).with_request_volume(5);
    let settings = OutlierDetectionSettings::new(LoadBalancing::round_robin())
        .with_interval(Duration::from_millis(50))
        .with_base_ejection_time(Duration::from_millis(300))
        .with_max_ejection_percent(50)
        .with_failure_percentage_ejection(ejection);
    let policy = LoadBalancing::OutlierDetection(settings);
    let channel = balanced(&addresses.each_ref().map(String::as_str), policy).build().unwrap();
    ready(&channel).await;
    let of = |answer: Result<String, callwright::Status>| answer.unwrap_or_else(|_| "failed".to_owned());
    let round = async || {
        let mut seen = BTreeMap::<String, u32>::new();
        for _ in 0..60 {
            *seen.entry(of(say(&channel, "name").await)).or_default() += 1;
        }
        seen
    };
    // It is left out after a while,
    while round().await.contains_key("failed") {}
    servers[0].fail(false);
    // and comes back.
    while !round().await.contains_key("a") {}
}

#[tokio::test]
async fn more_connections_to_an_address_are_made_when_its_streams_are_used_up() {
    let server = Named::start("a", Server::builder().max_concurrent_streams(2)).await;
    let one = channel(&target(&[&server.address()])).build().unwrap();
    let several = channel(&target(&[&server.address()])).max_connections_per_address(2).build().unwrap();
    for (channel, most) in [(&one, 2), (&several, 4)] {
        let calls: Vec<_> = (0..6).map(|_| tokio::spawn(say(channel, "wait").into_future())).collect();
        while server.waiting() < most {
            tokio::task::yield_now().await;
        }
        // The rest waits for a stream, not for another connection.
        let waited = say(channel, "name").timeout(Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(waited.code(), Code::DeadlineExceeded);
        assert_eq!(server.waiting(), most);
        server.release_all();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        server.hold_again();
    }
}

#[tokio::test]
async fn a_channel_that_nobody_uses_goes_to_idle_and_comes_back() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("inproc:idle{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let (_server, _) = serve_on(&name).await;
    tokio::time::pause();
    let channel = channel(&name).idle_timeout(Duration::from_secs(10)).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let mut states = channel.watch_state();
    assert_eq!(states.current(), ConnectivityState::Ready);
    states.wait_for(ConnectivityState::Idle).await.unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    // A call that lasts keeps it connected.
    let call = tokio::spawn(say(&channel, "forever").timeout(Duration::from_secs(100)).into_future());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(channel.state(), ConnectivityState::Ready);
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    channel.watch_state().wait_for(ConnectivityState::Idle).await.unwrap();
}

#[tokio::test]
async fn a_server_that_closes_its_connections_at_once_is_not_met_in_a_loop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let met = Arc::new(AtomicU32::new(0));
    let counter = met.clone();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            // It says that it speaks HTTP/2, and goes.
            let _ = h2::server::handshake(socket).await;
        }
    });
    let channel = balanced(&[&address], LoadBalancing::round_robin()).build().unwrap();
    let began = tokio::time::Instant::now();
    let status = say(&channel, "hello").wait_for_ready(true).timeout(Duration::from_millis(500)).await.unwrap_err();
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Unavailable), "{status}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let most = began.elapsed().as_millis() as u32 / 50 + 2;
    assert!(met.load(Ordering::SeqCst) <= most, "{met:?} connections in {:?}", began.elapsed());
}

/// Sends calls of one method to the last server, and all others to the first; counts how they end.
struct ByMethod {
    subchannels: Vec<Subchannel>,
    ready: Vec<Subchannel>,
    ended: Arc<AtomicU32>,
}

struct ByMethodPicker(Vec<Subchannel>, Arc<AtomicU32>);

impl Balancer for ByMethod {
    fn update(&mut self, endpoints: &[Endpoint], control: &mut dyn ChannelControl) {
        let addresses = endpoints.iter().flat_map(Endpoint::addresses);
        self.subchannels = addresses.map(|address| control.create_subchannel(address)).collect();
        self.subchannels.iter().for_each(Subchannel::connect);
    }

    fn subchannel_changed(
        &mut self,
        subchannel: &Subchannel,
        state: &SubchannelState,
        control: &mut dyn ChannelControl,
    ) {
        if let SubchannelState::Ready = state {
            self.ready.push(subchannel.clone());
        }
        if self.ready.len() == self.subchannels.len() {
            let picker = ByMethodPicker(self.subchannels.clone(), self.ended.clone());
            control.update_state(ConnectivityState::Ready, Arc::new(picker));
        }
    }

    fn connect(&mut self, _: &mut dyn ChannelControl) {}
}

impl Picker for ByMethodPicker {
    fn pick(&self, call: &PickArgs<'_>) -> Pick {
        if call.metadata().get("drop").is_some() {
            return Pick::Drop(callwright::Status::unavailable("dropped by the balancer"));
        }
        let last = call.metadata().get("to") == Some("last") && call.method() == "/test.Echo/Say";
        let subchannel = if last { self.0.last() } else { self.0.first() };
        let ended = self.1.clone();
        let done = move |outcome: &CallOutcome<'_>| {
            if outcome.code == Some(Code::Ok) {
                ended.fetch_add(1, Ordering::SeqCst);
            }
        };
        subchannel.map_or(Pick::Queue, |subchannel| Picked::new(subchannel).on_done(done).into())
    }
}

#[tokio::test]
async fn a_balancer_of_ones_own_gives_each_call_its_server() {
    let servers = [serve_named("a").await, serve_named("b").await];
    let addresses = servers.each_ref().map(Named::address);
    let ended = Arc::new(AtomicU32::new(0));
    let counter = ended.clone();
    let channel = channel(&target(&addresses.each_ref().map(String::as_str)))
        .balancer("by_method", move |config| match config {
            "{}" => Ok(ByMethod { subchannels: Vec::new(), ready: Vec::new(), ended: counter.clone() }),
            other => Err(format!("{other} is no config of by_method").into()),
        })
        .service_config_json(r#"{"loadBalancingConfig": [{"unheard_of": {}}, {"by_method": {}}]}"#)
        .build()
        .unwrap();
    assert_eq!(say(&channel, "name").await.unwrap(), "a");
    assert_eq!(say(&channel, "name").metadata("to", "last").await.unwrap(), "b");
    assert_eq!(ended.load(Ordering::SeqCst), 2);
    let dropped = say(&channel, "name").metadata("drop", "yes").wait_for_ready(true).await.unwrap_err();
    assert_eq!(dropped.message(), "dropped by the balancer");
}
