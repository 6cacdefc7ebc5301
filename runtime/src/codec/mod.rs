//! How messages become bytes: a [`Codec`] for one message, [`frame`] for the prefix that gRPC puts before each.

pub(crate) mod frame;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};

pub use frame::MessageBytes;

/// Turns messages of type `T` into bytes and back.
///
/// Generated code uses the one for prost messages; another gives other messages the same calls.
pub trait Codec<T: 'static>: fmt::Debug + Send + Sync + 'static {
    /// Appends `message` to `buffer`.
    ///
    /// # Errors
    /// Whatever keeps the message from being written; the call ends in INTERNAL with it.
    fn encode(&self, message: &T, buffer: &mut BytesMut) -> Result<(), CodecError>;

    /// How many bytes [`encode`](Self::encode) will append, where that is known before: room is made for so many, and small
    /// messages of a stream are written side by side. It has to be exact: the call ends in INTERNAL where `encode` writes another
    /// number. `None`, which it is unless said otherwise, is always right.
    fn encoded_len(&self, message: &T) -> Option<usize> {
        let _ = message;
        None
    }

    /// Reads one message that fills `bytes`.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes; the call ends in INTERNAL with it.
    fn decode(&self, bytes: Bytes) -> Result<T, CodecError>;

    /// Reads one message out of what arrived, without joining it where it came in parts.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), which it is with the bytes in one piece unless said otherwise.
    fn decode_from(&self, bytes: &mut MessageBytes<'_>) -> Result<T, CodecError> {
        self.decode(bytes.copy_to_bytes(bytes.remaining()))
    }
}

/// Why a message could not be written or read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(#[source] Arc<dyn Error + Send + Sync>);

impl CodecError {
    /// Wraps what went wrong.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> CodecError {
        CodecError(error.into().into())
    }
}

/// The codec of prost messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prost;

impl<T: prost::Message + Default + 'static> Codec<T> for Prost {
    fn encode(&self, message: &T, buffer: &mut BytesMut) -> Result<(), CodecError> {
        message.encode(buffer).map_err(CodecError::new)
    }

    fn encoded_len(&self, message: &T) -> Option<usize> {
        Some(message.encoded_len())
    }

    fn decode(&self, bytes: Bytes) -> Result<T, CodecError> {
        T::decode(bytes).map_err(CodecError::new)
    }

    fn decode_from(&self, bytes: &mut MessageBytes<'_>) -> Result<T, CodecError> {
        T::decode(bytes).map_err(CodecError::new)
    }
}

/// The codec of messages that stay bytes: what passes calls on needs no more.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesCodec;

impl Codec<Bytes> for BytesCodec {
    fn encode(&self, message: &Bytes, buffer: &mut BytesMut) -> Result<(), CodecError> {
        buffer.extend_from_slice(message);
        Ok(())
    }

    fn encoded_len(&self, message: &Bytes) -> Option<usize> {
        Some(message.len())
    }

    fn decode(&self, bytes: Bytes) -> Result<Bytes, CodecError> {
        Ok(bytes)
    }
}

/// A codec that a method description can hold: a static one costs nothing, a shared one is counted.
pub(crate) enum SharedCodec<T: 'static> {
    Static(&'static dyn Codec<T>),
    Shared(Arc<dyn Codec<T>>),
}

impl<T: 'static> SharedCodec<T> {
    pub(crate) fn codec(&self) -> &dyn Codec<T> {
        match self {
            SharedCodec::Static(codec) => *codec,
            SharedCodec::Shared(codec) => &**codec,
        }
    }
}

impl<T: 'static> Clone for SharedCodec<T> {
    fn clone(&self) -> Self {
        match self {
            SharedCodec::Static(codec) => SharedCodec::Static(*codec),
            SharedCodec::Shared(codec) => SharedCodec::Shared(codec.clone()),
        }
    }
}

impl<T: 'static> fmt::Debug for SharedCodec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.codec(), f)
    }
}
