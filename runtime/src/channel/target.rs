//! What a channel connects to (`doc/naming.md`), as a user writes it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::uri::Authority;

use super::resolver::{self, Choice, NameResolver, ResolveError, Resolver, ResolverFactory, Standing};
use crate::address;
use crate::transport::{Address, Tunnel};

/// The port of a name without one, as in every gRPC.
const DEFAULT_PORT: u16 = 443;
/// What a target that names no scheme is of.
const DEFAULT_SCHEME: &str = "dns";

/// A target that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "target {target:?} cannot be used: {problem} (targets look like dns:///host:port, host:port, ipv4:1.2.3.4:port, ipv6:[::1]:port, unix:/path, inproc:name, http://host:port, https://host)"
)]
pub struct TargetError {
    target: String,
    problem: String,
}

/// A target in its parts: `scheme:endpoint` or `scheme://authority/endpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUri {
    scheme: String,
    authority: String,
    endpoint: String,
}

impl TargetUri {
    /// What says how the rest is understood, such as `dns`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whom to ask, such as a DNS server; empty where the target does not say.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What to ask for, without the slash before it.
    pub fn endpoint(&self) -> &str {
        self.endpoint.strip_prefix('/').unwrap_or(&self.endpoint)
    }
}

/// Where to connect to, and how to find the addresses.
#[derive(Clone, Debug)]
pub(super) struct Target {
    text: String,
    /// The same with its scheme.
    canonical: Arc<str>,
    meaning: Meaning,
    authority: Authority,
    /// Which service config of those in DNS is taken; none unless asked for.
    choice: Option<Choice>,
    /// Whether its resolver may, where it is not a proxy's name that is looked up.
    gives_service_config: bool,
}

#[derive(Clone, Debug)]
enum Meaning {
    Name { host: String, port: u16, server: String },
    Addresses(Vec<Address>),
    Custom(Arc<TargetUri>, ResolverFactory),
}

/// The resolvers that a channel has beside those of its process, by their schemes.
pub(super) type Resolvers = BTreeMap<String, ResolverFactory>;

impl Target {
    pub(super) fn parse(text: &str, resolvers: &Resolvers, choice: Option<Choice>) -> Result<Target, TargetError> {
        let problem = |problem: String| TargetError { target: text.to_owned(), problem };
        let meaning = meaning(text, resolvers).map_err(problem)?;
        let authority = authority(&meaning).map_err(problem)?;
        let canonical = canonical(text, resolvers).into();
        let text = text.to_owned();
        let mut target = Target { text, canonical, meaning, authority, choice, gives_service_config: false };
        // It is made again when the channel is used.
        let resolver = target.resolver(None).map_err(|error| problem(error.to_string()))?;
        target.gives_service_config = resolver.gives_service_config();
        Ok(target)
    }

    /// Whether it leads to this machine by Unix sockets, or to this process, and nowhere else whatever is looked up.
    pub(super) fn is_local(&self) -> bool {
        match &self.meaning {
            Meaning::Addresses(addresses) => addresses
                .iter()
                .all(|address| matches!(address, Address::Unix(_) | Address::UnixAbstract(_) | Address::Inproc(_))),
            Meaning::Name { .. } | Meaning::Custom(..) => false,
        }
    }

    /// The target with its scheme, where it was given without one.
    pub(super) fn canonical(&self) -> &Arc<str> {
        &self.canonical
    }

    /// The name of the server as the `:authority` header gives it.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The name that has to be looked up, and its port; `None` for a target of another kind.
    pub(super) fn host_name(&self) -> Option<(&str, u16)> {
        match &self.meaning {
            Meaning::Name { host, port, .. } => Some((host, *port)),
            Meaning::Addresses(_) | Meaning::Custom(..) => None,
        }
    }

    /// What is looked up, for people.
    pub(super) fn name(&self) -> String {
        match &self.meaning {
            Meaning::Name { host, .. } => format!("name {host:?}"),
            Meaning::Addresses(_) => "addresses".to_owned(),
            Meaning::Custom(uri, _) => format!("{} {:?}", uri.scheme(), uri.endpoint()),
        }
    }

