//! proto_librarys with names that Rust keeps for itself, and a rule with a keyword for its name.

#[path = "../loopback.rs"]
mod loopback;

use callwright::{ServerContext, Status};
use core____02000001::kept::core::core::Self_;
use r#match::kept::User;
use kept_rust_grpc::kept::{KeeperServer, KeeperServicer, KeeperStub};
use type____02000001::kept::r#type::Type;

struct Keeper;

impl KeeperServicer for Keeper {
    async fn keep(&self, request: User, _: &mut ServerContext) -> Result<Self_, Status> {
        assert_eq!(request.r#type(), Type::Match);
        Ok(request.inner[0])
    }
}

#[test]
fn types_are_shared() {
    loopback::serve_late(KeeperServer::new(Keeper), async |channel| {
        let user = User { inner: vec![Self_ { number: 7 }], r#type: Type::Match as i32 };
        let call = KeeperStub::new(channel).keep(user);
        assert_eq!(call.wait_for_ready(true).timeout(loopback::TIMEOUT).await.unwrap().number, 7);
    });
}
