//! What all calls of one server share.

use std::sync::Arc;

use http::{HeaderValue, header};
use tokio::sync::watch;

use super::builder::Settings;
use super::methods::Methods;
use crate::call::{APPLICATION_GRPC, GRPC_ACCEPT_ENCODING};
use crate::stats::ServerStats;
use crate::transport::Fields;

/// What all calls of one server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) methods: Methods,
    pub(super) stats: Arc<ServerStats>,
    /// The head of most responses: of those without metadata that are not compressed.
    pub(super) plain_head: Fields,
    /// Set when the server was stopped, or has ended.
    pub(super) stopped: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(settings: Settings, methods: Methods, stats: Arc<ServerStats>) -> Shared {
        let plain_head = Fields::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static(APPLICATION_GRPC)),
            (GRPC_ACCEPT_ENCODING, settings.messages.compressors.accept_header()),
        ]);
        Shared { settings, methods, stats, plain_head, stopped: watch::Sender::new(false) }
    }
}
