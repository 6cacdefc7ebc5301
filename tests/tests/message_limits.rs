//! How large the messages of a server, a service and a method may be: the narrowest that is set counts.

use callwright::{BindError, Channel, Code, MethodLimits, Server, ServerBuilder, Status};
use callwright_tests::support::raw::encoded;
use callwright_tests::support::{Echo, channel_to, chat, count, say, serve_with};

async fn serve(builder: ServerBuilder) -> Channel {
    channel_to(&serve_with(builder, "127.0.0.1:0").await.0)
}

/// A word whose message has so many bytes.
fn word(size: usize) -> String {
    let word = "w".repeat(size - 3);
    assert_eq!(encoded(&word).len(), size);
    word
}

/// Sends a word by a method that streams, and waits for it to come back.
async fn chat_once(channel: &Channel, word: String) -> Result<Option<String>, Status> {
    let (mut requests, mut replies) = chat(channel).start();
    // What the server thinks of it is said by the replies.
    let _ = requests.send(word).await;
    requests.finish();
    replies.message().await
}

fn receive(bytes: usize) -> MethodLimits {
    MethodLimits::new().max_receive_message_size(bytes)
}

fn send(bytes: usize) -> MethodLimits {
    MethodLimits::new().max_send_message_size(bytes)
}

/// Asserts what the largest word is that each method takes or gives.
async fn assert_limits(builder: ServerBuilder, say_limit: usize, chat_limit: usize) {
    let channel = serve(builder).await;
    assert_eq!(say(&channel, &word(say_limit)).await.unwrap().len(), say_limit - 3);
    assert_eq!(chat_once(&channel, word(chat_limit)).await.unwrap().unwrap().len(), chat_limit - 3);
    let over = [say(&channel, &word(say_limit + 1)).await.err(), chat_once(&channel, word(chat_limit + 1)).await.err()];
    for (status, limit) in over.into_iter().zip([say_limit, chat_limit]) {
        let status = status.unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().contains(&limit.to_string()), "{status}");
    }
    // The connection is none the worse.
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn the_narrowest_limit_of_requests_counts() {
    let builder = || Server::builder().max_receive_message_size(1000);
    assert_limits(builder(), 1000, 1000).await;
    assert_limits(builder().method_limits("test.Echo", receive(2000)), 2000, 2000).await;
    // In whichever order they are said, and with a slash before the name as in a path.
    let (method, service) = (("/test.Echo/Say", receive(300)), ("test.Echo", receive(2000)));
    for [first, second] in [[method, service], [service, method]] {
        let builder = builder().method_limits(first.0, first.1).method_limits(second.0, second.1);
        assert_limits(builder, 300, 2000).await;
    }
    let twice = builder().method_limits("test.Echo/Chat", receive(10)).method_limits("test.Echo/Chat", receive(700));
    assert_limits(twice, 1000, 700).await;
}

#[tokio::test]
async fn the_narrowest_limit_of_responses_counts() {
    assert_limits(Server::builder().max_send_message_size(1000), 1000, 1000).await;
    let builder = || Server::builder().max_send_message_size(1000).method_limits("test.Echo", send(500));
    assert_limits(builder(), 500, 500).await;
    assert_limits(builder().method_limits("test.Echo/Chat", send(4000)), 500, 4000).await;
}

#[tokio::test]
async fn each_limit_is_inherited_for_itself() {
    // The method says nothing of requests, so that its service's limit of them holds.
    let builder = Server::builder()
        .max_receive_message_size(100)
        .method_limits("test.Echo", receive(1000))
        .method_limits("test.Echo/Say", send(600));
    let channel = serve(builder).await;
    assert!(say(&channel, &word(600)).await.is_ok());
    let refused = say(&channel, &word(601)).await.unwrap_err();
    assert!(refused.message().contains("600"), "{refused}");
    let refused = say(&channel, &word(1001)).await.unwrap_err();
    assert!(refused.message().contains("1000"), "{refused}");
    assert!(count(&channel, 3).await.is_ok());
}

#[tokio::test]
async fn limits_of_what_is_not_served_are_an_error() {
    for (name, help) in [
        ("test.Ech", "served are test.Echo"),
        ("test.Echo/Sey", "the service has test.Echo/Chat, test.Echo/Count, test.Echo/Say, test.Echo/Sum"),
        ("Say", "served are test.Echo"),
        ("", "served are test.Echo"),
    ] {
        let builder = Server::builder().add_service(Echo::new().0).method_limits(name, receive(1));
        let error = builder.bind("127.0.0.1:0").await.unwrap_err();
        assert!(matches!(error, BindError::UnknownMethod { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{name:?}")) && error.to_string().contains(help), "{error}");
    }
    let error = Server::builder().method_limits("test.Echo", receive(1)).bind("127.0.0.1:0").await.unwrap_err();
    assert!(error.to_string().contains("no service was added"), "{error}");
    // Services may be added after their limits.
    let builder = Server::builder().method_limits("test.Echo", receive(10)).add_service(Echo::new().0);
    assert!(builder.bind("127.0.0.1:0").await.is_ok());
}
