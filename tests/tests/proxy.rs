//! Channels that reach their server by an HTTP CONNECT proxy (gRFC A1).

use callwright::{Channel, Code, Proxy, RunningServer, Status};
use callwright_tests::support::{channel, channel_to, say, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A proxy on the loopback interface, and the heads of the requests that it got.
struct Running {
    address: String,
    requests: mpsc::UnboundedReceiver<String>,
}

/// What the proxy does with a request.
#[derive(Clone)]
enum Does {
    /// Opens a tunnel to this address, whatever the name; with the beginning of what it says.
    Connect(String, &'static str),
    /// Says this and no more.
    Answer(String),
}

async fn proxy(does: Does) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(tunnel(socket, does.clone(), sender.clone()));
        }
    });
    Running { address, requests }
}

async fn tunnel(mut client: TcpStream, does: Does, requests: mpsc::UnboundedSender<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = requests.send(String::from_utf8(head).unwrap());
    match does {
        Does::Connect(to, answer) => {
            let mut server = TcpStream::connect(to).await.unwrap();
            // What the server says first comes with the answer, in one piece.
            let mut first = [0; 1024];
            let mut said = answer.as_bytes().to_vec();
            if answer.ends_with("\r\n\r\n") && answer.contains("eager") {
                let count = server.read(&mut first).await.unwrap();
                said.extend_from_slice(&first[..count]);
            }
            client.write_all(&said).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
        Does::Answer(answer) => {
            let _ = client.write_all(answer.as_bytes()).await;
            let _ = client.shutdown().await;
            let _ = client.read_to_end(&mut Vec::new()).await;
        }
    }
}

const YES: &str = "HTTP/1.1 200 Connection established\r\nX-By: a proxy\r\n\r\n";

fn by(running: &Running, target: &str) -> Channel {
    let url = format!("http://me:secret@{}", running.address);
    channel(target).proxy(Proxy::http(&url).unwrap()).build().unwrap()
}

fn address(server: &RunningServer) -> String {
    server.local_addr().to_string()
}

#[tokio::test]
async fn a_name_is_the_proxys_to_resolve() {
    let (server, _seen) = serve().await;
    let mut proxy = proxy(Does::Connect(address(&server), YES)).await;
    let channel = by(&proxy, "dns:///no-such-name.invalid:50051");
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let request = proxy.requests.recv().await.unwrap();
    assert!(request.starts_with("CONNECT no-such-name.invalid:50051 HTTP/1.1\r\nHost: no-such-name.invalid:50051\r\n"));
    assert!(request.contains("\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"), "{request}");
}

#[tokio::test]
async fn what_a_server_says_right_behind_the_proxys_answer_is_not_lost() {
    // HTTP/2 servers speak first.
    let (server, _seen) = serve().await;
    let eager = "HTTP/1.1 200 eager\r\n\r\n";
    let proxy = proxy(Does::Connect(address(&server), eager)).await;
    assert_eq!(say(&by(&proxy, "server.example:1"), "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn addresses_do_not_go_by_the_proxy() {
    let (server, _seen) = serve().await;
    let mut proxy = proxy(Does::Answer("HTTP/1.1 403 Forbidden\r\n\r\n".into())).await;
    assert_eq!(say(&by(&proxy, &address(&server)), "hello").await.unwrap(), "hello");
    assert!(proxy.requests.try_recv().is_err());
    assert_eq!(say(&channel_to(&server), "hello").await.unwrap(), "hello");
}

async fn refused(answer: impl Into<String>) -> Status {
    let proxy = proxy(Does::Answer(answer.into())).await;
    let status = say(&by(&proxy, "server.example:50051"), "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let message = status.message();
    assert!(message.contains("server.example:50051 by the proxy") && message.contains(&proxy.address), "{message}");
    assert!(message.contains("(stage: proxy)") && !message.contains("secret"), "{message}");
    status
}

#[tokio::test]
async fn a_proxy_that_refuses_is_quoted() {
    for (answer, told) in [
        ("HTTP/1.1 403 Not from here\r\n\r\n", "HTTP/1.1 403 Not from here"),
        ("HTTP/1.0 502 Bad Gateway\r\nA: b\r\n\r\nbody", "HTTP/1.0 502 Bad Gateway"),
        ("HTTP/1.1 407 Who are you\r\n\r\n", "asks for a user and a password"),
        ("HTTP/1.1 302 Elsewhere\r\n\r\n", "302 Elsewhere"),
    ] {
        let status = refused(answer).await;
        assert!(status.message().contains(told), "{}", status.message());
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error() {
    for (answer, told) in [
        ("", "closed the connection without an answer"),
        ("HTTP/1.1 200 OK\r\n", "closed the connection without an answer"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "is no HTTP"),
        ("HTTP/1.1 yes\r\n\r\n", "is no HTTP"),
        ("HTTP/2 200\r\n\r\n", "is no HTTP"),
        ("\r\n\r\n", "is no HTTP"),
    ] {
        let status = refused(answer).await;
        assert!(status.message().contains(told), "{answer:?}: {}", status.message());
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_no_further_than_a_bound() {
    let status = refused(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(64 * 1024))).await;
    assert!(status.message().contains("larger than the 16384 bytes"), "{}", status.message());
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let refused = callwright_tests::support::RefusedPort::new();
    let proxy = Proxy::http(refused.address()).unwrap();
    let channel = channel("server.example:50051").proxy(proxy).build().unwrap();
    let status = say(&channel, "hello").await.unwrap_err();
    let message = status.message();
    assert!(message.contains("(stage: connect)") && message.contains("by the proxy"), "{message}");
}
