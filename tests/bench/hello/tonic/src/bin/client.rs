//! Is greeted.

use helloworld::HelloRequest;
use helloworld::greeter_client::GreeterClient;

pub mod helloworld {
    tonic::include_proto!("helloworld");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut greeter = GreeterClient::connect("http://127.0.0.1:50051").await?;
    let reply = greeter.say_hello(HelloRequest { name: "you".into() }).await?.into_inner();
    println!("{}", reply.message);
    Ok(())
}
