//! What a server is asked on its stdin, with `--control`: each line `report` is answered by what the process has used, and
//! by the how many-th report that is.

use std::io::{self, BufRead as _};
use std::thread;
use std::time::Duration;

use crate::accounting::Usage;

/// How long a server runs that nobody controls: one that was forgotten ends.
const LONGEST: Duration = Duration::from_secs(3600);

/// Starts the thread that answers `report` lines and ends the process at the end of stdin, or after an hour without
/// control.
pub fn start(is_controlled: bool) {
    let work = if is_controlled { answer } else { wait };
    thread::spawn(move || {
        work();
        // By exit, so that a profiler writes what it has.
        std::process::exit(0);
    });
}

fn answer() {
    let lines = io::stdin().lock().lines().map_while(Result::ok);
    for (report, _) in (1..).zip(lines.filter(|line| line.trim() == "report")) {
        let Usage { cpu, allocations, rss_kib } = Usage::now();
        println!("cpu_ns={} allocations={allocations} rss_kib={rss_kib} report={report}", cpu.as_nanos());
    }
}

fn wait() {
    thread::sleep(LONGEST);
}
