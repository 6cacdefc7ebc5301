//! Where a server is to listen, as a user says it.

use std::net::{Ipv6Addr, SocketAddr};

use super::builder::BindError;
use crate::address;
use crate::transport::{Address, Listener, ListeningSocket, inherited};

/// Where a server is to listen: `host:port` (port 0 for any free one), `:port` for all interfaces, `unix:path`,
/// `unix-abstract:name` (Linux), `inproc:name`, or a `SocketAddr`.
///
/// With the feature `socket-activation` also sockets that listen already when the process is started:
///
/// | address | sockets |
/// |---|---|
/// | `systemd:` | all that systemd has for the process (`LISTEN_FDS`, `LISTEN_PID`), TCP and Unix |
/// | `systemd:NAME` | those of this name among them (`FileDescriptorName=`, `LISTEN_FDNAMES`) |
/// | `fd:0` | the standard input, as inetd has it |
/// | `fd:N` | a file descriptor that `LISTEN_FDS` counts: from 3 on. A supervisor that starts a program with a socket and without these variables is told to set `LISTEN_FDS=1` |
///
/// Each socket can be taken once.
///
/// Made from text, from a [`SocketAddr`] and from an [`Address`]; whether it makes sense is said by
/// [`bind`](crate::ServerBuilder::bind).
#[derive(Clone, Debug)]
pub struct ListenAddress {
    text: String,
}

/// What a server is to listen on.
#[derive(Debug)]
pub(super) enum Source {
    Address(ListenAddress),
    Socket(ListeningSocket),
}

/// The same, as far as it makes sense.
pub(super) enum Checked {
    /// As the user said it, and as the transport takes it.
    Address {
        text: String,
        checked: String,
    },
    Socket(ListeningSocket),
}

impl Checked {
    pub(super) fn new(source: Source) -> Result<Checked, BindError> {
        match source {
            Source::Socket(socket) => Ok(Checked::Socket(socket)),
            Source::Address(address) => match address.checked() {
                Ok(checked) => Ok(Checked::Address { text: address.text, checked }),
                Err(problem) => Err(BindError::Address { address: address.text, problem }),
            },
        }
    }

    /// Listens: on one socket, or on as many as the process was given by that name.
    pub(super) async fn bind(self, listeners: &mut Vec<(Address, Listener)>) -> Result<(), BindError> {
        let (text, listening) = match self {
            Checked::Socket(socket) => {
                ("the socket that was given".to_owned(), Listener::take(socket).map(|one| vec![one]))
            }
            Checked::Address { text, checked } if inherited::is_inherited(&checked) => {
                (text, inherited::sockets(&checked).and_then(|all| all.into_iter().map(Listener::take).collect()))
            }
            Checked::Address { text, checked } => (text, Listener::bind(&checked).await.map(|one| vec![one])),
        };
        let named = listening.and_then(|all| {
            let named = all.into_iter().map(|listener| Ok((listener.local_address()?, listener)));
            named.collect::<std::io::Result<Vec<_>>>()
        });
        listeners.extend(named.map_err(|source| BindError::Listen { address: text, source })?);
        Ok(())
    }
}

impl ListenAddress {
    /// The address as the transport takes it, or what is wrong with it.
    fn checked(&self) -> Result<String, String> {
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
        if text.starts_with("inproc:") || inherited::is_inherited(text) {
            return Ok(text.to_owned());
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(format!("{scheme}:// is for clients: give the host and the port alone"));
        }
        let text = ["ipv4:", "ipv6:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        if text.contains(',') {
            return Err(
                "this takes one address: a server that has several is given each by ServerBuilder::listen".into()
            );
        }
        address::check_brackets(text)?;
        let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| !is_bare_ipv6(host)) else {
            return Err(match text.parse::<u16>() {
                Ok(port) => format!("there is no host: write 127.0.0.1:{port}, or [::]:{port} for all interfaces"),
                Err(_) => "there is no port".to_owned(),
            });
        };
        address::port(port)?;
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
            ("fd:3", "fd:3"),
            ("systemd:", "systemd:"),
            ("systemd:web", "systemd:web"),
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
            ("localhost:+80", "\"+80\" is no port"),
            ("[::1", "lacks a bracket"),
            ("[::1:80", "lacks a bracket"),
            ("::1]:80", "lacks a bracket"),
            ("ipv6:[::1", "lacks a bracket"),
            ("127.0.0.1:80,127.0.0.1:81", "one address"),
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
