use super::{Meaning, Resolvers, Target};
use crate::transport::Address;

fn target(text: &str) -> Target {
    Target::parse(text, &Resolvers::new(), None).unwrap_or_else(|error| panic!("{error}"))
}

fn addresses(text: &str) -> Vec<String> {
    match target(text).meaning {
        Meaning::Addresses(addresses) => addresses.iter().map(Address::to_uri).collect(),
        name => panic!("{text} gave {name:?}"),
    }
}

#[test]
fn names_are_resolved_later() {
    for text in [
        "dns:///localhost:50051",
        "dns:localhost:50051",
        "localhost:50051",
        "http://localhost:50051",
        "http://localhost:50051/",
    ] {
        let target = target(text);
        let named = matches!(&target.meaning, Meaning::Name { host, port: 50051, .. } if host == "localhost");
        assert!(named, "{text}: {target:?}");
        assert_eq!(target.authority(), "localhost:50051", "{text}");
    }
    assert_eq!(target("example.com").authority(), "example.com:443");
    assert_eq!(target("http://example.com").authority(), "example.com:80");
}

#[test]
#[cfg(feature = "_tls")]
fn https_means_port_443() {
    assert_eq!(target("https://example.com/").authority(), "example.com:443");
    assert_eq!(target("https://example.com:50051").authority(), "example.com:50051");
}

#[test]
fn addresses_are_taken_as_they_stand() {
    assert_eq!(addresses("127.0.0.1:80"), ["ipv4:127.0.0.1:80"]);
    assert_eq!(addresses("dns:///[::1]:80"), ["ipv6:[::1]:80"]);
    assert_eq!(addresses("http://[::1]:80"), ["ipv6:[::1]:80"]);
    assert_eq!(addresses("ipv4:1.2.3.4:5,6.7.8.9"), ["ipv4:1.2.3.4:5", "ipv4:6.7.8.9:443"]);
    assert_eq!(addresses("ipv6:[::1]:5,[::2]"), ["ipv6:[::1]:5", "ipv6:[::2]:443"]);
    assert_eq!(addresses("unix:///run/a.sock"), ["unix:/run/a.sock"]);
    assert_eq!(addresses("unix:a.sock"), ["unix:a.sock"]);
    assert_eq!(addresses("passthrough:///127.0.0.1:80"), ["ipv4:127.0.0.1:80"]);
    assert_eq!(addresses("passthrough:///some.host:80"), ["dns:some.host:80"]);
    assert_eq!(addresses("passthrough:some.host"), ["dns:some.host:443"]);
    assert_eq!(addresses("unix-abstract:name"), ["unix-abstract:name"]);
    assert_eq!(addresses("inproc:greeter"), ["inproc:greeter"]);
    assert_eq!(target("passthrough:///some.host:80").authority(), "some.host:80");
    assert_eq!(target("unix:a.sock").authority(), "localhost");
    assert_eq!(target("ipv6:[::1]:5").authority(), "[::1]:5");
}

#[test]
fn what_cannot_be_used_says_why() {
    for (text, why) in [
        ("", "empty"),
        (":50051", "empty"),
        ("host:port", "\"port\" is no port"),
        ("host:70000", "\"70000\" is no port"),
        ("http://host:1/path", "nothing more"),
        ("passthrough:///", "empty"),
        #[cfg(not(feature = "_tls"))]
        ("https://host:1", "the feature `tls`"),
        #[cfg(feature = "_tls")]
        ("https://host:port", "\"port\" is no port"),
        ("xds:///a", "scheme \"xds\" is not known"),
        #[cfg(not(feature = "dns"))]
        ("dns://8.8.8.8/host:1", "feature dns"),
        ("dns://nowhere/host:1", "nowhere"),
        ("dns://host:1", "dns:///host:1"),
        ("ipv4:[::1]:1", "no IPv4 address"),
        ("ipv6:127.0.0.1:1", "no IPv6 address"),
        ("ipv4:", "no IPv4 address"),
        ("unix:", "empty"),
        ("unix://relative", "absolute"),
        ("ho st:1", "no host name"),
        ("h\u{f6}st:1", "no host name"),
        ("[::1", "\"[::1\" lacks a bracket"),
        ("::1]", "lacks a bracket"),
        ("[::1:80", "lacks a bracket"),
        ("http://[::1", "lacks a bracket"),
        ("dns:///[::1", "lacks a bracket"),
        ("passthrough:///[::1", "lacks a bracket"),
        ("ipv6:[::1", "no IPv6 address"),
        ("ipv6:[::1]:5,::2]", "no IPv6 address"),
        ("ipv4:[1.2.3.4", "no IPv4 address"),
        ("[[::1]]", "no port"),
        ("localhost:+80", "\"+80\" is no port"),
        ("localhost:", "\"\" is no port"),
        ("localhost:0", "port 0"),
        ("http://localhost:0", "port 0"),
        ("127.0.0.1:0", "port 0"),
        ("ipv4:127.0.0.1:80,127.0.0.2:0", "port 0"),
        ("ipv6:[::1]:0", "port 0"),
        ("passthrough:///some.host:0", "port 0"),
        ("a:1,b:2", "ipv4:1.2.3.4:50051,5.6.7.8:50051"),
        ("1.2.3.4:1,5.6.7.8:2", "ipv4:1.2.3.4:50051,5.6.7.8:50051"),
        ("dns:///a:1,b:2", "one name"),
    ] {
        let error = Target::parse(text, &Resolvers::new(), None).expect_err(text).to_string();
        assert!(error.contains(why), "{text:?} said {error}");
    }
}
