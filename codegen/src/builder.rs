//! The builder for `build.rs`.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::generate::{Scope, generate};
use crate::load;
use crate::settings::Settings;
use crate::write;

/// Compiles `.proto` files for a build script; see [`crate::configure`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `compile_protos` is called"]
pub struct Builder {
    settings: Settings,
    out_dir: Option<PathBuf>,
}

impl Builder {
    /// Generates and writes `<package>.rs` for every package of `protos` and of what they import.
    pub fn compile_protos(&self, protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
        let protos: Vec<_> = protos.iter().map(|path| path.as_ref().to_owned()).collect();
        let includes: Vec<_> = includes.iter().map(|path| path.as_ref().to_owned()).collect();
        let loaded = load::files(&protos, &includes)?;
        let files = generate(&loaded, &self.settings, Scope::Everything)?;
        write::all(&self.out_dir()?, &files)?;
        for path in &loaded.read {
            println!("cargo:rerun-if-changed={}", path.display());
        }
        println!("cargo:rerun-if-env-changed=PROTOC");
        Ok(())
    }

    fn out_dir(&self) -> Result<PathBuf, Error> {
        match &self.out_dir {
            Some(folder) => Ok(folder.clone()),
            None => env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| {
                Error::Setting("no output folder: call this from build.rs, where cargo sets OUT_DIR, or set `out_dir`".into())
            }),
        }
    }
}
