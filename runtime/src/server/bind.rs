//! Where a server is to listen, as a user says it.

use std::net::{Ipv6Addr, SocketAddr};

use crate::transport::Address;

/// Where a server is to listen: `host:port` (port 0 for any free one), `:port` for all interfaces, `unix:path`,
/// `unix-abstract:name` (Linux), `inproc:name`, or a `SocketAddr`.
///
/// Made from text, from a [`SocketAddr`] and from an [`Address`]; whether it makes sense is said by
/// [`bind`](crate::ServerBuilder::bind).
#[derive(Clone, Debug)]
pub struct ListenAddress {
    text: String,
}

impl ListenAddress {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The address as the transport takes it, or what is wrong with it.
    pub(super) fn checked(&self) -> Result<String, String> {
        let text = self.text.as_str();
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.trim_start_matches("//") {
                "" => Err("the path of the Unix socket is empty".into()),
                _ => Ok(text.to_owned()),
            };
        }
        if let Some(name) = text.strip_prefix("unix-abstract:") {
            return match name {
                "" => Err("the name of the abstract Unix socket is empty".into()),
                name if name.contains('\0') => Err("the name of the abstract Unix socket has a null byte".into()),
                _ => Ok(text.to_owned()),
            };
        }
        if text.starts_with("inproc:") {
            return Ok(text.to_owned());
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(format!("{scheme}:// is for clients: give the host and the port alone"));
        }
        let text = ["ipv4:", "ipv6:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| !is_bare_ipv6(host)) else {
            return Err(match text.parse::<u16>() {
                Ok(port) => format!("there is no host: write 127.0.0.1:{port}, or [::]:{port} for all interfaces"),
                Err(_) => "there is no port".to_owned(),
            });
        };
        if port.parse::<u16>().is_err() {
            return Err(format!("{port:?} is no port"));
        }
        Ok(if host.is_empty() { format!("[{}]:{port}", Ipv6Addr::UNSPECIFIED) } else { text.to_owned() })
    }
}

/// What is left of `::1` without its last part: an address without brackets has no port.
fn is_bare_ipv6(host: &str) -> bool {
    host.contains(':') && !host.starts_with('[')
}

impl From<&str> for ListenAddress {
    fn from(text: &str) -> Self {
        ListenAddress { text: text.to_owned() }
    }
}

impl From<String> for ListenAddress {
    fn from(text: String) -> Self {
        ListenAddress { text }
    }
}

impl From<&String> for ListenAddress {
    fn from(text: &String) -> Self {
        ListenAddress { text: text.clone() }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        ListenAddress { text: address.to_string() }
    }
}

impl From<&Address> for ListenAddress {
    fn from(address: &Address) -> Self {
        ListenAddress { text: address.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_listened_on_is_passed_on() {
        for (given, taken) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("localhost:80", "localhost:80"),
            ("[::1]:80", "[::1]:80"),
            ("ipv4:127.0.0.1:80", "127.0.0.1:80"),
            ("ipv6:[::1]:80", "[::1]:80"),
            (":8080", "[::]:8080"),
            ("inproc:greeter", "inproc:greeter"),
            ("unix-abstract:greeter", "unix-abstract:greeter"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:///run/a.sock"),
        ] {
            assert_eq!(ListenAddress::from(given).checked().as_deref(), Ok(taken), "{given}");
        }
        let address: SocketAddr = "[::1]:5".parse().unwrap();
        assert_eq!(ListenAddress::from(address).checked().as_deref(), Ok("[::1]:5"));
    }

    #[test]
    fn what_cannot_says_why() {
        for (given, why) in [
            ("8080", "127.0.0.1:8080"),
            ("localhost", "no port"),
            ("127.0.0.1", "no port"),
            ("::1", "no port"),
            ("", "no port"),
            ("localhost:http", "\"http\" is no port"),
            ("localhost:70000", "\"70000\" is no port"),
            ("http://127.0.0.1:0", "for clients"),
            ("dns:///127.0.0.1:0", "for clients"),
            ("unix:", "empty"),
            ("unix://", "empty"),
            ("unix-abstract:", "empty"),
            ("unix-abstract:a\0b", "null byte"),
        ] {
            let problem = ListenAddress::from(given).checked().expect_err(given);
            assert!(problem.contains(why), "{given}: {problem}");
        }
    }
}
