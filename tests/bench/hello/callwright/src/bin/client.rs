//! Is greeted.

use callwright::Channel;
use helloworld::{GreeterStub, HelloRequest};

pub mod helloworld {
    callwright::include_proto!("helloworld");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let greeter = GreeterStub::new(Channel::new("dns:///127.0.0.1:50051")?);
    let reply = greeter.say_hello(HelloRequest { name: "you".into() }).await?;
    println!("{}", reply.message);
    Ok(())
}
