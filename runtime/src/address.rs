//! Where a connection goes to or comes from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The address of a peer: IP and port, a Unix socket of either kind, a name within the process, or unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a TCP port.
    Ip(SocketAddr),
    /// A Unix domain socket; a client's own end usually has no path.
    Unix(Option<PathBuf>),
    /// A Unix domain socket in the abstract namespace, which has no file: its name, without the null byte that stands before
    /// it. On Linux only.
    UnixAbstract(Vec<u8>),
    /// A server in the same process, by its name.
    Inproc(String),
    /// A host by its name, which the system looks up with each connection, and a TCP port.
    Name {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// Nobody has told: the client of an HTTP server that is not ours.
    Unknown,
}

impl Address {
    /// The IP address and port; `None` for anything else.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Address::Ip(address) => Some(*address),
            Address::Unix(_)
            | Address::UnixAbstract(_)
            | Address::Inproc(_)
            | Address::Name { .. }
            | Address::Unknown => None,
        }
    }

    /// As gRPC names peers: `ipv4:127.0.0.1:50051`, `ipv6:[::1]:50051`, `unix:/run/service.sock`,
    /// `unix-abstract:name`, `inproc:name`.
    pub fn to_uri(&self) -> String {
        match self {
            Address::Ip(SocketAddr::V4(address)) => format!("ipv4:{address}"),
            Address::Ip(SocketAddr::V6(address)) => format!("ipv6:{address}"),
            Address::Name { .. } => format!("dns:{self}"),
            Address::Unix(_) | Address::UnixAbstract(_) | Address::Inproc(_) | Address::Unknown => self.to_string(),
        }
    }
}

impl fmt::Display for Address {
    /// What a client can connect to and a server can bind: `127.0.0.1:50051`, `[::1]:50051`, `unix:/run/service.sock`,
    /// `unix-abstract:name`, `inproc:name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => write!(f, "{address}"),
            Address::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Address::Unix(None) => f.write_str("unix:"),
            Address::UnixAbstract(name) => write!(f, "unix-abstract:{}", String::from_utf8_lossy(name)),
            Address::Inproc(name) => write!(f, "inproc:{name}"),
            Address::Name { host, port } => write!(f, "{host}:{port}"),
            Address::Unknown => f.write_str("unknown"),
        }
    }
}

/// A port as people write it. Rust's own parsing takes a sign too.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| format!("{text:?} is no port"))
}

/// An IP address, which may stand in brackets.
pub(crate) fn ip(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}

/// Refuses what has one of the two brackets that stand around an IPv6 address.
pub(crate) fn check_brackets(text: &str) -> Result<(), String> {
    match text.contains('[') == text.contains(']') {
        true => Ok(()),
        false => Err(format!("{text:?} lacks a bracket: an IPv6 address with a port is written [::1]:50051")),
    }
}
