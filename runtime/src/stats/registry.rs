//! All that is counted in this process, by id.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{ChannelStats, ServerStats, SocketStats, SubchannelStats};

pub(super) static CHANNELS: Entities<ChannelStats> = Entities::new();
pub(super) static SUBCHANNELS: Entities<SubchannelStats> = Entities::new();
pub(super) static SERVERS: Entities<ServerStats> = Entities::new();
pub(super) static SOCKETS: Entities<SocketStats> = Entities::new();

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Everything of one kind that is alive. Each removes itself when it is dropped.
pub(super) struct Entities<T: 'static> {
    by_id: Mutex<BTreeMap<u64, Weak<T>>>,
}

impl<T> Entities<T> {
    const fn new() -> Self {
        Entities { by_id: Mutex::new(BTreeMap::new()) }
    }

    /// Makes one with an id of its own, and lists it.
    pub(super) fn add(&self, make: impl FnOnce(u64) -> T) -> Arc<T> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let entity = Arc::new(make(id));
        self.lock().insert(id, Arc::downgrade(&entity));
        entity
    }

    pub(super) fn remove(&self, id: u64) {
        self.lock().remove(&id);
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<T>> {
        self.lock().get(&id).and_then(Weak::upgrade)
    }

    /// Up to `max` from id `start` on, and whether there are no more.
    pub(super) fn page(&self, start: u64, max: usize) -> (Vec<Arc<T>>, bool) {
        page(&self.lock(), start, max)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Weak<T>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Up to `max` of those that are alive from id `start` on, and whether there are no more.
pub(super) fn page<T>(by_id: &BTreeMap<u64, Weak<T>>, start: u64, max: usize) -> (Vec<Arc<T>>, bool) {
    let mut rest = by_id.range(start..).map(|(_, entity)| entity);
    let page: Vec<_> = rest.by_ref().filter_map(Weak::upgrade).take(max).collect();
    // None is taken here that would have to be dropped, for dropping one takes it out of this map.
    let end = rest.all(|entity| entity.strong_count() == 0);
    (page, end)
}
