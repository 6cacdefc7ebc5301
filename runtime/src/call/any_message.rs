//! A message of any type.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::codec::{Codec, Prost, SharedCodec};
use crate::status::Status;

/// A message of any type, as it passes interceptors that know no types.
pub struct AnyMessage {
    message: Box<dyn Any + Send>,
    codec: Arc<dyn AnyCodec>,
    /// Whether it goes out uncompressed, or came so.
    pub(crate) compressed: bool,
}

impl AnyMessage {
    /// A message of prost's.
    pub fn new<T: prost::Message + Default + Send + 'static>(message: T) -> AnyMessage {
        AnyMessage::with_codec(message, Arc::new(Prost))
    }

    /// A message that this codec writes and reads.
    pub fn with_codec<T: Send + 'static>(message: T, codec: Arc<dyn Codec<T>>) -> AnyMessage {
        AnyMessage::shared(message, SharedCodec::Shared(codec))
    }

    pub(crate) fn shared<T: Send + 'static>(message: T, codec: SharedCodec<T>) -> AnyMessage {
        AnyMessage { message: Box::new(message), codec: Arc::new(OfType(codec)), compressed: true }
    }

    /// The message, if it is of this type.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.message.downcast_ref()
    }

    /// The message to be changed, if it is of this type.
    pub fn downcast_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.message.downcast_mut()
    }

    /// The message itself, if it is of this type; else all of this again.
    pub fn downcast<T: 'static>(self) -> Result<T, AnyMessage> {
        let AnyMessage { message, codec, compressed } = self;
        message.downcast().map(|message| *message).map_err(|message| AnyMessage { message, codec, compressed })
    }

    /// Its bytes, as they go over the wire before compression.
    ///
    /// # Errors
    /// INTERNAL where its codec cannot write it.
    pub fn encoded(&self) -> Result<Bytes, Status> {
        self.codec.encode(&*self.message)
    }

    /// The same message again, by way of its bytes.
    ///
    /// # Errors
    /// INTERNAL where its codec cannot write it or read it again.
    pub fn try_clone(&self) -> Result<AnyMessage, Status> {
        let message = self.codec.copy(&*self.message)?;
        Ok(AnyMessage { message, codec: self.codec.clone(), compressed: self.compressed })
    }

    /// The message for a call whose messages are of this type.
    pub(crate) fn into_typed<T: 'static>(self) -> Result<T, Status> {
        let wanted = std::any::type_name::<T>();
        self.downcast().map_err(|message| {
            let given = message.codec.type_name();
            Status::internal(format!("an interceptor gave a {given} where the method has a {wanted}"))
        })
    }
}

impl fmt::Debug for AnyMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyMessage").field(&self.codec.type_name()).finish()
    }
}

/// A codec of any type.
trait AnyCodec: Send + Sync {
    fn encode(&self, message: &dyn Any) -> Result<Bytes, Status>;
    fn copy(&self, message: &dyn Any) -> Result<Box<dyn Any + Send>, Status>;
    fn type_name(&self) -> &'static str;
}

struct OfType<T: 'static>(SharedCodec<T>);

impl<T: Send + 'static> AnyCodec for OfType<T> {
    fn encode(&self, message: &dyn Any) -> Result<Bytes, Status> {
        // It was made with a message of this type, and nothing changes that.
        let message = message.downcast_ref().ok_or_else(|| Status::internal("a message of another type"))?;
        let mut bytes = BytesMut::new();
        self.0.codec().encode(message, &mut bytes).map_err(|error| {
            Status::internal(format!("cannot encode a {}: {error}", self.type_name())).with_source(error)
        })?;
        Ok(bytes.freeze())
    }

    fn copy(&self, message: &dyn Any) -> Result<Box<dyn Any + Send>, Status> {
        let bytes = self.encode(message)?;
        match self.0.codec().decode(bytes) {
            Ok(copy) => Ok(Box::new(copy)),
            Err(error) => {
                Err(Status::internal(format!("cannot copy a {}: {error}", self.type_name())).with_source(error))
            }
        }
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<T>()
    }
}
