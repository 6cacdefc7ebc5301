//! Calls in turn over three servers, of which one goes away and comes back while calls go on.
//!
//! `cargo run -p callwright-examples --bin load_balancing`

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use callwright::service_config::LoadBalancing;
use callwright::{Backoff, BindError, Channel, RunningServer, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

/// Says which server it is.
struct Named(&'static str);

impl GreeterServicer for Named {
    async fn say_hello(&self, _request: HelloRequest, _context: &mut ServerContext) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: self.0.to_owned() })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let one = serve("one", "127.0.0.1:0").await?;
    let two = serve("two", "127.0.0.1:0").await?;
    let three = serve("three", "127.0.0.1:0").await?;
    let address_of_two = two.local_addr().to_string();

    // A name with three addresses, dns:///greeter.example:50051, would be the same.
    let target = format!("ipv4:{},{},{}", one.local_addr(), two.local_addr(), three.local_addr());
    let channel = Channel::builder(target)
        .load_balancing(LoadBalancing::round_robin())
        .backoff(Backoff::default().with_initial(Duration::from_millis(100)))
        .build()?;
    let greeter = GreeterStub::new(channel);

    // The first call goes out as soon as one of the servers is connected; soon all take part.
    while calls(&greeter, 30).await?.len() < 3 {}
    println!("all are up:    {:?}", calls(&greeter, 30).await?);

    // It takes no new calls, and ends those that it has. What it turns away is sent to another server.
    two.shutdown(Duration::from_secs(1)).await;
    println!("two is down:   {:?}", calls(&greeter, 30).await?);

    let two = serve("two", &address_of_two).await?;
    while !calls(&greeter, 3).await?.contains_key("two") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("two is back:   {:?}", calls(&greeter, 30).await?);

    // With no server left, a call that waits for ready is answered by the next one that comes.
    for server in [one, two, three] {
        server.shutdown(Duration::from_secs(1)).await;
    }
    let waiting = tokio::spawn(hello(&greeter).into_future());
    let two = serve("two", &address_of_two).await?;
    println!("after an outage: {}", waiting.await??.message);
    two.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn serve(name: &'static str, address: &str) -> Result<RunningServer, BindError> {
    Server::builder().add_service(GreeterServer::new(Named(name))).bind(address).await
}

fn hello(greeter: &GreeterStub) -> callwright::Call<callwright::Unary, HelloRequest, HelloReply> {
    greeter.say_hello(HelloRequest::default()).wait_for_ready(true).timeout(Duration::from_secs(10))
}

/// How many of so many calls each server has answered.
async fn calls(greeter: &GreeterStub, number: usize) -> Result<BTreeMap<String, u32>, Status> {
    let mut servers = BTreeMap::new();
    for _ in 0..number {
        *servers.entry(hello(greeter).await?.message).or_default() += 1;
    }
    Ok(servers)
}
