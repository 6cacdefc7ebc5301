//! `cargo xtask bench`: our server and client beside tonic's, bare h2's and grpc-go's, in one run on the same cores.
//!
//! Figures of different runs are not compared: machines wobble. What counts is the ratio within a round. No figure fails
//! the task, only a program that cannot run or a call that fails.

mod allocations;
mod build_time;
mod chart;
mod curves;
mod figures;
mod groups;
mod instructions;
mod load;
mod machine;
mod memory;
mod pages;
mod programs;
mod server;
mod session;
mod table;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use crate::task;
use figures::Row;
use programs::Programs;
use session::Session;

const USAGE: &str = "\
Builds and runs our server and client and those of tonic, bare h2 and grpc-go, and prints how they compare.

Usage: cargo xtask bench [--rounds N] [--seconds S] [--quick] [--only GROUPS]

Options:
  --rounds N     how many rounds; in each, all take their turn (default: 5)
  --seconds S    how long each of them is measured in a round (default: 3)
  --quick        one round of one second, without instructions and build
  --only GROUPS  groups, separated by commas: unary, latency, open_loop, streams, bytes, threads, curves, memory,
                 allocations, instructions, build; and go, which is no group but lets grpc-go take part
                 (default: all)
  -h, --help     this text

grpc-go needs a Go toolchain (go) and instructions need valgrind: they are left out where these are missing. With two cores
or more the server runs on the first and the client on the second, by taskset.
A whole run takes about 20 minutes, and writes tests/bench/results; any other writes into the target folder.
Exits with 1 if something cannot run or a call fails; what the figures are does not matter to it.";

/// What runs: its name, and what makes its rows.
type Group = (&'static str, fn(&Session) -> Result<Vec<Row>, String>);

const GROUPS: [Group; 11] = [
    ("unary", groups::unary),
    ("latency", groups::latency),
    ("open_loop", groups::open_loop),
    ("streams", groups::streams),
    ("bytes", groups::bytes),
    ("threads", groups::threads),
    ("curves", curves::run),
    ("memory", memory::run),
    ("allocations", allocations::run),
    ("instructions", instructions::run),
    ("build", build_time::run),
];
/// Takes part beside the groups.
const GO: &str = "go";
/// What `--quick` leaves out: each takes minutes.
const SLOW: [&str; 2] = ["instructions", "build"];

#[derive(Clone, Debug, PartialEq)]
struct Arguments {
    rounds: usize,
    seconds: f64,
    /// The names that run.
    only: Vec<&'static str>,
    /// Whether this is what `tests/bench/results` shows: all of it, with rounds enough for a median.
    is_whole: bool,
}

/// Runs `bench` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    task::run("bench", USAGE, parse(args), execute)
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Arguments>, lexopt::Error> {
    let (mut rounds, mut seconds, mut is_quick, mut only) = (None, None, false, None);
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rounds") => rounds = Some(parser.value()?.parse()?).filter(|rounds| *rounds > 0),
            Long("seconds") => seconds = Some(parser.value()?.parse()?).filter(|seconds| *seconds > 0.0),
            Long("quick") => is_quick = true,
            Long("only") => only = Some(names(&parser.value()?.string()?)?),
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    let is_whole = only.is_none() && !is_quick;
    let all = || GROUPS.iter().map(|(name, _)| *name).chain([GO]);
    let only = only.unwrap_or_else(|| all().filter(|name| !is_quick || !SLOW.contains(name)).collect());
    let (usual_rounds, usual_seconds) = if is_quick { (1, 1.0) } else { (5, 3.0) };
    let (rounds, seconds) = (rounds.unwrap_or(usual_rounds), seconds.unwrap_or(usual_seconds));
    Ok(Some(Arguments { rounds, seconds, only, is_whole }))
}

fn names(list: &str) -> Result<Vec<&'static str>, lexopt::Error> {
    let known: Vec<_> = GROUPS.iter().map(|(name, _)| *name).chain([GO]).collect();
    let find = |name: &str| {
        let found = known.iter().copied().find(|known| *known == name);
        found.ok_or_else(|| format!("no group {name:?}; there are: {}", known.join(", ")).into())
    };
    list.split(',').map(find).collect()
}

fn execute(arguments: Arguments) -> Result<ExitCode, String> {
    let started = Instant::now();
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?.join("bench");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    let wants = |name| arguments.only.contains(&name);
    let programs = Programs::build(root, &target, wants("allocations"), wants(GO))?;
    let session = Session::new(programs, arguments.rounds, Duration::from_secs_f64(arguments.seconds))?;
    println!("{}\n", session.method());
    let mut rows = Vec::new();
    for (name, group) in GROUPS.into_iter().filter(|(name, _)| wants(name)) {
        println!("== {name}");
        let added = group(&session).map_err(|error| format!("{name}: {error}"))?;
        print!("{}", table::text(&added));
        rows.extend(added);
    }
    println!("\n{}", table::text(&rows));
    let folder = results(root, &target, arguments.is_whole);
    pages::write(&folder, &session, &rows)?;
    println!("results.md and results.svg are in {}; {:.0} s", folder.display(), started.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

/// Where the results go: those in the tree are of a whole run.
fn results(root: &Path, target: &Path, is_whole: bool) -> PathBuf {
    if is_whole { root.join("tests/bench/results") } else { target.join("results") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Arguments>, lexopt::Error> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn a_run_without_arguments_is_whole() {
        let whole = parsed(&[]).unwrap().unwrap();
        assert_eq!((whole.rounds, whole.seconds, whole.is_whole), (5, 3.0, true));
        assert_eq!(whole.only.len(), GROUPS.len() + 1);
    }

    #[test]
    fn a_quick_run_leaves_out_what_is_slow_and_takes_other_rounds_where_they_are_said() {
        let quick = parsed(&["--quick", "--rounds", "2"]).unwrap().unwrap();
        assert_eq!((quick.rounds, quick.seconds, quick.is_whole), (2, 1.0, false));
        assert!(!quick.only.contains(&"build") && quick.only.contains(&"unary"));
    }

    #[test]
    fn groups_are_named_with_commas() {
        let arguments = parsed(&["--only", "latency,go"]).unwrap().unwrap();
        assert_eq!((arguments.only, arguments.is_whole), (vec!["latency", "go"], false));
        assert!(parsed(&["--only", "everything"]).is_err() && parsed(&["fast"]).is_err());
        assert_eq!(parsed(&["--help"]).unwrap(), None);
    }
}
