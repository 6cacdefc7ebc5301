//! The scheme `dns`: a host name and a port.

use std::future::Future;
use std::io;
use std::pin::Pin;

use super::{Endpoint, Resolution, ResolveError, Resolver};
use crate::address::Address;

/// Looks a name up.
pub(in crate::channel) struct NameResolver {
    host: String,
    port: u16,
}

impl NameResolver {
    /// Asks the DNS server that is given, or those that the system asks.
    pub(in crate::channel) fn new(host: String, port: u16, server: Option<&str>) -> Result<Self, ResolveError> {
        if let Some(server) = server {
            return Err(
                format!("to ask the DNS server {server:?} needs the feature dns: write dns:///{host}:{port}").into()
            );
        }
        Ok(NameResolver { host, port })
    }
}

impl Resolver for NameResolver {
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
        Box::pin(async {
            let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
            let endpoints: Vec<Endpoint> = addresses.map(|address| Endpoint::from(Address::Ip(address))).collect();
            if endpoints.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses").into());
            }
            Ok(Resolution::new(endpoints))
        })
    }

    fn gives_service_config(&self) -> bool {
        false
    }
}
