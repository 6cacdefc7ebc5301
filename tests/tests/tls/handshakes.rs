//! Who is let in, and what is said of who is not.

use std::sync::Arc;

use callwright::{ChannelCredentials, ClientCertificates, Server};
use callwright_tests::support::{Echo, channel, chat, count, say};
use futures_util::StreamExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::{Authority, Identity};
use crate::{refused, refused_at, serve, target, tls, to, trusting};

#[tokio::test]
async fn calls_of_all_sizes_go_through_tls() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["localhost"]))).await;
    let channel = to(&server, trusting(&authority));
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    // More than any buffer on the way takes at once.
    let large = "x".repeat(3 * 1024 * 1024);
    assert_eq!(say(&channel, &large).await.unwrap(), large);
    let numbers: Vec<_> = count(&channel, 10_000).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());
    let (mut requests, mut responses) = chat(&channel).start();
    for word in ["one", "two"] {
        requests.send(word.to_owned()).await.unwrap();
        assert_eq!(responses.message().await.unwrap().unwrap(), word);
    }
}

#[tokio::test]
async fn many_large_calls_at_once_go_through_one_connection() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["localhost"]))).await;
    let channel = to(&server, trusting(&authority));
    let large = "y".repeat(1024 * 1024);
    let calls = (0..32).map(|_| say(&channel, &large).into_future());
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.unwrap(), large);
    }
}

#[tokio::test]
async fn the_name_has_to_be_in_the_certificate() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["greeter.example", "*.other.example"]))).await;
    let reason = "the server's certificate is not valid for the name \"localhost\": it is for greeter.example, \
                  *.other.example: set server_name";
    refused_at(&to(&server, trusting(&authority)), "TLS", reason).await;
    for name in ["greeter.example", "a.other.example"] {
        let channel = to(&server, trusting(&authority).server_name(name));
        assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    }
    let channel = channel(&target(&server)).authority("greeter.example:443");
    let channel = channel.credentials(trusting(&authority).build().unwrap()).build().unwrap();
    assert_eq!(say(&channel, "by authority").await.unwrap(), "by authority");
}

#[tokio::test]
async fn an_ip_address_is_a_name_too() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["127.0.0.1"]))).await;
    let address = server.local_addr().to_string();
    let named = channel(&address).credentials(trusting(&authority).build().unwrap()).build().unwrap();
    assert_eq!(say(&named, "hello").await.unwrap(), "hello");
    let other = to(&server, trusting(&authority).server_name("127.0.0.2"));
    refused_at(&other, "TLS", "not valid for the name \"127.0.0.2\": it is for 127.0.0.1: set server_name").await;
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_told_what_to_set() {
    let server = serve(tls(&Authority::new("a root").server(&["localhost"]))).await;
    let reason = "signed by an unknown issuer: set root_certificates";
    refused_at(&to(&server, trusting(&Authority::new("another"))), "TLS", reason).await;
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_refused() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.expired(&["localhost"]))).await;
    refused_at(&to(&server, trusting(&authority)), "TLS", "the server's certificate has expired").await;
}

