//! Tasks that are of use only as long as somebody waits for them.

use tokio::task::{AbortHandle, JoinHandle};

/// Ends a task that nobody waits for any more.
#[derive(Debug)]
pub(super) struct AbortOnDrop(AbortHandle);

impl AbortOnDrop {
    pub(super) fn new<T>(task: JoinHandle<T>) -> Self {
        AbortOnDrop(task.abort_handle())
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
