//! Server reflection: a server that says what services it has, and what their messages are
//! (`doc/server-reflection.md`, `grpc.reflection.v1` and `v1alpha`).
//!
//! ```
//! use callwright::Server;
//! use callwright::reflection::Reflection;
//!
//! let server = Server::builder().add_service(Reflection::new()); // and your own services, before or after
//! ```
//!
//! Every server that is generated has the descriptors of its `.proto` file inside, imports included, and services of
//! `callwright::dynamic` have theirs: no file is named, and none is read. So grpcurl, buf curl, `callwright call` and
//! grpcio-reflection need nothing but the address.
//!
//! It tells everybody who can reach the server all there is to call. Leave it out where that is not wanted.

mod answer;
mod index;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::call::Method;
use crate::generated::{reflection_v1, reflection_v1alpha};
use crate::prost::{DecodeError, Message as _};
use crate::server::{Methods, NamedService, Requests, Responses, ServedServices, ServerContext, Service};
use crate::status::Status;

use index::{FileSet, Index};
use reflection_v1::{ServerReflectionRequest, ServerReflectionResponse};

/// The messages and the stub of `grpc.reflection.v1`, for a client of your own; `callwright::dynamic` has one that asks
/// for all that is needed to make calls.
pub mod proto {
    pub use crate::generated::reflection_v1::{
        ErrorResponse, ExtensionNumberResponse, ExtensionRequest, FileDescriptorResponse, ListServiceResponse,
        ServerReflectionRequest, ServerReflectionResponse, ServerReflectionStub, ServiceResponse,
        server_reflection_request, server_reflection_response,
    };
}

/// The older version, which differs in nothing but the name of its package.
const V1ALPHA: Method<ServerReflectionRequest, ServerReflectionResponse> =
    Method::new("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");

/// The reflection service, in both its versions.
///
/// It lists the services of its server in the order in which they were added, itself included. A question about what is
/// not there is answered with NOT_FOUND, as data: the conversation goes on. Files come with all that they import, each once
/// in a conversation.
#[derive(Clone, Default)]
pub struct Reflection {
    more: Vec<Bytes>,
}

impl Reflection {
    /// What the services of the server have in them.
    pub fn new() -> Reflection {
        Reflection::default()
    }

    /// Tells of the files of a serialized `FileDescriptorSet` too: of extensions, say, which no service's file imports. The
    /// generator's option `file_descriptor_set` makes one.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that are no `FileDescriptorSet`.
    pub fn with_file_descriptor_set(mut self, bytes: impl Into<Bytes>) -> Result<Reflection, DecodeError> {
        let bytes = bytes.into();
        for file in FileSet::decode(bytes.clone())?.file {
            crate::prost_types::FileDescriptorProto::decode(file)?;
        }
        self.more.push(bytes);
        Ok(self)
    }
}

impl Service for Reflection {
    fn register(self, methods: &mut Methods) {
        let servicer = Arc::new(Servicer { more: self.more, served: methods.served(), index: OnceLock::new() });
        methods.add(reflection_v1::ServerReflectionServer::from_arc(servicer.clone()));
        methods
            .service(<reflection_v1alpha::ServerReflectionServer<()> as NamedService>::NAME, servicer)
            .bidi(V1ALPHA, |servicer, requests, responses, _| Box::pin(servicer.converse(requests, responses)));
    }

    fn file_descriptor_set(&self) -> Bytes {
        reflection_v1alpha::ServerReflectionServer::new(Older).file_descriptor_set()
    }
}

impl fmt::Debug for Reflection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reflection").finish_non_exhaustive()
    }
}

/// Stands for the servicer of the older version, whose descriptors alone are used.
struct Older;

impl reflection_v1alpha::ServerReflectionServicer for Older {}

struct Servicer {
    more: Vec<Bytes>,
    served: ServedServices,
    /// Made when it is first asked for, by when the server has all its services.
    index: OnceLock<Index>,
}

impl Servicer {
    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(self.served.file_descriptor_sets().iter().chain(&self.more)))
    }

    async fn converse(
        &self,
        mut requests: Requests<ServerReflectionRequest>,
        responses: &mut Responses<ServerReflectionResponse>,
    ) -> Result<(), Status> {
        let mut sent = HashSet::new();
        while let Some(request) = requests.message().await? {
            let answer = answer::answer(&request, self.index(), &self.served, &mut sent);
            let response = ServerReflectionResponse {
                valid_host: request.host.clone(),
                original_request: Some(request),
                message_response: Some(answer),
            };
            responses.send(response).await?;
        }
        Ok(())
    }
}

impl reflection_v1::ServerReflectionServicer for Servicer {
    async fn server_reflection_info(
        &self,
        requests: Requests<ServerReflectionRequest>,
        responses: &mut Responses<ServerReflectionResponse>,
        _context: &mut ServerContext,
    ) -> Result<(), Status> {
        self.converse(requests, responses).await
    }
}
