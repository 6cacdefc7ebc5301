use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

/// A DNS server on a port of its own, by UDP and TCP.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What is answered to a question; `None` for nothing at all.
type Answer = Option<(ResponseCode, Vec<(&'static str, RData)>)>;

impl Server {
    async fn start(answer: fn(&str, RecordType) -> Answer) -> Server {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            // Somebody else may have the other port of this number.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let server = Server { address: udp.local_addr().unwrap(), asked: Arc::default() };
        let asked = server.asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((size, peer)) = udp.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..size]).unwrap();
                let query = &question.queries[0];
                asked.lock().unwrap().push(format!("{} {}", query.name(), query.query_type()));
                if let Some(reply) = reply(&question, answer) {
                    let mut bytes = reply.to_vec().unwrap();
                    if bytes.len() > usize::from(question.max_payload()) {
                        bytes = reply.truncate().to_vec().unwrap();
                    }
                    udp.send_to(&bytes, peer).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let size = stream.read_u16().await.unwrap();
                let mut bytes = vec![0; size.into()];
                stream.read_exact(&mut bytes).await.unwrap();
                if let Some(reply) = reply(&Message::from_vec(&bytes).unwrap(), answer) {
                    let bytes = reply.to_vec().unwrap();
                    stream.write_u16(bytes.len().try_into().unwrap()).await.unwrap();
                    stream.write_all(&bytes).await.unwrap();
                }
            }
        });
        server
    }

    fn lookup(&self) -> Lookup {
        Lookup::from_authority(&self.address.to_string()).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

fn reply(question: &Message, answer: fn(&str, RecordType) -> Answer) -> Option<Message> {
    let query = &question.queries[0];
    let (code, records) = answer(&query.name().to_ascii(), query.query_type())?;
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.message_type = MessageType::Response;
    reply.metadata.response_code = code;
    reply.metadata.recursion_available = true;
    reply.add_query(query.clone());
    for (name, data) in records {
        let name = if name.is_empty() { query.name().clone() } else { Name::from_ascii(name).unwrap() };
        reply.add_answer(Record::from_rdata(name, 60, data));
    }
    Some(reply)
}

fn v4(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(10, 0, 0, last)))
}

fn v6(last: u16) -> RData {
    RData::AAAA(AAAA(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last)))
}

fn found(records: Vec<RData>) -> Answer {
    Some((ResponseCode::NoError, records.into_iter().map(|data| ("", data)).collect()))
}

fn sorted(addresses: Vec<SocketAddr>) -> Vec<String> {
    let mut addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    addresses.sort();
    addresses
}

#[tokio::test]
async fn both_kinds_of_addresses_are_asked_for() {
    let server = Server::start(|_, kind| match kind {
        RecordType::A => found(vec![v4(1), v4(2)]),
        RecordType::AAAA => found(vec![v6(1)]),
        _ => None,
    })
    .await;
    let addresses = server.lookup().addresses("both.example.", 443).await.unwrap();
    assert_eq!(sorted(addresses), ["10.0.0.1:443", "10.0.0.2:443", "[fd00::1]:443"]);
    assert_eq!(server.asked(), ["both.example. A", "both.example. AAAA"]);
}

#[tokio::test]
async fn one_kind_of_address_is_enough() {
    let server = Server::start(|name, kind| match (name, kind) {
        ("four.example.", RecordType::A) => found(vec![v4(1)]),
        ("six.example.", RecordType::AAAA) => found(vec![v6(1)]),
        ("broken6.example.", RecordType::A) => found(vec![v4(2)]),
        ("broken6.example.", _) => Some((ResponseCode::ServFail, Vec::new())),
        _ => found(Vec::new()),
    })
    .await;
    for (host, expected) in
        [("four.example.", "10.0.0.1:1"), ("six.example.", "[fd00::1]:1"), ("broken6.example.", "10.0.0.2:1")]
    {
        assert_eq!(sorted(server.lookup().addresses(host, 1).await.unwrap()), [expected]);
    }
}

