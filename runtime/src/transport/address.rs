//! Where a connection goes to or comes from.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The address of a peer: IP and port, or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a TCP port.
    Ip(SocketAddr),
    /// A Unix domain socket; a client's own end usually has no path.
    Unix(Option<PathBuf>),
}

impl fmt::Display for Address {
    /// As gRPC writes peers: `ipv4:127.0.0.1:50051`, `ipv6:[::1]:50051`, `unix:/run/service.sock`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address @ SocketAddr::V4(_)) => write!(f, "ipv4:{address}"),
            Address::Ip(address @ SocketAddr::V6(_)) => write!(f, "ipv6:{address}"),
            Address::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Address::Unix(None) => f.write_str("unix:"),
        }
    }
}
