//! What a server serves, for a service that tells of it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

/// The services of a server, for a service of it that tells what there is, as reflection does; given by
/// [`Methods::served`](super::Methods::served). It knows those that are added before and after it.
#[derive(Clone, Default)]
pub struct ServedServices {
    inner: Arc<RwLock<Inner>>,
}

#[derive(Default)]
struct Inner {
    names: Vec<String>,
    file_descriptor_sets: Vec<Bytes>,
}

impl ServedServices {
    /// The full names, in the order in which they were registered.
    pub fn names(&self) -> Vec<String> {
        self.read().names.clone()
    }

    /// What the services gave as their [`file_descriptor_set`](super::Service::file_descriptor_set), in the order in
    /// which they were added; always empty without the feature `reflection`.
    pub fn file_descriptor_sets(&self) -> Vec<Bytes> {
        self.read().file_descriptor_sets.clone()
    }

    /// Whether there was none of this name before.
    pub(super) fn add(&self, name: String) -> bool {
        let mut inner = self.write();
        let is_new = !inner.names.contains(&name);
        inner.names.push(name);
        is_new
    }

    #[cfg(feature = "reflection")]
    pub(super) fn describe(&self, file_descriptor_set: Bytes) {
        if !file_descriptor_set.is_empty() {
            self.write().file_descriptor_sets.push(file_descriptor_set);
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.read().names.iter().any(|known| known == name)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ServedServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServedServices").field(&self.read().names).finish()
    }
}
