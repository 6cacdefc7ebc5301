//! What it was measured on, and with which versions.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// How many cores there are.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What a reader of the results has to know: a name and a value each.
pub(super) fn facts(root: &Path) -> Vec<(&'static str, String)> {
    let lock = fs::read_to_string(root.join("tests/bench/Cargo.lock")).unwrap_or_default();
    let modules = fs::read_to_string(root.join("tests/bench/go/go.mod")).unwrap_or_default();
    vec![
        ("date", said("date", &["-u", "+%Y-%m-%d"])),
        ("CPU", cpu_model()),
        ("cores", cores().to_string()),
        ("rustc", said("rustc", &["--version"])),
        ("tonic", locked(&lock, "tonic")),
        ("h2", locked(&lock, "h2")),
        ("tokio", locked(&lock, "tokio")),
        ("grpc-go", required(&modules, "google.golang.org/grpc")),
        ("go", said("go", &["version"])),
    ]
}

fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or_else(unknown, |(_, model)| model.trim().to_owned())
}

/// The first line that a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.and_then(|text| Some(text.lines().next()?.to_owned())).unwrap_or_else(unknown)
}

/// The version of a crate in a Cargo.lock.
fn locked(lock: &str, name: &str) -> String {
    let after = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).map(|(_, after)| after);
    after.and_then(|after| after.split('"').next()).map_or_else(unknown, str::to_owned)
}

/// The version of a module in a go.mod.
fn required(modules: &str, name: &str) -> String {
    let line = modules.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|line| line.split_whitespace().next()).map_or_else(unknown, str::to_owned)
}

fn unknown() -> String {
    "not known".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_where_they_are_pinned() {
        let lock =
            "[[package]]\nname = \"h2-x\"\nversion = \"9.9.9\"\n\n[[package]]\nname = \"h2\"\nversion = \"0.4.20\"\n";
        assert_eq!((locked(lock, "h2").as_str(), locked(lock, "tonic").as_str()), ("0.4.20", "not known"));
        assert_eq!(required("require (\n\tx.org/grpc v1.85.0\n)\n", "x.org/grpc"), "v1.85.0");
    }
}
