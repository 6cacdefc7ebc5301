//! gRFC L64 at compile time: `protos!`, `services!` and `protos_and_services!`, which need no build script.

use callwright::{Channel, Server, ServerContext, Status};

/// Messages and services at once, of two files that import a third.
mod both {
    callwright::protos_and_services!("macros/one.proto", "macros/two.proto", include = "tests/protos");
}

/// Messages alone.
mod messages {
    callwright::protos!("tests/protos/macros/shared.proto", "macros/one.proto", include = ["tests/protos"]);
}

/// Services alone, over the messages above.
mod services {
    callwright::services!("macros/one.proto", include = "tests/protos", protos = crate::messages);
}

struct One;

impl both::macros::one::OneServicer for One {
    async fn ask(
        &self,
        request: both::macros::shared::Shared,
        _context: &mut ServerContext,
    ) -> Result<both::macros::shared::Shared, Status> {
        Ok(both::macros::shared::Shared { text: request.text.repeat(2) })
    }
}

#[test]
fn files_named_in_one_call_share_the_types_they_import() {
    let shared = both::macros::shared::Shared { text: "x".into() };
    let one = both::macros::one::Holder { shared: Some(shared.clone()) };
    let two = both::macros::two::Holder { shared: one.shared.clone() };
    assert_eq!(two.shared, Some(shared));
}

#[tokio::test]
async fn services_alone_use_the_messages_of_protos() {
    let server =
        Server::builder().add_service(both::macros::one::OneServer::new(One)).bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    let stub = services::macros::one::OneStub::new(channel.clone());
    let reply: messages::macros::shared::Shared =
        stub.ask(messages::macros::shared::Shared { text: "ab".into() }).await.unwrap();
    assert_eq!(reply.text, "abab");
    let same = both::macros::one::OneStub::new(channel);
    assert_eq!(same.ask(both::macros::shared::Shared { text: "c".into() }).await.unwrap().text, "cc");
}
