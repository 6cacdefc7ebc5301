//! What a connection takes that nobody uses.

use std::time::Duration;

use super::figures::{Figure, Row, Samples, Target};
use super::load::{Load, Printed};
use super::programs::{Peer, Side};
use super::session::{Pair, Place, Session};
use crate::interop::process::Process;

const CONNECTIONS: usize = 1000;
/// Longer than anything here takes: the client holds its connections until its stdin is closed.
const HELD: Duration = Duration::from_secs(120);

/// Connections of each server and each client: how much memory came to it with 1,000 of them, after one call on each.
pub(super) fn run(session: &Session) -> Result<Vec<Row>, String> {
    let pairs =
        [Pair::server(Peer::Ours), Pair::server(Peer::Tonic), Pair::server(Peer::H2), Pair::client(Peer::Tonic)];
    let mut samples = pairs.map(|pair| (pair, Vec::new()));
    for _ in 0..session.rounds {
        for (pair, samples) in &mut samples {
            samples.push(hold(session, *pair)?);
        }
    }
    let figures = |whose: fn(Pair) -> Option<Peer>, side: usize| {
        let of = |(pair, samples): &(Pair, Vec<[f64; 2]>)| {
            let samples = Samples::new(samples.iter().map(|sample| sample[side]).collect());
            whose(*pair).map(|peer| Figure { peer, samples })
        };
        samples.iter().filter_map(of).collect()
    };
    let servers = figures(|pair| (pair.client == Peer::Ours).then_some(pair.server), 0);
    let clients = figures(|pair| (pair.server == Peer::Ours).then_some(pair.client), 1);
    Ok(vec![
        Row::new("memory of the server per idle connection", "KiB", Target::RatioAtMost(0.5), servers),
        Row::new("memory of the client per idle connection", "KiB", Target::RatioAtMost(0.5), clients),
    ])
}

/// KiB of server and client for each connection.
fn hold(session: &Session, pair: Pair) -> Result<[f64; 2], String> {
    let mut server = session.server(session.programs.path(pair.server, Side::Server), 1, Place::Pinned)?;
    let mut holding = |connections: usize| {
        let program = session.programs.path(pair.client, Side::Client);
        let mut command = session.command(program, Side::Client, Place::Pinned);
        Load::idle(connections).tell(&mut command, server.port(), HELD);
        let mut client = Process::start_with_stdin(&mut command)?;
        client.until("holding\n", HELD)?;
        let held = server.report()?;
        Ok::<_, String>((held.rss_kib, Printed::new(client.finish(HELD)?)?.number("rss_kib")))
    };
    // The first connection brings what all of them share.
    let (one, many) = (holding(1)?, holding(CONNECTIONS)?);
    let each = |one: f64, many: f64| (many - one) / (CONNECTIONS - 1) as f64;
    let kib = [each(one.0, many.0), each(one.1, many.1)];
    server.end()?;
    Ok(kib)
}