#[tokio::test]
async fn an_alias_leads_to_the_addresses() {
    let server = Server::start(|_, kind| {
        let alias = RData::CNAME(CNAME(Name::from_ascii("real.example.").unwrap()));
        match kind {
            RecordType::A => Some((ResponseCode::NoError, vec![("", alias), ("real.example.", v4(7))])),
            _ => Some((ResponseCode::NoError, vec![("", alias)])),
        }
    })
    .await;
    assert_eq!(sorted(server.lookup().addresses("alias.example.", 5).await.unwrap()), ["10.0.0.7:5"]);
}

#[tokio::test]
async fn every_lookup_asks_anew() {
    let server = Server::start(|_, kind| match kind {
        RecordType::A => found(vec![v4(1)]),
        _ => found(Vec::new()),
    })
    .await;
    let lookup = server.lookup();
    for _ in 0..2 {
        lookup.addresses("a.example.", 1).await.unwrap();
    }
    assert_eq!(server.asked(), ["a.example. A", "a.example. A", "a.example. AAAA", "a.example. AAAA"]);
}

#[tokio::test]
async fn errors_say_what_the_server_said() {
    let server = Server::start(|name, _| match name {
        "nowhere.example." => Some((ResponseCode::NXDomain, Vec::new())),
        "empty.example." => found(Vec::new()),
        "broken.example." => Some((ResponseCode::ServFail, Vec::new())),
        _ => Some((ResponseCode::Refused, Vec::new())),
    })
    .await;
    let address = server.address;
    let long = format!("{}.example.", "a".repeat(64));
    for (host, expected) in [
        ("nowhere.example.", "no such name".to_owned()),
        ("empty.example.", "the name has no addresses".into()),
        ("broken.example.", format!("the DNS server {address} answered: it failed (SERVFAIL)")),
        ("other.example.", format!("the DNS server {address} answered: it does not answer us (REFUSED)")),
        ("a..example.", "it cannot be a name: a name has parts of 1 to 63 characters, and 255 in all".into()),
        (&long, "it cannot be a name: a name has parts of 1 to 63 characters, and 255 in all".into()),
    ] {
        let error = server.lookup().addresses(host, 1).await.unwrap_err();
        assert_eq!(error.to_string(), expected, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_is_given_up() {
    let server = Server::start(|_, _| None).await;
    let error = server.lookup().addresses("silent.example.", 1).await.unwrap_err();
    assert!(matches!(&error, LookupError::NoAnswer { after, .. } if after.as_secs() >= 5), "{error}");
    assert!(error.to_string().starts_with(&format!("the DNS server {} did not answer in ", server.address)), "{error}");
    let error = server.lookup().service_config("silent.example.").await.unwrap_err();
    assert!(matches!(error, LookupError::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn junk_from_the_server_is_an_error() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((size, peer)) = socket.recv_from(&mut buffer).await {
            // The question's number, then more answers than there are.
            buffer[2..4].copy_from_slice(&[0x81, 0x80]);
            buffer[6..8].copy_from_slice(&[0xff, 0xff]);
            socket.send_to(&buffer[..size], peer).await.unwrap();
        }
    });
    let lookup = Lookup::from_authority(&address.to_string()).unwrap();
    let given_up = tokio::time::timeout(std::time::Duration::from_secs(60), lookup.addresses("a.example.", 1)).await;
    given_up.expect("it ends by itself").unwrap_err();
}

#[tokio::test]
async fn the_hosts_file_and_literal_addresses_need_no_server() {
    let server = Server::start(|_, _| panic!("nobody asks")).await;
    for lookup in [Lookup::system(), server.lookup()] {
        let localhost = lookup.addresses("localhost", 80).await.unwrap();
        assert!(localhost.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{localhost:?}");
        for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("[::1]", "[::1]:80"), ("::1", "[::1]:80")] {
            assert_eq!(sorted(lookup.addresses(host, 80).await.unwrap()), [expected]);
        }
        assert!(lookup.service_config("127.0.0.1").await.unwrap().is_none());
    }
    assert!(server.asked().is_empty());
}

fn text(strings: &[&str]) -> RData {
    RData::TXT(TXT::from_bytes(strings.iter().map(|text| text.as_bytes()).collect()))
}

#[tokio::test]
async fn the_service_config_is_the_text_after_its_attribute() {
    let server = Server::start(|name, kind| match (name, kind) {
        ("_grpc_config.a.example.", RecordType::TXT) => {
            found(vec![text(&["v=spf1 -all"]), text(&["grpc_", "config=[{\"a\"", ":1}]"]), text(&["grpc_config=2"])])
        }
        ("_grpc_config.other.example.", _) => found(vec![text(&["grpc_configuration=1"]), text(&[" grpc_config=1"])]),
        ("_grpc_config.binary.example.", _) => found(vec![RData::TXT(TXT::from_bytes(vec![b"grpc_config=\xff"]))]),
        ("_grpc_config.long.example.", _) => {
            let strings: Vec<_> = std::iter::once("grpc_config=").chain(vec!["0123456789"; 2000]).collect();
            found(vec![text(&strings)])
        }
        ("_grpc_config.broken.example.", _) => Some((ResponseCode::ServFail, Vec::new())),
        ("_grpc_config.empty.example.", _) => found(Vec::new()),
        _ => Some((ResponseCode::NXDomain, Vec::new())),
    })
    .await;
    let lookup = server.lookup();
    let config = async |host| lookup.service_config(host).await;
    assert_eq!(config("a.example.").await.unwrap().as_deref(), Some("[{\"a\":1}]"));
    for none in ["other.example.", "empty.example.", "nowhere.example."] {
        assert_eq!(config(none).await.unwrap(), None, "{none}");
    }
    // What does not fit into a datagram comes by TCP.
    assert_eq!(config("long.example.").await.unwrap(), Some("0123456789".repeat(2000)));
    assert_eq!(config("binary.example.").await.unwrap_err().to_string(), "the service config in DNS is no text");
    let expected = format!("the DNS server {} answered: it failed (SERVFAIL)", server.address);
    assert_eq!(config("broken.example.").await.unwrap_err().to_string(), expected);
}

#[test]
fn addresses_without_a_way_come_last_and_ipv6_before_ipv4() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let mut addresses = ["10.0.0.2", "fd00::2", "10.0.0.1", "fd00::1", "::9"].map(ip);
    in_order(&mut addresses, |address| address != ip("fd00::2"));
    assert_eq!(addresses, ["fd00::1", "::9", "10.0.0.2", "10.0.0.1", "fd00::2"].map(ip));
    in_order(&mut addresses, |address| address.is_ipv4());
    assert_eq!(addresses, ["10.0.0.2", "10.0.0.1", "fd00::1", "::9", "fd00::2"].map(ip));
    let mut one_kind = ["10.0.0.2", "10.0.0.1"].map(ip);
    in_order(&mut one_kind, |_| panic!("nothing to put in order"));
    assert_eq!(one_kind, ["10.0.0.2", "10.0.0.1"].map(ip));
}

#[test]
fn loopback_has_a_way_to_it() {
    assert!(has_route(Ipv4Addr::LOCALHOST.into()));
}

#[test]
fn an_authority_is_an_address() {
    let server = |authority| Lookup::from_authority(authority).map(|lookup| lookup.server.map(|it| it.to_string()));
    assert_eq!(server(""), Ok(None));
    for (authority, expected) in [
        ("8.8.8.8", "8.8.8.8:53"),
        ("8.8.8.8:5353", "8.8.8.8:5353"),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ("[2001:db8::1]", "[2001:db8::1]:53"),
        ("2001:db8::1", "[2001:db8::1]:53"),
    ] {
        assert_eq!(server(authority), Ok(Some(expected.to_owned())));
    }
    for authority in ["dns.example", "8.8.8.8:0", "8.8.8.8:99999", "8.8.8.8:", "1.2.3", ":53", "[]", "[::1"] {
        let error = server(authority).unwrap_err();
        assert!(error.ends_with("is no DNS server; they are given by their address, such as 8.8.8.8:53"), "{error}");
    }
}
