//! Running Bazel: each command ends at its time limit, and the server that Bazel leaves behind ends with us.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::files;
use super::machine::Machine;
use super::repositories::NAMES;
use crate::interop::process;

/// How long a command may take: a cold build of everything is less than a minute.
const TIMEOUT: Duration = Duration::from_secs(300);
const SHUTDOWN: Duration = Duration::from_secs(60);

/// One Bazel, with a workspace and a cache of its own. Dropping it ends its server.
pub(super) struct Bazel<'a> {
    program: PathBuf,
    home: PathBuf,
    machine: &'a Machine,
}

impl<'a> Bazel<'a> {
    pub(super) fn new(program: PathBuf, home: PathBuf, machine: &'a Machine) -> Bazel<'a> {
        Bazel { program, home, machine }
    }

    /// Makes the workspace anew: a copy of tests/bazel, whose files can be changed.
    pub(super) fn set_up(&self, clean: bool) -> Result<(), String> {
        files::remove(&self.workspace())?;
        files::copy(&self.machine.root.join("tests/bazel"), &self.workspace())?;
        if clean { self.run(&["clean", "--expunge"]).map(drop) } else { Ok(()) }
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.home.join("workspace")
    }

    /// Runs one command; gives what it printed, as an error if it failed.
    pub(super) fn run(&self, args: &[&str]) -> Result<String, String> {
        let mut command = self.command(args);
        let builds = matches!(args.first(), Some(&("build" | "test" | "aquery")));
        if builds {
            command.args(["--action_env=PATH", "--color=no", "--curses=no", "--verbose_failures"]);
            command.arg(format!("--symlink_prefix={}/out-", self.home.display()));
            self.override_repositories(&mut command);
        }
        process::run(&mut command, TIMEOUT)
    }

    /// Builds, and gives Bazel's own log of what it ran and why.
    pub(super) fn explain(&self, targets: &str) -> Result<String, String> {
        let log = self.home.join("explain");
        self.run(&["build", targets, &format!("--explain={}", log.display())])?;
        files::read(&log)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(format!("--output_user_root={}", self.home.join("root").display()));
        // Should this program be killed, the server goes soon.
        command.arg("--max_idle_secs=60").args(args).current_dir(self.workspace());
        command
    }

    fn override_repositories(&self, command: &mut Command) {
        let mut add = |name: &str, folder: &Path| {
            command.arg(format!("--override_repository={name}={}", folder.display()));
        };
        add("callwright_bazel", &self.machine.root.join("codegen/bazel"));
        for name in NAMES {
            add(name, &self.machine.repositories.join(name));
        }
    }
}

impl Drop for Bazel<'_> {
    fn drop(&mut self) {
        if let Err(error) = process::run(&mut self.command(&["shutdown"]), SHUTDOWN) {
            eprintln!("{} shutdown: {error}", self.program.display());
        }
    }
}
