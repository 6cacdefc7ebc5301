//! A channel and its subchannels.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::counts::{CallCounter, CallCounts};
use super::registry::{self, CHANNELS, SUBCHANNELS};
use super::socket::SocketStats;
use super::trace::{Child, Severity, Trace, Tracer};
use crate::address::Address;
use crate::call::ConnectivityState;

/// Where events of channels and their subchannels are told with `tracing`: warnings of what does not work, and states for whoever
/// debugs.
const EVENTS: &str = "callwright::channel";

/// A channel: its state, its calls, its subchannels, and what happened to it.
#[derive(Debug)]
pub struct ChannelStats {
    id: u64,
    target: String,
    state: Mutex<ConnectivityState>,
    calls: CallCounter,
    tracer: Tracer,
    subchannels: Mutex<BTreeMap<u64, Weak<SubchannelStats>>>,
}

impl ChannelStats {
    pub(crate) fn new(target: String) -> Arc<ChannelStats> {
        CHANNELS.add(|id| ChannelStats {
            id,
            target,
            state: Mutex::new(ConnectivityState::Idle),
            calls: CallCounter::default(),
            tracer: Tracer::new("channel created".into()),
            subchannels: Mutex::default(),
        })
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The target that it was built with.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The state now.
    pub fn state(&self) -> ConnectivityState {
        *lock(&self.state)
    }

    /// Its calls, those that wait for a connection included.
    pub fn calls(&self) -> CallCounts {
        self.calls.counts()
    }

    /// What happened to it.
    pub fn trace(&self) -> Trace {
        self.tracer.trace()
    }

    /// Its subchannels, by ascending id: the addresses that it has tried to connect to.
    pub fn subchannels(&self) -> Vec<Arc<SubchannelStats>> {
        registry::page(&lock(&self.subchannels), 0, usize::MAX).0
    }

    pub(crate) fn counter(&self) -> &CallCounter {
        &self.calls
    }

    pub(crate) fn enter(&self, state: ConnectivityState, why: Option<String>) {
        *lock(&self.state) = state;
        log_state(&self.tracer, ("channel", self.id, &self.target), state, why);
    }

    /// The target stands for these addresses by now.
    pub(crate) fn resolved<'a>(&self, addresses: impl Iterator<Item = &'a Address>) {
        let list: Vec<String> = addresses.map(Address::to_string).collect();
        let what = format!("resolved to {}", list.join(", "));
        tracing::debug!(target: EVENTS, channel = self.id, peer = self.target, "{what}");
        self.tracer.log(Severity::Info, what, None);
    }

    /// Something did not go as it should.
    pub(crate) fn log_warning(&self, what: String) {
        tracing::warn!(target: EVENTS, channel = self.id, peer = self.target, "{what}");
        self.tracer.log(Severity::Warning, what, None);
    }

    /// A subchannel to this address.
    pub(crate) fn subchannel(self: &Arc<Self>, address: Address) -> Arc<SubchannelStats> {
        let subchannel = SUBCHANNELS.add(|id| SubchannelStats {
            id,
            channel: Arc::downgrade(self),
            tracer: Tracer::new(format!("subchannel to {address} created")),
            address,
            state: Mutex::new(ConnectivityState::Idle),
            calls: CallCounter::default(),
            sockets: Mutex::default(),
        });
        let description = format!("subchannel to {} created", subchannel.address);
        self.tracer.log(Severity::Info, description, Some(Child::Subchannel(subchannel.id)));
        lock(&self.subchannels).insert(subchannel.id, Arc::downgrade(&subchannel));
        subchannel
    }
}

impl Drop for ChannelStats {
    fn drop(&mut self) {
        CHANNELS.remove(self.id);
    }
}

/// One address of a channel: its state, the calls that went there, its connections, and what happened to it.
#[derive(Debug)]
pub struct SubchannelStats {
    id: u64,
    channel: Weak<ChannelStats>,
    address: Address,
    state: Mutex<ConnectivityState>,
    calls: CallCounter,
    tracer: Tracer,
    sockets: Mutex<BTreeMap<u64, Weak<SocketStats>>>,
}

impl SubchannelStats {
    /// Its id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The state now.
    pub fn state(&self) -> ConnectivityState {
        *lock(&self.state)
    }

    /// The calls that went there.
    pub fn calls(&self) -> CallCounts {
        self.calls.counts()
    }

    /// What happened to it.
    pub fn trace(&self) -> Trace {
        self.tracer.trace()
    }

    /// Its connections, by ascending id.
    pub fn sockets(&self) -> Vec<Arc<SocketStats>> {
        registry::page(&lock(&self.sockets), 0, usize::MAX).0
    }

    pub(crate) fn counter(&self) -> &CallCounter {
        &self.calls
    }

    pub(crate) fn enter(&self, state: ConnectivityState, why: Option<String>) {
        *lock(&self.state) = state;
        log_state(&self.tracer, ("subchannel", self.id, &self.address), state, why);
    }

    /// A connection to the address, from `local`.
    pub(crate) fn connected(&self, local: Option<Address>) -> Arc<SocketStats> {
        let socket = SocketStats::connection(local, Some(self.address.clone()));
        let mut sockets = lock(&self.sockets);
        sockets.retain(|_, socket| socket.strong_count() > 0);
        sockets.insert(socket.id(), Arc::downgrade(&socket));
        socket
    }
}

impl Drop for SubchannelStats {
    fn drop(&mut self) {
        SUBCHANNELS.remove(self.id);
        if let Some(channel) = self.channel.upgrade() {
            lock(&channel.subchannels).remove(&self.id);
            channel.tracer.log(Severity::Info, format!("subchannel to {} deleted", self.address), None);
        }
    }
}

/// Notes a state, and tells whoever listens with `tracing`.
fn log_state(
    tracer: &Tracer,
    (kind, id, peer): (&str, u64, &dyn fmt::Display),
    state: ConnectivityState,
    why: Option<String>,
) {
    let what = why.map_or_else(|| format!("{state}"), |why| format!("{state}: {why}"));
    let severity = match state {
        ConnectivityState::TransientFailure => {
            tracing::warn!(target: EVENTS, %peer, id, "{kind} is {what}");
            Severity::Warning
        }
        _ => {
            tracing::debug!(target: EVENTS, %peer, id, "{kind} is {what}");
            Severity::Info
        }
    };
    tracer.log(severity, what, None);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
