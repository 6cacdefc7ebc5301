//! A response with the metadata that came around it.

use crate::metadata::Metadata;

/// What a call gave, with the metadata that came before and after it, kept apart.
#[derive(Clone, Debug)]
pub struct Response<T> {
    message: T,
    initial_metadata: Metadata,
    trailing_metadata: Metadata,
    compressed: bool,
}

impl<T> Response<T> {
    pub(crate) fn new(message: T, initial_metadata: Metadata, trailing_metadata: Metadata) -> Self {
        Response { message, initial_metadata, trailing_metadata, compressed: false }
    }

    pub(crate) fn with_compressed(mut self, compressed: bool) -> Self {
        self.compressed = compressed;
        self
    }

    /// The message, or for a streaming response the stream.
    pub fn message(&self) -> &T {
        &self.message
    }

    /// The message, mutably: a stream is read this way.
    pub fn message_mut(&mut self) -> &mut T {
        &mut self.message
    }

    /// The message without the metadata.
    pub fn into_message(self) -> T {
        self.message
    }

    /// The metadata that the server sent before the first message.
    pub fn initial_metadata(&self) -> &Metadata {
        &self.initial_metadata
    }

    /// The metadata that the server sent after the last message; empty while a stream is not at its end
    /// (ask the stream itself then).
    pub fn trailing_metadata(&self) -> &Metadata {
        &self.trailing_metadata
    }

    /// Whether the message came compressed, as the flag byte before it said; `false` for a streaming response, whose
    /// messages have a flag each ([`Streaming::last_was_compressed`](crate::Streaming::last_was_compressed)).
    pub fn was_compressed(&self) -> bool {
        self.compressed
    }
}
