//! The names that servers of this process listen on.

use std::collections::HashMap;
use std::io;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::link::Dial;

/// How many clients may wait to be accepted, as with the backlog of a socket.
const BACKLOG: usize = 1024;

static LISTENERS: LazyLock<Mutex<Names>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Names {
    listeners: HashMap<String, mpsc::Sender<Dial>>,
    /// Counts the names that were chosen here.
    chosen: u64,
}

fn names() -> MutexGuard<'static, Names> {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name that a server listens on; dropping it frees the name.
#[derive(Debug)]
pub(crate) struct Listener {
    name: String,
    dials: mpsc::Receiver<Dial>,
}

impl Listener {
    /// Listens on `name`, or on one that nobody has if it is empty.
    pub(in crate::transport) fn bind(name: &str) -> io::Result<Listener> {
        let mut names = names();
        let name = if name.is_empty() {
            names.chosen += 1;
            format!("#{}", names.chosen)
        } else {
            name.to_owned()
        };
        if names.listeners.contains_key(&name) {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server of this process has this name"));
        }
        let (sender, dials) = mpsc::channel(BACKLOG);
        names.listeners.insert(name.clone(), sender);
        Ok(Listener { name, dials })
    }

    pub(in crate::transport) fn name(&self) -> &str {
        &self.name
    }

    /// The next client.
    pub(in crate::transport) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Dial> {
        match self.dials.poll_recv(cx) {
            Poll::Ready(Some(dial)) => Poll::Ready(dial),
            // The registry holds a sender until the listener is dropped.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        names().listeners.remove(&self.name);
    }
}

/// The way to the server that listens on `name`.
pub(super) fn find(name: &str) -> io::Result<mpsc::Sender<Dial>> {
    names().listeners.get(name).cloned().ok_or_else(|| {
        io::Error::new(io::ErrorKind::ConnectionRefused, "no server of this process listens on this name")
    })
}
