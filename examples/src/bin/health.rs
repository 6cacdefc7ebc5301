//! A server that says whether it takes calls, and a client that watches it.
//!
//! `cargo run -p callwright-examples --bin health`

use std::error::Error;
use std::time::Duration;

use callwright::health::proto::{HealthCheckRequest, HealthStub};
use callwright::health::{Health, ServingStatus};
use callwright::server::NamedService;
use callwright::{Channel, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, HelloReply, HelloRequest};

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, _context: &mut ServerContext) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

type Greeter = GreeterServer<MyGreeter>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let health = Health::new();
    let server = Server::builder()
        .add_service(health.service())
        .add_service(Greeter::new(MyGreeter))
        .bind("127.0.0.1:0")
        .await?;

    // What a load balancer does: it watches, and sends calls where it reads SERVING.
    let stub = HealthStub::new(Channel::new(server.local_addr().to_string())?);
    let mut watch = stub.watch(HealthCheckRequest { service: Greeter::NAME.to_owned() }).await?;
    println!("{}", next(&mut watch).await?); // not set yet

    health.set_for::<Greeter>(ServingStatus::Serving); // the database is there, say
    println!("{}", next(&mut watch).await?);

    // All is NOT_SERVING before the first call is turned away.
    let shutdown = tokio::spawn(server.shutdown(Duration::from_secs(10)));
    println!("{}", next(&mut watch).await?);
    println!("{}", watch.message().await.expect_err("the server ends the call"));
    shutdown.await?;
    Ok(())
}

async fn next(
    watch: &mut callwright::Streaming<callwright::health::proto::HealthCheckResponse>,
) -> Result<&'static str, Status> {
    let response = watch.message().await?.ok_or_else(|| Status::unavailable("the server watches no longer"))?;
    Ok(response.status().as_str_name())
}
