//! A proto_library of another repository, with a .proto that is generated there, and one here that imports it.

mod loopback;

use callwright::{ServerContext, Status};
use external_rust_grpc::external_greeting::{GreeterServer, GreeterServicer, GreeterStub};
use external_rust_proto::external_greeting::{Reply, Request};
use external_user_rust_proto::external_user::User;
use external_protos___greeting__name_proto::external_greeting::Name;

struct Greeter;

impl GreeterServicer for Greeter {
    async fn say_hello(&self, request: Request, _: &mut ServerContext) -> Result<Reply, Status> {
        Ok(Reply { message: format!("Hello, {}!", request.name.unwrap_or_default().text) })
    }
}

#[test]
fn says_hello() {
    loopback::serve_late(GreeterServer::new(Greeter), async |channel| {
        let user = User { request: Some(Request { name: Some(Name { text: "you".into() }) }) };
        let call = GreeterStub::new(channel).say_hello(user.request.unwrap());
        let reply = call.wait_for_ready(true).timeout(loopback::TIMEOUT).await.unwrap();
        assert_eq!(reply.message, "Hello, you!");
    });
}
