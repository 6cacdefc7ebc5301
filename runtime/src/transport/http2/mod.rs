//! HTTP/2 under calls, by a library of which no type shows outside this folder.

pub(super) mod client;
mod preface;
pub(super) mod server;
pub(super) mod stream;

use super::STREAM_WINDOW;

/// Window of a client's connection, in bytes: as many streams as a server allows may stand unread, and the calls beside
/// them go on. (The library gives a connection's window back only as its streams are read.)
const CLIENT_CONNECTION_WINDOW: u32 = 1024 * 1024 * 1024;
/// Window of a server's connection, in bytes: room for 256 handlers that do not read, and a bound on what one client can
/// make the server hold.
const SERVER_CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
/// What one stream may have waiting for the peer, in bytes.
const SEND_BUFFER: usize = 256 * 1024;
/// The library's count of small DATA frames is switched off: it never gives back what arrived for a stream that was
/// reset, so that a connection on which streams of small messages are cancelled dies sooner or later. The connection's
/// window is what bounds the memory.
const SMALL_FRAME_BUDGET: usize = usize::MAX;
/// How many streams that ended before the peer knew are remembered, for a second. What still arrives for one of them is
/// dropped; for one that is forgotten it counts as the peer's fault, and at the library's 1,024 the connection ends.
const REMEMBERED_RESETS: usize = 4096;
/// How many calls a client may cancel before the server has looked at them. The library's own 20 end the connection of a
/// client that gives up some calls at once; an attacker who opens and resets streams for ever passes this soon.
const UNSEEN_RESETS: usize = 4096;
