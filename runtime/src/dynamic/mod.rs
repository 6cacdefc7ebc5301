//! Protos parsed at run time (gRFC L64): calls and servicers without generated code and without a build step.
//!
//! ```no_run
//! use callwright::{Channel, dynamic};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let services = dynamic::services("helloworld.proto")?; // found in the current folder, parsed once per process
//! let greeter = services.stub("helloworld.Greeter", &Channel::new("localhost:50051")?)?;
//! let reply = greeter.method("SayHello")?.call(r#"{"name": "you"}"#).wait_for_ready(true).await?;
//! println!("{}", dynamic::to_json(&reply));
//! # Ok(())
//! # }
//! ```
//!
//! A [`Loader`] says where to look, as `-I` of protoc does, takes files that are in memory or a descriptor set, and asks
//! a running server by its reflection service. Messages are [`DynamicMessage`]s of prost-reflect; JSON is proto3's own
//! mapping, and any prost message can be sent too ([`Payload::message`]).
//!
//! A [`DynamicServicer`] serves closures, or one handler for all methods, as a proxy wants it.
//!
//! Files of an edition are read when `PROTOC` is set to a protoc that knows them.

mod codec;
mod error;
mod json;
mod loader;
mod message;
mod module;
mod nearest;
mod print;
mod reflection;
mod servicer;
mod stub;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::DynamicError;
pub use loader::Loader;
pub use message::{Payload, to_json};
pub use module::{Module, Protos, Services};
pub use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor, Value,
};
pub use servicer::DynamicServicer;
pub use stub::{DynamicMethod, DynamicStub, MethodKind};

/// The messages of a `.proto` file, which is looked for in the current folder and parsed once per process.
///
/// # Errors
/// [`DynamicError::Proto`] for a file that is not there or that is wrong, with its place.
pub fn protos(path: impl AsRef<Path>) -> Result<Protos, DynamicError> {
    Loader::new().load(&[path]).map(Protos::new)
}

/// The services of a `.proto` file, which is looked for in the current folder and parsed once per process.
///
/// # Errors
/// As [`protos`].
pub fn services(path: impl AsRef<Path>) -> Result<Services, DynamicError> {
    Loader::new().load(&[path]).map(Services::new)
}

/// Both of the above.
///
/// # Errors
/// As [`protos`].
pub fn protos_and_services(path: impl AsRef<Path>) -> Result<(Protos, Services), DynamicError> {
    let module = Loader::new().load(&[path])?;
    Ok((Protos::new(module.clone()), Services::new(module)))
}
