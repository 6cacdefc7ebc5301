//! From what the user names to descriptors.

pub(crate) mod include;
mod protox;
mod source;

use std::path::PathBuf;

use crate::descriptor::Loaded;
use crate::error::Error;
use crate::load::include::Includes;

/// Reads `.proto` files with the engine that is asked for.
pub(crate) fn files(inputs: &[PathBuf], includes: &[PathBuf]) -> Result<Loaded, Error> {
    let includes = Includes::new(includes);
    let mut found = Vec::new();
    for input in inputs {
        let input = includes.input(input)?;
        if !found.contains(&input) {
            found.push(input);
        }
    }
    protox::load(&found, &includes)
}