#[tokio::test]
async fn a_server_that_requires_certificates_refuses_clients_without_one() {
    let (authority, clients) = (Authority::new("a root"), Authority::new("a root of clients"));
    let server = serve(tls(&authority.server(&["localhost"])).client_root_certificates(&clients.pem)).await;
    let reason = "it requires a certificate of the client (identity), and none was given";
    refused_at(&to(&server, trusting(&authority)), "TLS", reason).await;
    let stranger = Authority::new("somebody").client("me", &[]);
    let channel = to(&server, trusting(&authority).identity(stranger.chain, stranger.key));
    refused(&channel).await;
    let known = clients.client("me", &[]);
    let channel = to(&server, trusting(&authority).identity(known.chain, known.key));
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_server_that_requests_certificates_takes_clients_without_one_and_refuses_bad_ones() {
    let (authority, clients) = (Authority::new("a root"), Authority::new("a root of clients"));
    let credentials = tls(&authority.server(&["localhost"])).client_root_certificates(&clients.pem);
    let server = serve(credentials.client_certificates(ClientCertificates::Request)).await;
    assert_eq!(say(&to(&server, trusting(&authority)), "hello").await.unwrap(), "hello");
    let known = clients.client("me", &[]);
    let channel = to(&server, trusting(&authority).identity(known.chain, known.key));
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let stranger = Authority::new("somebody").client("me", &[]);
    let channel = to(&server, trusting(&authority).identity(stranger.chain, stranger.key));
    refused_at(&channel, "TLS", "it does not accept the client's certificate").await;
}

#[tokio::test]
async fn a_server_that_asks_for_nothing_takes_a_client_with_a_certificate() {
    let authority = Authority::new("a root");
    let credentials = tls(&authority.server(&["localhost"])).client_root_certificates(&authority.pem);
    let server = serve(credentials.client_certificates(ClientCertificates::None)).await;
    let stranger = Authority::new("somebody").client("me", &[]);
    let channel = to(&server, trusting(&authority).identity(stranger.chain, stranger.key));
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_that_the_client_asks_for() {
    let authorities = [Authority::new("one"), Authority::new("two"), Authority::new("three")];
    let [fallback, named, below] = [
        authorities[0].server(&["localhost", "unknown.example"]),
        authorities[1].server(&["named.example"]),
        authorities[2].server(&["*.below.example"]),
    ];
    let credentials = tls(&fallback).certificate_for("named.example", &named.chain, &named.key).certificate_for(
        "*.below.example",
        &below.chain,
        &below.key,
    );
    let server = serve(credentials).await;
    for (name, authority) in [("unknown.example", 0), ("Named.Example", 1), ("a.below.example", 2), ("localhost", 0)] {
        let channel = to(&server, trusting(&authorities[authority]).server_name(name));
        assert_eq!(say(&channel, name).await.unwrap(), name);
    }
}

#[tokio::test]
async fn a_plaintext_server_does_not_speak_tls() {
    let (echo, _) = Echo::new();
    let server = Server::builder().add_service(echo).bind("127.0.0.1:0").await.unwrap();
    let channel = to(&server, trusting(&Authority::new("a root")));
    refused_at(&channel, "TLS", "the server does not speak TLS").await;
    refused_at(&channel, "TLS", "in plaintext, set its credentials to ChannelCredentials::insecure()").await;
}

#[tokio::test]
async fn a_plaintext_channel_is_told_that_its_server_speaks_tls() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["localhost"]))).await;
    let channel = channel(&target(&server)).build().unwrap();
    refused_at(&channel, "HTTP/2", "the server speaks TLS, and the channel does not: set its credentials").await;
}

#[tokio::test]
async fn an_https_target_trusts_what_the_system_trusts() {
    let authority = Authority::new("unknown to any system");
    let server = serve(tls(&authority.server(&["localhost"]))).await;
    let address = format!("https://localhost:{}", server.local_addr().socket_addr().unwrap().port());
    match channel(&address).build() {
        Ok(channel) => refused_at(&channel, "TLS", "unknown issuer").await,
        // This system trusts nobody.
        Err(error) => assert!(error.to_string().contains("set root_certificates"), "{error}"),
    }
    let credentials = trusting(&authority).build().unwrap();
    let channel = channel(&address).credentials(credentials).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_server_that_does_not_agree_to_http2_is_refused() {
    let authority = Authority::new("a root");
    for protocols in [vec![], vec![b"http/1.1".to_vec()]] {
        let address = raw_server(&authority.server(&["localhost"]), protocols).await;
        let channel = channel(&address).credentials(trusting(&authority).build().unwrap()).build().unwrap();
        refused_at(&channel, "TLS", "HTTP/2 in it").await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_agree_to_http2_is_refused() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["localhost"]))).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    for protocols in [vec![], vec![b"http/1.1".to_vec()]] {
        let mut config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
        config.alpn_protocols = protocols.clone();
        let socket = TcpStream::connect(server.local_addr().to_string()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        match connector.connect(ServerName::try_from("localhost").unwrap(), socket).await {
            Err(error) => assert!(error.to_string().contains("NoApplicationProtocol"), "{error}"),
            Ok(mut stream) => {
                assert!(protocols.is_empty(), "the server took {protocols:?}");
                let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer).await;
                assert!(answer.is_empty(), "it spoke all the same: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_handshake_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            // All of the client's first words are read, so that closing does not look like a failure of the network.
            let _ = socket.read(&mut [0; 4096]).await;
        }
    });
    let credentials = trusting(&Authority::new("a root")).build().unwrap();
    let channel = channel(&address).credentials(credentials).build().unwrap();
    refused_at(&channel, "TLS", "closed the connection during the TLS handshake").await;
}

