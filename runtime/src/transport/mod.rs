//! The seam between calls and the network: the only room that touches sockets, and the only one that knows HTTP/2.
//!
//! A call is opened, its bytes go out, headers, bytes and trailers come in, and either side may reset it. What carries it
//! is HTTP/2 on a socket, or nothing but memory where both sides are in one process; calls do not know which.

pub(crate) mod client;
mod error;
mod http2;
#[cfg(feature = "http-service")]
pub(crate) mod http_body;
pub(crate) mod inherited;
mod inproc;
mod io;
mod keepalive;
mod limits;
mod listener;
mod options;
mod proxy;
mod ready;
pub(crate) mod server;
mod stream;
#[cfg(feature = "_tls")]
mod tls;
pub(crate) mod unix;

use std::time::Duration;

pub(crate) use crate::address::Address;
pub(crate) use error::{ConnectError, Stage, StreamError};
pub(crate) use http2::SERVER_BUFFERED;
pub use keepalive::{Keepalive, KeepaliveEnforcement};
pub(crate) use listener::Listener;
pub use listener::ListeningSocket;
pub(crate) use options::ConnectOptions;
pub(crate) use proxy::Tunnel;
pub use proxy::{Proxy, ProxyError};
pub(crate) use stream::Event;

pub(crate) use callwright_http2::{Fields, Head, Headers};

/// How long the peer has to close its side once this side has said its last. A socket that is closed while something of
/// the peer's is unread would take back what the peer has not read either.
const LINGER: Duration = Duration::from_secs(1);
/// How much of what one side sends may stand between a call and its connection, in bytes.
const STREAM_WINDOW: usize = 256 * 1024;
/// Largest header list that is taken unless something else is set, in bytes: gRPC's hard limit.
pub(crate) const MAX_HEADER_LIST_SIZE: u32 = 16 * 1024;
