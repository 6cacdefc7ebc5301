//! Who the caller is: a service that tells it, for the rows of clients' certificates.

use std::sync::Arc;

use callwright::server::{Methods, Service};
use callwright::{Method, ServerContext};

/// Tells what the server knows of its caller, a line `name=value` each; the messages are StringValue on the wire.
pub const WHO_AM_I: Method<String, String> = Method::new("/callwright.tests.Identity/WhoAmI");

/// The properties that are told, as grpcio's `auth_context` names them. The others are the certificate itself, or differ.
const TOLD: [&str; 3] = ["transport_security_type", "x509_common_name", "x509_subject_alternative_name"];

/// The service.
#[derive(Clone, Copy, Debug)]
pub struct IdentityService;

impl Service for IdentityService {
    fn register(self, methods: &mut Methods) {
        methods
            .service("callwright.tests.Identity", Arc::new(self))
            .unary(WHO_AM_I, |_, _, context| Box::pin(std::future::ready(Ok(who(context)))));
    }
}

fn who(context: &ServerContext) -> String {
    let auth = context.auth_context();
    let line = |name: &str, value: &[u8]| format!("{name}={}", String::from_utf8_lossy(value));
    let told = |name: &&str| auth.property(name).map(|value| line(name, value)).collect::<Vec<_>>();
    let mut lines: Vec<_> = TOLD.iter().flat_map(told).collect();
    lines.push(format!("identity={}", auth.peer_identity_property_name().unwrap_or("none")));
    lines.extend(context.peer_identities().map(|identity| line("peer", identity)));
    lines.join("\n")
}
