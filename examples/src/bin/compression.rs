//! Compression at every level: channel, call, server, response, and a single message.
//!
//! `cargo run -p callwright-examples --bin compression`

use std::error::Error;
use std::time::Duration;

use callwright::{Channel, Compression, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, context: &mut ServerContext) -> Result<HelloReply, Status> {
        match request.name.split(' ').next() {
            // For this response alone, another algorithm than the server's.
            Some("deflate") => context.set_response_compression(Compression::Deflate),
            // For this response alone, none.
            Some("plain") => context.set_response_compression(Compression::None),
            // The response keeps its encoding, this one message goes out plain.
            Some("once") => context.disable_next_message_compression(),
            _ => {}
        }
        Ok(HelloReply { message: request.name.repeat(2) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Responses are compressed with gzip, for clients that accept it, from 100 bytes on.
    let server = Server::builder()
        .compression(Compression::Gzip)
        .compression_min_size(100)
        .add_service(GreeterServer::new(MyGreeter))
        .bind("127.0.0.1:0")
        .await?;
    // Requests are compressed with gzip at its highest level.
    let channel = Channel::builder(server.local_addr().to_string())
        .compression(Compression::Gzip)
        .compression_level(9)
        .build()?;
    let greeter = GreeterStub::new(channel);

    for how in ["gzip", "deflate", "plain", "once"] {
        let name = format!("{how} {}", "and so on ".repeat(100));
        // For this call alone, another algorithm than the channel's.
        let reply = greeter.say_hello(HelloRequest { name }).compression(Compression::Deflate).await?;
        println!("{how}: {} bytes came back", reply.message.len());
    }
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
