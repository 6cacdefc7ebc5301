//! What a run leaves: a page with the table, and the chart.

use std::fs;
use std::path::Path;

use super::figures::Row;
use super::session::Session;
use super::{chart, machine, table};

/// What each kind of figure means, for who reads the page.
const NOTES: &str = "\
- *C x M* is C connections with M calls in flight on each. Servers are driven by our client, clients call our server; \
*server and client of each* is a library by itself, and so are streams of small messages.
- CPU is user and system time of the process by its own accounting, while the client measures. All run on one Tokio worker \
(the current-thread runtime; GOMAXPROCS is 1 for grpc-go) with the system's allocator, built for release with no further \
settings. h2 is bare, without gRPC: what it costs is what HTTP/2 costs.
- In the open loop a latency counts from when the call should have started.
- Allocations and instructions are the difference of two runs of 2,000 and 12,000 calls, so that starting does not count; what \
an allocator was asked to grow counts as an allocation; instructions are callgrind's.
- Memory is what came to the resident memory from 1 to 1,000 connections, after one call on each.
- Curves have one measurement a point. Builds are made once, into an empty folder, with all downloads done before; what tonic's \
protoc takes is left out.
- *Two workers* is measured without pinning. Where there are two cores the client takes a part of both, and twice the \
throughput of one worker cannot be seen; what can is whether CPU per call stays the same.
";

/// Writes `results.md` and `results.svg` into a folder.
pub(super) fn write(folder: &Path, session: &Session, rows: &[Row]) -> Result<(), String> {
    let facts = machine::facts(&session.programs.root);
    let shown = |(name, value): &(&str, String)| format!("- {name}: {value}\n");
    let page = format!(
        "# Results of `cargo xtask bench`\n\n{}\n\n![How far each row is from its target](results.svg)\n\n{}\n{}\n{NOTES}",
        session.method(),
        table::markdown(rows),
        facts.iter().map(shown).collect::<String>(),
    );
    let title = format!("callwright beside tonic {}: how far each figure is from its target", version(&facts));
    let chart = chart::svg(rows, &title);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join("results.md"), page))
        .and_then(|()| fs::write(folder.join("results.svg"), chart))
        .map_err(|error| format!("cannot write in {}: {error}", folder.display()))
}

fn version<'a>(facts: &'a [(&str, String)]) -> &'a str {
    facts.iter().find(|(name, _)| *name == "tonic").map_or("", |(_, version)| version)
}
