//! What a call costs the server as streams and connections become more: it should cost the same.

use super::figures::{Figure, Row, Samples, Target};
use super::load::Load;
use super::programs::Peer;
use super::session::{Pair, Place, Session};

const STREAMS: [usize; 5] = [1, 10, 100, 1000, 10_000];
const CONNECTIONS: [usize; 4] = [1, 10, 100, 1000];

/// One measurement for each point, whatever the rounds are: the shape is what is looked at.
pub(super) fn run(session: &Session) -> Result<Vec<Row>, String> {
    let streams = STREAMS.map(|streams| (format!("1 connection x {streams}"), Load::unary(1, streams)));
    let connections = CONNECTIONS.map(|count| (format!("{count} x 1"), Load::unary(count, 1)));
    streams.into_iter().chain(connections).map(|(name, load)| point(session, &name, &load)).collect()
}

fn point(session: &Session, name: &str, load: &Load) -> Result<Row, String> {
    let mut figures = Vec::new();
    for peer in [Peer::Ours, Peer::Tonic] {
        let run = session.measure(Pair::server(peer), load, 1, Place::Pinned)?;
        figures.push(Figure { peer, samples: Samples::one(run.server_us_per_call()) });
    }
    Ok(Row::new(format!("curve, {name}: server CPU per call"), "us", Target::None, figures))
}
