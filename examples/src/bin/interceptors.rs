//! Code around a client's calls: one that logs them, one that adds a header, one that makes them again.
//!
//! `cargo run -p callwright-examples --bin interceptors`

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callwright::interceptor::{CallDetails, Interceptor, Next, RequestMessages, ResponseMessages};
use callwright::{Channel, Code, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

/// Says what was called, how it ended, and what came back. Works for all four kinds of call.
struct Log;

impl Interceptor for Log {
    async fn intercept(
        &self,
        details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        let method = details.method.clone();
        // An error here is of an interceptor further in, or of a call that could not be made. What the server says comes below.
        let ended = |status: &Status| println!("log: {method}: {}", status.code());
        let responses = next.run(details, requests).await.inspect_err(ended)?;
        Ok(responses.on_end(move |end| {
            println!("log: {method}: {}, {} messages received", end.code(), end.messages_received());
        }))
    }
}

/// Adds a header to every call.
struct ApiKey(&'static str);

impl Interceptor for ApiKey {
    async fn intercept(
        &self,
        mut details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        details.metadata.append("x-api-key", self.0)?;
        next.run(details, requests).await
    }
}

/// Makes a call of one request and one response again that the server asked to make again. What a service config can say is
/// better said there: see the example `retries`.
struct OnceMore;

impl Interceptor for OnceMore {
    async fn intercept(
        &self,
        details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        let Some(copy) = requests.try_clone()? else {
            return next.run(details, requests).await; // a stream of requests cannot be had twice
        };
        // `finished` waits for the end of the call: until then nobody knows whether it failed.
        match next.run(details.clone(), requests).await?.finished().await {
            Err(status) if status.code() == Code::Aborted => {
                println!("once more, after: {status}");
                next.run(details, copy).await
            }
            outcome => outcome,
        }
    }
}

/// Wants a header, and aborts its first call.
struct MyGreeter {
    asked: AtomicBool,
}

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, context: &mut ServerContext) -> Result<HelloReply, Status> {
        if context.invocation_metadata().get("x-api-key") != Some("sesame") {
            return Err(Status::unauthenticated("x-api-key is missing"));
        }
        if !self.asked.swap(true, Ordering::Relaxed) {
            return Err(Status::aborted("somebody else wrote at the same time"));
        }
        Ok(HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let servicer = MyGreeter { asked: AtomicBool::new(false) };
    let server = Server::builder().add_service(GreeterServer::new(servicer)).bind("127.0.0.1:0").await?;

    // The first is outermost: this log sees a call once, however often it is made.
    let channel = Channel::builder(server.local_addr().to_string()).interceptor(Log).interceptor(OnceMore).build()?;
    let request = HelloRequest { name: "you".into() };

    // The key is for this stub alone: the channel is shared, its connections too.
    let greeter = GreeterStub::new(channel.clone().with_interceptor(ApiKey("sesame")));
    println!("{}", greeter.say_hello(request.clone()).await?.message);

    let nobody = GreeterStub::new(channel);
    println!("{}", nobody.say_hello(request.clone()).await.expect_err("there is no key"));

    // And for one call alone.
    println!("{}", nobody.say_hello(request).interceptor(ApiKey("sesame")).await?.message);
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
