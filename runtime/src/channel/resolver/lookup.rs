//! The scheme `dns`: a host name and a port, and what DNS says of the calls (gRFC A2).

use std::future::Future;
use std::pin::Pin;
#[cfg(feature = "dns")]
use std::sync::Arc;

use super::dns::Lookup;
use super::{Endpoint, Resolution, ResolveError, Resolver};
use crate::address::Address;
#[cfg(feature = "dns")]
use crate::channel::balancer::Balancers;

/// Looks a name up.
pub(in crate::channel) struct NameResolver {
    lookup: Lookup,
    host: String,
    port: u16,
    choice: Option<Choice>,
}

/// Which of the service configs is taken that DNS has of a name.
#[derive(Clone, Debug)]
pub(in crate::channel) struct Choice {
    /// Thrown once for a channel: a choice for some percent of all clients is for the same ones each time.
    #[cfg(feature = "dns")]
    pub(in crate::channel) percentile: u8,
    #[cfg(feature = "dns")]
    pub(in crate::channel) balancers: Balancers,
}

impl NameResolver {
    /// Asks the DNS server that is given, or those of the system where it is empty.
    pub(in crate::channel) fn new(host: &str, port: u16, server: &str) -> Result<Self, ResolveError> {
        let lookup = Lookup::from_authority(server)?;
        Ok(NameResolver { lookup, host: host.to_owned(), port, choice: None })
    }

    /// Looks for a service config too.
    pub(in crate::channel) fn with_choice(mut self, choice: Option<Choice>) -> Self {
        self.choice = choice;
        self
    }

    async fn look_up(&self) -> Result<Resolution, ResolveError> {
        let addresses = self.lookup.addresses(&self.host, self.port).await?;
        let mut resolution = Resolution::new(addresses.into_iter().map(|address| Endpoint::from(Address::Ip(address))));
        if let Some(choice) = &self.choice {
            resolution.service_config = choice.of(&self.lookup, &self.host).await;
        }
        Ok(resolution)
    }
}

impl Resolver for NameResolver {
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
        Box::pin(self.look_up())
    }

    fn gives_service_config(&self) -> bool {
        self.choice.is_some()
    }
}

impl Choice {
    /// The service config for this client, where there is one.
    #[cfg(feature = "dns")]
    async fn of(&self, lookup: &Lookup, host: &str) -> super::FoundConfig {
        use crate::channel::service_config::{Client, choose};

        let text = match lookup.service_config(host).await {
            Ok(text) => text?,
            Err(error) => return Some(Err(error.to_string())),
        };
        let hostname = hostname();
        let client = Client { language: "rust", hostname: &hostname, percentile: self.percentile };
        match choose(&text, client, &|name| self.balancers.has(name)) {
            Ok(chosen) => chosen.map(|config| Ok(Arc::new(config))),
            Err(error) => Some(Err(error.within())),
        }
    }

    #[cfg(not(feature = "dns"))]
    async fn of(&self, _: &Lookup, _: &str) -> super::FoundConfig {
        None
    }
}

/// The name of the host that this runs on; empty where the system does not tell.
#[cfg(feature = "dns")]
fn hostname() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    told.unwrap_or_default().trim().to_owned()
}
