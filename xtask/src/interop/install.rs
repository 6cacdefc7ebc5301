//! Installing a peer: pinned, repeated where the network fails, and once only.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::process;

const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(3);
/// How long one step may take: a cold build of a peer is minutes on a small machine.
const STEP_TIMEOUT: Duration = Duration::from_secs(900);
const SHORT: Duration = Duration::from_secs(60);

/// Runs one step, up to three times; `command` makes it anew for each.
pub(crate) fn step(what: &str, command: impl Fn() -> Command) -> Result<(), String> {
    let mut errors = String::new();
    for attempt in 1..=TRIES {
        println!("{what} (try {attempt} of {TRIES})");
        match process::run(&mut command(), STEP_TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) => errors = error,
        }
        if attempt < TRIES {
            thread::sleep(PAUSE);
        }
    }
    Err(format!("{what}: failed {TRIES} times, the last time with:\n{errors}"))
}

/// Installs a package of Debian's, which is called `what`; who cannot is told how it is done by hand.
pub(crate) fn debian(what: &str, package: &str, by_hand: &str) -> Result<(), String> {
    may_install(&process::run(Command::new("id").arg("-u"), SHORT)?, what, by_hand)?;
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(["--quiet", "--yes"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    step("reading the lists of Debian's packages", || apt(&["update"]))
        .and_then(|()| {
            let install = || apt(&["install", "--no-install-recommends", package]);
            step(&format!("installing {what} from Debian"), install)
        })
        .map_err(|error| format!("{error}\n{what} could not be installed: {by_hand}"))
}

/// Whether the user with this number may install packages.
fn may_install(user: &str, what: &str, by_hand: &str) -> Result<(), String> {
    if user.trim() == "0" {
        return Ok(());
    }
    Err(format!("{what} is not there, and only root can install it: {by_hand}"))
}

/// Whether `folder` holds what was installed from exactly these `pins`.
pub(crate) fn is_done(folder: &Path, pins: &str) -> bool {
    fs::read_to_string(folder.join("installed")).is_ok_and(|installed| installed == pins)
}

/// Notes that `folder` holds what these `pins` say.
pub(crate) fn done(folder: &Path, pins: &str) -> Result<(), String> {
    fs::write(folder.join("installed"), pins).map_err(|error| format!("cannot write in {}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_root_is_told_what_to_do() {
        assert_eq!(may_install("0\n", "Bazel", "`apt-get install bazel`"), Ok(()));
        let error = may_install("1000\n", "Bazel", "`apt-get install bazel`").unwrap_err();
        assert_eq!(error, "Bazel is not there, and only root can install it: `apt-get install bazel`");
    }
}
