//! The same .proto under another import path (google/cloud/helloworld.proto), and one that imports it from there.

mod loopback;

use std::time::SystemTime;

use callwright::{ServerContext, Status};
use duration_rust_proto::google::protobuf::Duration;
use helloworld_moved_rust_grpc::helloworld::{GreeterServer, GreeterServicer, GreeterStub};
use helloworld_moved_rust_proto::helloworld::{HelloReply, HelloRequest};
use moved_user_rust_proto::moved_user::User;
use timestamp_rust_proto::google::protobuf::Timestamp;

struct Greeter;

impl GreeterServicer for Greeter {
    async fn say_hello(&self, request: HelloRequest, _: &mut ServerContext) -> Result<HelloReply, Status> {
        let sent = SystemTime::try_from(request.request_initiation.unwrap()).unwrap();
        // A clock may be coarse.
        while sent.elapsed().is_ok_and(|took| took.subsec_nanos() == 0) {
            tokio::task::yield_now().await;
        }
        let took = Duration::try_from(sent.elapsed().unwrap()).unwrap();
        Ok(HelloReply { message: format!("Hello, {}!", request.name), request_duration: Some(took) })
    }
}

#[test]
fn says_hello() {
    loopback::serve_late(GreeterServer::new(Greeter), async |channel| {
        let request = HelloRequest { name: "you".into(), request_initiation: Some(Timestamp::from(SystemTime::now())) };
        let user = User { request: Some(request) };
        let call = GreeterStub::new(channel).say_hello(user.request.unwrap());
        let reply = call.wait_for_ready(true).timeout(loopback::TIMEOUT).await.unwrap();
        assert_eq!(reply.message, "Hello, you!");
        assert!(reply.request_duration.unwrap().nanos > 0);
    });
}
