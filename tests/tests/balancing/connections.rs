//! More connections to one address where the service config says so (gRFC A105).

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use callwright::service_config::ServiceConfig;
use callwright::{Channel, ChannelBuilder, Code, Server};
use callwright_tests::support::{channel, say};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::named::Named;

const STREAMS: u32 = 2;

async fn limited() -> Named {
    Named::start("a", Server::builder().max_concurrent_streams(STREAMS)).await
}

fn to(server: &Named) -> ChannelBuilder {
    channel(&format!("ipv4:{}", server.address()))
}

fn hold(channel: &Channel, calls: u32) -> Vec<JoinHandle<Result<String, callwright::Status>>> {
    (0..calls).map(|_| tokio::spawn(say(channel, "wait").into_future())).collect()
}

async fn reaches(server: &Named, calls: u32) {
    while server.waiting() < calls {
        tokio::task::yield_now().await;
    }
}

/// So many connections are made, and no more.
async fn connections(builder: ChannelBuilder, server: &Named, expected: u32) {
    let channel = builder.build().unwrap();
    let calls = hold(&channel, expected * STREAMS + 2);
    reaches(server, expected * STREAMS).await;
    let waited = say(&channel, "name").timeout(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(waited.code(), Code::DeadlineExceeded);
    assert_eq!(server.waiting(), expected * STREAMS);
    server.release_all();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    server.hold_again();
}

#[tokio::test]
async fn the_service_config_says_how_many_and_the_client_has_a_limit() {
    let server = limited().await;
    let config = |connections| ServiceConfig::new().with_max_connections_per_subchannel(connections);
    connections(to(&server).service_config(config(3)), &server, 3).await;
    connections(to(&server).service_config(config(50)), &server, 10).await;
    connections(to(&server).service_config(config(50)).connection_scaling_limit(2), &server, 2).await;
    connections(to(&server).service_config(config(0)), &server, 1).await;
    // The channel's own number is for where the config does not say.
    connections(to(&server).service_config(config(2)).max_connections_per_address(4), &server, 2).await;
    connections(to(&server).service_config(ServiceConfig::new()).max_connections_per_address(4), &server, 4).await;
    let json = r#"{"connectionScaling": {"maxConnectionsPerSubchannel": "2"}}"#;
    connections(to(&server).service_config_json(json), &server, 2).await;
}

/// Passes connections on to a server, each when it may.
async fn gate(server: &Named, may: Arc<Semaphore>) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let accepted = Arc::new(AtomicU32::new(0));
    let (count, server) = (accepted.clone(), server.address());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let (may, server) = (may.clone(), server.clone());
            tokio::spawn(async move {
                may.acquire().await.unwrap().forget();
                let mut onward = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut socket, &mut onward).await;
            });
        }
    });
    (address, accepted)
}

#[tokio::test]
async fn a_connection_that_is_on_its_way_is_enough_for_calls_that_fit_on_it() {
    let server = limited().await;
    let may = Arc::new(Semaphore::new(1));
    let (address, accepted) = gate(&server, may.clone()).await;
    let config = ServiceConfig::new().with_max_connections_per_subchannel(5);
    let channel = channel(&format!("ipv4:{address}")).service_config(config).build().unwrap();
    let mut calls = hold(&channel, STREAMS + 1);
    while accepted.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    // The second one is being made; this call finds the first one full as well.
    calls.extend(hold(&channel, 1));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    may.add_permits(10);
    reaches(&server, 4).await;
    // A third one would have been asked for before these.
    server.release_all();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(say(&channel, "name").await.unwrap(), "a");
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}
