//! Server interceptors: an access log of ten lines, and some that are ready-made.
//!
//! `cargo run -p callwright-examples --bin server_interceptors`

use std::error::Error;
use std::time::Duration;

use callwright::server::interceptor::{BearerAuth, ConcurrencyLimit, Next, PanicReport, ServerInterceptor};
use callwright::{Channel, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

/// Says what was called, how it ended, and how long it took.
struct AccessLog;

impl ServerInterceptor for AccessLog {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let result = next.run(context).await;
        let code = context.code().unwrap_or_default();
        println!("{} {} {code} {:?}", context.peer(), context.method(), context.elapsed());
        result
    }
}

/// Who calls.
#[derive(Clone)]
struct User(&'static str);

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, context: &mut ServerContext) -> Result<HelloReply, Status> {
        assert!(!request.name.is_empty(), "nobody to greet");
        let user = context.extensions().get::<User>().map_or("somebody", |user| user.0);
        Ok(HelloReply { message: format!("Hello, {}! {user} says so.", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth = BearerAuth::new(|token: String| async move {
        if token == "sesame" { Ok(User("Ali")) } else { Err(Status::unauthenticated("no such token")) }
    });
    let server = Server::builder()
        .interceptor(AccessLog)
        .interceptor(PanicReport::new(|panic| println!("{} panicked: {}", panic.method(), panic.message())))
        .interceptor(auth)
        .interceptor(ConcurrencyLimit::new(100).queue(1000))
        .add_service(GreeterServer::new(MyGreeter))
        .bind("127.0.0.1:0")
        .await?;

    let greeter = GreeterStub::new(Channel::new(server.local_addr().to_string())?);
    let hello = |name: &str| greeter.say_hello(HelloRequest { name: name.into() });
    println!("{}", hello("you").metadata("authorization", "Bearer sesame").await?.message);
    println!("{}", hello("you").await.expect_err("there is no token"));
    println!("{}", hello("").metadata("authorization", "Bearer sesame").await.expect_err("the handler panics"));
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
