//! What a handler knows of its caller.

use std::net::IpAddr;

use callwright::{Call, Channel, Server};
use callwright_tests::support::{Echo, channel};
use rcgen::SanType;

use crate::certificates::Authority;
use crate::{WHO, Who, serve, tls, to, trusting};

async fn who(channel: &Channel) -> Vec<String> {
    let answer = Call::unary(channel, WHO, String::new()).await.unwrap();
    answer.lines().map(str::to_owned).collect()
}

fn has(lines: &[String], line: &str) -> bool {
    lines.iter().any(|found| found == line)
}

#[tokio::test]
async fn a_handler_knows_the_names_of_its_caller() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["localhost"])).client_root_certificates(&authority.pem)).await;
    let names = [
        SanType::DnsName("me.example".try_into().unwrap()),
        SanType::Rfc822Name("me@example".try_into().unwrap()),
        SanType::URI("spiffe://example/me".try_into().unwrap()),
        SanType::IpAddress(IpAddr::from([10, 0, 0, 7])),
    ];
    let me = authority.client("my name", &names);
    let lines = who(&to(&server, trusting(&authority).identity(&me.chain, &me.key))).await;
    let alternatives = ["me.example", "me@example", "spiffe://example/me", "10.0.0.7"];
    let peers: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("peer=")).collect();
    assert_eq!(peers, alternatives);
    for name in alternatives {
        assert!(has(&lines, &format!("x509_subject_alternative_name={name}")), "{lines:?}");
    }
    for line in [
        "transport_security_type=ssl",
        "x509_common_name=my name",
        "authenticated=true",
        "identity=x509_subject_alternative_name",
        "x509_pem_cert=-----BEGIN CERTIFICATE-----",
        "x509_pem_cert_chain=-----BEGIN CERTIFICATE-----",
    ] {
        assert!(has(&lines, line), "{line}: {lines:?}");
    }
    let (given, told) = (me.chain.replace("\r\n", "\n"), lines.join("\n"));
    assert!(told.contains(&format!("x509_pem_cert={given}")), "{told}\n{given}");
}

#[tokio::test]
async fn without_alternative_names_the_common_name_is_the_identity() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["localhost"])).client_root_certificates(&authority.pem)).await;
    let me = authority.client("my name", &[]);
    let lines = who(&to(&server, trusting(&authority).identity(me.chain, me.key))).await;
    assert!(has(&lines, "identity=x509_common_name") && has(&lines, "peer=my name"), "{lines:?}");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_nobody() {
    let authority = Authority::new("a root");
    let server = serve(tls(&authority.server(&["localhost"]))).await;
    let lines = who(&to(&server, trusting(&authority))).await;
    assert!(has(&lines, "transport_security_type=ssl") && has(&lines, "authenticated=false"), "{lines:?}");
    assert!(has(&lines, "identity=none") && !lines.iter().any(|line| line.starts_with("peer=")), "{lines:?}");
}

#[tokio::test]
async fn plaintext_proves_nothing() {
    let server = callwright::Server::builder().add_service(Echo::new().0).add_service(Who);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let lines = who(&channel(&server.local_addr().to_string()).build().unwrap()).await;
    assert_eq!(lines, ["authenticated=false", "identity=none"]);
}

#[tokio::test]
async fn a_caller_by_a_unix_socket_over_tls_has_both() {
    let authority = Authority::new("a root");
    let folder = tempfile::tempdir().unwrap();
    let path = format!("unix:{}", folder.path().join("who.sock").display());
    let credentials = tls(&authority.server(&["localhost"])).build().unwrap();
    let _server = Server::builder().credentials(credentials).add_service(Who).bind(&path).await.unwrap();
    let credentials = trusting(&authority).server_name("localhost").build().unwrap();
    let lines = who(&channel(&path).credentials(credentials).build().unwrap()).await;
    assert!(has(&lines, "transport_security_type=ssl") && !has(&lines, "transport_security_type=local"), "{lines:?}");
    assert!(has(&lines, &format!("unix_pid={}", std::process::id())), "{lines:?}");
}
