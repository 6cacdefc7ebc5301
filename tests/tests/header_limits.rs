//! Metadata larger than the peer takes: its call says so, and the other calls of the connection do not notice.

use std::sync::Arc;
use std::time::Duration;

use callwright::server::{Methods, Service};
use callwright::{Call, Channel, Code, Metadata, Method, Response, Server, ServerContext, Status};
use callwright_tests::support::{Echo, channel_to, chat, say};

const LONG: Duration = Duration::from_secs(60);
/// A little more than this side takes, more than the HTTP/2 library forgives, and far more than that.
const SIZES: [usize; 3] = [20_000, 100_000, 1_000_000];

const TALK: Method<String, u32> = Method::new("/test.Talkative/Talk");

/// Sends as many bytes of metadata as it is asked for, where it is asked to.
struct Talkative;

impl Talkative {
    async fn talk(&self, request: String, context: &mut ServerContext) -> Result<u32, Status> {
        let (place, size) = request.split_once(' ').unwrap();
        let value = "v".repeat(size.parse().unwrap());
        match place {
            "initial" => {
                let mut metadata = Metadata::new();
                metadata.append("x-large", value)?;
                context.send_initial_metadata(metadata)?;
            }
            "trailing" => context.set_trailing_metadata("x-large", value)?,
            _ => return Err(Status::not_found("as asked for").with_details(value)),
        }
        Ok(7)
    }
}

impl Service for Talkative {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Talkative", Arc::new(self))
            .unary(TALK, |talkative, request, context| Box::pin(Talkative::talk(talkative, request, context)));
    }
}

async fn talk(channel: &Channel, place: &str, size: usize) -> Result<Response<u32>, Status> {
    Call::unary(channel, TALK, format!("{place} {size}")).timeout(LONG).send().await
}

/// A channel to a server with both services.
async fn serve() -> Channel {
    let (echo, _) = Echo::new();
    channel_to(&Server::builder().add_service(echo).add_service(Talkative).bind("127.0.0.1:0").await.unwrap())
}

#[tokio::test]
async fn metadata_larger_than_the_server_takes_ends_its_call_alone() {
    let channel = serve().await;
    let (mut requests, mut replies) = chat(&channel).timeout(LONG).start();
    for size in SIZES {
        let status = say(&channel, "hello").metadata("x-large", "v".repeat(size)).timeout(LONG).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().contains("16384"), "{status}");
        requests.send("word".into()).await.unwrap();
        assert_eq!(replies.message().await.unwrap().as_deref(), Some("word"));
    }
    assert_eq!(say(&channel, "hello").metadata("x-large", "v".repeat(15_000)).await.unwrap(), "hello");
}

#[tokio::test]
async fn metadata_of_more_entries_than_a_request_can_have_is_refused() {
    let channel = serve().await;
    let mut metadata = Metadata::new();
    for number in 0..40_000 {
        metadata.append(&format!("x-{number}"), "v").unwrap();
    }
    let status = say(&channel, "hello").extend_metadata(metadata).timeout(LONG).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn metadata_larger_than_the_client_takes_ends_its_call_alone() {
    let channel = serve().await;
    let (mut requests, mut replies) = chat(&channel).timeout(LONG).start();
    for size in SIZES {
        for place in ["initial", "trailing"] {
            let status = talk(&channel, place, size).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{place}: {status}");
            assert!(status.message().contains("16384"), "{status}");
        }
        let status = talk(&channel, "details", size).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status}");
        assert!(status.message().starts_with("as asked for") && status.message().contains("16384"), "{status}");
        requests.send("word".into()).await.unwrap();
        assert_eq!(replies.message().await.unwrap().as_deref(), Some("word"));
    }
}

#[tokio::test]
async fn metadata_within_the_limit_arrives_whole() {
    let channel = serve().await;
    let initial = talk(&channel, "initial", 15_000).await.unwrap();
    assert_eq!(initial.initial_metadata().get("x-large").map(str::len), Some(15_000));
    let trailing = talk(&channel, "trailing", 15_000).await.unwrap();
    assert_eq!(trailing.trailing_metadata().get("x-large").map(str::len), Some(15_000));
    assert_eq!(talk(&channel, "details", 11_000).await.unwrap_err().details().len(), 11_000);
}
