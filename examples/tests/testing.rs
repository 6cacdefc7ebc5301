//! Unit tests of a servicer and of code that calls one: no port, no sleep.
//!
//! `cargo test -p callwright-examples --test testing`

use std::time::Duration;

use callwright::testing::{TestChannel, TestServer, strict_fake_time};
use callwright::{Channel, Code, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, context: &mut ServerContext) -> Result<HelloReply, Status> {
        if request.name.is_empty() {
            return Err(context.abort(Code::InvalidArgument, "who are you?"));
        }
        Ok(HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

#[tokio::test]
async fn the_servicer_greets() -> Result<(), Box<dyn std::error::Error>> {
    let server = TestServer::new(GreeterServer::new(MyGreeter)).await?;
    let reply = GreeterStub::new(server.channel()).say_hello(HelloRequest { name: "you".into() }).await?;
    assert_eq!(reply.message, "Hello, you!");
    Ok(())
}

#[tokio::test]
async fn the_servicer_refuses_nobody() -> Result<(), Box<dyn std::error::Error>> {
    let server = TestServer::new(GreeterServer::new(MyGreeter)).await?;
    let status = GreeterStub::new(server.channel()).say_hello(HelloRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "who are you?"));
    Ok(())
}

/// The code under test: a greeting, or what to say when the server takes too long.
async fn greet(channel: Channel) -> Result<String, Status> {
    let call = GreeterStub::new(channel).say_hello(HelloRequest { name: "you".into() });
    match call.wait_for_ready(true).timeout(Duration::from_secs(60)).await {
        Err(status) if status.code() == Code::DeadlineExceeded => Ok("Nobody there?".into()),
        reply => Ok(reply?.message),
    }
}

#[tokio::test]
async fn the_client_sends_its_name_and_waits_for_ready() -> Result<(), Box<dyn std::error::Error>> {
    let test = TestChannel::new().await?;
    let client = tokio::spawn(greet(test.channel()));
    let mut call = test.take::<HelloRequest, HelloReply>("/helloworld.Greeter/SayHello").await;
    assert_eq!(call.wait_for_ready(), Some(true));
    assert_eq!(call.request().await?.name, "you");
    call.reply(HelloReply { message: "Good evening!".into() }).await?;
    assert_eq!(client.await??, "Good evening!");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_client_gives_up_after_a_minute() -> Result<(), Box<dyn std::error::Error>> {
    let time = strict_fake_time();
    let test = TestChannel::new().await?;
    let client = tokio::spawn(greet(test.channel()));
    time.advance(Duration::from_secs(59)).await;
    assert!(!client.is_finished());
    time.advance(Duration::from_secs(1)).await;
    assert_eq!(client.await??, "Nobody there?");
    Ok(())
}
