//! From what the user names to descriptors.

pub(crate) mod descriptor_set;
pub(crate) mod include;
mod protoc;
mod protox;
mod source;

use std::env;
use std::path::{Path, PathBuf};

use crate::descriptor::Loaded;
use crate::error::Error;
use crate::load::include::Includes;
use crate::settings::Engine;

/// Reads `.proto` files with the engine that is asked for.
pub(crate) fn files(inputs: &[PathBuf], includes: &Includes, engine: &Engine) -> Result<Loaded, Error> {
    if inputs.is_empty() {
        return Err(Error::Setting("no .proto file is named".to_owned()));
    }
    let mut found = Vec::new();
    for input in inputs {
        let input = includes.input(input)?;
        if !found.contains(&input) {
            found.push(input);
        }
    }
    match engine {
        Engine::Protox => protox::load(&found, includes),
        Engine::Protoc(program) => protoc::load(program, &found, includes),
        Engine::FromEnvironment => match env::var_os("PROTOC").filter(|program| !program.is_empty()) {
            Some(program) => protoc::load(Path::new(&program), &found, includes),
            None => protox::load(&found, includes),
        },
    }
}
