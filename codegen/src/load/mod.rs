//! From what the user names to descriptors.

pub(crate) mod descriptor_set;
pub(crate) mod include;
#[cfg(feature = "protoc")]
mod protoc;
mod protox;
mod source;

use std::env;
use std::path::{Path, PathBuf};

use crate::descriptor::Loaded;
use crate::error::Error;
use crate::load::include::{Found, Includes};
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
        Engine::Protoc(program) => with_protoc(program, &found, includes),
        Engine::FromEnvironment => match env::var_os("PROTOC").filter(|program| !program.is_empty()) {
            Some(program) => with_protoc(Path::new(&program), &found, includes),
            None => protox::load(&found, includes),
        },
    }
}

#[cfg(feature = "protoc")]
fn with_protoc(program: &Path, inputs: &[Found], includes: &Includes) -> Result<Loaded, Error> {
    protoc::load(program, inputs, includes)
}

#[cfg(not(feature = "protoc"))]
fn with_protoc(program: &Path, _: &[Found], _: &Includes) -> Result<Loaded, Error> {
    Err(Error::Protoc {
        what: format!(
            "{} is to read the .proto files, but callwright-build was built without its feature `protoc`; turn the \
             feature on, or unset PROTOC",
            program.display()
        ),
        source: None,
    })
}

#[cfg(all(test, not(feature = "protoc")))]
mod tests {
    use super::*;

    #[test]
    fn protoc_without_the_feature_is_an_error_that_says_so() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protos");
        let result =
            files(&["helloworld.proto".into()], &Includes::new(&[path]), &Engine::Protoc("/usr/bin/protoc".into()));
        let Err(error) = result else { panic!("protoc ran") };
        assert_eq!(
            error.to_string(),
            "/usr/bin/protoc is to read the .proto files, but callwright-build was built without its feature `protoc`; \
             turn the feature on, or unset PROTOC"
        );
    }
}
