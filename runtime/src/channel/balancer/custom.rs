//! Balancers by their names: those that are built in, and those that a program adds to a channel.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::{Balancer, LeastRequest, OutlierDetection, PickFirst, RoundRobin, WeightedRoundRobin};
use crate::service_config::LoadBalancing;

type Make = dyn Fn(&str) -> Result<Box<dyn Balancer>, Box<dyn Error + Send + Sync>> + Send + Sync;

/// What balancers a channel has beside those that are built in.
#[derive(Clone, Default)]
pub(in crate::channel) struct Balancers {
    custom: BTreeMap<String, Arc<Make>>,
}

impl Balancers {
    /// Adds one; `make` gets its settings as JSON.
    pub(in crate::channel) fn add<B: Balancer>(
        &mut self,
        name: String,
        make: impl Fn(&str) -> Result<B, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) {
        self.custom.insert(name, Arc::new(move |config| Ok(Box::new(make(config)?) as Box<dyn Balancer>)));
    }

    #[cfg(feature = "service-config")]
    /// Whether there is one of this name beside those that are built in.
    pub(in crate::channel) fn has(&self, name: &str) -> bool {
        self.custom.contains_key(name)
    }

    /// Makes what a service config asks for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::channel) fn make(&self, policy: &LoadBalancing) -> Result<Box<dyn Balancer>, String> {
        Ok(match policy {
            LoadBalancing::PickFirst(settings) => Box::new(PickFirst::new(settings.shuffle_address_list)),
            LoadBalancing::RoundRobin => Box::new(RoundRobin::balancer()),
            LoadBalancing::LeastRequest(settings) => Box::new(LeastRequest::balancer(settings.choice_count() as usize)),
            LoadBalancing::WeightedRoundRobin(settings) => Box::new(WeightedRoundRobin::balancer(settings.clone())),
            LoadBalancing::OutlierDetection(settings) => {
                Box::new(OutlierDetection::new(self.make(&settings.child)?, settings.clone()))
            }
            LoadBalancing::Custom { name, config } => match self.custom.get(name) {
                Some(make) => make(config).map_err(|error| format!("load balancing {name:?}: {error}"))?,
                None => {
                    return Err(format!(
                        "the channel has no load balancing {name:?}: add it with ChannelBuilder::balancer"
                    ));
                }
            },
        })
    }
}

impl fmt::Debug for Balancers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.custom.keys()).finish()
    }
}
