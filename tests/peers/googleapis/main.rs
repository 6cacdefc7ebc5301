//! Serves google.pubsub.v1.Publisher: with code that the macro makes, or with none, by the same file parsed as this runs
//! (`--dynamic`). Either way the macro's stub makes a call before the server says where it listens.
//!
//! `cargo xtask interop` makes a crate of its own of this, where PUBSUB_INCLUDE stands for the folder of googleapis.

#![deny(warnings)]

callwright::protos_and_services!("google/pubsub/v1/pubsub.proto", include = "PUBSUB_INCLUDE");

use callwright::dynamic::{DynamicMessage, Loader};
use callwright::{Channel, Code, Server, ServerContext, Status};
use google::pubsub::v1::{PublishRequest, PublishResponse, PublisherServer, PublisherServicer, PublisherStub, Topic};

struct Publisher;

impl PublisherServicer for Publisher {
    async fn create_topic(&self, topic: Topic, _context: &mut ServerContext) -> Result<Topic, Status> {
        Ok(topic)
    }

    async fn publish(&self, request: PublishRequest, _context: &mut ServerContext) -> Result<PublishResponse, Status> {
        let message_ids = request.messages.into_iter().map(|message| message.message_id).collect();
        Ok(PublishResponse { message_ids })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut server = Server::builder();
    if std::env::args().any(|argument| argument == "--dynamic") {
        let module = Loader::new().include("PUBSUB_INCLUDE").load(&["google/pubsub/v1/pubsub.proto"])?;
        let publisher = module
            .servicer("google.pubsub.v1.Publisher")?
            .unary("CreateTopic", |topic, _context| Box::pin(async move { Ok(topic) }))?
            .unary("Publish", move |request, _context| {
                let mut response = DynamicMessage::new(module.message("google.pubsub.v1.PublishResponse").unwrap());
                Box::pin(async move {
                    let request: PublishRequest =
                        request.transcode_to().map_err(|error| Status::internal(error.to_string()))?;
                    let message_ids = request.messages.into_iter().map(|message| message.message_id).collect();
                    response
                        .transcode_from(&PublishResponse { message_ids })
                        .map_err(|error| Status::internal(error.to_string()))?;
                    Ok(response)
                })
            })?;
        server = server.add_service(publisher);
    } else {
        server = server.add_service(PublisherServer::new(Publisher));
    }
    let server = server.bind("127.0.0.1:0").await?;
    let address = server.local_addr().to_string();
    let stub = PublisherStub::new(Channel::new(&address)?);
    let topic = Topic { name: "projects/p/topics/t".to_owned(), ..Topic::default() };
    assert_eq!(stub.create_topic(topic.clone()).await?, topic);
    let missing = stub.get_topic(google::pubsub::v1::GetTopicRequest::default()).await.unwrap_err();
    assert_eq!(missing.code(), Code::Unimplemented);
    println!("listening on {address}");
    std::future::pending().await
}
