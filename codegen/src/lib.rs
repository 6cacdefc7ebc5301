//! Generates callwright stubs and servicer traits, and the prost messages that they carry, from `.proto` files.
//!
//! Each package becomes one file. For a service `Greeter` it holds
//!
//! - `GreeterStub`, which a client calls,
//! - `GreeterServicer`, the trait that a server implements, one `async fn` an rpc,
//! - `GreeterServer`, which puts a servicer into a `callwright::Server`.
//!
//! # Three ways to generate
//!
//! They share one path and write the same bytes for the same input.
//!
//! **In a build script.** No protoc is needed:
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), callwright_build::Error> {
//!     callwright_build::compile_protos(&["proto/helloworld.proto"], &["proto"])
//! }
//! ```
//!
//! and in the crate `pub mod helloworld { callwright::include_proto!("helloworld"); }`. A package that uses the types of
//! another expects it where prost does: modules nested as the packages are. [`Builder::include_file`] writes them all;
//! [`Builder`] has the other options.
//!
//! **As a plugin of protoc or buf.** `protoc-gen-callwright` takes its options as protoc-gen-prost and protoc-gen-tonic
//! take theirs, and lays files out as the former does (`a/b/a.b.rs`, or `a.b.rs` with `flat_output_dir`):
//!
//! ```text
//! protoc --callwright_out=src/generated --callwright_opt=bytes=.,no_server -I proto helloworld.proto
//! ```
//!
//! **Checked in.** `cargo xtask gen --proto-path proto --out src/generated helloworld.proto` writes sources for builds
//! that are not cargo's, and with `--check` tells whether they are what they should be.
//!
//! # Who reads the `.proto` files
//!
//! By default protox does, in this process. If the environment has `PROTOC`, that protoc does (feature `protoc`, on by
//! default), with the include folder `PROTOC_INCLUDE` if that is set; [`Builder::protoc`] and [`Builder::protox`] decide
//! whatever the environment says. Editions 2023 and 2024 need a protoc, a descriptor set or the plugin.
//!
//! # What is wrong with the input
//!
//! is told as `file:line:column: text`, and then nothing is written. Besides what protoc would refuse, that is names that
//! are two in the `.proto` and one in Rust, such as `FooBar` and `foo_bar`.

use std::path::Path;

mod builder;
mod canonical;
mod check;
mod descriptor;
mod docs;
mod edition;
mod embed;
mod emit;
mod error;
mod extern_crate;
mod generate;
mod generated;
mod guard;
mod include_file;
mod lints;
mod load;
mod messages;
mod model;
mod name;
mod parameter;
mod parse;
mod place;
pub mod plugin;
mod recursion;
mod settings;
mod valid;
mod write;

/// The version of the generator, as the first line of generated files names it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub use builder::Builder;
pub use error::{Error, Problem};
pub use generated::{Difference, Generated};
pub use parse::{Descriptors, Parser};

/// Compiles `.proto` files in a build script: each package becomes `$OUT_DIR/<package>.rs`, which
/// `callwright::include_proto!("<package>")` includes.
///
/// # Errors
///
/// What is wrong with the input, as `file:line:column: text`; then nothing is written.
pub fn compile_protos(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    configure().compile_protos(protos, includes)
}

/// A [`Builder`] with the default settings.
pub fn configure() -> Builder {
    Builder::default()
}
