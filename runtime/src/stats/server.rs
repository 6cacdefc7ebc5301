//! A server, the sockets that it listens on, and its connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::counts::{CallCounter, CallCounts};
use super::registry::{self, SERVERS};
use super::socket::SocketStats;
use super::trace::{Trace, Tracer};
use crate::address::Address;

/// A server: its calls, the sockets that it listens on, its connections, and what happened to it.
#[derive(Debug)]
pub struct ServerStats {
    id: u64,
    calls: CallCounter,
    tracer: Tracer,
    listeners: Vec<Arc<SocketStats>>,
    sockets: Mutex<BTreeMap<u64, Weak<SocketStats>>>,
}

impl ServerStats {
    pub(crate) fn new(listeners: impl IntoIterator<Item = Address>) -> Arc<ServerStats> {
        let listeners: Vec<_> = listeners.into_iter().map(SocketStats::listener).collect();
        SERVERS.add(|id| ServerStats {
            id,
            calls: CallCounter::default(),
            tracer: Tracer::new("server created".into()),
            listeners,
            sockets: Mutex::default(),
        })
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The calls that it was sent.
    pub fn calls(&self) -> CallCounts {
        self.calls.counts()
    }

    /// What happened to it.
    pub fn trace(&self) -> Trace {
        self.tracer.trace()
    }

    /// The sockets that it listens on.
    pub fn listeners(&self) -> &[Arc<SocketStats>] {
        &self.listeners
    }

    /// Up to `max` of its connections whose id is at least `start`, by ascending id, and whether these are the last.
    pub fn sockets(&self, start: u64, max: usize) -> (Vec<Arc<SocketStats>>, bool) {
        registry::page(&self.lock(), start, max)
    }

    pub(crate) fn counter(&self) -> &CallCounter {
        &self.calls
    }

    /// A connection from a client.
    pub(crate) fn accepted(self: &Arc<Self>, local: Option<Address>, peer: Address) -> Connected {
        let socket = SocketStats::connection(local, Some(peer));
        self.lock().insert(socket.id(), Arc::downgrade(&socket));
        Connected { server: self.clone(), socket }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Weak<SocketStats>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ServerStats {
    fn drop(&mut self) {
        SERVERS.remove(self.id);
    }
}

/// A connection of a server for as long as it lives.
#[derive(Debug)]
pub(crate) struct Connected {
    server: Arc<ServerStats>,
    socket: Arc<SocketStats>,
}

impl Connected {
    pub(crate) fn socket(&self) -> &Arc<SocketStats> {
        &self.socket
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.server.lock().remove(&self.socket.id());
    }
}
