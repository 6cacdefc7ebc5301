//! What channels, connections and servers of this process have done so far: the numbers that channelz shows (gRFC A14),
//! for a program to read itself.
//!
//! Everything has an id that is positive and never given twice. What is gone is no longer listed: nothing is kept alive
//! or grows by being counted. Counting costs a few atomic additions a call.
//!
//! ```
//! # fn example() -> Result<(), callwright::ChannelError> {
//! let channel = callwright::Channel::new("localhost:50051")?;
//! let (channels, _) = callwright::stats::channels(0, 100);
//! let mine = channels.iter().find(|stats| stats.target() == "localhost:50051").expect("it is there");
//! assert_eq!(mine.calls().started, 0);
//! # drop(channel);
//! # Ok(())
//! # }
//! # example().unwrap();
//! ```

mod channel;
mod counts;
mod registry;
mod server;
mod socket;
mod trace;

use std::sync::Arc;

pub use channel::{ChannelStats, SubchannelStats};
pub use counts::CallCounts;
pub(crate) use counts::Moment;
#[cfg(feature = "http-service")]
pub(crate) use server::Connected;
pub use server::ServerStats;
pub(crate) use socket::StreamRecord;
pub use socket::{SocketCounts, SocketStats};
pub use trace::{Child, Severity, Trace, TraceEvent};

/// Up to `max` channels whose id is at least `start`, by ascending id, and whether these are the last.
pub fn channels(start: u64, max: usize) -> (Vec<Arc<ChannelStats>>, bool) {
    registry::CHANNELS.page(start, max)
}

/// The channel with this id.
pub fn channel(id: u64) -> Option<Arc<ChannelStats>> {
    registry::CHANNELS.get(id)
}

/// The subchannel with this id.
pub fn subchannel(id: u64) -> Option<Arc<SubchannelStats>> {
    registry::SUBCHANNELS.get(id)
}

/// Up to `max` servers whose id is at least `start`, by ascending id, and whether these are the last.
pub fn servers(start: u64, max: usize) -> (Vec<Arc<ServerStats>>, bool) {
    registry::SERVERS.page(start, max)
}

/// The server with this id.
pub fn server(id: u64) -> Option<Arc<ServerStats>> {
    registry::SERVERS.get(id)
}

/// The connection, or the listening socket, with this id.
pub fn socket(id: u64) -> Option<Arc<SocketStats>> {
    registry::SOCKETS.get(id)
}
