use super::environment::Environment;
use super::{Proxy, Server};

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
}

fn goes_by_proxy(no_proxy: &str, host: &str, port: u16) -> bool {
    environment(&[("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", no_proxy)]).proxy_for(host, port).unwrap().is_some()
}

#[test]
fn the_environment_names_the_proxy_as_in_go() {
    let proxy = |variables: &[(&str, &str)]| {
        environment(variables).proxy_for("example.com", 443).unwrap().map(|server| format!("{server:?}"))
    };
    assert_eq!(proxy(&[]), None);
    assert_eq!(proxy(&[("HTTPS_PROXY", "http://one:1")]).as_deref(), Some("one:1"));
    assert_eq!(proxy(&[("https_proxy", "two:2")]).as_deref(), Some("two:2"));
    assert_eq!(proxy(&[("https_proxy", "two:2"), ("HTTPS_PROXY", "one:1")]).as_deref(), Some("one:1"));
    assert_eq!(proxy(&[("https_proxy", "two:2"), ("HTTPS_PROXY", " ")]).as_deref(), Some("two:2"));
    // That is for plaintext HTTP.
    assert_eq!(proxy(&[("HTTP_PROXY", "three:3")]), None);
    let error =
        environment(&[("HTTPS_PROXY", "socks5://one:1")]).proxy_for("example.com", 443).unwrap_err().to_string();
    assert!(error.contains("HTTPS_PROXY") && error.contains("socks5:// is not supported"), "{error}");
}

#[test]
fn loopback_never_goes_by_a_proxy() {
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert!(!goes_by_proxy("", host, 443), "{host}");
    }
    assert!(goes_by_proxy("", "example.com", 443) && goes_by_proxy("", "10.0.0.1", 443));
}

#[test]
fn what_no_proxy_lists_does_not_go_by_the_proxy() {
    for (list, host, port, goes) in [
        ("example.com", "example.com", 443, false),
        ("example.com", "a.example.com", 443, false),
        ("example.com", "anexample.com", 443, true),
        ("EXAMPLE.com", "Example.Com", 443, false),
        (".example.com", "example.com", 443, true),
        (".example.com", "a.b.example.com", 443, false),
        ("*.example.com", "a.example.com", 443, false),
        ("*.example.com", "example.com", 443, true),
        (" other , example.com ", "example.com", 443, false),
        ("example.com:443", "example.com", 443, false),
        ("example.com:443", "example.com", 50051, true),
        ("example.com:port", "example.com", 443, true),
        ("*", "example.com", 443, false),
        ("*", "10.0.0.1", 443, false),
        ("10.0.0.0/8", "10.1.2.3", 443, false),
        ("10.0.0.0/8", "11.1.2.3", 443, true),
        ("10.0.0.0/8", "example.com", 443, true),
        ("0.0.0.0/0", "8.8.8.8", 443, false),
        ("10.0.0.0/33", "10.0.0.0", 443, true),
        ("10.0.0.0/x", "10.0.0.0", 443, true),
        ("10.0.0.1/32", "10.0.0.1", 443, false),
        ("10.0.0.1/32", "10.0.0.2", 443, true),
        ("2001:db8::/32", "2001:db8::7", 443, false),
        ("2001:db8::/32", "2001:db9::7", 443, true),
        ("10.0.0.1", "10.0.0.1", 443, false),
        ("10.0.0.1:80", "10.0.0.1", 443, true),
        ("10.0.0.1:443", "10.0.0.1", 443, false),
        ("[2001:db8::7]:443", "2001:db8::7", 443, false),
        ("2001:db8::7", "2001:db8::7", 443, false),
        ("", "example.com", 443, true),
        (",,", "example.com", 443, true),
        (".", "example.com", 443, true),
    ] {
        assert_eq!(goes_by_proxy(list, host, port), goes, "NO_PROXY={list} {host}:{port}");
    }
}

#[test]
fn a_proxy_is_a_url_or_host_and_port() {
    for (text, host, port, authorization) in [
        ("http://proxy:3128", "proxy", 3128, None),
        ("HTTP://proxy/", "proxy", 80, None),
        ("proxy:3128", "proxy", 3128, None),
        ("10.0.0.1", "10.0.0.1", 80, None),
        ("http://[::1]:3128", "::1", 3128, None),
        ("[::1]", "::1", 80, None),
        ("::1", "::1", 80, None),
        ("http://me:secret@proxy:3128", "proxy", 3128, Some("Basic bWU6c2VjcmV0")),
        ("http://me@proxy", "proxy", 80, Some("Basic bWU6")),
        // me@home : a:b/c
        ("http://me%40home:a%3Ab%2Fc@proxy", "proxy", 80, Some("Basic bWVAaG9tZTphOmIvYw==")),
    ] {
        let expected = Server { host: host.into(), port, authorization: authorization.map(str::to_owned) };
        let parsed = Server::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        assert!(parsed == expected, "{text}: {parsed:?} {:?}", parsed.authorization);
    }
}

#[test]
fn what_is_no_proxy_says_why_and_tells_no_password() {
    for (text, why) in [
        ("", "no host"),
        ("http://", "no host"),
        ("http://:3128", "no host"),
        ("https://me:secret@proxy:3128", "https:// is not supported"),
        ("socks5://proxy", "socks5:// is not supported"),
        ("http://me:secret@proxy:port", "\"port\" is no port"),
        ("http://proxy:+80", "\"+80\" is no port"),
        ("http://me:secret@pro xy", "\"pro xy\" is no host name"),
        ("http://me:secret@[::x]:1", "\"::x\" is no IPv6 address"),
        ("http://proxy\r\nX: y", "no port"),
    ] {
        let error = Proxy::http(text).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("secret"), "{text}: {error}");
    }
    let shown = format!("{:?}", Proxy::http("http://me:secret@proxy").unwrap());
    assert!(!shown.contains("secret") && !shown.contains("bWU6"), "{shown}");
}

#[test]
fn a_proxy_that_was_set_is_for_every_name_and_none_for_no_name() {
    let fixed = Proxy::http("proxy:3128").unwrap();
    let tunnel = fixed.for_target("localhost", 50051).unwrap().unwrap();
    assert_eq!((tunnel.host(), tunnel.port()), ("proxy", 3128));
    assert_eq!(tunnel.to_string(), "localhost:50051 by the proxy proxy:3128");
    assert!(Proxy::none().for_target("example.com", 443).unwrap().is_none());
    assert!(Proxy::from_environment().for_target("localhost", 443).unwrap().is_none());
}
