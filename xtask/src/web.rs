//! `cargo xtask web`: our server inside of axum and hyper, by our client, and over gRPC-Web by others' clients and a browser.
//!
//! The rows are those of `tests/http`, which is a workspace of its own, and printed by its program. Here it is built, the programs
//! of the guide with it, and what calls it is found or installed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::interop::install;
use crate::task;

const USAGE: &str = "\
Calls our server inside of axum and hyper: by our client over HTTP/2, and over gRPC-Web by grpc-web, connect-web and a browser.
Compiles docs/http.md.

Usage: cargo xtask web

Fetches packages over the network, and needs Node and Chromium: where there is no Chromium, it is installed from Debian, as root.
Exits with 1 if a row fails, or if something cannot be built or installed.";

/// Clients of gRPC-Web that others have written, and what they need.
const CLIENTS: [&str; 6] = [
    "@bufbuild/protobuf@2.17.0",
    "@connectrpc/connect@2.3.0",
    "@connectrpc/connect-web@2.3.0",
    "google-protobuf@4.0.3",
    "grpc-web@2.1.1",
    "xhr2@0.2.1",
];
const PACKAGE: &str = "chromium";
/// What it is called, by who packages it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const BY_HAND: &str = "`apt-get install --no-install-recommends chromium` of Debian gives it";

/// Runs `web` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    task::run("web", USAGE, task::no_arguments(args), |()| execute())
}

fn execute() -> Result<ExitCode, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?.join("http");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    let (chromium, clients) = (chromium()?, clients(target.join("clients"))?);
    let manifest = root.join("tests/http/Cargo.toml");
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(arguments).arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&target);
        cargo
    };
    let guide = run_to_end(&mut cargo(&["test", "--quiet", "--doc"]))?;
    let rows =
        run_to_end(cargo(&["run", "--quiet"]).args(["--", "--chromium"]).arg(chromium).arg("--clients").arg(clients))?;
    Ok(if guide && rows { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether it succeeded.
fn run_to_end(command: &mut Command) -> Result<bool, String> {
    Ok(command.status().map_err(|error| format!("cannot run cargo: {error}"))?.success())
}

/// The browser, which is installed unless it is there.
fn chromium() -> Result<PathBuf, String> {
    if let Some(program) = find() {
        return Ok(program);
    }
    install::debian("Chromium", PACKAGE, BY_HAND)?;
    find().ok_or_else(|| format!("the package {PACKAGE} has no program of this name: {BY_HAND}"))
}

/// Others' clients of gRPC-Web, in a folder of npm's.
fn clients(folder: PathBuf) -> Result<PathBuf, String> {
    let pins = CLIENTS.join(" ");
    if !install::is_done(&folder, &pins) {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        install::step("installing grpc-web and connect-web from npm", || {
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--ignore-scripts", "--no-save", "--prefix"]).arg(&folder).args(CLIENTS);
            npm
        })?;
        install::done(&folder, &pins)?;
    }
    Ok(folder)
}

fn find() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let programs = NAMES.iter().flat_map(|name| std::env::split_paths(&folders).map(move |folder| folder.join(name)));
    programs.into_iter().find(|program| program.is_file())
}
