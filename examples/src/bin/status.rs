//! An error that a program can read: the server says which field is wrong, the client mends it.
//!
//! `cargo run -p callwright-examples --bin status`

use std::error::Error;
use std::time::Duration;

use callwright::status::{BadRequest, ErrorDetails, LocalizedMessage};
use callwright::{Channel, Server, ServerContext, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};

struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, request: HelloRequest, _context: &mut ServerContext) -> Result<HelloReply, Status> {
        if request.name.is_empty() {
            let details = ErrorDetails::new()
                .with(BadRequest::violation("name", "it is empty"))
                .with(LocalizedMessage::new("de", "Der Name fehlt."));
            return Err(Status::invalid_argument("the name is missing").with_error_details(details));
        }
        Ok(HelloReply { message: format!("Hello, {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().add_service(GreeterServer::new(MyGreeter)).bind("127.0.0.1:0").await?;
    let greeter = GreeterStub::new(Channel::new(server.local_addr().to_string())?);

    let mut request = HelloRequest::default();
    let status = greeter.say_hello(request.clone()).await.expect_err("there is no name");
    println!("{status}");
    let details = status.error_details()?;
    if let Some(message) = details.get::<LocalizedMessage>()? {
        println!("in {}: {}", message.locale, message.message);
    }
    for violation in details.get::<BadRequest>()?.into_iter().flat_map(|bad| bad.field_violations) {
        println!("{}: {}", violation.field, violation.description);
        if violation.field == "name" {
            request.name = "you".to_owned();
        }
    }
    println!("{}", greeter.say_hello(request).await?.message);
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
