//! A clean build for release of a client and a server, as the README of each library would have a user write them.
//!
//! tonic's build script runs protoc, which a user installs beside cargo. Here a script takes its place and copies what
//! protoc would have written, which was made before: neither installing protoc nor running it counts against tonic.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::figures::{Figure, Row, Samples, Target};
use super::programs::Peer;
use super::session::Session;
use crate::interop::{install, process};

const TIMEOUT: Duration = Duration::from_secs(1200);
/// Finds `-o FILE` or `-oFILE` among protoc's arguments.
const PROTOC: &str = "\
#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
        --version) echo 'libprotoc 33.0'; exit 0 ;;
        -o) out=$2; shift ;;
        -o*) out=${1#-o} ;;
        --descriptor_set_out=*) out=${1#*=} ;;
    esac
    shift
done
cp \"$(dirname \"$0\")/helloworld.binpb\" \"$out\"
";

/// One build of each, whatever the rounds are: it takes minutes.
pub(super) fn run(session: &Session) -> Result<Vec<Row>, String> {
    let target = session.programs.target.join("hello");
    let (mut seconds, mut crates) = (Vec::new(), Vec::new());
    for (peer, name) in [(Peer::Ours, "callwright"), (Peer::Tonic, "tonic")] {
        let package = session.programs.root.join("tests/bench/hello").join(name);
        install::step(&format!("fetching what {name} needs"), || cargo(&["fetch"], &package))?;
        let protoc = stand_in(&package, &target)?;
        seconds.push(Figure { peer, samples: Samples::one(build(&package, &target.join("target"), &protoc)?) });
        crates.push(Figure { peer, samples: Samples::one(count(&package)?) });
    }
    let target = Target::RatioAtMost(0.6);
    Ok(vec![
        Row::new("clean release build of a client and a server", "s", target, seconds),
        Row::new("crates of a client and a server", "", target, crates),
    ])
}

fn cargo(arguments: &[&str], package: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(package);
    cargo
}

/// Seconds of a build into an empty folder.
fn build(package: &Path, target: &Path, protoc: &Path) -> Result<f64, String> {
    if target.exists() {
        fs::remove_dir_all(target).map_err(|error| format!("cannot empty {}: {error}", target.display()))?;
    }
    println!("building {}", package.display());
    let mut cargo = cargo(&["build", "--release", "--offline", "--target-dir"], package);
    cargo.arg(target);
    // Ours reads protos by itself, as it does for a user who has set nothing.
    match package.ends_with("tonic") {
        true => cargo.env("PROTOC", protoc),
        false => cargo.env_remove("PROTOC"),
    };
    let started = Instant::now();
    process::run(&mut cargo, TIMEOUT)?;
    Ok(started.elapsed().as_secs_f64())
}

/// How many crates that builds, its own aside.
fn count(package: &Path) -> Result<f64, String> {
    let mut cargo =
        cargo(&["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"], package);
    let tree = process::run(&mut cargo, TIMEOUT)?;
    Ok(crates(&tree) as f64)
}

/// Each version of a crate is one: `cargo tree` names the package itself first, and others as often as they are needed.
fn crates(tree: &str) -> usize {
    let named = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    let all: BTreeSet<_> = tree.lines().filter(|line| !line.is_empty()).skip(1).map(named).collect();
    all.len()
}

/// A protoc that copies what protoc would have made of the package's proto.
fn stand_in(package: &Path, folder: &Path) -> Result<PathBuf, String> {
    let generated = callwright_build::configure()
        .emit_rerun_if_changed(false)
        .generate(&[package.join("proto/helloworld.proto")], &[package.join("proto")])
        .map_err(|error| format!("{error:?}"))?;
    let protoc = folder.join("protoc");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join("helloworld.binpb"), generated.file_descriptor_set()))
        .and_then(|()| fs::write(&protoc, PROTOC))
        .and_then(|()| fs::set_permissions(&protoc, fs::Permissions::from_mode(0o755)))
        .map_err(|error| format!("cannot write in {}: {error}", folder.display()))?;
    Ok(protoc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_counted_once_a_version_and_without_the_package_itself() {
        let tree = "hello v0.0.0 (/x)\na v1.0.0\nb v1.0.0 (proc-macro)\n\na v1.0.0 (*)\na v2.0.0\n";
        assert_eq!(crates(tree), 3);
    }
}
