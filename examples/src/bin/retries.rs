//! Calls that are made again when they failed, as a service config says.
//!
//! `cargo run -p callwright-examples --bin retries`

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use callwright::{Channel, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

/// Fails two times, and answers the third.
struct NowAndThen {
    attempts: Arc<AtomicU32>,
}

impl GreeterServicer for NowAndThen {
    async fn say_hello(&self, request: HelloRequest, context: &mut ServerContext) -> Result<HelloReply, Status> {
        let previous = context.invocation_metadata().get("grpc-previous-rpc-attempts").unwrap_or("0").to_owned();
        println!("server: {}, after {previous} attempts that failed", request.name);
        match self.attempts.fetch_add(1, Ordering::Relaxed) % 3 {
            2 => Ok(HelloReply { message: format!("Hello, {}!", request.name) }),
            _ => Err(Status::unavailable("the database is away for a moment")),
        }
    }
}

/// Every gRPC reads this. At most four attempts, of which the first counts; the waits grow from about 50 ms.
const SERVICE_CONFIG: &str = r#"{
    "methodConfig": [{
        "name": [{"service": "helloworld.Greeter"}],
        "retryPolicy": {
            "maxAttempts": 4,
            "initialBackoff": "0.05s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"]
        }
    }],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.5}
}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let attempts = Arc::new(AtomicU32::new(0));
    let servicer = NowAndThen { attempts: attempts.clone() };
    let server = Server::builder().add_service(GreeterServer::new(servicer)).bind("127.0.0.1:0").await?;
    let target = server.local_addr().to_string();

    let channel = Channel::builder(&target).service_config_json(SERVICE_CONFIG).build()?;
    let greeter = GreeterStub::new(channel);
    for name in ["Ada", "Grace"] {
        // The deadline covers all attempts, and the waits between them.
        let reply = greeter.say_hello(hello(name)).timeout(Duration::from_secs(5)).await?;
        println!("client: {}", reply.message);
    }
    println!("2 calls, {} attempts", attempts.swap(0, Ordering::Relaxed));

    let channel = Channel::builder(&target).service_config_json(SERVICE_CONFIG).disable_retries().build()?;
    let status = GreeterStub::new(channel).say_hello(hello("Alan")).await.expect_err("the first attempt fails");
    println!("client, without retries: {status}");
    println!("1 call, {} attempt", attempts.load(Ordering::Relaxed));

    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

fn hello(name: &str) -> HelloRequest {
    HelloRequest { name: name.into() }
}
