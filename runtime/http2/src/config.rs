//! What a side of a connection is set to.

use std::time::Duration;

/// What one side of a connection is set to. Every limit holds memory or work that a peer can cause.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The window of each stream at the beginning, in bytes: how much a peer may send that nobody has read.
    pub stream_window: u32,
    /// How far the window of a stream grows where the path can carry more, in bytes.
    pub max_stream_window: u32,
    /// The window of the connection at the beginning, in bytes; 65,535 at least, which every
    /// connection begins with.
    pub connection_window: u32,
    /// What all streams together may hold unread, in bytes: the connection's window shrinks towards this.
    pub max_buffered: usize,
    /// How many streams the peer may have open at once; further ones are refused (REFUSED_STREAM).
    pub max_concurrent_streams: u32,
    /// The largest header list that is taken, in bytes as RFC 9113 section 6.5.2 counts them: gRPC's hard limit.
    pub max_header_list_size: u32,
    /// How long a header block may take from its first bytes to its last, HEADERS and CONTINUATION frames together; as long as it
    /// likes where it is `None`. Time in which this side does not [want to read](crate::Connection::wants_read) does not count.
    pub header_read_timeout: Option<Duration>,
    /// The largest payload of a frame that is taken, in bytes: 16,384 to 16,777,215.
    pub max_frame_size: u32,
    /// What a stream may have waiting to be sent before [`Connection::room`](crate::Connection::room) says that there is
    /// none, in bytes.
    pub max_send_buffer: usize,
    /// What all streams together may have waiting to be sent, in bytes, before each has room for no more than 16 KiB of its own: a
    /// peer that opens many streams and reads none holds no more, and stops none that it reads.
    pub max_send_buffered: usize,
    /// How many frames that do no work (PING, SETTINGS, RST_STREAM, WINDOW_UPDATE, empty DATA, frames of closed streams and the
    /// like) are taken at once, and
    pub idle_frames: u32,
    /// how many a second after that: what is above is not an error but waits, so that honest traffic is never cut off.
    ///
    /// Each DATA frame that is sent, and each stream that is opened here or ends in order, brings four of them back, so that
    /// peers which update windows and measure as they go never wait. Calls that are cancelled go at this rate.
    pub idle_frames_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            stream_window: 1024 * 1024,
            max_stream_window: 16 * 1024 * 1024,
            connection_window: 16 * 1024 * 1024,
            max_buffered: 64 * 1024 * 1024,
            max_concurrent_streams: 4096,
            max_header_list_size: 16 * 1024,
            header_read_timeout: None,
            max_frame_size: 16 * 1024,
            max_send_buffer: 256 * 1024,
            max_send_buffered: 16 * 1024 * 1024,
            idle_frames: 20_000,
            idle_frames_per_second: 10_000,
        }
    }
}
