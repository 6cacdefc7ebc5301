//! Instructions per small call, by callgrind: they are almost the same in every run, which times are not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::figures::{Figure, Row, Samples, Target};
use super::load::{Load, Printed};
use super::programs::{Peer, Side};
use super::server::Server;
use super::session::Session;
use crate::interop::process;

const CALLS: [usize; 2] = [2_000, 12_000];
/// A program under callgrind takes about 50 times as long.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Server and client of ours and of tonic, and of h2; the difference of two runs, so that what starts and ends does not
/// count.
pub(super) fn run(session: &Session) -> Result<Vec<Row>, String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions are left out: there is no valgrind");
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for (side, name) in [(Side::Server, "server"), (Side::Client, "client")] {
        let mut figures = Vec::new();
        for peer in [Peer::Ours, Peer::Tonic, Peer::H2] {
            let [few, many] = CALLS.map(|calls| count(session, peer, side, calls));
            let each = (many? - few?) / (CALLS[1] - CALLS[0]) as f64;
            figures.push(Figure { peer, samples: Samples::one(each) });
        }
        let work = format!("unary 100 B, 1 x 100: instructions per call, {name}");
        rows.push(Row::new(work, "", Target::None, figures));
    }
    Ok(rows)
}

/// All instructions of one program that took part in so many calls.
fn count(session: &Session, peer: Peer, side: Side, calls: usize) -> Result<f64, String> {
    let file = session.programs.target.join("callgrind.out");
    // One that is left from before must not be read in its place.
    let _ = fs::remove_file(&file);
    let program = |peer, of: Side| {
        let program = session.programs.path(peer, of);
        if of == side { under_callgrind(program, &file) } else { Command::new(program) }
    };
    let (server, client) = match side {
        Side::Server => (peer, Peer::Ours),
        Side::Client => (Peer::Ours, peer),
    };
    let server = Server::start(program(server, Side::Server), 1)?;
    let mut client = program(client, Side::Client);
    Load::unary(1, 100).calls(calls).tell(&mut client, server.port(), Duration::ZERO);
    Printed::new(process::run(&mut client, TIMEOUT)?)?;
    server.end()?;
    let text = fs::read_to_string(&file).map_err(|error| format!("callgrind left no {}: {error}", file.display()))?;
    total(&text).ok_or_else(|| format!("there is no total in {}", file.display()))
}

fn under_callgrind(program: PathBuf, file: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", file.display())).arg(program);
    valgrind
}

/// The sum over all that was executed.
fn total(callgrind: &str) -> Option<f64> {
    let line = callgrind.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_by_either_name() {
        assert_eq!(total("version: 1\nevents: Ir\nsummary: 12345\n"), Some(12345.0));
        assert_eq!(total("fn=(1)\n1 2\ntotals: 77\n"), Some(77.0));
        assert_eq!(total("events: Ir\n"), None);
    }
}
