//! What is measured in rounds: calls, streams and bytes, of servers that our client drives, and of clients that call our
//! server.

use super::figures::{Figure, Row, Samples, Target};
use super::load::Load;
use super::programs::Peer;
use super::session::{Pair, Place, Run, Session};

const MIB: f64 = (1 << 20) as f64;
/// Of what tonic can do at most, in the open loop.
const OPEN_LOOP_SHARE: f64 = 0.7;

/// CPU per small call.
pub(super) fn unary(session: &Session) -> Result<Vec<Row>, String> {
    let servers = [Peer::Ours, Peer::Tonic, Peer::H2, Peer::Go].map(Pair::server);
    let clients = [Peer::Tonic, Peer::H2, Peer::Go].map(Pair::client);
    let one = session.rounds(&[&servers[..], &clients].concat(), &Load::unary(1, 100))?;
    let ten = session.rounds(&servers, &Load::unary(10, 10))?;
    let (server, client) = (Run::server_us_per_call, Run::client_us_per_call);
    Ok(vec![
        Row::new("unary 100 B, 1 x 100: server CPU per call", "us", Target::RatioAtMost(0.20), one.servers(server)),
        Row::new("unary 100 B, 10 x 10: server CPU per call", "us", Target::RatioAtMost(0.35), ten.servers(server)),
        Row::new("unary 100 B, 1 x 100: client CPU per call", "us", Target::RatioAtMost(0.30), one.clients(client)),
        Row::new("unary 100 B, 1 x 100: calls/s of the server", "/s", Target::None, one.servers(calls_per_second)),
        Row::new("unary 100 B, 10 x 10: calls/s of the server", "/s", Target::None, ten.servers(calls_per_second)),
    ])
}

/// One call at a time.
pub(super) fn latency(session: &Session) -> Result<Vec<Row>, String> {
    let servers = [Peer::Ours, Peer::Tonic, Peer::H2, Peer::Go].map(Pair::server);
    let runs = session.rounds(&[&servers[..], &[Pair::both(Peer::Tonic)]].concat(), &Load::unary(1, 1))?;
    let (p50, p99) = (|run: &Run| run.client.number("p50"), |run: &Run| run.client.number("p99"));
    let target = Target::RatioAtMost(0.85);
    Ok(vec![
        Row::new("unary 100 B, 1 x 1: p50, server under test", "us", target, runs.servers(p50)),
        Row::new("unary 100 B, 1 x 1: p50, server and client of each", "us", target, runs.both(p50)),
        Row::new("unary 100 B, 1 x 1: p99, server and client of each", "us", Target::None, runs.both(p99)),
    ])
}

/// Calls that start at a rate.
pub(super) fn open_loop(session: &Session) -> Result<Vec<Row>, String> {
    let load = Load::unary(50, 20);
    let at_most = session.rounds(&[Pair::server(Peer::Tonic)], &load)?.servers(calls_per_second);
    let rate = at_most.iter().map(|tonic| (tonic.samples.median() * OPEN_LOOP_SHARE).round()).sum::<f64>();
    let servers = [Peer::Ours, Peer::Tonic, Peer::H2, Peer::Go].map(Pair::server);
    let runs = session.rounds(&servers, &load.rate(rate))?;
    let work = |what| format!("unary 100 B, 50 x 20, open loop at {rate} calls/s: {what}");
    let (p50, p99) = (|run: &Run| run.client.number("p50"), |run: &Run| run.client.number("p99"));
    Ok(vec![
        Row::new(work("p99"), "us", Target::RatioAtMost(0.5), runs.servers(p99)),
        Row::new(work("p50"), "us", Target::None, runs.servers(p50)),
    ])
}

