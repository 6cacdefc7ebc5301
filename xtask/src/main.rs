//! The tasks of this repository: `cargo xtask <task>`.

mod bazel;
mod bench;
mod crowd;
mod fuzz;
mod r#gen;
mod h2spec;
mod interop;
mod runtime;
mod task;
mod test;
mod web;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask TASK

Tasks:
  test     format, clippy, documentation and tests: needs nothing but Rust
  interop  our client and server against real peers (interop --help)
  h2spec   our HTTP/2 engine by h2spec and h2specd (h2spec --help)
  crowd    our server with 10,000 idle connections and 1,000 busy ones (crowd --help)
  web      our server inside of axum and hyper, and called by a browser (web --help)
  fuzz     our HTTP/2 engine by cargo-fuzz (fuzz --help)
  bench    our client and server beside tonic's and others', measured (bench --help)
  gen      generate Rust from .proto files, or check what is checked in (gen --help)
  runtime  compile the runtime and the plugin into a folder, for builds without cargo (runtime --help)
  bazel    the rules for Bazel, by real Bazels, and the example for make and rustc (bazel --help)";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let task = args.next();
    match task.as_ref().and_then(|task| task.to_str()) {
        Some("test") => test::run(args),
        Some("interop") => interop::run(args),
        Some("crowd") => crowd::run(args),
        Some("fuzz") => fuzz::run(args),
        Some("h2spec") => h2spec::run(args),
        Some("web") => web::run(args),
        Some("bench") => bench::run(args),
        Some("bazel") => bazel::run(args),
        Some("runtime") => runtime::run(args),
        Some("gen") => r#gen::run(args),
        Some("-h" | "--help") => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}
