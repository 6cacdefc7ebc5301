//! What the environment says of proxies, as Go reads it (`golang.org/x/net/http/httpproxy`), and grpc-go with it.

use std::net::IpAddr;

use super::{ProxyError, Server};

/// The variables that name a proxy, and those that name what needs none: the first that is set counts.
const PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// What the variables hold.
#[derive(Debug, Default)]
pub(super) struct Environment {
    proxy: Option<String>,
    no_proxy: String,
}

impl Environment {
    /// That of this process.
    pub(super) fn of_process() -> Environment {
        Environment::of(|name| std::env::var(name).ok())
    }

    pub(super) fn of(read: impl Fn(&str) -> Option<String>) -> Environment {
        let first = |names: [&str; 2]| names.into_iter().filter_map(&read).find(|value| !value.trim().is_empty());
        Environment { proxy: first(PROXY), no_proxy: first(NO_PROXY).unwrap_or_default() }
    }

    pub(super) fn proxy_for(&self, host: &str, port: u16) -> Result<Option<Server>, ProxyError> {
        match &self.proxy {
            Some(proxy) if !is_excluded(&self.no_proxy, host, port) => {
                Server::parse(proxy).map(Some).map_err(|problem| ProxyError { origin: " of HTTPS_PROXY", problem })
            }
            _ => Ok(None),
        }
    }
}

/// Whether a server is connected to without the proxy.
fn is_excluded(list: &str, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    let ip = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return ip.is_some_and(|ip| is_within(ip, network, bits));
        }
        if let Ok(listed) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
            return ip == Some(listed.to_canonical());
        }
        let (name, only_port) = match entry.rsplit_once(':') {
            Some((name, number)) => (name, Some(number.parse::<u16>().ok())),
            None => (entry.as_str(), None),
        };
        only_port.is_none_or(|only| only == Some(port)) && is_named(name, &host, ip)
    })
}

/// Whether an entry, without its port, is this host.
fn is_named(name: &str, host: &str, ip: Option<IpAddr>) -> bool {
    let name = name.strip_prefix('*').unwrap_or(name);
    if let Ok(listed) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return ip == Some(listed.to_canonical());
    }
    match name.strip_prefix('.') {
        Some(domain) => is_below(host, domain),
        None => host == name || is_below(host, name),
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// Whether an address is in a network of CIDR. What is no network has nothing in it.
fn is_within(ip: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let same = |difference: u128, size: u32| bits <= size && difference.checked_shr(size - bits).unwrap_or(0) == 0;
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => same((ip.to_bits() ^ network.to_bits()).into(), 32),
        (IpAddr::V6(ip), IpAddr::V6(network)) => same(ip.to_bits() ^ network.to_bits(), 128),
        _ => false,
    }
}
