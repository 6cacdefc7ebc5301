//! How every server starts.

use std::net::{Ipv4Addr, SocketAddr};

use crate::flags::ServerFlags;
use crate::{Failure, accounting, control, rt};

/// How many calls one connection may have at once, for all: a curve goes up to 10,000.
pub const MAX_CONCURRENT_STREAMS: u32 = 20_000;
/// How large a message may be, for all.
pub const MAX_MESSAGE_BYTES: usize = 8 << 20;

/// Serves by `serve` until the process is ended.
///
/// # Errors
/// What `serve` says, where it cannot listen.
pub fn run<F: Future<Output = Result<(), Failure>>>(serve: impl FnOnce(SocketAddr) -> F) -> Result<(), Failure> {
    let flags = ServerFlags::from_env();
    accounting::raise_open_files();
    control::start(flags.control);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, flags.port));
    rt::runtime(flags.threads)?.block_on(serve(address))
}
