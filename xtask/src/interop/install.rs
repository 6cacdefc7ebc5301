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

/// Whether `folder` holds what was installed from exactly these `pins`.
pub(crate) fn is_done(folder: &Path, pins: &str) -> bool {
    fs::read_to_string(folder.join("installed")).is_ok_and(|installed| installed == pins)
}

/// Notes that `folder` holds what these `pins` say.
pub(crate) fn done(folder: &Path, pins: &str) -> Result<(), String> {
    fs::write(folder.join("installed"), pins).map_err(|error| format!("cannot write in {}: {error}", folder.display()))
}
