//! A tunnel through a proxy: CONNECT, and the proxy's answer (RFC 9110 section 9.3.6).

use std::fmt;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Server, joined};

/// The largest head of an answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024;
/// How much is looked at at a time, in bytes.
const LOOK: usize = 2 * 1024;
/// How much of a status line is told, in characters.
const MAX_STATUS: usize = 200;

/// How a server is reached by a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Tunnel {
    proxy: Server,
    destination: String,
}

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub(in crate::transport) enum TunnelError {
    #[error("the proxy refused to connect to {destination}: {status}")]
    Refused { destination: String, status: String },
    #[error("the proxy asks for a user and a password (http://user:password@host:port), or for others: {0}")]
    Unauthorized(String),
    #[error("the proxy's answer is no HTTP: {0:?}")]
    Malformed(String),
    #[error("the head of the proxy's answer is larger than the {MAX_ANSWER} bytes that are taken")]
    TooLarge,
    #[error("the proxy closed the connection without an answer")]
    Closed,
    #[error("the connection to the proxy broke: {0}")]
    Io(#[from] std::io::Error),
}

impl Tunnel {
    pub(super) fn new(proxy: Server, host: &str, port: u16) -> Tunnel {
        Tunnel { proxy, destination: joined(host, port) }
    }

    /// The host of the proxy, which is resolved in place of the server's.
    pub(crate) fn host(&self) -> &str {
        &self.proxy.host
    }

    /// The port of the proxy.
    pub(crate) fn port(&self) -> u16 {
        self.proxy.port
    }

    /// Asks the proxy for the tunnel: after it, the socket is the server's. Nothing of what the server says is read.
    pub(in crate::transport) async fn open(&self, socket: &mut TcpStream) -> Result<(), TunnelError> {
        socket.write_all(self.request().as_bytes()).await?;
        let answer = read_head(socket).await?;
        let line = answer.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
        let line: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).take(MAX_STATUS).collect();
        let status = match line.split_once(' ') {
            Some((version, status)) if version.starts_with("HTTP/1.") => status.trim(),
            _ => return Err(TunnelError::Malformed(line)),
        };
        match status.split(' ').next().and_then(|code| code.parse::<u16>().ok()) {
            Some(200..=299) => Ok(()),
            Some(407) => Err(TunnelError::Unauthorized(line)),
            Some(_) => Err(TunnelError::Refused { destination: self.destination.clone(), status: line }),
            None => Err(TunnelError::Malformed(line)),
        }
    }

    fn request(&self) -> String {
        let Tunnel { proxy, destination } = self;
        let authorization = match &proxy.authorization {
            Some(authorization) => format!("Proxy-Authorization: {authorization}\r\n"),
            None => String::new(),
        };
        let agent = concat!("grpc-rust-callwright/", env!("CARGO_PKG_VERSION"));
        format!("CONNECT {destination} HTTP/1.1\r\nHost: {destination}\r\nUser-Agent: {agent}\r\n{authorization}\r\n")
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by the proxy {:?}", self.destination, self.proxy)
    }
}

/// Reads to the empty line, and no byte more: what follows is the server's.
async fn read_head(socket: &mut TcpStream) -> Result<Vec<u8>, TunnelError> {
    let mut head = Vec::new();
    let mut seen = [0; LOOK];
    loop {
        let count = socket.peek(&mut seen).await?;
        if count == 0 {
            return Err(TunnelError::Closed);
        }
        let before = head.len();
        head.extend_from_slice(&seen[..count]);
        let end = end_of_head(&head, before);
        head.truncate(end.unwrap_or(head.len()));
        socket.read_exact(&mut seen[..head.len() - before]).await?;
        if end.is_some() {
            return Ok(head);
        }
        if head.len() >= MAX_ANSWER {
            return Err(TunnelError::TooLarge);
        }
    }
}

/// Where the head of an answer ends that was looked through already up to `seen`.
fn end_of_head(head: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(3);
    head[from..].windows(4).position(|window| window == b"\r\n\r\n").map(|at| from + at + 4)
}