#[tokio::test]
async fn a_configuration_of_rustls_can_be_brought() {
    let authority = Authority::new("a root");
    let identity = authority.server(&["localhost"]);
    let server = raw_config(&identity, vec![]);
    let server =
        Server::builder().credentials(callwright::ServerCredentials::rustls(server)).add_service(Echo::new().0);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let channel = channel(&target(&server)).credentials(ChannelCredentials::rustls(config)).build().unwrap();
    assert_eq!(say(&channel, "over TLS 1.2").await.unwrap(), "over TLS 1.2");
}

#[tokio::test]
async fn a_server_that_closes_behind_the_handshake_may_have_refused_the_client() {
    let authority = Authority::new("a root");
    let acceptor = Arc::new(raw_config(&authority.server(&["localhost"]), vec![b"h2".to_vec()]));
    let acceptor = tokio_rustls::TlsAcceptor::from(acceptor);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("dns:///localhost:{}", listener.local_addr().unwrap().port());
    // As gRPC's C core does, without an alert. What of the client's is unread then makes the system reset the connection.
    for resets in [false, true] {
        let credentials = trusting(&authority).build().unwrap();
        let channel = channel(&target).credentials(credentials).build().unwrap();
        let server = async {
            let (socket, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(socket).await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            if resets {
                stream.get_ref().0.set_zero_linger().unwrap();
            }
        };
        let reason = "it may require a certificate of the client (identity), or not accept the one that was given";
        tokio::join!(refused_at(&channel, "HTTP/2", reason), server);
    }
}

/// A server that does no more than the handshake.
async fn raw_server(identity: &Identity, protocols: Vec<Vec<u8>>) -> String {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(raw_config(identity, protocols)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let accept = acceptor.accept(socket);
            tokio::spawn(async move {
                if let Ok(mut stream) = accept.await {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
            });
        }
    });
    address
}

fn raw_config(identity: &Identity, protocols: Vec<Vec<u8>>) -> rustls::ServerConfig {
    let chain = vec![CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = protocols;
    config
}

#[tokio::test]
async fn tls_goes_through_a_proxy_by_the_name_of_the_server() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["server.example"]))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = callwright::Proxy::http(&listener.local_addr().unwrap().to_string()).unwrap();
    let to = server.local_addr().to_string();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"CONNECT server.example:443 HTTP/1.1\r\n"));
        let mut server = TcpStream::connect(to).await.unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    let credentials = trusting(&authority).build().unwrap();
    let channel = channel("https://server.example").credentials(credentials).proxy(proxy).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dawdles_over_its_handshake_is_closed() {
    let authority = Authority::new("a root");
    let credentials = tls(&authority.server(&["localhost"])).build().unwrap();
    let limit = std::time::Duration::from_secs(7);
    let builder = Server::builder().credentials(credentials).handshake_timeout(limit).add_service(Echo::new().0);
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    // Nothing, and the beginning of a hello.
    for said in [&[][..], &[22, 3, 1]] {
        let mut client = TcpStream::connect(server.local_addr().to_string()).await.unwrap();
        let began = tokio::time::Instant::now();
        client.write_all(said).await.unwrap();
        let end = client.read(&mut [0; 100]).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        assert_eq!(began.elapsed().as_secs(), limit.as_secs());
    }
}
