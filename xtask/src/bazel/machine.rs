//! What is on this machine, as repositories that Bazel can load: protoc, rustc, the plugin, and the runtime.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::files;
use super::install;
use super::repositories::{NAMES, REPOSITORIES};
use crate::interop::process;
use crate::runtime::{self, Profile};

const SHORT: Duration = Duration::from_secs(60);

/// What every build uses.
pub(super) struct Machine {
    /// The folder of this repository.
    pub(super) root: PathBuf,
    /// The folder of the repositories that stand in for others.
    pub(super) repositories: PathBuf,
    /// The folder of the compiler.
    pub(super) sysroot: PathBuf,
    pub(super) rustc: PathBuf,
    /// The folder with the runtime and the plugin.
    pub(super) runtime: PathBuf,
    /// This program.
    pub(super) xtask: PathBuf,
}

impl Machine {
    /// Installs protoc, builds the runtime and the plugin, and writes the repositories.
    pub(super) fn prepare(root: &Path, target: &Path, home: &Path) -> Result<Machine, String> {
        let repositories = home.join("repositories");
        let own = repositories.join("callwright_machine");
        let sysroot = process::run(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root), SHORT)?;
        let machine = Machine {
            root: root.to_owned(),
            sysroot: PathBuf::from(sysroot.trim()),
            rustc: Path::new(sysroot.trim()).join("bin/rustc"),
            runtime: own.join("runtime"),
            xtask: std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?,
            repositories,
        };
        let libraries = runtime::build(root, target, Profile::Debug, &[])?;
        let protoc = install::protoc(home)?;
        files::remove(&machine.repositories)?;
        for (path, text) in REPOSITORIES {
            files::write(&machine.repositories.join(path), text)?;
        }
        for name in NAMES {
            let text = format!("workspace(name = \"{name}\")\n");
            files::write(&machine.repositories.join(name).join("WORKSPACE"), &text)?;
        }
        let protobuf = machine.repositories.join("com_google_protobuf");
        files::link(&protoc.join("bin/protoc"), &protobuf.join("protoc.bin"))?;
        files::copy(&protoc.join("include/google"), &protobuf.join("include/google"))?;
        files::link(&protoc.join("bin/protoc"), &own.join("protoc"))?;
        files::link(Path::new("/bin/false"), &own.join("refusing_plugin"))?;
        files::link(&machine.rustc, &own.join("rustc"))?;
        let rustc = format!("SYSROOT = {:?}\nTARGET = \"x86_64-unknown-linux-gnu\"\n", sysroot.trim());
        files::write(&own.join("rules_rust/rustc.bzl"), &rustc)?;
        runtime::write(&libraries, &machine.runtime)?;
        Ok(machine)
    }
}
