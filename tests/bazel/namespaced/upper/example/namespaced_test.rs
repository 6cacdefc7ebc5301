//! One .proto in one of the four combinations of import_prefix and strip_import_prefix: its messages, its stubs, and
//! another .proto that imports it by the path which the combination gives.

#[path = "../../../loopback.rs"]
mod loopback;

use callwright::{ServerContext, Status};
use messages::namespaced::upper::example::NamespacedExample;
use stubs::namespaced::upper::example::{NamespacedServiceServer, NamespacedServiceServicer, NamespacedServiceStub};
use user::user::User;

struct Service;

impl NamespacedServiceServicer for Service {
    async fn say_hello(&self, request: NamespacedExample, _: &mut ServerContext) -> Result<NamespacedExample, Status> {
        Ok(NamespacedExample { name: format!("Hello, {}!", request.name) })
    }
}

#[test]
fn messages_can_be_imported() {
    let user = User { example: Some(NamespacedExample { name: "you".into() }) };
    assert_eq!(user.example.unwrap().name, "you");
}

#[test]
fn stubs_can_be_imported() {
    loopback::serve_late(NamespacedServiceServer::new(Service), async |channel| {
        let call = NamespacedServiceStub::new(channel).say_hello(NamespacedExample { name: "you".into() });
        let reply = call.wait_for_ready(true).timeout(loopback::TIMEOUT).await.unwrap();
        assert_eq!(reply.name, "Hello, you!");
    });
}
