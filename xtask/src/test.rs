//! `cargo xtask test`: everything that a change has to pass and that needs nothing but Rust.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

const USAGE: &str = "\
Usage: cargo xtask test

Checks the format, runs clippy and rustdoc with warnings denied, then all tests.";

/// A step: what it is called, its arguments to cargo, and what it adds to the environment.
struct Step {
    name: &'static str,
    cargo: &'static [&'static str],
    env: Option<(&'static str, &'static str)>,
}

const STEPS: [Step; 7] = [
    Step { name: "format", cargo: &["fmt", "--all", "--check"], env: None },
    Step {
        name: "clippy",
        cargo: &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        env: None,
    },
    Step {
        name: "clippy without features",
        cargo: &[
            "clippy",
            "-p",
            "callwright",
            "-p",
            "callwright-build",
            "--no-default-features",
            "--",
            "-D",
            "warnings",
        ],
        env: None,
    },
    Step {
        name: "documentation",
        cargo: &["doc", "--workspace", "--no-deps", "--all-features"],
        env: Some(("RUSTDOCFLAGS", "-D warnings")),
    },
    Step {
        name: "generated code",
        cargo: &[
            "xtask",
            "gen",
            "--proto-path",
            "runtime/proto",
            "--out",
            "runtime/src/generated",
            "--check",
            "--option",
            "enable_type_names",
            "runtime/proto/google/rpc/status.proto",
            "runtime/proto/google/rpc/error_details.proto",
            "runtime/proto/grpc/channelz/v1/channelz.proto",
            "runtime/proto/grpc/health/v1/health.proto",
            "runtime/proto/grpc/reflection/v1/reflection.proto",
            "runtime/proto/grpc/reflection/v1alpha/reflection.proto",
        ],
        env: None,
    },
    Step {
        name: "generated code of the example",
        cargo: &[
            "xtask",
            "gen",
            "--proto-path",
            "examples/other_builds/proto",
            "--out",
            "examples/other_builds/gen",
            "--module-tree",
            "mod.rs",
            "--manifest",
            "examples/other_builds/gen/manifest.json",
            "--check",
            "greeting.proto",
        ],
        env: None,
    },
    Step { name: "tests", cargo: &["test", "--workspace", "--all-features"], env: None },
];

pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    match args.next() {
        None => {}
        Some(help) if help == "-h" || help == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprintln!("cargo xtask test takes no argument, and got {other:?}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    for step in &STEPS {
        println!("== {}: cargo {}", step.name, step.cargo.join(" "));
        match Command::new(env!("CARGO")).args(step.cargo).envs(step.env).status() {
            Ok(status) if status.success() => {}
            Ok(status) => {
                eprintln!("== {} failed: {status}", step.name);
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("== {} could not start cargo: {error}", step.name);
                return ExitCode::FAILURE;
            }
        }
    }
    println!("== all passed");
    ExitCode::SUCCESS
}
