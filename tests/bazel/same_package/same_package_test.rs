//! One package over two targets, each with a service: types are shared, and no service is generated twice.

#[path = "../loopback.rs"]
mod loopback;

use callwright::{ServerContext, Status};
use dependency_rust_grpc::same::r#type::{KeeperServer, KeeperServicer};
use dependency_rust_proto::same::r#type::Sha256Hash;
use dependency_rust_proto::same::r#type::sha256_hash::{HttpKind, Self_};
use user_rust_grpc::same::r#type::{GreeterServer, GreeterServicer, GreeterStub};
use user_rust_proto::same::r#type::Use;

struct Both;

impl KeeperServicer for Both {}

impl GreeterServicer for Both {
    async fn say_hello(&self, request: Use, _: &mut ServerContext) -> Result<Self_, Status> {
        assert_eq!(request.kind(), HttpKind::One);
        let name = request.hash.and_then(|hash| hash.name).unwrap_or_default().name;
        Ok(Self_ { name: format!("Hello, {name}!") })
    }
}

#[test]
fn says_hello() {
    let _ = KeeperServer::new(Both);
    loopback::serve_late(GreeterServer::new(Both), async |channel| {
        let hash = Sha256Hash { name: Some(Self_ { name: "you".into() }), ..Default::default() };
        let request = Use { hash: Some(hash), kind: HttpKind::One.into() };
        let call = GreeterStub::new(channel).say_hello(request);
        let reply = call.wait_for_ready(true).timeout(loopback::TIMEOUT).await.unwrap();
        assert_eq!(reply.name, "Hello, you!");
    });
}
