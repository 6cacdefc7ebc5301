//! Servers from bind to stop, and what clients see of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callwright::server::{Methods, Service};
use callwright::{BindError, BytesCodec, Call, Channel, Code, Compression, Method, Server};
use callwright_tests::support::{Echo, RefusedPort, channel, channel_to, count, say, serve, serve_with};
use futures_util::{FutureExt as _, StreamExt as _, stream};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn awaiting_a_stream_of_responses_waits_until_the_call_is_out() {
    let port = RefusedPort::new();
    let failing = port.failed_channel().await;
    assert_eq!(count(&failing, 3).await.unwrap_err().code(), Code::Unavailable);
    let late = count(&failing, 3).wait_for_ready(true).timeout(Duration::from_millis(20)).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn graceful_shutdown_does_not_wait_for_a_connection_that_says_nothing() {
    let (server, _seen) = serve().await;
    let _silent = tokio::net::TcpStream::connect(server.local_addr().to_string()).await.unwrap();
    // Connections are accepted in the order they came.
    assert_eq!(say(&channel_to(&server), "hello").await.unwrap(), "hello");
    tokio::time::timeout(Duration::from_secs(10), server.shutdown(LONG)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_has_ended_can_be_waited_for_and_stopped_again() {
    let (mut server, _seen) = serve().await;
    server.abort();
    server.wait().await;
    server.wait().await;
    server.shutdown(LONG).await;
    let (mut server, _seen) = serve().await;
    server.abort();
    server.wait().await;
    server.stop().await;
}

#[tokio::test]
async fn unix_sockets_work_and_are_cleaned_up() {
    let folder = std::env::temp_dir().join(format!("callwright-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("echo.sock");
    let address = format!("unix:{}", path.display());
    for _ in 0..2 {
        let (server, _seen) = serve_with(Server::builder(), &address).await;
        assert_eq!(server.local_addr().to_string(), address);
        assert_eq!(server.local_addr().socket_addr(), None);
        let channel = Channel::new(format!("unix://{}", path.display())).unwrap();
        assert_eq!(say(&channel, "peer").await.unwrap(), "unix:");
        let (echo, _) = Echo::new();
        let taken = Server::builder().add_service(echo).bind(&address).await;
        assert!(matches!(taken, Err(BindError::Listen { .. })), "{taken:?}");
        server.stop().await;
        assert!(!path.exists());
        // What a server that was killed leaves behind does not stop the next one.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_never_replaced() {
    let file = std::env::temp_dir().join(format!("callwright-{}.txt", std::process::id()));
    std::fs::write(&file, "precious").unwrap();
    let error = Server::builder().bind(format!("unix:{}", file.display())).await.unwrap_err();
    assert!(error.to_string().contains("no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_socket_file_that_another_server_has_by_now_stays() {
    let path = std::env::temp_dir().join(format!("callwright-{}.sock", std::process::id()));
    let address = format!("unix:{}", path.display());
    let (first, _seen) = serve_with(Server::builder(), &address).await;
    std::fs::remove_file(&path).unwrap();
    let (second, _seen) = serve_with(Server::builder(), &address).await;
    first.stop().await;
    assert_eq!(say(&channel_to(&second), "peer").await.unwrap(), "unix:");
    second.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn peers_are_named_as_grpc_names_them() {
    let (server, _seen) = serve().await;
    let peer = say(&channel_to(&server), "peer").await.unwrap();
    assert!(peer.starts_with("ipv4:127.0.0.1:"), "{peer}");
    let (server, _seen) = serve_with(Server::builder(), "[::1]:0").await;
    let peer = say(&channel_to(&server), "peer").await.unwrap();
    assert!(peer.starts_with("ipv6:[::1]:"), "{peer}");
    // A socket for both families has its IPv4 clients behind ::ffff:.
    let (server, _seen) = serve_with(Server::builder(), "[::]:0").await;
    let port = server.local_addr().socket_addr().unwrap().port();
    let peer = say(&Channel::new(format!("127.0.0.1:{port}")).unwrap(), "peer").await.unwrap();
    assert!(peer.starts_with("ipv4:127.0.0.1:"), "{peer}");
}

#[tokio::test]
async fn the_local_address_is_a_target_and_an_address_to_bind() {
    for (address, host) in [("127.0.0.1:0", "127.0.0.1:"), ("[::1]:0", "[::1]:"), ("ipv4:127.0.0.1:0", "127.0.0.1:")] {
        let (server, _seen) = serve_with(Server::builder(), address).await;
        let local = server.local_addr().to_string();
        assert!(local.starts_with(host), "{local}");
        assert_eq!(local, server.local_addr().socket_addr().unwrap().to_string());
        for target in [local.clone(), format!("dns:///{local}"), format!("http://{local}")] {
            assert_eq!(say(&Channel::new(target).unwrap(), "hello").await.unwrap(), "hello");
        }
        server.stop().await;
        let (_server, _seen) = serve_with(Server::builder(), &local).await;
    }
}

#[test]
fn a_server_outside_of_a_runtime_says_so() {
    let bind = Server::builder().bind("127.0.0.1:0");
    assert!(matches!(bind.now_or_never(), Some(Err(BindError::NoRuntime))));
}

#[tokio::test]
async fn a_server_takes_a_listener_and_stops_at_a_signal() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::builder().add_service(Echo::new().0).bind_listener(listener).await.unwrap();
    assert_eq!(say(&channel_to(&server), "hello").await.unwrap(), "hello");
    let address = server.local_addr().socket_addr().unwrap();
    server.stop().await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let signal = async { drop(stopped.await) };
    let serving = tokio::spawn(Server::builder().add_service(Echo::new().0).serve_with_shutdown(address, signal, LONG));
    let channel = channel(&address.to_string()).build().unwrap();
    assert_eq!(say(&channel, "hello").wait_for_ready(true).await.unwrap(), "hello");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_cannot_be_served_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Server::builder().bind(taken.local_addr().unwrap().to_string()).await.unwrap_err();
    assert!(error.to_string().contains(&taken.local_addr().unwrap().to_string()), "{error}");
    let twice = Server::builder().add_service(Echo::new().0).add_service(Echo::new().0).bind("127.0.0.1:0").await;
    assert!(matches!(twice, Err(BindError::DuplicateService(name)) if name == "test.Echo"));
    for address in ["8080", "localhost", "http://127.0.0.1:0", "unix:"] {
        let error = Server::builder().bind(address).await.unwrap_err();
        assert!(matches!(error, BindError::Address { .. }), "{error}");
    }
    let unknown = Server::builder().compression(Compression::Custom("snappy")).bind("127.0.0.1:0").await;
    assert!(matches!(unknown, Err(BindError::Compression(_))));
}

/// Answers each call with its method and what it was sent.
struct Anything;

impl Service for Anything {
    fn register(self, methods: &mut Methods) {
        methods.fallback(Arc::new(self), |_, mut requests, responses, context| {
            Box::pin(async move {
                responses.send(Bytes::from(context.method().to_owned())).await?;
                while let Some(request) = requests.message().await? {
                    responses.send(request).await?;
                }
                Ok(())
            })
        });
    }
}

#[tokio::test]
async fn a_fallback_serves_what_no_service_does() {
    let (server, _seen) = serve_with(Server::builder().add_service(Anything), "127.0.0.1:0").await;
    let channel = channel_to(&server);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    for path in ["/test.Echo/Nope", "/no.Such/Method"] {
        let method = Method::with_codecs(path, Arc::new(BytesCodec), Arc::new(BytesCodec));
        let requests = ["a", "bc"].map(|text| Bytes::from_static(text.as_bytes()));
        let replies = Call::bidi(&channel, method).send_all(stream::iter(requests)).await.unwrap();
        let replies: Vec<Bytes> = replies.map(Result::unwrap).collect().await;
        assert_eq!(replies, [path, "a", "bc"]);
    }
}
