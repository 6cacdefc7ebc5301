//! HTTP/2 under calls: the engine of `callwright-http2`, driven by one task a connection.
//!
//! The task owns the connection; no lock is around it. Calls put what they send into their [streams](super::stream), and
//! a stream that has something puts its id into a list that the task takes out ([`ready`](super::ready)).

pub(super) mod client;
mod driver;
mod heartbeat;
mod read_buffer;
pub(super) mod server;
mod strikes;

use callwright_http2::Config;

/// What goes out whatever the peer says, in bytes: a message of many times this is what metadata is not for.
const LARGEST_HEADER_LIST: usize = 512 * 1024;
/// What all streams of a client's connection together may hold unread, in bytes: as many streams as a server allows may
/// stand unread, and the calls beside them go on.
const CLIENT_BUFFERED: usize = 1024 * 1024 * 1024;
/// The same for a server, whose clients are not trusted so far.
const SERVER_BUFFERED: usize = 256 * 1024 * 1024;

/// How far the window of a stream grows, in bytes: the sixty-fourth part of what a server's connection holds, so that so many
/// streams may stand unread beside those that are read.
const MAX_STREAM_WINDOW: u32 = 4 * 1024 * 1024;

fn config(max_buffered: usize) -> Config {
    let mut config = Config::default();
    config.max_buffered = max_buffered;
    config.max_stream_window = MAX_STREAM_WINDOW;
    config.max_header_list_size = super::MAX_HEADER_LIST_SIZE;
    config
}

/// The largest header list that can be sent to a peer that said this, in bytes.
fn header_limit(said: Option<u32>) -> usize {
    said.and_then(|size| usize::try_from(size).ok()).unwrap_or(LARGEST_HEADER_LIST).min(LARGEST_HEADER_LIST)
}
