//! How connections are made: what all connections of one channel share.

use std::sync::Arc;

/// How a channel's connections are made; clones share it. By default: plaintext, without a proxy and without keepalive.
///
/// How long an attempt may take is said by whoever connects.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectOptions {
    _inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {}