    /// Whether the settings of calls may come with the addresses.
    pub(super) fn gives_service_config(&self, proxy: Option<&Tunnel>) -> bool {
        self.gives_service_config && proxy.is_none()
    }

    /// What finds the addresses: those of the proxy where there is one.
    pub(super) fn resolver(&self, proxy: Option<&Tunnel>) -> Result<Box<dyn Resolver>, ResolveError> {
        Ok(match &self.meaning {
            Meaning::Name { host, port, server } => match proxy {
                Some(proxy) => Box::new(NameResolver::new(proxy.host(), proxy.port(), "")?),
                None => Box::new(NameResolver::new(host, *port, server)?.with_choice(self.choice.clone())),
            },
            Meaning::Addresses(addresses) => Box::new(Standing::new(addresses.clone())),
            Meaning::Custom(uri, factory) => factory.make(uri)?,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn authority(meaning: &Meaning) -> Result<Authority, String> {
    let text = match meaning {
        Meaning::Name { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
        Meaning::Name { host, port, .. } => format!("{host}:{port}"),
        Meaning::Addresses(addresses) => match addresses.first() {
            Some(address @ (Address::Ip(_) | Address::Name { .. })) => address.to_string(),
            _ => "localhost".to_owned(),
        },
        // Whatever it means: what cannot stand in a header is no name of a server.
        Meaning::Custom(uri, _) => {
            return Ok(uri.endpoint().parse().unwrap_or(Authority::from_static("localhost")));
        }
    };
    text.parse().map_err(|error| format!("{text:?} is no host name: {error}"))
}

fn meaning(text: &str, resolvers: &Resolvers) -> Result<Meaning, String> {
    let custom = |scheme: &str| resolvers.get(scheme).cloned().or_else(|| resolver::find(scheme));
    let uri = split(text);
    if let Some(uri) = &uri
        && let Some(factory) = custom(&uri.scheme)
    {
        return Ok(Meaning::Custom(Arc::new(uri.clone()), factory));
    }
    if let Some(uri) = uri
        && let Some(meaning) = built_in(&uri).transpose()?
    {
        return Ok(meaning);
    }
    if let Some((scheme, _)) = text.split_once("://") {
        let mut known: Vec<&str> = BUILT_IN.to_vec();
        known.extend(resolvers.keys().map(String::as_str));
        return Err(format!(
            "scheme {scheme:?} is not known (known are {}; a program adds its own with ChannelBuilder::resolver)",
            known.join(", ")
        ));
    }
    // What has no scheme is a name: that of a host, unless the program has a scheme of its own for names.
    match custom(DEFAULT_SCHEME) {
        Some(factory) => {
            let endpoint = text.to_owned();
            let uri = TargetUri { scheme: DEFAULT_SCHEME.into(), authority: String::new(), endpoint };
            Ok(Meaning::Custom(Arc::new(uri), factory))
        }
        None => name(text, DEFAULT_PORT, ""),
    }
}

/// A target with the scheme that it has if it names none.
fn canonical(text: &str, resolvers: &Resolvers) -> String {
    let is_known =
        |scheme: &str| BUILT_IN.contains(&scheme) || resolvers.contains_key(scheme) || resolver::find(scheme).is_some();
    match split(text) {
        Some(uri) if is_known(&uri.scheme) => text.to_owned(),
        _ => format!("{DEFAULT_SCHEME}:///{text}"),
    }
}

const BUILT_IN: [&str; 9] = ["dns", "ipv4", "ipv6", "unix", "unix-abstract", "passthrough", "inproc", "http", "https"];

/// The parts of a target that names a scheme; `host:port` looks like one too.
fn split(text: &str) -> Option<TargetUri> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let (authority, endpoint) = match rest.strip_prefix("//") {
        None => ("", rest),
        Some(rest) => rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash)),
    };
    let text = |part: &str| part.to_owned();
    is_scheme.then(|| TargetUri { scheme: text(scheme), authority: text(authority), endpoint: text(endpoint) })
}

/// What a scheme means that is built in.
fn built_in(uri: &TargetUri) -> Option<Result<Meaning, String>> {
    let TargetUri { scheme, authority, endpoint } = uri;
    let nobody = |problem: String| if authority.is_empty() { None } else { Some(Err(problem)) };
    Some(match scheme.as_str() {
        "https" if !cfg!(feature = "_tls") => Err("https:// needs the feature `tls` of callwright".into()),
        "http" | "https" if !authority.is_empty() || endpoint.is_empty() => {
            if !matches!(endpoint.as_str(), "" | "/") {
                return Some(Err(format!("after {scheme}://host:port comes nothing more, not {endpoint:?}")));
            }
            name(authority, if scheme == "http" { 80 } else { DEFAULT_PORT }, "")
        }
        "dns" if endpoint.is_empty() && !authority.is_empty() => {
            Err(format!("after dns:// comes a DNS server; write dns:///{authority}"))
        }
        "dns" => name(uri.endpoint(), DEFAULT_PORT, authority),
        "ipv4" => addresses(whole(uri), SocketAddr::is_ipv4, "IPv4 address, such as 127.0.0.1:50051"),
        "ipv6" => addresses(whole(uri), SocketAddr::is_ipv6, "IPv6 address, such as [::1]:50051"),
        "unix" => match nobody("after unix:// comes an absolute path".into()) {
            Some(problem) => problem,
            None => unix(endpoint),
        },
        "unix-abstract" => match whole(uri) {
            "" => Err("the name of the abstract Unix socket is empty".into()),
            name => Ok(Meaning::Addresses(vec![Address::UnixAbstract(name.as_bytes().to_vec())])),
        },
        "passthrough" => passthrough(uri.endpoint()),
        "inproc" => match whole(uri) {
            "" => Err("the name of the server in this process is empty".into()),
            name => Ok(Meaning::Addresses(vec![Address::Inproc(name.to_owned())])),
        },
        _ => return None,
    })
}

/// What stands behind the scheme, with or without slashes.
fn whole(uri: &TargetUri) -> &str {
    if uri.authority.is_empty() { uri.endpoint() } else { &uri.authority }
}

fn unix(path: &str) -> Result<Meaning, String> {
    match path {
        "" => Err("the path of the Unix socket is empty".into()),
        path => Ok(Meaning::Addresses(vec![Address::Unix(Some(PathBuf::from(path)))])),
    }
}

/// The name goes to the system's own lookup each time that a connection is made.
fn passthrough(endpoint: &str) -> Result<Meaning, String> {
    match name(endpoint, DEFAULT_PORT, "")? {
        Meaning::Name { host, port, .. } => Ok(Meaning::Addresses(vec![Address::Name { host, port }])),
        meaning => Ok(meaning),
    }
}

fn addresses(list: &str, fits: fn(&SocketAddr) -> bool, wanted: &str) -> Result<Meaning, String> {
    let address = |part: &str| {
        let with_port = || part.parse::<SocketAddr>().ok();
        let without = || address::ip(part).map(|ip| SocketAddr::new(ip, DEFAULT_PORT));
        let address = with_port().or_else(without).filter(fits).ok_or_else(|| format!("{part:?} is no {wanted}"))?;
        reachable(address.port()).map(|_| Address::Ip(address))
    };
    Ok(Meaning::Addresses(list.split(',').map(|part| address(part.trim())).collect::<Result<_, _>>()?))
}

/// The port, unless it is the one that a server gives to the system to choose.
fn reachable(port: u16) -> Result<u16, String> {
    match port {
        0 => Err("port 0 is for servers, which get a free one for it: no client can connect to it".into()),
        port => Ok(port),
    }
}

fn name(text: &str, default_port: u16, server: &str) -> Result<Meaning, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return reachable(address.port()).map(|_| Meaning::Addresses(vec![Address::Ip(address)]));
    }
    if let Some(ip) = address::ip(text) {
        return Ok(Meaning::Addresses(vec![Address::Ip(SocketAddr::new(ip, default_port))]));
    }
    if text.contains(',') {
        return Err("this takes one name: several addresses are given as ipv4:1.2.3.4:50051,5.6.7.8:50051".into());
    }
    address::check_brackets(text)?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, reachable(address::port(port)?)?),
        None => (text, default_port),
    };
    if host.is_empty() {
        return Err("the host name is empty".into());
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
        return Err(format!("{host:?} is no host name"));
    }
    Ok(Meaning::Name { host: host.to_owned(), port, server: server.to_owned() })
}
