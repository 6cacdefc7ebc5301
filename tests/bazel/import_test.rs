//! A call over a real connection, that waits for its server, with types of google.protobuf.

use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use callwright::prost_types::{Duration as ProtoDuration, Timestamp};
use callwright::{Channel, Server, ServerContext, Status};
use helloworld_rust_grpc::helloworld::{GreeterServer, GreeterServicer, GreeterStub};
use helloworld_rust_proto::helloworld::{HelloReply, HelloRequest};

struct Greeter;

impl GreeterServicer for Greeter {
    async fn say_hello(&self, request: HelloRequest, _: &mut ServerContext) -> Result<HelloReply, Status> {
        let sent = SystemTime::try_from(request.request_initiation.unwrap()).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        let took = ProtoDuration::try_from(sent.elapsed().unwrap()).unwrap();
        Ok(HelloReply { message: format!("Hello, {}!", request.name), request_duration: Some(took) })
    }
}

#[test]
fn says_hello() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let channel = Channel::builder(format!("dns:///{address}")).build().unwrap();
        let request = HelloRequest { name: "you".into(), request_initiation: Some(Timestamp::from(SystemTime::now())) };
        let call = tokio::spawn(
            GreeterStub::new(channel)
                .say_hello(request)
                .wait_for_ready(true)
                .timeout(Duration::from_secs(20))
                .into_future(),
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
        let server = Server::builder().add_service(GreeterServer::new(Greeter)).bind(address).await.unwrap();
        let reply = call.await.unwrap().unwrap();
        assert_eq!(reply.message, "Hello, you!");
        assert!(reply.request_duration.unwrap().nanos > 0);
        server.stop().await;
    });
}
