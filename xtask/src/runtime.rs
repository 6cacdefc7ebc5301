//! `cargo xtask runtime`: the compiled runtime and the plugin, in a folder, for builds that are not cargo's.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use lexopt::prelude::*;

use crate::interop::process;
use crate::task;

const USAGE: &str = "\
Compiles the runtime and the plugin protoc-gen-callwright, and copies them, with all that the runtime is linked with, into
a folder: what Bazel's callwright_toolchain, or a rustc that is called by hand, needs.

Usage: cargo xtask runtime [--release] [--features LIST] --out DIR

Options:
  --out DIR        where they go; the folder is made
  --release        with optimizations
  --features LIST  features of callwright, or of a crate that it uses, as cargo takes them (repeatable): zstd,tokio/signal
  -h, --help       this text";

/// What `#[tokio::main]` needs: a user's own program is not compiled by cargo, which would turn it on.
const FOR_MAIN: &str = "tokio/rt-multi-thread";

/// How long a build of everything may take on a small machine.
const BUILD: Duration = Duration::from_secs(1800);

/// The file with the names of all that was copied.
const LIST: &str = "files.txt";

/// How the runtime is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

impl Profile {
    /// The folder below the target folder.
    fn folder(self) -> &'static str {
        match self {
            Profile::Debug => "debug",
            Profile::Release => "release",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    out: PathBuf,
    profile: Profile,
    features: Vec<String>,
}

/// Runs `runtime` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    task::run("runtime", USAGE, parse(args), |arguments| execute(&arguments).map(|()| ExitCode::SUCCESS))
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Arguments>, lexopt::Error> {
    let (mut out, mut profile, mut features) = (None, Profile::Debug, Vec::new());
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("out") => out = Some(PathBuf::from(parser.value()?)),
            Long("release") => profile = Profile::Release,
            Long("features") => features.push(parser.value()?.string()?),
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    let out = out.ok_or("--out DIR is missing")?;
    Ok(Some(Arguments { out, profile, features }))
}

fn execute(arguments: &Arguments) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    write(&build(root, target, arguments.profile, &arguments.features)?, &arguments.out)?;
    println!("{}", arguments.out.display());
    Ok(())
}

/// Compiles the plugin and the runtime; gives the plugin, and the libraries that a user of the runtime is linked with.
pub(crate) fn build(root: &Path, target: &Path, profile: Profile, features: &[String]) -> Result<Vec<PathBuf>, String> {
    let build = |args: &[&str]| {
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--message-format=json", "--target-dir"]).arg(target);
        build.args(args).current_dir(root);
        if profile == Profile::Release {
            build.arg("--release");
        }
        process::run(&mut build, BUILD)
    };
    // One after the other: what the plugin alone is made of is nothing to whoever uses the runtime.
    build(&["--package", "callwright-build", "--bin", "protoc-gen-callwright"])?;
    let mut library = vec!["--package", "callwright", "--lib"];
    for features in features.iter().map(String::as_str).chain([FOR_MAIN]) {
        library.extend(["--features", features]);
    }
    let mut files = libraries(&build(&library)?);
    let plugin = format!("protoc-gen-callwright{}", std::env::consts::EXE_SUFFIX);
    files.push(target.join(profile.folder()).join(plugin));
    Ok(files)
}

/// Copies the files into a folder of their own.
pub(crate) fn write(files: &[PathBuf], out: &Path) -> Result<(), String> {
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| format!("{path}: {error}")
    };
    fs::create_dir_all(out).map_err(at(out))?;
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    let list = out.join(LIST);
    // What an earlier one left here would be a second tokio.
    let earlier = fs::read_to_string(&list).unwrap_or_default();
    for path in earlier.lines().filter(|name| !names.contains(name)).map(|name| out.join(name)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(&path)(error)),
            _ => {}
        }
    }
    fs::write(&list, names.join("\n") + "\n").map_err(at(&list))?;
    for (file, name) in files.iter().zip(names) {
        fs::copy(file, out.join(name)).map_err(at(file))?;
    }
    Ok(())
}

/// The libraries that cargo's messages name.
fn libraries(messages: &str) -> Vec<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let files = messages.flat_map(|message| {
        let names = message["filenames"].as_array().into_iter().flatten();
        names.filter_map(|name| name.as_str().map(PathBuf::from)).collect::<Vec<_>>()
    });
    let kinds = ["rlib", "so", "dylib", "dll"];
    files.filter(|file| kinds.iter().any(|kind| file.extension().is_some_and(|it| it == *kind))).collect()
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

    #[test]
    fn features_are_cargos_to_judge() {
        let parsed = |args: &[&str]| parse(args.iter().map(OsString::from)).unwrap();
        let features = ["health,reflection", "tokio/signal"].map(str::to_owned).to_vec();
        assert_eq!(
            parsed(&["--features", "health,reflection", "--out", "x", "--features=tokio/signal", "--release"]),
            Some(Arguments { out: PathBuf::from("x"), profile: Profile::Release, features })
        );
        assert_eq!(parsed(&["--help"]), None);
        assert!(parse(["--release".into()].into_iter()).is_err());
    }

    #[test]
    fn what_an_earlier_one_left_goes_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["libtokio-1.rlib", "libtokio-2.rlib"].map(|name| folder.path().join(name));
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        fs::write(out.join("libother.rlib"), "").unwrap();
        for file in [&first, &second] {
            fs::write(file, "").unwrap();
            write(std::slice::from_ref(file), &out).unwrap();
        }
        assert!(!out.join("libtokio-1.rlib").exists());
        assert!(out.join("libtokio-2.rlib").exists());
        assert!(out.join("libother.rlib").exists());
    }
}
