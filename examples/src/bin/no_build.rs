//! The two doors to gRPC without a build step: generated code from a macro, and protos parsed at run time.
//!
//! `cargo run -p callwright-examples --bin no_build`

use std::error::Error;
use std::time::Duration;

use callwright::dynamic::{self, Loader};
use callwright::{Channel, Server, ServerContext, Status};

// No build script: the macro reads the file, and expands anew when it changes.
callwright::protos_and_services!("proto/helloworld.proto");

struct MyGreeter;

impl helloworld::GreeterServicer for MyGreeter {
    async fn say_hello(
        &self,
        request: helloworld::HelloRequest,
        _context: &mut ServerContext,
    ) -> Result<helloworld::HelloReply, Status> {
        Ok(helloworld::HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().add_service(helloworld::GreeterServer::new(MyGreeter)).bind("127.0.0.1:0").await?;
    let channel = Channel::new(server.local_addr().to_string())?;

    // No build at all: the stub is made from the file as the program runs, and takes JSON.
    let protos = Loader::new().include(concat!(env!("CARGO_MANIFEST_DIR"), "/proto")).load(&["helloworld.proto"])?;
    let say_hello = protos.stub("helloworld.Greeter", &channel)?.method("SayHello")?;
    let reply = say_hello.call(r#"{"name": "you"}"#).wait_for_ready(true).timeout(Duration::from_secs(5)).await?;
    println!("{}", dynamic::to_json(&reply));

    // What does not fit says where.
    println!("{}", say_hello.call(r#"{"nam": "you"}"#).await.expect_err("there is no field nam"));
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
