//! What a channel connects to (`doc/naming.md`), as a user writes it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use http::uri::Authority;

use crate::transport::{Address, ConnectError, Stage};

/// The port of a name without one, as in every gRPC.
const DEFAULT_PORT: u16 = 443;

/// A target that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "target {target:?} cannot be used: {problem} (targets look like dns:///host:port, host:port, ipv4:1.2.3.4:port, ipv6:[::1]:port, unix:/path, inproc:name, http://host:port)"
)]
pub struct TargetError {
    target: String,
    problem: String,
}

/// Where to connect to, and how to find the addresses.
#[derive(Clone, Debug)]
pub(super) struct Target {
    text: String,
    endpoint: Endpoint,
    authority: Authority,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Name { host: String, port: u16 },
    Addresses(Vec<Address>),
}

impl Target {
    /// The name of the server as the `:authority` header gives it.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The addresses to try, in order.
    pub(super) async fn resolve(&self) -> Result<Vec<Address>, ConnectError> {
        let (host, port) = match &self.endpoint {
            Endpoint::Addresses(addresses) => return Ok(addresses.clone()),
            Endpoint::Name { host, port } => (host.as_str(), *port),
        };
        let failed = |error: io::Error| ConnectError::new(format_args!("name {host:?}"), Stage::Resolve, error);
        let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(failed)?.map(Address::Ip).collect();
        if addresses.is_empty() {
            return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses")));
        }
        Ok(addresses)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        let problem = |problem: String| TargetError { target: text.to_owned(), problem };
        let endpoint = parse(text).map_err(problem)?;
        let authority = match &endpoint {
            Endpoint::Name { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Name { host, port } => format!("{host}:{port}"),
            Endpoint::Addresses(addresses) => match addresses.first() {
                Some(Address::Ip(address)) => address.to_string(),
                _ => "localhost".to_owned(),
            },
        };
        let authority =
            authority.parse().map_err(|error| problem(format!("{authority:?} is no host name: {error}")))?;
        Ok(Target { text: text.to_owned(), endpoint, authority })
    }
}

fn parse(text: &str) -> Result<Endpoint, String> {
    if let Some(rest) = text.strip_prefix("http://") {
        return name(rest.strip_suffix('/').unwrap_or(rest), 80);
    }
    if text.starts_with("https://") {
        return Err("TLS is not supported yet".into());
    }
    if let Some(rest) = text.strip_prefix("dns:") {
        return match rest.strip_prefix("//") {
            None => name(rest, DEFAULT_PORT),
            Some(rest) => match rest.split_once('/') {
                Some(("", host)) => name(host, DEFAULT_PORT),
                Some((server, _)) => {
                    Err(format!("a DNS server of its own ({server:?}) is not supported yet: write dns:///host:port"))
                }
                None => Err(format!("after dns:// comes a DNS server; write dns:///{rest}")),
            },
        };
    }
    if let Some(rest) = text.strip_prefix("ipv4:") {
        return addresses(rest, SocketAddr::is_ipv4, "IPv4 address, such as 127.0.0.1:50051");
    }
    if let Some(rest) = text.strip_prefix("ipv6:") {
        return addresses(rest, SocketAddr::is_ipv6, "IPv6 address, such as [::1]:50051");
    }
    if let Some(rest) = text.strip_prefix("unix:") {
        return unix(rest);
    }
    if let Some(name) = text.strip_prefix("inproc:") {
        return match name {
            "" => Err("the name of the server in this process is empty".into()),
            name => Ok(Endpoint::Addresses(vec![Address::Inproc(name.to_owned())])),
        };
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("scheme {scheme:?} is not known"));
    }
    name(text, DEFAULT_PORT)
}

fn unix(rest: &str) -> Result<Endpoint, String> {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err("after unix:// comes an absolute path".into()),
        None => rest,
    };
    if path.is_empty() {
        return Err("the path of the Unix socket is empty".into());
    }
    Ok(Endpoint::Addresses(vec![Address::Unix(Some(PathBuf::from(path)))]))
}

fn addresses(list: &str, fits: fn(&SocketAddr) -> bool, wanted: &str) -> Result<Endpoint, String> {
    let address = |part: &str| match part.trim().parse::<SocketAddr>() {
        Ok(address) if fits(&address) => Ok(Address::Ip(address)),
        _ => match part.trim().trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DEFAULT_PORT)) {
            Ok(address) if fits(&address) => Ok(Address::Ip(address)),
            _ => Err(format!("{part:?} is no {wanted}")),
        },
    };
    Ok(Endpoint::Addresses(list.split(',').map(address).collect::<Result<_, _>>()?))
}

fn name(text: &str, default_port: u16) -> Result<Endpoint, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Endpoint::Addresses(vec![Address::Ip(address)]));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Endpoint::Addresses(vec![Address::Ip(SocketAddr::new(ip, default_port))]));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| format!("{port:?} is no port"))?),
        None => (text, default_port),
    };
    if host.is_empty() {
        return Err("the host name is empty".into());
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
        return Err(format!("{host:?} is no host name"));
    }
    Ok(Endpoint::Name { host: host.to_owned(), port })
}
