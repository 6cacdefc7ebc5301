//! What calls prove who they are from by, and that it does not go over plaintext.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use callwright::credentials::{BearerToken, CallContext, CallCredentials, Token};
use callwright::{Call, Code, Metadata, Method, Server, ServerCredentials, Status};
use callwright_tests::support::{channel, say};

use super::{Authority, Echo, Service, target, trusting};

/// Answers with the entry of the request's metadata that it is asked for, all its values.
const ASK: Method<String, String> = Method::new("/test.Metadata/Ask");

struct Asked;

impl Service for Asked {
    fn register(self, methods: &mut callwright::server::Methods) {
        methods.service("test.Metadata", Arc::new(self)).unary(ASK, |_, key: String, context| {
            let values = context.invocation_metadata().get_all(&key);
            let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
            Box::pin(std::future::ready(Ok(values.join(", "))))
        });
    }
}

async fn server(authority: &Authority) -> callwright::RunningServer {
    let identity = authority.server(&["localhost"]);
    let credentials = ServerCredentials::tls(&identity.chain, &identity.key).build().unwrap();
    Server::builder()
        .credentials(credentials)
        .add_service(Asked)
        .add_service(Echo::new().0)
        .bind("127.0.0.1:0")
        .await
        .unwrap()
}

/// Says for whom it was asked.
#[derive(Debug)]
struct ForWhom;

impl CallCredentials for ForWhom {
    fn metadata<'a>(
        &'a self,
        call: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send + 'a>> {
        Box::pin(async {
            let mut metadata = Metadata::new();
            metadata.append("x-for", format!("{} {}", call.service_url(), call.method()))?;
            Ok(metadata)
        })
    }
}

#[tokio::test]
async fn calls_carry_the_credentials_of_their_channel_and_their_own() {
    let authority = Authority::new("call credentials");
    let server = server(&authority).await;
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    let token = BearerToken::from_fn(move || {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, Status>(Token::new(format!("token{number}")).expires_in(Duration::from_secs(3600))) }
    });
    let channel = channel(&target(&server))
        .credentials(trusting(&authority).build().unwrap())
        .call_credentials(token)
        .build()
        .unwrap();
    let ask = |key: &str| Call::unary(&channel, ASK, key.to_owned());
    for _ in 0..3 {
        assert_eq!(ask("authorization").await.unwrap(), "Bearer token0");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let url = format!("https://localhost:{}/test.Metadata", server.local_addr().socket_addr().unwrap().port());
    assert_eq!(ask("x-for").credentials(ForWhom).await.unwrap(), format!("{url} /test.Metadata/Ask"));
    assert_eq!(ask("authorization").credentials(ForWhom).await.unwrap(), "Bearer token0");
    assert_eq!(ask("x-for").await.unwrap(), "");
    // Streams too.
    let (mut sender, mut replies) = callwright_tests::support::chat(&channel).start();
    sender.send("hello".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("hello"));
}

#[tokio::test]
async fn what_is_secret_does_not_go_over_plaintext() {
    let (server, _) = callwright_tests::support::serve().await;
    let plain = channel(&server.local_addr().to_string());
    let plain = plain.call_credentials(BearerToken::new("secret").unwrap()).build().unwrap();
    let status = say(&plain, "hello").await.unwrap_err();
    assert!(status.code() == Code::Unauthenticated && status.message().contains("plaintext"), "{status}");
    assert!(!status.to_string().contains("secret"), "{status}");
}

#[tokio::test]
async fn what_is_secret_goes_over_unix_sockets_and_within_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("socket").display());
    for address in [socket.as_str(), "inproc:"] {
        let server = Server::builder().add_service(Asked).bind(address).await.unwrap();
        let local = channel(&server.local_addr().to_string());
        let local = local.call_credentials(BearerToken::new("secret").unwrap()).build().unwrap();
        let seen = Call::unary(&local, ASK, "authorization".to_owned()).await.unwrap();
        assert!(seen.contains("Bearer secret"), "{address} {seen}");
    }
}

#[tokio::test]
async fn credentials_that_fail_or_hang_end_their_call() {
    let authority = Authority::new("call credentials");
    let server = server(&authority).await;
    let channel = channel(&target(&server)).credentials(trusting(&authority).build().unwrap()).build().unwrap();
    let failing = BearerToken::from_fn(|| async { Err::<Token, _>(Status::unavailable("the token server is down")) });
    let status = say(&channel, "hello").credentials(failing).await.unwrap_err();
    assert!(status.code() == Code::Unavailable && status.message().contains("token server is down"), "{status}");
    let hanging = BearerToken::from_fn(std::future::pending::<Result<Token, Status>>);
    let call = say(&channel, "hello").credentials(hanging).timeout(Duration::from_millis(50));
    let status = call.await.unwrap_err();
    assert!(status.code() == Code::DeadlineExceeded && status.message().contains("credentials"), "{status}");
}
