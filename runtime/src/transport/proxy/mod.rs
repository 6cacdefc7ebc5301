//! HTTP CONNECT proxies (gRFC A1): which one a name is reached by.

mod environment;
#[cfg(test)]
mod tests;
mod tunnel;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::address;
use environment::Environment;

pub(crate) use tunnel::Tunnel;

/// The port of a proxy that is given without one.
const DEFAULT_PORT: u16 = 80;

/// The proxy that a channel connects by (gRFC A1), if any: an HTTP proxy that is asked, by `CONNECT host:port`, for a tunnel to the
/// server. What goes through the tunnel is what would go to the server, TLS included.
///
/// Only names go by a proxy, and they are not resolved on this side; addresses and Unix sockets are connected to as they are.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    kind: Kind,
}

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    Environment,
    None,
    Fixed(Server),
}

/// Why a proxy cannot be used.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the proxy{origin} cannot be used: {problem} (a proxy looks like http://host:port, http://user:password@host:port)"
)]
pub struct ProxyError {
    origin: &'static str,
    problem: String,
}

impl fmt::Debug for ProxyError {
    /// As `Display`, since this is what a `main` prints that returns it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Proxy {
    /// The proxy that the environment names when the channel is built, as in grpc-go: `HTTPS_PROXY` or `https_proxy`, for names
    /// that `NO_PROXY` (or `no_proxy`) does not list. The default.
    ///
    /// `NO_PROXY` is a list with commas: `example.com` is that name and all below it, `.example.com` only those below it,
    /// `10.0.0.0/8` and `::1` are addresses, and `*` is everything; a port may follow a name. `localhost` and loopback addresses
    /// never go by a proxy.
    pub fn from_environment() -> Proxy {
        Proxy::default()
    }

    /// No proxy, whatever the environment says.
    pub fn none() -> Proxy {
        Proxy { kind: Kind::None }
    }

    /// This proxy, for every name: `http://host:port`, `http://user:password@host:port`, `host:port`. Port 80 unless given; what
    /// is special in a user's name or password is percent-encoded.
    ///
    /// # Errors
    /// [`ProxyError`] for what is no proxy's URL, and for a proxy over TLS (`https://`).
    pub fn http(url: &str) -> Result<Proxy, ProxyError> {
        let server = Server::parse(url).map_err(|problem| ProxyError { origin: "", problem })?;
        Ok(Proxy { kind: Kind::Fixed(server) })
    }

    /// How a server of this name is reached; `None` for one that is connected to.
    ///
    /// # Errors
    /// [`ProxyError`] for an environment that names something which is no proxy.
    pub(crate) fn for_target(&self, host: &str, port: u16) -> Result<Option<Tunnel>, ProxyError> {
        let server = match &self.kind {
            Kind::None => return Ok(None),
            Kind::Fixed(server) => server.clone(),
            Kind::Environment => match Environment::of_process().proxy_for(host, port)? {
                None => return Ok(None),
                Some(server) => server,
            },
        };
        Ok(Some(Tunnel::new(server, host, port)))
    }
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Server {
    host: String,
    port: u16,
    /// The value of `proxy-authorization`.
    authorization: Option<String>,
}

impl Server {
    /// Reads a URL, or its authority alone; what is wrong with it is told without a password.
    fn parse(url: &str) -> Result<Server, String> {
        let url = url.trim();
        let rest = match url.split_once("://") {
            None => url,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => {
                return Err(format!("{scheme}:// is not supported: proxies are spoken to in plaintext HTTP (http://)"));
            }
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        let (host, port) = host_and_port(address)?;
        let authorization = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
            format!("Basic {}", STANDARD.encode([decoded(name), decoded(password)].join(&b':')))
        });
        Ok(Server { host, port, authorization })
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Ok((ip.to_string(), DEFAULT_PORT));
    }
    let (host, port) = match text.rsplit_once(':') {
        // A colon within brackets is part of an address.
        Some((host, port)) if !port.contains(']') => (host, address::port(port)?),
        _ => (text, DEFAULT_PORT),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(bare) = bare {
        let ip: Ipv6Addr = bare.parse().map_err(|_| format!("{bare:?} is no IPv6 address"))?;
        return Ok((ip.to_string(), port));
    }
    if host.is_empty() {
        return Err("it has no host".into());
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
        return Err(format!("{host:?} is no host name"));
    }
    Ok((host.to_owned(), port))
}

/// Host and port as they stand in a URL.
fn joined(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

impl fmt::Debug for Server {
    /// Who is let in by a proxy is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(&self.host, self.port))
    }
}
