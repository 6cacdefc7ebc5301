//! Heap allocations per small call: the difference of two runs, so that what starts and ends does not count.

use std::time::Duration;

use super::figures::{Figure, Row, Samples, Target};
use super::load::{Load, Printed};
use super::programs::{Peer, Side};
use super::session::{Pair, Place, Session};
use crate::interop::process;

const CALLS: [usize; 2] = [2_000, 12_000];
const TIMEOUT: Duration = Duration::from_secs(120);

/// Programs that count, of each library. What an allocator is asked to grow counts as an allocation.
pub(super) fn run(session: &Session) -> Result<Vec<Row>, String> {
    let (mut servers, mut clients) = (Vec::new(), Vec::new());
    for peer in [Peer::Ours, Peer::Tonic, Peer::H2] {
        let [server, _] = per_call(session, Pair::server(peer))?;
        let [_, client] = per_call(session, Pair::client(peer))?;
        servers.push(Figure { peer, samples: Samples::one(server) });
        clients.push(Figure { peer, samples: Samples::one(client) });
    }
    Ok(vec![
        Row::new("unary 100 B, 1 x 100: allocations per call, server", "", Target::AtMost(6.0), servers),
        Row::new("unary 100 B, 1 x 100: allocations per call, client", "", Target::None, clients),
    ])
}

/// Those of server and client.
fn per_call(session: &Session, pair: Pair) -> Result<[f64; 2], String> {
    let program = session.programs.counting(pair.server, Side::Server);
    let mut server = session.server(program, 1, Place::Pinned)?;
    let mut counts = Vec::new();
    for calls in CALLS {
        let before = server.report()?;
        let program = session.programs.counting(pair.client, Side::Client);
        let mut client = session.command(program, Side::Client, Place::Pinned);
        Load::unary(1, 100).calls(calls).tell(&mut client, server.port(), Duration::ZERO);
        let printed = Printed::new(process::run(&mut client, TIMEOUT)?)?;
        counts.push([server.report()?.since(before).allocations, printed.number("allocations")]);
    }
    server.end()?;
    let more = (CALLS[1] - CALLS[0]) as f64;
    Ok([0, 1].map(|side| (counts[1][side] - counts[0][side]) / more))
}
