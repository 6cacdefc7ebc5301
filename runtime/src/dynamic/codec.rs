//! The codec of dynamic messages of one type.

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _};

use super::DynamicError;
use crate::codec::{Codec, CodecError};

#[derive(Debug)]
pub(super) struct DynamicCodec {
    message: MessageDescriptor,
}

impl DynamicCodec {
    pub(super) fn new(message: MessageDescriptor) -> Self {
        DynamicCodec { message }
    }
}

impl Codec<DynamicMessage> for DynamicCodec {
    fn encode(&self, message: &DynamicMessage, buffer: &mut BytesMut) -> Result<(), CodecError> {
        check_type(&self.message, message).map_err(CodecError::new)?;
        message.encode(buffer).map_err(CodecError::new)
    }

    fn decode(&self, bytes: Bytes) -> Result<DynamicMessage, CodecError> {
        DynamicMessage::decode(self.message.clone(), bytes).map_err(CodecError::new)
    }
}

/// Whether a message is of the type that is expected; the same type of another module is as good.
pub(super) fn check_type(expected: &MessageDescriptor, message: &DynamicMessage) -> Result<(), DynamicError> {
    let given = message.descriptor();
    if given.full_name() == expected.full_name() {
        return Ok(());
    }
    Err(DynamicError::WrongMessage { expected: expected.full_name().to_owned(), given: given.full_name().to_owned() })
}
