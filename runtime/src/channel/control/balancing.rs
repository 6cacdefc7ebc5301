//! The balancer of a channel, and while its service config changes the one that takes over.

use std::sync::Arc;

use tokio::time::Instant;

use super::Reach;
use crate::address::Address;
use crate::call::ConnectivityState;
use crate::channel::balancer::{self, Balancer, ChannelControl, Picker};
use crate::channel::resolver::Endpoint;
use crate::channel::subchannel::Subchannel;
use crate::service_config::LoadBalancing;

/// The balancers of a channel: one, but for the time that the next one needs to connect.
#[derive(Default)]
pub(super) struct Balancers {
    current: Option<Active>,
    next: Option<Active>,
}

struct Active {
    policy: LoadBalancing,
    balancer: Box<dyn Balancer>,
    /// What it told last.
    said: Option<(ConnectivityState, Arc<dyn Picker>)>,
}

impl Balancers {
    /// Goes over to this policy, unless it is in use: with the servers that are known, and when it has come so far as to be better
    /// than what there is.
    pub(super) fn choose(
        &mut self,
        policy: &LoadBalancing,
        known: &balancer::Balancers,
        endpoints: &[Endpoint],
        reach: &mut Reach,
    ) -> Result<(), String> {
        if self.next.as_ref().or(self.current.as_ref()).is_some_and(|active| active.policy == *policy) {
            return Ok(());
        }
        let active = Active { policy: policy.clone(), balancer: known.make(policy)?, said: None };
        match self.current {
            None => self.current = Some(active),
            Some(_) => {
                self.next = Some(active);
                if !endpoints.is_empty() {
                    self.with_next(reach, |balancer, control| balancer.update(endpoints, control));
                }
            }
        }
        Ok(())
    }

    /// Has the balancers do something.
    pub(super) fn each(&mut self, reach: &mut Reach, mut what: impl FnMut(&mut dyn Balancer, &mut dyn ChannelControl)) {
        if let Some(current) = &mut self.current {
            current.ask(reach, &mut what);
            if let Some((state, picker)) = current.said.take() {
                reach.update_state(state, picker);
            }
        }
        self.with_next(reach, what);
    }

    fn with_next(&mut self, reach: &mut Reach, mut what: impl FnMut(&mut dyn Balancer, &mut dyn ChannelControl)) {
        let Some(next) = &mut self.next else { return };
        next.ask(reach, &mut what);
        let ready = next.said.as_ref().is_some_and(|(state, _)| *state != ConnectivityState::Connecting);
        if ready || reach.state != ConnectivityState::Ready {
            // The subchannels of the one before go with it; their calls go on.
            self.current = self.next.take();
            if let Some((state, picker)) = self.current.as_mut().and_then(|current| current.said.take()) {
                reach.update_state(state, picker);
            }
        }
    }
}

impl Active {
    fn ask(&mut self, reach: &mut Reach, what: &mut impl FnMut(&mut dyn Balancer, &mut dyn ChannelControl)) {
        what(&mut *self.balancer, &mut Held { reach, said: &mut self.said });
    }
}

/// What a balancer reaches, but that what it tells is held back.
struct Held<'a> {
    reach: &'a mut Reach,
    said: &'a mut Option<(ConnectivityState, Arc<dyn Picker>)>,
}

impl ChannelControl for Held<'_> {
    fn create_subchannel(&mut self, address: &Address) -> Subchannel {
        self.reach.create_subchannel(address)
    }

    fn update_state(&mut self, state: ConnectivityState, picker: Arc<dyn Picker>) {
        *self.said = Some((state, picker));
    }

    fn request_resolution(&mut self) {
        self.reach.request_resolution();
    }

    fn wake_at(&mut self, at: Instant) {
        self.reach.wake_at(at);
    }
}
