//! Generates callwright stubs and servicer traits, and the prost messages that they carry, from `.proto` files.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), callwright_build::Error> {
//!     callwright_build::compile_protos(&["proto/helloworld.proto"], &["proto"])
//! }
//! ```

use std::path::Path;

mod builder;
mod canonical;
mod check;
mod descriptor;
mod docs;
mod edition;
mod emit;
mod error;
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
mod place;
pub mod plugin;
mod recursion;
mod settings;
mod valid;
mod write;

pub use builder::Builder;
pub use error::{Error, Problem};
pub use generated::{Difference, Generated};

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
