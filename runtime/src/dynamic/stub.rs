//! Calls by the names of service and method.

use std::fmt;
use std::sync::Arc;

use prost_reflect::{DynamicMessage, MethodDescriptor, ServiceDescriptor};

use super::DynamicError;
use super::codec::DynamicCodec;
use super::message::Payload;
use super::nearest::unknown;
use crate::call::{Bidi, ClientStreaming, Method, ServerStreaming, Unary};
use crate::channel::{Call, Channel};
use crate::status::Status;

/// A service on a channel: its methods by name. Cheap to clone.
#[derive(Clone)]
pub struct DynamicStub {
    service: ServiceDescriptor,
    channel: Channel,
}

impl DynamicStub {
    pub(super) fn new(service: ServiceDescriptor, channel: Channel) -> Self {
        DynamicStub { service, channel }
    }

    /// The method of this name, as the `.proto` spells it.
    ///
    /// # Errors
    /// [`DynamicError::Unknown`] with the names that come nearest.
    pub fn method(&self, name: &str) -> Result<DynamicMethod, DynamicError> {
        let method = find(&self.service, name)?;
        Ok(DynamicMethod { method, channel: self.channel.clone() })
    }

    /// The service.
    pub fn descriptor(&self) -> &ServiceDescriptor {
        &self.service
    }
}

impl fmt::Debug for DynamicStub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DynamicStub").field(&self.service.full_name()).finish()
    }
}

/// Which of the four kinds a method is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// One request, one response: [`DynamicMethod::call`].
    Unary,
    /// One request, a stream of responses: [`DynamicMethod::server_streaming`].
    ServerStreaming,
    /// A stream of requests, one response: [`DynamicMethod::client_streaming`].
    ClientStreaming,
    /// A stream both ways: [`DynamicMethod::bidi`].
    Bidi,
}

impl MethodKind {
    pub(super) fn of(method: &MethodDescriptor) -> MethodKind {
        match (method.is_client_streaming(), method.is_server_streaming()) {
            (false, false) => MethodKind::Unary,
            (false, true) => MethodKind::ServerStreaming,
            (true, false) => MethodKind::ClientStreaming,
            (true, true) => MethodKind::Bidi,
        }
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            MethodKind::Unary => "unary",
            MethodKind::ServerStreaming => "server streaming",
            MethodKind::ClientStreaming => "client streaming",
            MethodKind::Bidi => "bidirectional streaming",
        }
    }

    pub(super) fn expect(self, expected: MethodKind, method: &MethodDescriptor) -> Result<(), DynamicError> {
        if self == expected {
            return Ok(());
        }
        let instead = match self {
            MethodKind::Unary => "use call, or unary for a servicer",
            MethodKind::ServerStreaming => "use server_streaming",
            MethodKind::ClientStreaming => "use client_streaming",
            MethodKind::Bidi => "use bidi",
        };
        Err(DynamicError::WrongKind { method: path(method), kind: self.name(), instead })
    }
}

/// A method on a channel. Its calls have the builder of typed ones; what is wrong with a request shows when the call is
/// made: INVALID_ARGUMENT for JSON or a message that does not fit, naming the field; UNIMPLEMENTED for a method that is of
/// another kind.
#[derive(Clone)]
pub struct DynamicMethod {
    method: MethodDescriptor,
    channel: Channel,
}

impl DynamicMethod {
    /// The method.
    pub fn descriptor(&self) -> &MethodDescriptor {
        &self.method
    }

    /// Which of the four kinds it is.
    pub fn kind(&self) -> MethodKind {
        MethodKind::of(&self.method)
    }

    /// A request, to be sent in a stream of them.
    ///
    /// # Errors
    /// [`DynamicError::Json`] and others for what does not fit.
    pub fn request(&self, payload: impl Into<Payload>) -> Result<DynamicMessage, DynamicError> {
        payload.into().into_message(&self.method.input())
    }

    /// A call of one request and one response.
    pub fn call(&self, payload: impl Into<Payload>) -> Call<Unary, DynamicMessage, DynamicMessage> {
        let (request, failure) = self.one_request(MethodKind::Unary, payload.into());
        failing(Call::unary(&self.channel, method(&self.method), request), failure)
    }

    /// A call of one request and a stream of responses.
    pub fn server_streaming(
        &self,
        payload: impl Into<Payload>,
    ) -> Call<ServerStreaming, DynamicMessage, DynamicMessage> {
        let (request, failure) = self.one_request(MethodKind::ServerStreaming, payload.into());
        failing(Call::server_streaming(&self.channel, method(&self.method), request), failure)
    }

    /// A call of a stream of requests and one response; [`request`](Self::request) makes the requests.
    pub fn client_streaming(&self) -> Call<ClientStreaming, DynamicMessage, DynamicMessage> {
        let failure = self.kind().expect(MethodKind::ClientStreaming, &self.method).err();
        failing(Call::client_streaming(&self.channel, method(&self.method)), failure)
    }

    /// A call with a stream both ways; [`request`](Self::request) makes the requests.
    pub fn bidi(&self) -> Call<Bidi, DynamicMessage, DynamicMessage> {
        let failure = self.kind().expect(MethodKind::Bidi, &self.method).err();
        failing(Call::bidi(&self.channel, method(&self.method)), failure)
    }

    fn one_request(&self, kind: MethodKind, payload: Payload) -> (DynamicMessage, Option<DynamicError>) {
        let input = self.method.input();
        let request = self.kind().expect(kind, &self.method).and_then(|()| payload.into_message(&input));
        match request {
            Ok(request) => (request, None),
            Err(error) => (DynamicMessage::new(input), Some(error)),
        }
    }
}

impl fmt::Debug for DynamicMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DynamicMethod").field(&path(&self.method)).finish()
    }
}

fn failing<K>(
    call: Call<K, DynamicMessage, DynamicMessage>,
    failure: Option<DynamicError>,
) -> Call<K, DynamicMessage, DynamicMessage> {
    match failure {
        Some(error) => call.fail(Status::from(error)),
        None => call,
    }
}

/// The method of a service by its name.
pub(super) fn find(service: &ServiceDescriptor, name: &str) -> Result<MethodDescriptor, DynamicError> {
    service.methods().find(|method| method.name() == name).ok_or_else(|| {
        let kind = format!("method of {}", service.full_name());
        unknown(kind, name, service.methods().map(|method| method.name().to_owned()))
    })
}

/// The method as calls know it.
pub(super) fn method(method: &MethodDescriptor) -> Method<DynamicMessage, DynamicMessage> {
    let codec = |message| Arc::new(DynamicCodec::new(message));
    Method::with_codecs(path(method), codec(method.input()), codec(method.output()))
}

pub(super) fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}
