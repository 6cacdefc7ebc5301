//! Servers that listen at several addresses, and on sockets that are there already.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use callwright::{BindError, ListeningSocket, Server, ServerBuilder};
use callwright_tests::support::{Echo, channel, say, under_way};
use tempfile::TempDir;

fn echo() -> ServerBuilder {
    Server::builder().add_service(Echo::new().0)
}

/// What a client of this server calls it, and what the server calls the client.
async fn peer(target: impl ToString) -> String {
    say(&channel(&target.to_string()).build().unwrap(), "peer").wait_for_ready(true).await.unwrap()
}

fn socket_path(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

#[tokio::test]
async fn a_server_listens_at_several_addresses_and_shuts_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket_path(&folder, "echo.sock");
    let (echo, mut seen) = Echo::new();
    let server = Server::builder()
        .add_service(echo)
        .listen(format!("unix:{}", path.display()))
        .listen("inproc:")
        .listen("[::1]:0")
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let locals = server.local_addrs().to_vec();
    // That of bind is the first.
    assert_eq!((locals.len(), &locals[0]), (4, server.local_addr()));
    let mut peers = Vec::new();
    for local in &locals {
        peers.push(peer(local).await);
    }
    let begins = ["ipv4:127.0.0.1:", "unix:", "inproc:", "ipv6:[::1]:"];
    assert!(peers.iter().zip(begins).all(|(peer, begin)| peer.starts_with(begin)), "{peers:?}");
    // A call by each holds the shutdown up, during which nobody listens any more.
    let channels: Vec<_> = locals.iter().map(|local| channel(&local.to_string()).build().unwrap()).collect();
    while seen.try_recv().is_ok() {}
    let calls: Vec<_> = channels.iter().map(|channel| under_way(say(channel, "forever"))).collect();
    for _ in &calls {
        seen.recv().await.unwrap();
    }
    let ending = tokio::spawn(server.shutdown(Duration::from_secs(60)));
    let [tcp, v6] = [&locals[0], &locals[3]].map(|local| local.socket_addr().unwrap());
    while path.exists() {
        tokio::task::yield_now().await;
    }
    assert!(refuses(tcp) && refuses(v6) && UnixStream::connect(&path).is_err());
    assert!(!ending.is_finished());
    calls.iter().for_each(|call| call.abort());
    ending.await.unwrap();
}

fn refuses(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

#[tokio::test]
async fn a_server_that_cannot_listen_everywhere_listens_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket_path(&folder, "echo.sock");
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy_address = busy.local_addr().unwrap().to_string();
    let error = echo().listen(&busy_address).bind(format!("unix:{}", path.display())).await.unwrap_err();
    assert!(matches!(&error, BindError::Listen { address, .. } if *address == busy_address), "{error}");
    assert!(!path.exists());
    // One that makes no sense is found before any is bound.
    let error = echo().listen("nowhere").bind(format!("unix:{}", path.display())).await.unwrap_err();
    assert!(matches!(&error, BindError::Address { address, .. } if address == "nowhere"), "{error}");
    assert!(matches!(echo().start().await, Err(BindError::NoAddress)));
}

#[tokio::test]
async fn a_server_takes_listeners_of_either_kind() {
    let folder = tempfile::tempdir().unwrap();
    let [tokio_path, std_path] = ["tokio.sock", "std.sock"].map(|name| socket_path(&folder, name));
    let std_unix = UnixListener::bind(&std_path).unwrap();
    let tokio_unix = tokio::net::UnixListener::bind(&tokio_path).unwrap();
    let server = echo()
        .listen_on(tokio_unix)
        .listen_on(TcpListener::bind("127.0.0.1:0").unwrap())
        .listen_on(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap())
        .bind_listener(std_unix)
        .await
        .unwrap();
    let locals: Vec<String> = server.local_addrs().iter().map(ToString::to_string).collect();
    assert_eq!(locals[..2], [&std_path, &tokio_path].map(|path| format!("unix:{}", path.display())));
    assert!(locals.len() == 4 && locals[2..].iter().all(|local| local.starts_with("127.0.0.1:")), "{locals:?}");
    for local in &locals {
        peer(local).await;
    }
    server.stop().await;
    // Whoever has made the files may go on with them.
    assert!(std_path.exists() && tokio_path.exists());
    assert!(
        format!("{:?}", ListeningSocket::from(UnixListener::bind(socket_path(&folder, "a")).unwrap())).contains("a")
    );
}
