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
/// The same for a server, whose clients are not trusted so far, unless something else is set.
pub(crate) const SERVER_BUFFERED: usize = 256 * 1024 * 1024;

/// How far the window of a stream grows, in bytes.
const MAX_STREAM_WINDOW: u32 = 4 * 1024 * 1024;
/// How many streams may stand unread, each with as much as its window takes, beside those that are read.
const UNREAD_STREAMS: u32 = 64;
/// The window that streams and connections have before they are told another, in bytes: none is smaller for good.
const LEAST_WINDOW: u32 = 64 * 1024;

fn config(max_buffered: usize) -> Config {
    let mut config = Config::default();
    let most = u32::try_from(max_buffered).unwrap_or(u32::MAX).max(LEAST_WINDOW);
    config.max_buffered = max_buffered.max(LEAST_WINDOW as usize);
    config.connection_window = config.connection_window.min(most);
    config.max_stream_window = (most / UNREAD_STREAMS).clamp(LEAST_WINDOW, MAX_STREAM_WINDOW);
    config.stream_window = config.stream_window.min(config.max_stream_window);
    config.max_header_list_size = super::MAX_HEADER_LIST_SIZE;
    config
}

/// The largest header list that can be sent to a peer that said this, in bytes.
fn header_limit(said: Option<u32>) -> usize {
    said.and_then(|size| usize::try_from(size).ok()).unwrap_or(LARGEST_HEADER_LIST).min(LARGEST_HEADER_LIST)
}
