//! Services without generated code: closures by the names of the methods.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::{DynamicMessage, MethodDescriptor, ServiceDescriptor};

use super::DynamicError;
use super::stub::{MethodKind, find, method};
use crate::server::{Methods, Requests, Responses, ServerContext, Service, ServiceMethods};
use crate::status::Status;

type Handled<'a, T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send + 'a>>;
type Stream = Requests<DynamicMessage>;
type Sink = Responses<DynamicMessage>;
type Proxy =
    Arc<dyn for<'a> Fn(MethodDescriptor, Stream, &'a mut Sink, &'a mut ServerContext) -> Handled<'a, ()> + Send + Sync>;
type Register = Box<dyn for<'m> FnOnce(ServiceMethods<'m, ()>) -> ServiceMethods<'m, ()> + Send>;

/// A service whose methods are closures over dynamic messages. Methods without one answer UNIMPLEMENTED, or go to the
/// handler for all the others.
///
/// ```
/// use callwright::dynamic::Loader;
///
/// # let module = Loader::new().text("e.proto", r#"syntax = "proto3"; package e; message M { string text = 1; }
/// #     service Echo { rpc Say(M) returns (M); }"#).load(&["e.proto"])?;
/// let echo = module.servicer("e.Echo")?.unary("Say", |request, _context| Box::pin(async move { Ok(request) }))?;
/// // Server::builder().add_service(echo)
/// # Ok::<(), callwright::dynamic::DynamicError>(())
/// ```
pub struct DynamicServicer {
    service: ServiceDescriptor,
    file_descriptor_set: Bytes,
    methods: HashMap<String, Register>,
    proxy: Option<Proxy>,
}

impl DynamicServicer {
    pub(super) fn new(service: ServiceDescriptor, file_descriptor_set: Bytes) -> Self {
        DynamicServicer { service, file_descriptor_set, methods: HashMap::new(), proxy: None }
    }

    /// Serves a method of one request and one response.
    ///
    /// # Errors
    /// [`DynamicError::Unknown`] for a name that is not there, [`DynamicError::WrongKind`] for a method of another kind.
    pub fn unary<F>(self, name: &str, handler: F) -> Result<Self, DynamicError>
    where
        F: for<'a> Fn(DynamicMessage, &'a mut ServerContext) -> Handled<'a, DynamicMessage> + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        self.add(name, MethodKind::Unary, |descriptor, service| {
            service.unary(method(&descriptor), move |(), request, context| handler(request, context))
        })
    }

    /// Serves a method of one request and a stream of responses.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub fn server_streaming<F>(self, name: &str, handler: F) -> Result<Self, DynamicError>
    where
        F: for<'a> Fn(DynamicMessage, &'a mut Sink, &'a mut ServerContext) -> Handled<'a, ()> + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        self.add(name, MethodKind::ServerStreaming, |descriptor, service| {
            service.server_streaming(method(&descriptor), move |(), request, sink, context| {
                handler(request, sink, context)
            })
        })
    }

    /// Serves a method of a stream of requests and one response.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub fn client_streaming<F>(self, name: &str, handler: F) -> Result<Self, DynamicError>
    where
        F: for<'a> Fn(Stream, &'a mut ServerContext) -> Handled<'a, DynamicMessage> + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        self.add(name, MethodKind::ClientStreaming, |descriptor, service| {
            service.client_streaming(method(&descriptor), move |(), stream, context| handler(stream, context))
        })
    }

    /// Serves a method with a stream both ways.
    ///
    /// # Errors
    /// As [`unary`](Self::unary).
    pub fn bidi<F>(self, name: &str, handler: F) -> Result<Self, DynamicError>
    where
        F: for<'a> Fn(Stream, &'a mut Sink, &'a mut ServerContext) -> Handled<'a, ()> + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        self.add(name, MethodKind::Bidi, |descriptor, service| {
            service.bidi(method(&descriptor), move |(), stream, sink, context| handler(stream, sink, context))
        })
    }

    /// Serves every method that has no handler of its own, of whatever kind: as a proxy does. The handler is told which
    /// method it is, and sends exactly one response where the method has one.
    pub fn all_others<F>(mut self, handler: F) -> Self
    where
        F: for<'a> Fn(MethodDescriptor, Stream, &'a mut Sink, &'a mut ServerContext) -> Handled<'a, ()>
            + Send
            + Sync
            + 'static,
    {
        self.proxy = Some(Arc::new(handler));
        self
    }

    fn add(
        mut self,
        name: &str,
        kind: MethodKind,
        register: impl for<'m> FnOnce(MethodDescriptor, ServiceMethods<'m, ()>) -> ServiceMethods<'m, ()> + Send + 'static,
    ) -> Result<Self, DynamicError> {
        let descriptor = find(&self.service, name)?;
        MethodKind::of(&descriptor).expect(kind, &descriptor)?;
        self.methods.insert(name.to_owned(), Box::new(move |service| register(descriptor, service)));
        Ok(self)
    }
}

impl Service for DynamicServicer {
    fn register(mut self, methods: &mut Methods) {
        let mut service = methods.service(self.service.full_name(), Arc::new(()));
        for descriptor in self.service.methods() {
            service = match (self.methods.remove(descriptor.name()), self.proxy.clone()) {
                (Some(register), _) => register(service),
                (None, Some(proxy)) => service.bidi(method(&descriptor), move |(), stream, sink, context| {
                    proxy(descriptor.clone(), stream, sink, context)
                }),
                (None, None) => service,
            };
        }
    }

    fn file_descriptor_set(&self) -> Bytes {
        self.file_descriptor_set.clone()
    }
}

impl fmt::Debug for DynamicServicer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicServicer")
            .field("service", &self.service.full_name())
            .field("methods", &self.methods.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
