//! A call over a real connection, by a test that knows crates as rules_rust describes them.

#[path = "../loopback.rs"]
mod loopback;

use callwright::{ServerContext, Status};
use external_rust_grpc::external_greeting::{GreeterServer, GreeterServicer, GreeterStub};
use external_rust_proto::external_greeting::{Reply, Request};
use name_rust_proto::external_greeting::Name;

struct Greeter;

impl GreeterServicer for Greeter {
    async fn say_hello(&self, request: Request, _: &mut ServerContext) -> Result<Reply, Status> {
        Ok(Reply { message: format!("Hello, {}!", request.name.unwrap_or_default().text) })
    }
}

#[test]
fn says_hello() {
    loopback::serve_late(GreeterServer::new(Greeter), async |channel| {
        let request = Request { name: Some(Name { text: "you".into() }) };
        let call = GreeterStub::new(channel).say_hello(request);
        let reply = call.wait_for_ready(true).timeout(loopback::TIMEOUT).await.unwrap();
        assert_eq!(reply.message, "Hello, you!");
    });
}
