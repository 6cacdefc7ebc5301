//! Connections within the process: what goes over the wire elsewhere is handed over in memory.
//!
//! Headers, messages with their prefix and compression, trailers, flow control, deadlines, cancellation, limits and the
//! end of a connection are as they are over HTTP/2; only sockets and frames are left out.

mod link;
mod registry;

pub(crate) use link::{Accepted, Dial, Session};
pub(super) use link::{Link, connect};
pub(crate) use registry::Listener;

/// Largest header list that is taken, in bytes.
pub(super) const HEADER_LIMIT: usize = super::MAX_HEADER_LIST_SIZE as usize;
