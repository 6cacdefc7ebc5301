//! What all calls of one server share.

use std::sync::Arc;

use super::builder::Settings;
use super::methods::Methods;
use crate::stats::ServerStats;

/// What all calls of one server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) methods: Methods,
    pub(super) stats: Arc<ServerStats>,
}
