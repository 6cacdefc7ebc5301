//! A server that says whether it takes calls.
//!
//! The rows are those of grpcio's `_health_servicer_test.py`: 5 of Watch and 6 of Check. A test that waits for a message has
//! it in the end or hangs; that nothing more comes is shown by what comes next.

use std::time::Duration;

use callwright::health::proto::health_check_response::ServingStatus as OnWire;
use callwright::health::proto::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthStub};
use callwright::health::{Health, HealthService, ServingStatus};
use callwright::server::NamedService;
use callwright::{Channel, Code, RunningServer, Server, Streaming};
use callwright_tests::echo::{EchoServer, EchoServicer};
use futures_util::FutureExt as _;

const SERVICE: &str = "grpc.test.TestService";

struct Unimplemented;

impl EchoServicer for Unimplemented {}

async fn serve() -> (Health, RunningServer, HealthStub) {
    let health = Health::new();
    let server = Server::builder().add_service(health.service()).bind("127.0.0.1:0").await.unwrap();
    let stub = HealthStub::new(Channel::new(server.local_addr().to_string()).unwrap());
    (health, server, stub)
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn watch(stub: &HealthStub, service: &str) -> Streaming<HealthCheckResponse> {
    stub.watch(of(service)).await.unwrap()
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> OnWire {
    watch.message().await.unwrap().expect("a status").status()
}

async fn check(stub: &HealthStub, service: &str) -> Result<OnWire, Code> {
    stub.check(of(service)).await.map(|response| response.status()).map_err(|status| status.code())
}

// Watch.

#[tokio::test]
async fn the_server_as_a_whole_is_serving_from_the_start() {
    let (_health, _server, stub) = serve().await;
    assert_eq!(next(&mut watch(&stub, "").await).await, OnWire::Serving);
}

#[tokio::test]
async fn a_service_that_is_not_there_yet_is_unknown_and_then_what_it_is_set_to() {
    let (health, _server, stub) = serve().await;
    let mut watched = watch(&stub, SERVICE).await;
    assert_eq!(next(&mut watched).await, OnWire::ServiceUnknown);
    health.set_serving(SERVICE);
    assert_eq!(next(&mut watched).await, OnWire::Serving);
    health.set_not_serving(SERVICE);
    assert_eq!(next(&mut watched).await, OnWire::NotServing);
    health.set(SERVICE, ServingStatus::Unknown);
    assert_eq!(next(&mut watched).await, OnWire::Unknown);
    health.clear(SERVICE);
    assert_eq!(next(&mut watched).await, OnWire::ServiceUnknown);
}

#[tokio::test]
async fn who_watches_is_told_of_no_other_service_and_of_no_change_that_is_none() {
    let (health, _server, stub) = serve().await;
    let mut watched = watch(&stub, SERVICE).await;
    assert_eq!(next(&mut watched).await, OnWire::ServiceUnknown);
    let mut other = watch(&stub, "some-other-service").await;
    assert_eq!(next(&mut other).await, OnWire::ServiceUnknown);
    health.set_serving("some-other-service");
    assert_eq!(next(&mut other).await, OnWire::Serving);
    health.set_serving("some-other-service");
    health.set_serving("");
    health.set_not_serving(SERVICE);
    // The very next message of each: nothing came between.
    assert_eq!(next(&mut watched).await, OnWire::NotServing);
    health.set_not_serving("some-other-service");
    assert_eq!(next(&mut other).await, OnWire::NotServing);
}

#[tokio::test]
async fn all_who_watch_a_service_are_told() {
    let (health, _server, stub) = serve().await;
    let mut watches = Vec::new();
    for _ in 0..20 {
        watches.push(watch(&stub, SERVICE).await);
    }
    for (status, expected) in [
        (None, OnWire::ServiceUnknown),
        (Some(ServingStatus::Serving), OnWire::Serving),
        (Some(ServingStatus::NotServing), OnWire::NotServing),
    ] {
        status.into_iter().for_each(|status| health.set(SERVICE, status));
        for watched in &mut watches {
            assert_eq!(next(watched).await, expected);
        }
    }
    assert_eq!(health.watchers(), 20);
}

#[tokio::test]
async fn a_watch_that_is_cancelled_leaves_nothing_behind() {
    let (health, _server, stub) = serve().await;
    let mut kept = watch(&stub, SERVICE).await;
    let mut cancelled = watch(&stub, SERVICE).await;
    assert_eq!((next(&mut kept).await, next(&mut cancelled).await), (OnWire::ServiceUnknown, OnWire::ServiceUnknown));
    assert_eq!(health.watchers(), 2);
    drop(cancelled);
    while health.watchers() > 1 {
        tokio::task::yield_now().await;
    }
    health.set_serving(SERVICE);
    assert_eq!(next(&mut kept).await, OnWire::Serving);
    assert_eq!(health.watchers(), 1);
}

#[tokio::test]
async fn who_reads_slowly_is_told_how_it_is_in_the_end() {
    let (health, _server, stub) = serve().await;
    let mut watched = watch(&stub, SERVICE).await;
    // Both tasks share this thread: no watcher runs between these changes.
    for _ in 0..100_000 {
        health.set_serving(SERVICE);
        health.set_not_serving(SERVICE);
    }
    let mut seen = vec![next(&mut watched).await];
    while seen.last() != Some(&OnWire::NotServing) {
        seen.push(next(&mut watched).await);
    }
    assert!(seen.len() <= 3, "{seen:?}");
}

#[tokio::test]
async fn a_name_that_no_service_has_is_not_kept_for_as_long_as_it_is_watched() {
    let (health, _server, stub) = serve().await;
    assert_eq!(next(&mut watch(&stub, &"n".repeat(4096)).await).await, OnWire::ServiceUnknown);
    let mut refused = stub.watch(of(&"n".repeat(4097))).await.unwrap();
    assert_eq!(refused.message().await.unwrap_err().code(), Code::InvalidArgument);
    assert!(health.watchers() <= 1);
}

// Check.

#[tokio::test]
async fn a_check_says_how_a_service_is() {
    let (health, _server, stub) = serve().await;
    assert_eq!(check(&stub, "").await, Ok(OnWire::Serving));
    health.set_serving("grpc.test.TestServiceServing");
    health.set("grpc.test.TestServiceUnknown", ServingStatus::Unknown);
    health.set_not_serving("grpc.test.TestServiceNotServing");
    assert_eq!(check(&stub, "grpc.test.TestServiceServing").await, Ok(OnWire::Serving));
    assert_eq!(check(&stub, "grpc.test.TestServiceUnknown").await, Ok(OnWire::Unknown));
    assert_eq!(check(&stub, "grpc.test.TestServiceNotServing").await, Ok(OnWire::NotServing));
    assert_eq!(health.status("grpc.test.TestServiceNotServing"), Some(ServingStatus::NotServing));
}

#[tokio::test]
async fn a_check_of_a_service_that_is_not_there_is_not_found() {
    let (health, _server, stub) = serve().await;
    let status = stub.check(of("not-found")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "unknown service \"not-found\""));
    health.set_serving("not-found");
    health.clear("not-found");
    assert_eq!(check(&stub, "not-found").await, Err(Code::NotFound));
}

#[test]
fn the_service_has_the_name_that_probes_look_for() {
    assert_eq!(HealthService::NAME, "grpc.health.v1.Health");
    assert_eq!(HealthStub::SERVICE_NAME, HealthService::NAME);
}

// And beside that.

#[tokio::test]
async fn all_services_are_listed() {
    let (health, _server, stub) = serve().await;
    health.set_for::<EchoServer<Unimplemented>>(ServingStatus::NotServing);
    let listed = stub.list(HealthListRequest {}).await.unwrap().statuses;
    let mut listed: Vec<_> = listed.iter().map(|(name, response)| (name.as_str(), response.status())).collect();
    listed.sort_unstable_by_key(|(name, _)| *name);
    assert_eq!(listed, [("", OnWire::Serving), ("callwright.tests.Echo", OnWire::NotServing)]);
}

#[tokio::test]
async fn after_shutdown_nothing_serves_and_nothing_changes_until_it_is_resumed() {
    let (health, _server, stub) = serve().await;
    health.set_serving(SERVICE);
    let mut watched = watch(&stub, SERVICE).await;
    assert_eq!(next(&mut watched).await, OnWire::Serving);
    health.shutdown();
    assert_eq!(next(&mut watched).await, OnWire::NotServing);
    health.set_serving(SERVICE);
    health.set_serving("another");
    health.clear("");
    assert_eq!(check(&stub, SERVICE).await, Ok(OnWire::NotServing));
    assert_eq!(check(&stub, "").await, Ok(OnWire::NotServing));
    assert_eq!(check(&stub, "another").await, Err(Code::NotFound));
    health.resume();
    assert_eq!(next(&mut watched).await, OnWire::Serving);
    health.set_not_serving(SERVICE);
    assert_eq!(next(&mut watched).await, OnWire::NotServing);
}

#[tokio::test]
async fn a_server_that_shuts_down_says_so_to_who_watches_and_does_not_wait_for_them() {
    let (health, server, stub) = serve().await;
    health.set_serving(SERVICE);
    let mut watched = watch(&stub, SERVICE).await;
    assert_eq!(next(&mut watched).await, OnWire::Serving);
    // With a grace for ever: it ends because the calls do.
    let shutdown = tokio::spawn(server.shutdown(Duration::from_secs(u64::from(u32::MAX))));
    assert_eq!(next(&mut watched).await, OnWire::NotServing);
    let status = watched.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the server shuts down"));
    shutdown.await.unwrap();
    assert_eq!((health.status(""), health.watchers()), (Some(ServingStatus::NotServing), 0));
}

#[tokio::test]
async fn a_call_that_comes_before_the_clients_know_still_finds_not_serving() {
    let (health, server, stub) = serve().await;
    assert_eq!(check(&stub, "").await, Ok(OnWire::Serving));
    // Neither the shutdown's first step nor this looks at the network.
    let mut shutdown = Box::pin(server.shutdown(Duration::from_secs(u64::from(u32::MAX))));
    assert!(shutdown.as_mut().now_or_never().is_none());
    assert_eq!(health.status(""), Some(ServingStatus::NotServing));
    health.set_serving("");
    assert_eq!(health.status(""), Some(ServingStatus::NotServing));
    shutdown.await;
}

#[tokio::test]
async fn a_server_that_ends_by_its_signal_says_so_and_one_that_is_stopped_has_no_time_to() {
    let health = Health::new();
    let server = Server::builder().add_service(health.service());
    server.serve_with_shutdown("127.0.0.1:0", async {}, Duration::ZERO).await.unwrap();
    assert_eq!(health.status(""), Some(ServingStatus::NotServing));

    let (health, server, _stub) = serve().await;
    server.stop().await;
    assert_eq!(health.status(""), Some(ServingStatus::Serving));
}

#[tokio::test]
async fn one_health_can_be_that_of_several_servers() {
    let (health, first, _stub) = serve().await;
    let second = Server::builder().add_service(health.service()).bind("127.0.0.1:0").await.unwrap();
    let stub = HealthStub::new(Channel::new(second.local_addr().to_string()).unwrap());
    let mut watched = watch(&stub, "").await;
    assert_eq!(next(&mut watched).await, OnWire::Serving);
    first.shutdown(Duration::ZERO).await;
    assert_eq!(next(&mut watched).await, OnWire::NotServing);
    // The second server goes on, and so does its watch.
    health.resume();
    assert_eq!(next(&mut watched).await, OnWire::Serving);
}
