//! How one side treats messages: the settings that a channel and a server share.

use std::sync::Arc;

use super::DEFAULT_MAX_RECEIVE_MESSAGE_SIZE;
use crate::codec::frame::{Encoding, Side};
use crate::compression::{Compression, Compressor, Compressors};

/// Compression and limits of the messages of a channel or a server.
#[derive(Clone, Debug)]
pub(crate) struct MessageSettings {
    /// What applies where nothing narrower is said.
    pub(crate) compression: Compression,
    pub(crate) compressors: Compressors,
    /// In bytes, decompressed.
    pub(crate) max_receive_size: usize,
    /// In bytes, before compression.
    pub(crate) max_send_size: usize,
}

impl Default for MessageSettings {
    fn default() -> Self {
        MessageSettings {
            compression: Compression::None,
            compressors: Compressors::default(),
            max_receive_size: DEFAULT_MAX_RECEIVE_MESSAGE_SIZE,
            max_send_size: usize::MAX,
        }
    }
}

impl MessageSettings {
    /// How a message of this side is written that is compressed with this.
    pub(crate) fn encoding<'a>(&'a self, compressor: Option<&'a Arc<dyn Compressor>>, sender: Side) -> Encoding<'a> {
        Encoding {
            compressor: compressor.map(|compressor| &**compressor),
            compressors: &self.compressors,
            limit: self.max_send_size,
            sender,
        }
    }
}
