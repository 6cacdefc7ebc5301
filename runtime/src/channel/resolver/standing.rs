//! Targets that are addresses already.

use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use super::{Endpoint, Resolution, ResolveError, Resolver};
use crate::address::Address;

/// Addresses that never change.
pub(in crate::channel) struct Standing {
    addresses: Vec<Address>,
}

impl Standing {
    pub(in crate::channel) fn new(addresses: Vec<Address>) -> Self {
        Standing { addresses }
    }
}

impl Resolver for Standing {
    fn resolve(&mut self) -> Pin<Box<dyn Future<Output = Result<Resolution, ResolveError>> + Send + '_>> {
        Box::pin(ready(Ok(Resolution::new(self.addresses.iter().cloned().map(Endpoint::from)))))
    }

    fn min_interval(&self) -> Duration {
        Duration::MAX
    }

    fn gives_service_config(&self) -> bool {
        false
    }
}
