//! A server and a client of it, built without cargo: see the Makefile and build.sh beside this.

use std::time::Duration;

use callwright::{Channel, Server, ServerContext, Status};
use generated::greeting::v1::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};
use generated::people::v1::Person;

#[path = "gen/mod.rs"]
mod generated;

struct Greeter;

impl GreeterServicer for Greeter {
    async fn say_hello(&self, request: HelloRequest, _: &mut ServerContext) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: format!("Hello, {}!", request.person.unwrap_or_default().name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().add_service(GreeterServer::new(Greeter)).bind("127.0.0.1:0").await?;
    let channel = Channel::builder(format!("dns:///{}", server.local_addr())).build()?;
    let person = Person { name: "you".into(), ..Default::default() };
    let request = HelloRequest { person: Some(person), ..Default::default() };
    let reply = GreeterStub::new(channel).say_hello(request).timeout(Duration::from_secs(20)).await?;
    println!("{}", reply.message);
    server.stop().await;
    Ok(())
}
