//! Greets.

use callwright::{Server, ServerContext, Status};
use helloworld::{GreeterServer, GreeterServicer, HelloReply, HelloRequest};

pub mod helloworld {
    callwright::include_proto!("helloworld");
}

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, _context: &mut ServerContext) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Server::builder().add_service(GreeterServer::new(MyGreeter)).serve("127.0.0.1:50051").await?;
    Ok(())
}
