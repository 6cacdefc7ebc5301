//! A call over a real connection: what tests of other packages share. They name the crates `messages` and `stubs`.

mod loopback;

use callwright::{ServerContext, Status};
use messages::greeting::{Reply, Request};
use stubs::greeting::{GreeterServer, GreeterServicer, GreeterStub};

struct Greeter;

impl GreeterServicer for Greeter {
    async fn say_hello(&self, request: Request, _: &mut ServerContext) -> Result<Reply, Status> {
        Ok(Reply { message: format!("Hello, {}!", request.name) })
    }
}

#[test]
fn says_hello() {
    loopback::serve_late(GreeterServer::new(Greeter), async |channel| {
        let call = GreeterStub::new(channel).say_hello(Request { name: "you".into() });
        let reply = call.wait_for_ready(true).timeout(loopback::TIMEOUT).await.unwrap();
        assert_eq!(reply.message, "Hello, you!");
    });
}
