//! examples/other_builds: sources that are checked in, built by rustc alone and by make.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Report;
use super::files;
use super::machine::Machine;
use crate::interop::process;

/// How long a build may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long the program may take, which makes one call.
const RUN: Duration = Duration::from_secs(60);

/// A copy of the example, whose files can be changed.
struct Example<'a> {
    folder: PathBuf,
    machine: &'a Machine,
}

pub(super) fn rows(machine: &Machine, home: &Path, report: &mut Report) {
    println!("== make and rustc");
    let example = Example { folder: home.join("other_builds"), machine };
    if let Err(error) = example.set_up() {
        return report.row("examples/other_builds can be copied", Err(error));
    }
    report.row("rustc alone builds what is checked in", example.rustc_alone());
    report.row("what is checked in is what would be generated", example.make(&["check"]).map(drop));
    report.row("make builds it", example.build_and_run());
    report.row("make has nothing to do where nothing changed", example.nothing());
    report.row("make generates again when an import changes", example.changed_import());
    report.row("make check fails on drift and shows it", example.drift());
}

impl Example<'_> {
    fn set_up(&self) -> Result<(), String> {
        files::remove(&self.folder)?;
        files::copy(&self.machine.root.join("examples/other_builds"), &self.folder)
    }

    fn make(&self, args: &[&str]) -> Result<String, String> {
        let mut make = Command::new("make");
        make.args(args).current_dir(&self.folder);
        let variable = |name: &str, path: &Path| format!("{name}={}", path.display());
        make.arg(variable("RUNTIME", &self.machine.runtime)).arg(variable("RUSTC", &self.machine.rustc));
        make.arg(variable("XTASK", &self.machine.xtask));
        process::run(&mut make, TIMEOUT)
    }

    fn rustc_alone(&self) -> Result<(), String> {
        let program = self.folder.join("hello");
        let mut script = Command::new(self.folder.join("build.sh"));
        script.arg(&program).env("RUNTIME", &self.machine.runtime).env("RUSTC", &self.machine.rustc);
        process::run(&mut script, TIMEOUT)?;
        says_hello(&program)
    }

    fn build_and_run(&self) -> Result<(), String> {
        self.make(&[])?;
        says_hello(&self.folder.join("build/hello"))
    }

    fn nothing(&self) -> Result<(), String> {
        let output = self.make(&[])?;
        if output.contains("is up to date") && !output.contains("--edition") { Ok(()) } else { Err(output) }
    }

    fn changed_import(&self) -> Result<(), String> {
        let proto = self.folder.join("proto/people.proto");
        files::write(
            &proto,
            &files::read(&proto)?.replace("string name = 1;", "string name = 1;\n  string title = 2;"),
        )?;
        let output = self.make(&[])?;
        if !output.contains("--proto-path") || !output.contains("--edition") {
            return Err(format!("{output}\nit did not generate and compile"));
        }
        if !files::read(&self.folder.join("gen/people.v1.rs"))?.contains("pub title:") {
            return Err("gen/people.v1.rs has no title".to_owned());
        }
        says_hello(&self.folder.join("build/hello"))?;
        self.nothing()
    }

    fn drift(&self) -> Result<(), String> {
        let path = self.folder.join("gen/people.v1.rs");
        let text = files::read(&path)?;
        files::write(&path, &text.replace("pub title:", "pub rank:"))?;
        let output = match self.make(&["check"]) {
            Ok(output) => return Err(format!("{output}\nit passed")),
            Err(output) => output,
        };
        if !["people.v1.rs: differs", "-    pub rank:", "+    pub title:"].iter().all(|part| output.contains(part)) {
            return Err(format!("{output}\nit does not show the difference"));
        }
        files::write(&path, &text)?;
        self.make(&["check"]).map(drop)
    }
}

fn says_hello(program: &Path) -> Result<(), String> {
    let output = process::run(&mut Command::new(program), RUN)?;
    if output == "Hello, you!\n" { Ok(()) } else { Err(format!("{}: {output}", program.display())) }
}
