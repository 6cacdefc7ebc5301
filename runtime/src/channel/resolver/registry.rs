//! Which resolver a scheme has.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Resolver;
use crate::channel::target::TargetUri;

static REGISTERED: Mutex<BTreeMap<String, ResolverFactory>> = Mutex::new(BTreeMap::new());

/// Makes the resolver of one target.
#[derive(Clone)]
pub(in crate::channel) struct ResolverFactory(Arc<Make>);

type Make = dyn Fn(&TargetUri) -> Result<Box<dyn Resolver>, Box<dyn Error + Send + Sync>> + Send + Sync;

impl ResolverFactory {
    pub(in crate::channel) fn make(&self, uri: &TargetUri) -> Result<Box<dyn Resolver>, Box<dyn Error + Send + Sync>> {
        (self.0)(uri)
    }
}

impl fmt::Debug for ResolverFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResolverFactory")
    }
}

pub(in crate::channel) fn factory<R: Resolver>(
    make: impl Fn(&TargetUri) -> Result<R, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
) -> ResolverFactory {
    ResolverFactory(Arc::new(move |uri| Ok(Box::new(make(uri)?) as Box<dyn Resolver>)))
}

/// Adds a scheme for all channels that this process builds from now on; the last one of a name counts. `make` is called when a
/// channel is built, where its error is one of the target, and each time that the channel leaves IDLE.
///
/// A channel may have its own instead: [`ChannelBuilder::resolver`](crate::ChannelBuilder::resolver).
pub fn register<R: Resolver>(
    scheme: impl Into<String>,
    make: impl Fn(&TargetUri) -> Result<R, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
) {
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered.insert(scheme.into(), factory(make));
}

/// The resolver that the process has for a scheme.
pub(in crate::channel) fn find(scheme: &str) -> Option<ResolverFactory> {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).get(scheme).cloned()
}
