//! The services that look into a process, added in one line (gRFC A38).
//!
//! ```
//! use callwright::Server;
//! use callwright::admin::Admin;
//!
//! let server = Server::builder().add_service(Admin::new());
//! ```
//!
//! A38 names channelz and, where there is xDS, its configuration dump; this library has channelz. What they tell is meant
//! for the people who run the process: serve them on an address that others do not reach.

use crate::channelz::Channelz;
use crate::server::{Methods, Service};

/// All administration services that there are: [`Channelz`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Admin;

impl Admin {
    /// All of them.
    pub fn new() -> Admin {
        Admin
    }
}

impl Service for Admin {
    fn register(self, methods: &mut Methods) {
        methods.add(Channelz::new());
    }
}
