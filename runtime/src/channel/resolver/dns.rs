//! What DNS knows of a name: its addresses, and the service config of its service (gRFC A2).
//!
//! With the feature `dns` the DNS servers are asked by this process itself, without it by the operating system.

#[cfg(feature = "dns")]
mod hickory;
#[cfg(all(test, feature = "dns"))]
mod tests;

#[cfg(feature = "dns")]
use std::net::IpAddr;
use std::net::SocketAddr;
#[cfg(feature = "dns")]
use std::net::UdpSocket;

/// The port of DNS servers.
#[cfg(feature = "dns")]
const DNS_PORT: u16 = 53;

/// Asks for names.
///
/// Each time it looks at the system's settings anew, so it follows a machine that moves from network to network. Nothing
/// is kept: who asks too often is to blame.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    /// The DNS server to ask in place of the system's.
    #[cfg(feature = "dns")]
    server: Option<SocketAddr>,
}

/// Why a name is not known. The text does not have the name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LookupError {
    #[cfg(feature = "dns")]
    #[error("no such name")]
    NoSuchName,
    #[error("the name has no addresses")]
    NoAddresses,
    #[cfg(feature = "dns")]
    #[error("it cannot be a name: a name has parts of 1 to 63 characters, and 255 in all")]
    Name,
    #[cfg(feature = "dns")]
    #[error("{servers} did not answer in {} s", after.as_secs_f64().round())]
    NoAnswer { servers: String, after: std::time::Duration },
    #[cfg(feature = "dns")]
    #[error("{servers} answered: {problem}")]
    Refused { servers: String, problem: String },
    #[cfg(feature = "dns")]
    #[error("{servers} cannot be asked: {problem}")]
    Unreachable { servers: String, problem: String },
    #[cfg(feature = "dns")]
    #[error("the service config in DNS is no text")]
    NoText,
    #[cfg(feature = "dns")]
    #[error("the system's DNS settings cannot be read: {0}")]
    Settings(String),
    /// What the operating system says.
    #[cfg(not(feature = "dns"))]
    #[error(transparent)]
    System(std::io::Error),
}

impl Lookup {
    /// Asks the DNS servers that the system is set to.
    pub(crate) fn system() -> Lookup {
        Lookup {
            #[cfg(feature = "dns")]
            server: None,
        }
    }

    /// Asks the server in a target's authority, `dns://8.8.8.8:53/host:port`: an IP address with or without a port; an
    /// empty one means the system's.
    ///
    /// # Errors
    /// A text that goes on from "cannot be used:", when it is none; and always without the feature `dns`.
    pub(crate) fn from_authority(authority: &str) -> Result<Lookup, String> {
        if authority.is_empty() {
            return Ok(Lookup::system());
        }
        #[cfg(feature = "dns")]
        let lookup = {
            let with_port = || authority.parse::<SocketAddr>().ok();
            let without = || crate::address::ip(authority);
            let server = with_port().or_else(|| without().map(|ip| SocketAddr::new(ip, DNS_PORT)));
            let no_server =
                || format!("{authority:?} is no DNS server; they are given by their address, such as 8.8.8.8:53");
            Ok(Lookup { server: Some(server.filter(|server| server.port() != 0).ok_or_else(no_server)?) })
        };
        #[cfg(not(feature = "dns"))]
        let lookup = Err(format!(
            "a DNS server of its own ({authority:?}) needs callwright's feature dns; without it, write dns:///host:port"
        ));
        lookup
    }

    /// The addresses of a host, each with this port: those first that there is a way to, and among these IPv6 (RFC 6724).
    /// Never empty.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, LookupError> {
        if let Some(ip) = crate::address::ip(host) {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        #[cfg(feature = "dns")]
        let addresses = {
            let mut addresses = hickory::addresses(self.server, host).await?;
            in_order(&mut addresses, has_route);
            addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect::<Vec<_>>()
        };
        #[cfg(not(feature = "dns"))]
        let addresses = {
            let addresses = tokio::net::lookup_host((host, port)).await;
            // The system has put them in order.
            addresses.map_err(LookupError::System)?.collect::<Vec<_>>()
        };
        if addresses.is_empty() { Err(LookupError::NoAddresses) } else { Ok(addresses) }
    }

    /// The list of service configs that the TXT record of `_grpc_config.host` has (gRFC A2), for `service_config::choose`;
    /// `None` where there is none.
    #[cfg(feature = "dns")]
    pub(crate) async fn service_config(&self, host: &str) -> Result<Option<String>, LookupError> {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(_) => Ok(None),
            Err(_) => hickory::service_config(self.server, host).await,
        }
    }
}

/// Brings addresses into the order of RFC 6724 as far as that is the same everywhere: those last that there is no way to,
/// then IPv6 first. The order that the DNS server gave stays otherwise: it may be meant to spread the load.
#[cfg(feature = "dns")]
fn in_order(addresses: &mut [IpAddr], has_route: impl Fn(IpAddr) -> bool) {
    if addresses.iter().any(IpAddr::is_ipv4) && addresses.iter().any(IpAddr::is_ipv6) {
        addresses.sort_by_cached_key(|address| (!has_route(*address), address.is_ipv4()));
    }
}

/// Whether this host knows a way to an address. Nothing is sent.
#[cfg(feature = "dns")]
fn has_route(address: IpAddr) -> bool {
    let any: SocketAddr = match address {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    UdpSocket::bind(any).and_then(|socket| socket.connect((address, DNS_PORT))).is_ok()
}

#[cfg(all(test, not(feature = "dns")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_localhost_and_no_other_server_can_be_named() {
        let lookup = Lookup::from_authority("").unwrap();
        let addresses = lookup.addresses("localhost", 80).await.unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{addresses:?}");
        assert_eq!(lookup.addresses("[::1]", 80).await.unwrap(), ["[::1]:80".parse().unwrap()]);
        assert!(Lookup::from_authority("8.8.8.8").unwrap_err().contains("needs callwright's feature dns"));
    }
}
