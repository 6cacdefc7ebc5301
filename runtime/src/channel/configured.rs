//! The service config that a channel goes by, as its calls see it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderValue;

use super::service_config::{MethodConfig, ServiceConfig};
use super::throttle::Throttle;

/// The config is still to come from the resolver.
const UNKNOWN: u8 = 0;
/// It says nothing of any call.
const PLAIN: u8 = 1;
const DETAILED: u8 = 2;

/// The service config of a channel.
#[derive(Debug, Default)]
pub(super) struct Configured {
    /// Spares most calls the rest.
    level: AtomicU8,
    now: RwLock<Now>,
    /// How many connections there may be to one address, for subchannels to look at; 0 before that was set.
    connections: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Now {
    config: Arc<ServiceConfig>,
    throttle: Option<Arc<Throttle>>,
}

/// What the config says of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct CallConfig {
    pub(super) method: Option<Arc<MethodConfig>>,
    /// What bounds the channel's retries.
    pub(super) throttle: Option<Arc<Throttle>>,
}

impl Configured {
    pub(super) fn set(&self, config: Arc<ServiceConfig>) {
        let level = if config.says_of_methods() { DETAILED } else { PLAIN };
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if now.config.retry_throttling() != config.retry_throttling() || now.throttle.is_none() {
            now.throttle = config.retry_throttling().map(|settings| Arc::new(Throttle::new(*settings)));
        }
        now.config = config;
        drop(now);
        self.level.store(level, Ordering::Release);
    }

    /// Whether the resolver has said what there is.
    pub(super) fn is_known(&self) -> bool {
        self.level.load(Ordering::Acquire) != UNKNOWN
    }

    /// What holds for the calls of a method; `None` while that is not known.
    pub(super) fn of_method(&self, path: &HeaderValue) -> Option<CallConfig> {
        match self.level.load(Ordering::Acquire) {
            UNKNOWN => None,
            PLAIN => Some(CallConfig::default()),
            _ => {
                let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
                let method = now.config.method(path.to_str().unwrap_or_default()).cloned();
                Some(CallConfig { method, throttle: now.throttle.clone() })
            }
        }
    }

    /// How many connections there may be to one address, now and later.
    pub(super) fn connections(&self) -> &Arc<AtomicUsize> {
        &self.connections
    }

    /// What the servers are asked for their health.
    pub(super) fn health_check(&self) -> Option<String> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.config.health_check().map(|check| check.service_name().to_owned())
    }
}
