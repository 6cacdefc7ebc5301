//! The lookups, by hickory-resolver.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};
use tokio::time::Instant;

use super::LookupError;

/// What a TXT record that is for gRPC begins with.
const ATTRIBUTE: &[u8] = b"grpc_config=";

/// All IPv4 addresses, then all IPv6 addresses: of the hosts file, or of DNS when that does not know the name.
pub(super) async fn addresses(server: Option<SocketAddr>, host: &str) -> Result<Vec<IpAddr>, LookupError> {
    let name = name(host)?;
    let asker = Asker::new(server).await?;
    let known = asker.in_hosts_file(&name);
    if !known.is_empty() {
        return Ok(known);
    }
    match asker.resolver.lookup_ip(name).await {
        Ok(found) => Ok(found.iter().collect()),
        Err(error) if error.is_nx_domain() => Err(LookupError::NoSuchName),
        Err(error) if error.is_no_records_found() => Err(LookupError::NoAddresses),
        Err(error) => Err(asker.explain(error)),
    }
}

/// The text after `grpc_config=` of the first TXT record that begins so.
pub(super) async fn service_config(server: Option<SocketAddr>, host: &str) -> Result<Option<String>, LookupError> {
    let name = name(&format!("_grpc_config.{host}"))?;
    let asker = Asker::new(server).await?;
    let found = match asker.resolver.txt_lookup(name).await {
        Ok(found) => found,
        Err(error) if error.is_no_records_found() => return Ok(None),
        Err(error) => return Err(asker.explain(error)),
    };
    let texts = found.answers().iter().filter_map(|record| match &record.data {
        RData::TXT(text) => Some(text.txt_data.concat()),
        _ => None,
    });
    let config = texts.into_iter().find_map(|text| text.strip_prefix(ATTRIBUTE).map(<[u8]>::to_vec));
    config.map(|text| String::from_utf8(text).map_err(|_| LookupError::NoText)).transpose()
}

fn name(host: &str) -> Result<Name, LookupError> {
    Name::from_ascii(host).map_err(|_| LookupError::Name)
}

/// Who asks, with the system's settings as they are now.
struct Asker {
    resolver: TokioResolver,
    hosts: Hosts,
    /// Who is asked, for errors.
    servers: Vec<SocketAddr>,
    since: Instant,
}

impl Asker {
    async fn new(server: Option<SocketAddr>) -> Result<Asker, LookupError> {
        // It reads files.
        let made = tokio::task::spawn_blocking(move || Asker::read(server)).await;
        made.unwrap_or_else(|error| Err(LookupError::Settings(error.to_string())))
    }

    fn read(server: Option<SocketAddr>) -> Result<Asker, LookupError> {
        let (mut config, mut options) = match (system_conf::read_system_conf(), server) {
            (Ok(settings), _) => settings,
            (Err(_), Some(_)) => (ResolverConfig::from_name_servers(Vec::new()), ResolverOpts::default()),
            // What resolv.conf(5) says of a system without such a file.
            (Err(NetError::Io(error)), None) if error.kind() == io::ErrorKind::NotFound => {
                let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
                (ResolverConfig::from_name_servers(vec![local]), ResolverOpts::default())
            }
            (Err(error), None) => return Err(LookupError::Settings(error.to_string())),
        };
        if let Some(server) = server {
            let (domain, search, _) = config.into_parts();
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            let server = NameServerConfig::new(server.ip(), true, connections.into());
            config = ResolverConfig::from_parts(domain, search, vec![server]);
        }
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        let port = |server: &NameServerConfig| server.connections.first().map_or(super::DNS_PORT, |it| it.port);
        let servers = config.name_servers().iter().map(|it| SocketAddr::new(it.ip, port(it))).collect();
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let resolver = builder.build().map_err(|error| LookupError::Settings(error.to_string()))?;
        // A file that cannot be read has no hosts.
        Ok(Asker { resolver, hosts: Hosts::from_system().unwrap_or_default(), servers, since: Instant::now() })
    }

    /// What the hosts file says. A name that it knows is not asked for elsewhere, not even for the other kind of address: that
    /// might take long, for nothing.
    fn in_hosts_file(&self, name: &Name) -> Vec<IpAddr> {
        let of_type = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let known = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of_type);
        known.flat_map(|found| found.answers().iter().filter_map(|it| it.data.ip_addr()).collect::<Vec<_>>()).collect()
    }

    fn explain(&self, error: NetError) -> LookupError {
        let servers = self.servers();
        match error {
            NetError::Timeout => LookupError::NoAnswer { servers, after: self.since.elapsed() },
            NetError::Dns(DnsError::ResponseCode(code)) => {
                LookupError::Refused { servers, problem: response(code).to_owned() }
            }
            // Without what hickory puts before it.
            NetError::Io(error) => LookupError::Unreachable { servers, problem: error.to_string() },
            other => LookupError::Unreachable { servers, problem: other.to_string() },
        }
    }

    fn servers(&self) -> String {
        let list: Vec<_> = self.servers.iter().map(ToString::to_string).collect();
        match self.servers.as_slice() {
            [server] => format!("the DNS server {server}"),
            _ => format!("the DNS servers {}", list.join(", ")),
        }
    }
}

fn response(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::ServFail => "it failed (SERVFAIL)",
        ResponseCode::Refused => "it does not answer us (REFUSED)",
        ResponseCode::NotImp => "it cannot tell (NOTIMP)",
        ResponseCode::FormErr => "it did not understand the question (FORMERR)",
        other => other.to_str(),
    }
}
