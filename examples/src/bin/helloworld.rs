//! A call that waits for its server: the client starts first.
//!
//! `cargo run -p callwright-examples --bin helloworld`

use std::error::Error;
use std::time::Duration;

use callwright::{Backoff, Channel, ConnectivityState, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, context: &mut ServerContext) -> Result<HelloReply, Status> {
        println!("server: call from {}, {:?} left", context.peer(), context.time_remaining());
        Ok(HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = free_address()?;
    let channel = Channel::builder(format!("dns:///{address}"))
        .backoff(Backoff::default().with_initial(Duration::from_millis(300)))
        .build()?;
    let greeter = GreeterStub::new(channel.clone());
    print_states(&channel);

    println!("1. A wait-for-ready call, and no server yet: the call is queued.");
    let call = tokio::spawn(
        greeter.say_hello(hello("you")).wait_for_ready(true).timeout(Duration::from_secs(10)).into_future(),
    );
    channel.watch_state().wait_for(ConnectivityState::TransientFailure).await;

    println!("2. A fail-fast call does not wait:");
    println!("client: {}", greeter.say_hello(hello("nobody")).await.expect_err("there is no server"));

    println!("3. Neither does a call longer than its deadline:");
    let late = greeter.say_hello(hello("late")).wait_for_ready(true).timeout(Duration::from_millis(100));
    println!("client: {}", late.await.expect_err("there is no server"));

    println!("4. The server starts, and the queued call gets its reply.");
    let server = Server::builder().add_service(GreeterServer::new(MyGreeter)).bind(address).await?;
    println!("client: {}", call.await??.message);

    channel.close();
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

fn hello(name: &str) -> HelloRequest {
    HelloRequest { name: name.into() }
}

/// An address on which nobody listens now.
fn free_address() -> std::io::Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn print_states(channel: &Channel) {
    let mut states = channel.watch_state();
    println!("channel: {}", states.current());
    tokio::spawn(async move {
        while let Some(state) = states.changed().await {
            println!("channel: {state}");
        }
    });
}
