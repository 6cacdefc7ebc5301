//! The Tokio runtime that every binary runs on.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// One thread is Tokio's `current_thread` runtime for everybody, since a single worker beside a main thread would measure
/// their hand-overs too; more are its `multi_thread` runtime with so many workers.
///
/// # Errors
/// What the system says where it gives no threads or no epoll.
pub fn runtime(threads: usize) -> io::Result<Runtime> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}
