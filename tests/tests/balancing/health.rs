//! Servers that say whether they serve (gRFC A17).

use std::future::IntoFuture as _;

use callwright::health::Health;
use callwright::service_config::{HealthCheckConfig, LoadBalancing, ServiceConfig};
use callwright::{Code, Server};
use callwright_tests::support::frames::{self, GOAWAY, SETTINGS};
use callwright_tests::support::{channel, say, serve_on};
use tokio::net::TcpListener;

use crate::named::{Named, names, serve_named};
use crate::target;

#[tokio::test]
async fn servers_that_say_they_do_not_serve_take_no_calls() {
    let mut servers = Vec::new();
    let reporters = [Health::new(), Health::new()];
    for (name, health) in ["a", "b"].into_iter().zip(&reporters) {
        health.set_not_serving("test");
        servers.push(Named::start(name, Server::builder().add_service(health.service())).await);
    }
    let addresses: Vec<String> = servers.iter().map(Named::address).collect();
    let config = ServiceConfig::new()
        .with_load_balancing(LoadBalancing::round_robin())
        .with_health_check(HealthCheckConfig::new("test"));
    let target = target(&addresses.iter().map(String::as_str).collect::<Vec<_>>());
    let channel = channel(&target).service_config(config).build().unwrap();
    let status = say(&channel, "name").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("NOT_SERVING") && status.message().contains(&addresses[1]), "{status}");

    let waiting = tokio::spawn(say(&channel, "name").wait_for_ready(true).into_future());
    reporters[1].set_serving("test");
    assert_eq!(waiting.await.unwrap().unwrap(), "b");
    assert_eq!(names(&channel, 20).await.into_keys().collect::<Vec<_>>(), ["b"]);
    reporters[0].set_serving("test");
    while names(&channel, 20).await.len() < 2 {}
    reporters[1].set_not_serving("test");
    while names(&channel, 20).await.len() == 2 {}
    assert_eq!(names(&channel, 20).await.into_keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn a_server_without_health_checks_is_taken_to_serve() {
    let named = serve_named("a").await;
    let config = ServiceConfig::new()
        .with_load_balancing(LoadBalancing::round_robin())
        .with_health_check(HealthCheckConfig::new("test"));
    let channel = channel(&target(&[&named.address()])).service_config(config).build().unwrap();
    assert_eq!(say(&channel, "name").await.unwrap(), "a");
}

#[tokio::test]
async fn a_connection_that_ends_before_its_server_is_known_to_serve_is_made_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let config = ServiceConfig::new()
        .with_load_balancing(LoadBalancing::round_robin())
        .with_health_check(HealthCheckConfig::new("test"));
    let channel = channel(&target(&[&address])).service_config(config).build().unwrap();
    let call = tokio::spawn(say(&channel, "hello").wait_for_ready(true).into_future());
    for _ in 0..2 {
        let (mut socket, _) = listener.accept().await.unwrap();
        // The answer to the health check is never given.
        frames::write(&mut socket, SETTINGS, 0, &[]).await;
        frames::write(&mut socket, GOAWAY, 0, &[0; 8]).await;
        while frames::read(&mut socket).await.is_ok() {}
    }
    drop(listener);
    let (_server, _) = serve_on(&address).await;
    assert_eq!(call.await.unwrap().unwrap(), "hello");
}
