//! What was parsed: messages and services by their names.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use callwright_build::Descriptors;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ServiceDescriptor};

use super::DynamicError;
use super::message::Payload;
use super::nearest::unknown;
use super::servicer::DynamicServicer;
use super::stub::DynamicStub;
use crate::Channel;
use crate::status::Status;

/// The messages and services of some `.proto` files and of all that they import. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    inner: Arc<Inner>,
}

struct Inner {
    pool: DescriptorPool,
    descriptors: Descriptors,
    /// The services that a server has and does not describe, and what it says of them.
    undescribed: Vec<(String, String)>,
}

impl Module {
    pub(super) fn new(descriptors: Descriptors) -> Result<Module, DynamicError> {
        Module::with_undescribed(descriptors, Vec::new())
    }

    pub(super) fn with_undescribed(
        descriptors: Descriptors,
        undescribed: Vec<(String, String)>,
    ) -> Result<Module, DynamicError> {
        // The library below is made for descriptors that a compiler checked; these may come from anywhere.
        let decoded = catch_unwind(AssertUnwindSafe(|| DescriptorPool::decode(descriptors.without_editions())));
        let pool = match decoded {
            Ok(pool) => pool.map_err(|error| DynamicError::Descriptors(error.to_string()))?,
            Err(_) => return Err(DynamicError::Descriptors("they contradict each other".to_owned())),
        };
        Ok(Module { inner: Arc::new(Inner { pool, descriptors, undescribed }) })
    }

    /// The message of this full name, `package.Message`.
    ///
    /// # Errors
    /// [`DynamicError::Unknown`] with the names that come nearest.
    pub fn message(&self, name: &str) -> Result<MessageDescriptor, DynamicError> {
        let pool = &self.inner.pool;
        pool.get_message_by_name(name)
            .ok_or_else(|| unknown("message", name, pool.all_messages().map(|known| known.full_name().to_owned())))
    }

    /// A message of this full name with what `payload` says: JSON, mostly.
    ///
    /// # Errors
    /// [`DynamicError::Unknown`] for the name, [`DynamicError::Json`] and others for what does not fit.
    pub fn new_message(&self, name: &str, payload: impl Into<Payload>) -> Result<DynamicMessage, DynamicError> {
        payload.into().into_message(&self.message(name)?)
    }

    /// All messages, those of imports and nested ones included.
    pub fn messages(&self) -> impl Iterator<Item = MessageDescriptor> + '_ {
        self.inner.pool.all_messages()
    }

    /// The service of this full name, `package.Service`.
    ///
    /// # Errors
    /// [`DynamicError::Unknown`] with the names that come nearest.
    pub fn service(&self, name: &str) -> Result<ServiceDescriptor, DynamicError> {
        let pool = &self.inner.pool;
        if let Some((_, why)) = self.inner.undescribed.iter().find(|(undescribed, _)| undescribed == name) {
            let text = format!("the server has the service {name}, and says of its descriptor: {why}");
            return Err(DynamicError::Reflection(Status::not_found(text)));
        }
        pool.get_service_by_name(name)
            .ok_or_else(|| unknown("service", name, pool.services().map(|known| known.full_name().to_owned())))
    }

    /// All services, those of imports included.
    pub fn services(&self) -> impl Iterator<Item = ServiceDescriptor> + '_ {
        self.inner.pool.services()
    }

    /// A stub of the service of this full name, whose calls go out on `channel`.
    ///
    /// # Errors
    /// As [`service`](Self::service).
    pub fn stub(&self, name: &str, channel: &Channel) -> Result<DynamicStub, DynamicError> {
        Ok(DynamicStub::new(self.service(name)?, channel.clone()))
    }

    /// A servicer of the service of this full name, without methods yet.
    ///
    /// # Errors
    /// As [`service`](Self::service).
    pub fn servicer(&self, name: &str) -> Result<DynamicServicer, DynamicError> {
        Ok(DynamicServicer::new(self.service(name)?, Bytes::from_owner(DescriptorBytes(self.clone()))))
    }

    /// The descriptors that names are looked up in.
    pub fn pool(&self) -> &DescriptorPool {
        &self.inner.pool
    }

    /// The serialized `FileDescriptorSet`, as the parser made it.
    pub fn file_descriptor_set(&self) -> &[u8] {
        self.inner.descriptors.file_descriptor_set()
    }

    /// Whether this is the very same module: loaded once, for both.
    pub fn is_same(&self, other: &Module) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

/// The descriptors of a module, as bytes that keep it.
struct DescriptorBytes(Module);

impl AsRef<[u8]> for DescriptorBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.file_descriptor_set()
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.services().map(|service| service.full_name().to_owned()).collect();
        f.debug_struct("Module").field("services", &services).finish_non_exhaustive()
    }
}

/// The messages of a module; what [`dynamic::protos`](super::protos) gives.
#[derive(Clone, Debug)]
pub struct Protos {
    module: Module,
}

impl Protos {
    pub(super) fn new(module: Module) -> Protos {
        Protos { module }
    }

    /// As [`Module::message`].
    ///
    /// # Errors
    /// As [`Module::message`].
    pub fn message(&self, name: &str) -> Result<MessageDescriptor, DynamicError> {
        self.module.message(name)
    }

    /// As [`Module::new_message`].
    ///
    /// # Errors
    /// As [`Module::new_message`].
    pub fn new_message(&self, name: &str, payload: impl Into<Payload>) -> Result<DynamicMessage, DynamicError> {
        self.module.new_message(name, payload)
    }

    /// The module, with the services too.
    pub fn module(&self) -> &Module {
        &self.module
    }
}

/// The services of a module; what [`dynamic::services`](super::services) gives.
#[derive(Clone, Debug)]
pub struct Services {
    module: Module,
}

impl Services {
    pub(super) fn new(module: Module) -> Services {
        Services { module }
    }

    /// As [`Module::stub`].
    ///
    /// # Errors
    /// As [`Module::stub`].
    pub fn stub(&self, name: &str, channel: &Channel) -> Result<DynamicStub, DynamicError> {
        self.module.stub(name, channel)
    }

    /// As [`Module::servicer`].
    ///
    /// # Errors
    /// As [`Module::servicer`].
    pub fn servicer(&self, name: &str) -> Result<DynamicServicer, DynamicError> {
        self.module.servicer(name)
    }

    /// The module, with the messages too.
    pub fn module(&self) -> &Module {
        &self.module
    }
}
