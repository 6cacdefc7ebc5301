//! What is on this machine, as repositories that Bazel can load: protoc, rustc, the plugin, and the runtime.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::files;
use super::install;
use super::repositories::{NAMES, REPOSITORIES};
use crate::interop::process;

/// How long a build of the whole runtime may take on a small machine.
const BUILD: Duration = Duration::from_secs(1200);
const SHORT: Duration = Duration::from_secs(60);

/// What every build uses.
pub(super) struct Machine {
    /// The folder of this repository.
    pub(super) root: PathBuf,
    /// The folder of the repositories that stand in for others.
    pub(super) repositories: PathBuf,
    pub(super) rustc: PathBuf,
    /// The folder with the rlib of the runtime and those below it.
    pub(super) runtime: PathBuf,
}

impl Machine {
    /// Installs protoc, builds the runtime and the plugin, and writes the repositories.
    pub(super) fn prepare(root: &Path, target: &Path, home: &Path) -> Result<Machine, String> {
        let repositories = home.join("repositories");
        let own = repositories.join("callwright_machine");
        let sysroot = process::run(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root), SHORT)?;
        let machine = Machine {
            root: root.to_owned(),
            rustc: Path::new(sysroot.trim()).join("bin/rustc"),
            runtime: own.join("runtime"),
            repositories,
        };
        let rlibs = build(root, target)?;
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
        files::link(&target.join("debug/protoc-gen-callwright"), &own.join("protoc-gen-callwright"))?;
        files::link(Path::new("/bin/false"), &own.join("refusing_plugin"))?;
        files::link(&machine.rustc, &own.join("rustc"))?;
        for file in rlibs {
            files::link(&file, &machine.runtime.join(file.file_name().unwrap_or_default()))?;
        }
        Ok(machine)
    }
}

/// Builds the plugin and the runtime; gives the libraries that a user of the runtime needs.
fn build(root: &Path, target: &Path) -> Result<Vec<PathBuf>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "callwright", "--package", "callwright-build", "--lib", "--bins"]);
    build.args(["--message-format=json", "--target-dir"]).arg(target).current_dir(root);
    Ok(libraries(&process::run(&mut build, BUILD)?))
}

/// The libraries that cargo's messages name.
fn libraries(messages: &str) -> Vec<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let files = messages.flat_map(|message| {
        let names = message["filenames"].as_array().into_iter().flatten();
        names.filter_map(|name| name.as_str().map(PathBuf::from)).collect::<Vec<_>>()
    });
    files.filter(|file| file.extension().is_some_and(|it| it == "rlib" || it == "so")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_what_cargo_says() {
        let messages = r#"
            warning: something else
            {"reason":"compiler-artifact","filenames":["/t/liba.rlib","/t/liba.rmeta"]}
            {"reason":"compiler-artifact","filenames":["/t/libb.so"]}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(libraries(messages), [Path::new("/t/liba.rlib"), Path::new("/t/libb.so")]);
    }
}
