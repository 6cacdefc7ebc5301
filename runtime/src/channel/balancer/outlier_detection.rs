//! `outlier_detection`: another balancer, without the servers that fail more often than the others (gRFC A50).

mod server;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Balancer, ChannelControl, Endpoint, Pick, PickArgs, Picker, Subchannel, SubchannelState};
use crate::address::Address;
use crate::call::ConnectivityState;
use crate::channel::backoff::LONGEST;
use crate::channel::subchannel::WeakSubchannel;
use crate::service_config::OutlierDetectionSettings;
use crate::status::Status;
use server::Server;

/// Leaves out the servers that stand out by failures.
pub(in crate::channel) struct OutlierDetection {
    child: Box<dyn Balancer>,
    watch: Watch,
    /// When the servers are compared the next time.
    compare_at: Option<Instant>,
}

/// What is known of the servers.
struct Watch {
    settings: OutlierDetectionSettings,
    servers: HashMap<Address, Arc<Server>>,
    subchannels: HashMap<usize, Watched>,
}

struct Watched {
    subchannel: WeakSubchannel,
    /// How it stands, whatever the child was told.
    state: SubchannelState,
    server: Arc<Server>,
}

impl OutlierDetection {
    pub(in crate::channel) fn new(child: Box<dyn Balancer>, settings: OutlierDetectionSettings) -> Self {
        let watch = Watch { settings, servers: HashMap::new(), subchannels: HashMap::new() };
        OutlierDetection { child, watch, compare_at: None }
    }

    /// Compares the servers, leaves some out and takes others back.
    fn compare(&mut self, control: &mut dyn ChannelControl) {
        let now = Instant::now();
        let mut servers: Vec<&Arc<Server>> = Vec::new();
        for server in self.watch.servers.values() {
            if !servers.iter().any(|known| Arc::ptr_eq(known, server)) {
                servers.push(server);
            }
        }
        let changed = verdict::judge(&servers, &self.watch.settings, now);
        let concerned: Vec<(Subchannel, SubchannelState)> = self
            .watch
            .subchannels
            .values()
            .filter(|watched| changed.iter().any(|server| Arc::ptr_eq(server, &watched.server)))
            .filter_map(|watched| Some((watched.subchannel.upgrade()?, watched.as_told())))
            .collect();
        for (subchannel, state) in concerned {
            self.with_child(control, |child, control| child.subchannel_changed(&subchannel, &state, control));
        }
        self.watch.subchannels.retain(|_, watched| watched.subchannel.upgrade().is_some());
        let next = now + self.watch.settings.interval.min(LONGEST);
        self.compare_at = Some(next);
        control.wake_at(next);
    }

    fn with_child(
        &mut self,
        control: &mut dyn ChannelControl,
        what: impl FnOnce(&mut dyn Balancer, &mut dyn ChannelControl),
    ) {
        what(&mut *self.child, &mut WatchingControl { control, watch: &mut self.watch });
    }
}

impl Watch {
    /// Whether any server is ever left out.
    fn ejects(&self) -> bool {
        self.settings.success_rate_ejection.is_some() || self.settings.failure_percentage_ejection.is_some()
    }
}

impl Watched {
    /// How it stands for the child.
    fn as_told(&self) -> SubchannelState {
        match &self.state {
            SubchannelState::Ready if self.server.is_ejected() => {
                let address = self.subchannel.upgrade().map(|subchannel| subchannel.address().to_string());
                let address = address.unwrap_or_default();
                SubchannelState::Unhealthy(Status::unavailable(format!(
                    "{address} fails more often than the others and takes no calls for now (outlier_detection)"
                )))
            }
            state => state.clone(),
        }
    }
}

impl Balancer for OutlierDetection {
    fn update(&mut self, endpoints: &[Endpoint], control: &mut dyn ChannelControl) {
        let known = std::mem::take(&mut self.watch.servers);
        for endpoint in endpoints {
            let server = endpoint.addresses().iter().find_map(|address| known.get(address));
            let server = server.cloned().unwrap_or_default();
            for address in endpoint.addresses() {
                self.watch.servers.insert(address.clone(), server.clone());
            }
        }
        if self.compare_at.is_none() && self.watch.ejects() {
            let first = Instant::now() + self.watch.settings.interval.min(LONGEST);
            self.compare_at = Some(first);
            control.wake_at(first);
        }
        self.with_child(control, |child, control| child.update(endpoints, control));
    }

    fn subchannel_changed(
        &mut self,
        subchannel: &Subchannel,
        state: &SubchannelState,
        control: &mut dyn ChannelControl,
    ) {
        let told = match self.watch.subchannels.get_mut(&subchannel.id()) {
            Some(watched) => {
                watched.state = state.clone();
                watched.as_told()
            }
            None => state.clone(),
        };
        self.with_child(control, |child, control| child.subchannel_changed(subchannel, &told, control));
    }

    fn connect(&mut self, control: &mut dyn ChannelControl) {
        self.with_child(control, |child, control| child.connect(control));
    }

    fn wake(&mut self, control: &mut dyn ChannelControl) {
        self.with_child(control, |child, control| child.wake(control));
        match self.compare_at {
            Some(at) if at <= Instant::now() => self.compare(control),
            Some(at) => control.wake_at(at),
            None => {}
        }
    }
}

/// What the child reaches of the channel: its subchannels and calls are watched.
struct WatchingControl<'a> {
    control: &'a mut dyn ChannelControl,
    watch: &'a mut Watch,
}

impl ChannelControl for WatchingControl<'_> {
    fn create_subchannel(&mut self, address: &Address) -> Subchannel {
        let subchannel = self.control.create_subchannel(address);
        self.watch.subchannels.retain(|_, watched| watched.subchannel.upgrade().is_some());
        if let Some(server) = self.watch.servers.get(address) {
            let watched =
                Watched { subchannel: subchannel.downgrade(), state: SubchannelState::Idle, server: server.clone() };
            self.watch.subchannels.insert(subchannel.id(), watched);
        }
        subchannel
    }

    fn update_state(&mut self, state: ConnectivityState, picker: Arc<dyn Picker>) {
        if state != ConnectivityState::Ready || !self.watch.ejects() {
            return self.control.update_state(state, picker);
        }
        let servers = self.watch.subchannels.iter().map(|(id, watched)| (*id, watched.server.clone())).collect();
        self.control.update_state(state, Arc::new(Counting { picker, servers }));
    }

    fn request_resolution(&mut self) {
        self.control.request_resolution();
    }

    fn wake_at(&mut self, at: Instant) {
        self.control.wake_at(at);
    }
}

/// Counts how the calls end that another picker gives their subchannels.
struct Counting {
    picker: Arc<dyn Picker>,
    servers: HashMap<usize, Arc<Server>>,
}

impl Picker for Counting {
    fn pick(&self, call: &PickArgs<'_>) -> Pick {
        match self.picker.pick(call) {
            Pick::Subchannel(picked) => match self.servers.get(&picked.subchannel().id()).cloned() {
                Some(server) => picked.on_done(move |outcome| server.count(outcome.code)).into(),
                None => picked.into(),
            },
            pick => pick,
        }
    }
}
