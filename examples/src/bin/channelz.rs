//! A server that shows what its process does, and some traffic to look at.
//!
//! `cargo run -p callwright-examples --bin channelz`, and then `grpcdebug localhost:50052 channelz channels`, or
//! `callwright call localhost:50052 grpc.channelz.v1.Channelz/GetServers`. It ends by itself after a minute, or at Ctrl-C.

use std::error::Error;
use std::time::Duration;

use callwright::admin::Admin;
use callwright::reflection::Reflection;
use callwright::{Channel, Server, ServerContext, Status, stats};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, _: &mut ServerContext) -> Result<HelloReply, Status> {
        if request.name.is_empty() {
            return Err(Status::invalid_argument("who are you?"));
        }
        Ok(HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let greeter = Server::builder().add_service(GreeterServer::new(MyGreeter)).bind("127.0.0.1:0").await?;
    // On a port of its own, for the people who run the process.
    let admin = Server::builder()
        .add_service(Admin::new())
        .add_service(Reflection::new())
        .bind(std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50052".into()))
        .await?;
    println!("channelz on {}", admin.local_addr());

    let stub = GreeterStub::new(Channel::new(greeter.local_addr().to_string())?);
    for name in ["you", "", "everybody"] {
        println!("{:?}", stub.say_hello(HelloRequest { name: name.into() }).await.map(|reply| reply.message));
    }
    for channel in stats::channels(0, 10).0 {
        let calls = channel.calls();
        println!("{} is {}: {} succeeded, {} failed", channel.target(), channel.state(), calls.succeeded, calls.failed);
    }
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        () = tokio::time::sleep(Duration::from_secs(60)) => {}
    }
    admin.shutdown(Duration::from_secs(1)).await;
    greeter.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
