//! `cargo xtask web`: our server inside of axum and hyper, by our client, and by a browser over gRPC-Web.
//!
//! The rows are those of `tests/http`, which is a workspace of its own, and printed by its program. Here it is built, the programs
//! of the guide with it, and the browser is found or installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::interop::install;

const USAGE: &str = "\
Calls our server inside of axum and hyper: by our client over HTTP/2, and by a browser over gRPC-Web. Compiles docs/http.md.

Usage: cargo xtask web

Fetches crates over the network, and needs Chromium: where there is none, it is installed from Debian, as root.
Exits with 1 if a row fails, or if something cannot be built or installed.";

const PACKAGE: &str = "chromium";
/// What it is called, by who packages it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const BY_HAND: &str = "`apt-get install --no-install-recommends chromium` of Debian gives it";

/// Runs `web` with the arguments that follow its name.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    match args.next() {
        None => {}
        Some(help) if help == "-h" || help == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(_) => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    execute().unwrap_or_else(|error| {
        eprintln!("cargo xtask web: {error}");
        ExitCode::FAILURE
    })
}

fn execute() -> Result<ExitCode, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?.join("http");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    let chromium = chromium()?;
    let manifest = root.join("tests/http/Cargo.toml");
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(arguments).arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&target);
        cargo
    };
    succeeds(&mut cargo(&["test", "--quiet", "--doc"]))?;
    succeeds(cargo(&["run", "--quiet"]).args(["--", "--chromium"]).arg(chromium))?;
    Ok(ExitCode::SUCCESS)
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed")) }
}

/// The browser, which is installed unless it is there.
fn chromium() -> Result<PathBuf, String> {
    if let Some(program) = find() {
        return Ok(program);
    }
    install::debian("Chromium", PACKAGE, BY_HAND)?;
    find().ok_or_else(|| format!("the package {PACKAGE} has no program of this name: {BY_HAND}"))
}

fn find() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let programs = NAMES.iter().flat_map(|name| std::env::split_paths(&folders).map(move |folder| folder.join(name)));
    programs.into_iter().find(|program| program.is_file())
}
