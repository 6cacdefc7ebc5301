//! `cargo xtask test`: everything that a change has to pass and that needs nothing but Rust.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

const USAGE: &str = "\
Usage: cargo xtask test

Checks the format, runs clippy and rustdoc with warnings denied, then all tests.";

/// Features of the runtime that must not need each other: each is looked at alone, after the steps.
const FEATURES: [&str; 16] = [
    "admin",
    "channelz",
    "dns",
    "dynamic",
    "grpc-web",
    "health",
    "http-service",
    "jwt",
    "opentelemetry",
    "orca",
    "reflection",
    "service-config",
    "socket-activation",
    "status",
    "testing",
    "tls",
];

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
            "runtime/proto/xds/data/orca/v3/orca_load_report.proto",
            "runtime/proto/xds/service/orca/v3/orca.proto",
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
    let steps = || STEPS.iter().try_for_each(|step| cargo(step.name, step.cargo, step.env));
    if let Err(error) = steps().and_then(|()| FEATURES.iter().try_for_each(|feature| alone(feature))) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    println!("== all passed");
    ExitCode::SUCCESS
}

/// Clippy of the runtime with nothing but this feature.
fn alone(feature: &str) -> Result<(), String> {
    let arguments =
        ["clippy", "-p", "callwright", "--no-default-features", "--features", feature, "--", "-D", "warnings"];
    cargo(&format!("clippy with {feature} alone"), &arguments, None)
}

fn cargo(name: &str, arguments: &[&str], env: Option<(&str, &str)>) -> Result<(), String> {
    println!("== {name}: cargo {}", arguments.join(" "));
    match Command::new(env!("CARGO")).args(arguments).envs(env).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("== {name} failed: {status}")),
        Err(error) => Err(format!("== {name} could not start cargo: {error}")),
    }
}
