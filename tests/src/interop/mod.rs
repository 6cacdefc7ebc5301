//! gRPC's interoperability test cases: the server that they need, and the client that runs them.
//!
//! The cases, their names and the command line flags are those that every gRPC implementation shares
//! (`doc/interop-test-descriptions.md`), so that any client here or elsewhere meets any server.

pub mod additional_metadata;
pub mod backend_metrics;
pub mod cases;
pub mod companions;
pub mod details;
pub mod echo;
pub mod flags;
pub mod identity;
pub mod lifetime;
pub mod rows;
mod service;

pub use service::InteropService;

use crate::testing::{Payload, PayloadType};

/// Metadata that the server sends back as initial metadata.
pub const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
/// Metadata that the server sends back as trailing metadata.
pub const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// A payload of this many zeros.
pub fn payload(size: usize) -> Payload {
    Payload { r#type: PayloadType::Compressable.into(), body: vec![0; size] }
}