/// Streams of small messages, by server and client of one library: how a client puts messages into frames decides what a
/// server has to do, and h2, which tonic stands on, breaks off a connection with too many small frames that it has not
/// read yet (`too_many_data_frames`).
pub(super) fn streams(session: &Session) -> Result<Vec<Row>, String> {
    let pairs = [Peer::Ours, Peer::Tonic, Peer::Go].map(Pair::both);
    let target = Target::RatioAtLeast(5.0);
    let mut rows = Vec::new();
    for (mode, name) in
        [("server_stream", "server stream"), ("client_stream", "client stream"), ("bidi", "bidi stream")]
    {
        let runs = session.rounds(&pairs, &Load::streams(mode, 10))?;
        let work = |side| format!("{name} of 100 B, 1 x 10: messages per CPU second of the {side}");
        rows.push(Row::new(work("server"), "/s", target, runs.both(Run::server_messages_per_second)));
        rows.push(Row::new(work("client"), "/s", target, runs.both(Run::client_messages_per_second)));
    }
    Ok(rows)
}

/// Large messages.
pub(super) fn bytes(session: &Session) -> Result<Vec<Row>, String> {
    let mib = |run: &Run| run.client.number("bytes/s") / MIB;
    let mut rows = Vec::new();
    let mut add = |work: &str, servers: &[Peer], load: &Load| {
        let servers: Vec<_> = servers.iter().copied().map(Pair::server).collect();
        let runs = session.rounds(&[&servers[..], &[Pair::both(Peer::Tonic)]].concat(), load)?;
        let target = Target::RatioAtLeast(2.0);
        rows.push(Row::new(format!("{work}, server under test"), "MiB/s", target, runs.servers(mib)));
        rows.push(Row::new(format!("{work}, server and client of each"), "MiB/s", target, runs.both(mib)));
        Ok::<_, String>(())
    };
    let all = [Peer::Ours, Peer::Tonic, Peer::H2, Peer::Go];
    add("unary 1 MiB echo, 1 x 1", &all, &Load::unary(1, 1).size(1 << 20))?;
    for (mode, name) in [("server_stream", "server stream"), ("client_stream", "client stream")] {
        // Short ones: only whole streams count, and a long one is a large part of a round.
        let load = Load::streams(mode, 1).size(64 << 10).messages(100);
        add(&format!("{name} of 64 KiB, 1 x 1"), &[Peer::Ours, Peer::Tonic], &load)?;
    }
    Ok(rows)
}

/// Two workers in the place of one. Nothing is pinned: where there are two cores the client takes a part of them, and the
/// second worker cannot have a whole one. CPU per call then tells what a second worker costs.
pub(super) fn threads(session: &Session) -> Result<Vec<Row>, String> {
    let load = Load::unary(10, 10);
    let (mut calls, mut cpu): ([Vec<Figure>; 3], [Vec<Figure>; 2]) = Default::default();
    let peers = [Peer::Ours, Peer::Tonic];
    let mut runs = peers.map(|peer| (peer, [Vec::new(), Vec::new()]));
    for _ in 0..session.rounds {
        for (peer, by_threads) in &mut runs {
            for (threads, runs) in by_threads.iter_mut().enumerate() {
                runs.push(session.measure(Pair::server(*peer), &load, threads + 1, Place::Anywhere)?);
            }
        }
    }
    for (peer, by_threads) in runs {
        let of = |threads: usize, figure: fn(&Run) -> f64| {
            Samples::new(by_threads[threads - 1].iter().map(figure).collect())
        };
        let [one, two] = [of(1, calls_per_second), of(2, calls_per_second)];
        let scaling = two.ratio(&one);
        for (rows, samples) in calls.iter_mut().zip([scaling, one, two]) {
            rows.push(Figure { peer, samples });
        }
        for (rows, threads) in cpu.iter_mut().zip([1, 2]) {
            rows.push(Figure { peer, samples: of(threads, Run::server_us_per_call) });
        }
    }
    let [scaling, one, two] = calls;
    let [cpu_one, cpu_two] = cpu;
    let work = |what| format!("unary 100 B, 10 x 10, unpinned: {what}");
    Ok(vec![
        Row::new(work("calls/s of two workers to one's"), "x", Target::AtLeast(1.7), scaling),
        Row::new(work("calls/s of one worker"), "/s", Target::None, one),
        Row::new(work("calls/s of two workers"), "/s", Target::None, two),
        Row::new(work("server CPU per call of one worker"), "us", Target::None, cpu_one),
        Row::new(work("server CPU per call of two workers"), "us", Target::None, cpu_two),
    ])
}

fn calls_per_second(run: &Run) -> f64 {
    run.client.number("calls/s")
}
