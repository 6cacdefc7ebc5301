//! Name resolution (`doc/naming.md`): what a target means, and what it means by now.
//!
//! Which resolver a channel uses is said by its target's scheme: `dns` (also for a target without one), `ipv4`, `ipv6`,
//! `unix`, `unix-abstract`, `passthrough`, `inproc`, and those that a program adds: with
//! [`ChannelBuilder::resolver`](crate::ChannelBuilder::resolver) for one channel, with [`register`] for all of them.
//!
//! ```
//! use std::future::Future;
//! use std::pin::Pin;
//! use callwright::resolver::{Endpoint, Resolution, ResolveError, Resolver};
//! use callwright::{Address, Channel};
//!
//! /// Two servers that are always the same.
//! struct Pair;
//!
//! impl Resolver for Pair {
//!     fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
//!         let servers = ["127.0.0.1:50051", "127.0.0.1:50052"];
//!         Box::pin(async move {
//!             let addresses = servers.iter().map(|server| server.parse().map(Address::Ip));
//!             let addresses: Vec<Address> = addresses.collect::<Result<_, _>>()?;
//!             Ok(Resolution::new(addresses.into_iter().map(Endpoint::from)))
//!         })
//!     }
//! }
//!
//! # fn example() -> Result<(), callwright::ChannelError> {
//! let channel = Channel::builder("pair:///").resolver("pair", |_| Ok(Pair)).build()?;
//! # Ok(())
//! # }
//! # example().unwrap();
//! ```

mod dns;
pub(super) mod drive;
mod lookup;
mod registry;
mod standing;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::service_config::ServiceConfig;
use crate::address::Address;

pub(super) use lookup::{Choice, NameResolver};
pub use registry::register;
pub(super) use registry::{ResolverFactory, factory, find};
pub(super) use standing::Standing;

/// Finds the servers that a target names.
///
/// One is made when the channel is first used, and again whenever it leaves IDLE after its idle timeout.
pub trait Resolver: Send + 'static {
    /// Looks the target up. Called first when the channel is used, and again when a server could not be reached or was lost,
    /// though no sooner than [`min_interval`](Self::min_interval) after the last time that it succeeded; after an error again
    /// in the rhythm of the channel's [`Backoff`](crate::Backoff).
    ///
    /// Addresses that are known stay in use while it fails.
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>>;

    /// Waits until there is something new: the channel calls [`resolve`](Self::resolve) then. For resolvers that are told of
    /// changes; never unless implemented. It is dropped and called anew at any time.
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    /// How long a result holds, whatever happens to its addresses; 30 s unless implemented.
    fn min_interval(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Whether a [`Resolution`] may carry a service config. The first calls of a channel wait for it then even where they could
    /// not otherwise; `true` unless implemented.
    fn gives_service_config(&self) -> bool {
        true
    }
}

/// What a target means at the moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Resolution {
    /// The servers, in the order in which they are to be tried where order matters.
    pub endpoints: Vec<Endpoint>,
    /// What the servers' side wants of the channel, where it says so; an error where it cannot be understood, which leaves the
    /// channel with the config that it had, or without one to fail (gRFC A21).
    pub service_config: Option<Result<Arc<ServiceConfig>, String>>,
}

/// A service config that a resolver may have found, or why it cannot be understood.
type FoundConfig = Option<Result<Arc<ServiceConfig>, String>>;

impl Resolution {
    /// These servers.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Resolution { endpoints: endpoints.into_iter().collect(), service_config: None }
    }

    /// The same with this service config.
    pub fn with_service_config(mut self, config: ServiceConfig) -> Self {
        self.service_config = Some(Ok(Arc::new(config)));
        self
    }
}

/// One server, with all addresses that lead to it (gRFC A61).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    addresses: Vec<Address>,
}

impl Endpoint {
    /// A server with several addresses, to be tried in this order.
    pub fn new(addresses: impl IntoIterator<Item = Address>) -> Self {
        Endpoint { addresses: addresses.into_iter().collect() }
    }

    /// Its addresses.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }
}

impl From<Address> for Endpoint {
    fn from(address: Address) -> Self {
        Endpoint { addresses: vec![address] }
    }
}

/// Why a target could not be looked up; calls that fail of it end in UNAVAILABLE with this text.
#[derive(Clone)]
pub struct ResolveError {
    cause: Arc<dyn Error + Send + Sync>,
}

impl ResolveError {
    pub(super) fn cause(&self) -> Arc<dyn Error + Send + Sync> {
        self.cause.clone()
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for ResolveError {
    fn from(cause: E) -> Self {
        ResolveError { cause: cause.into().into() }
    }
}

impl fmt::Debug for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResolveError({:?})", self.cause.to_string())
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}
