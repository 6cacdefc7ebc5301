//! What a server has beside its own services, for tools in other languages to look at: health, channelz and reflection.

use callwright::admin::Admin;
use callwright::dynamic::{DynamicError, Loader};
use callwright::health::{Health, ServingStatus};
use callwright::reflection::Reflection;
use callwright::server::{Methods, NamedService, Service};
use callwright::{ServerContext, Status};

use super::InteropService;
use crate::testing::{Empty, TestServiceServer, XdsUpdateHealthServiceServer, XdsUpdateHealthServiceServicer};

/// The standard services, and `grpc.testing.XdsUpdateHealthService` that switches the health.
#[derive(Debug)]
pub struct Companions {
    health: Health,
    reflection: Reflection,
}

impl Companions {
    /// The server and `grpc.testing.TestService` are SERVING, `callwright.tests.Unknown` is UNKNOWN. Reflection tells of extensions too.
    ///
    /// # Errors
    /// [`DynamicError`] if the files of the extensions are wrong.
    pub fn new() -> Result<Companions, DynamicError> {
        let health = Health::new();
        health.set_for::<TestServiceServer<InteropService>>(ServingStatus::Serving);
        health.set("callwright.tests.Unknown", ServingStatus::Unknown);
        Ok(Companions { health, reflection: reflection()? })
    }
}

impl Service for Companions {
    fn register(self, methods: &mut Methods) {
        methods.add(self.health.service());
        methods.add(XdsUpdateHealthServiceServer::new(Switch(self.health)));
        methods.add(Admin::new());
        methods.add(self.reflection);
    }
}

/// Reflection that tells of `extensions.proto`, which no service's file imports.
///
/// # Errors
/// [`DynamicError`] if the files are wrong.
pub fn reflection() -> Result<Reflection, DynamicError> {
    let extensions = "callwright/tests/extensions.proto";
    let module = Loader::new()
        .text("callwright/tests/extended.proto", include_str!("../../proto/callwright/tests/extended.proto"))
        .text(extensions, include_str!("../../proto/callwright/tests/extensions.proto"))
        .load(&[extensions])?;
    let set = module.file_descriptor_set().to_vec();
    Reflection::new().with_file_descriptor_set(set).map_err(|error| DynamicError::Descriptors(error.to_string()))
}

/// Sets the health of the server and of its test service.
struct Switch(Health);

impl Switch {
    fn set(&self, status: ServingStatus) -> Result<Empty, Status> {
        self.0.set("", status);
        self.0.set(<TestServiceServer<InteropService> as NamedService>::NAME, status);
        Ok(Empty {})
    }
}

impl XdsUpdateHealthServiceServicer for Switch {
    async fn set_serving(&self, _request: Empty, _context: &mut ServerContext) -> Result<Empty, Status> {
        self.set(ServingStatus::Serving)
    }

    async fn set_not_serving(&self, _request: Empty, _context: &mut ServerContext) -> Result<Empty, Status> {
        self.set(ServingStatus::NotServing)
    }
}
