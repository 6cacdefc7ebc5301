//! A server that says what it has, and a client that knows nothing of it but the address.
//!
//! `cargo run -p callwright-examples --bin reflection`; with `-- --serve` it keeps running, for other tools:
//! `callwright list 127.0.0.1:50051`, `grpcurl -plaintext 127.0.0.1:50051 describe`

use std::error::Error;

use callwright::dynamic::{Loader, to_json};
use callwright::reflection::Reflection;
use callwright::{Channel, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, HelloReply, HelloRequest};

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, _context: &mut ServerContext) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `--serve` keeps it running, for tools to look at.
    let serves = std::env::args().any(|argument| argument == "--serve");
    let mut server = Server::builder()
        .add_service(Reflection::new())
        .add_service(GreeterServer::new(MyGreeter))
        .bind(if serves { "127.0.0.1:50051" } else { "127.0.0.1:0" })
        .await?;

    let channel = Channel::new(server.local_addr().to_string())?;
    let module = Loader::new().load_from_server(&channel).await?;
    for service in module.services() {
        println!("{}", service.full_name());
        for method in service.methods() {
            println!("  {}({}) -> {}", method.name(), method.input().full_name(), method.output().full_name());
        }
    }
    let say_hello = module.stub("helloworld.Greeter", &channel)?.method("SayHello")?;
    println!("{}", to_json(&say_hello.call(r#"{"name": "you"}"#).await?));
    if serves {
        server.wait().await;
    }
    Ok(())
}
