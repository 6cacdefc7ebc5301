//! Runs pairs of a server and a client, in rounds in which all take their turn.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::figures::{Figure, Samples};
use super::load::{Load, Printed};
use super::machine;
use super::programs::{Peer, Programs, Side};
use super::server::{Server, Usage};
use crate::interop::process::Process;

/// How long a client may take beyond its time: to connect, and until its last calls have ended.
const GRACE: Duration = Duration::from_secs(120);

/// What is measured together: a client against a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) client: Peer,
    pub(super) server: Peer,
}

/// What one measurement gave.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) client: Printed,
    /// What the server used while the client measured.
    pub(super) server: Usage,
}

/// All rounds of some pairs.
pub(super) struct Runs(Vec<(Pair, Vec<Run>)>);

pub(super) struct Session {
    pub(super) programs: Programs,
    pub(super) rounds: usize,
    pub(super) seconds: Duration,
    is_pinned: bool,
}

/// On which core a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Server and client each have their own, where there are two.
    Pinned,
    /// The system decides.
    Anywhere,
}

impl Pair {
    /// A server under test: our client drives it.
    pub(super) fn server(server: Peer) -> Pair {
        Pair { client: Peer::Ours, server }
    }

    /// A client under test: it calls our server.
    pub(super) fn client(client: Peer) -> Pair {
        Pair { client, server: Peer::Ours }
    }

    /// Both of one library.
    pub(super) fn both(peer: Peer) -> Pair {
        Pair { client: peer, server: peer }
    }
}

impl Run {
    pub(super) fn server_us_per_call(&self) -> f64 {
        self.server.cpu_ns / 1e3 / self.client.number("calls")
    }

    pub(super) fn client_us_per_call(&self) -> f64 {
        self.client.number("cpu_ns") / 1e3 / self.client.number("calls")
    }

    pub(super) fn server_messages_per_second(&self) -> f64 {
        self.client.number("messages") / (self.server.cpu_ns / 1e9)
    }

    pub(super) fn client_messages_per_second(&self) -> f64 {
        self.client.number("messages") / (self.client.number("cpu_ns") / 1e9)
    }
}

impl Runs {
    /// A figure of each server that our client drove.
    pub(super) fn servers(&self, figure: impl Fn(&Run) -> f64) -> Vec<Figure> {
        self.figures(|pair| (pair.client == Peer::Ours).then_some(pair.server), figure)
    }

    /// A figure of each client that called our server.
    pub(super) fn clients(&self, figure: impl Fn(&Run) -> f64) -> Vec<Figure> {
        self.figures(|pair| (pair.server == Peer::Ours).then_some(pair.client), figure)
    }

    /// A figure of each library by itself.
    pub(super) fn both(&self, figure: impl Fn(&Run) -> f64) -> Vec<Figure> {
        self.figures(|pair| (pair.server == pair.client).then_some(pair.client), figure)
    }

    fn figures(&self, whose: impl Fn(Pair) -> Option<Peer>, figure: impl Fn(&Run) -> f64) -> Vec<Figure> {
        let of = |(pair, runs): &(Pair, Vec<Run>)| {
            let samples = Samples::new(runs.iter().map(&figure).collect());
            whose(*pair).map(|peer| Figure { peer, samples })
        };
        self.0.iter().filter_map(of).collect()
    }
}

impl Session {
    pub(super) fn new(programs: Programs, rounds: usize, seconds: Duration) -> Result<Session, String> {
        let has_taskset = Command::new("taskset").arg("--version").output().is_ok();
        Ok(Session { programs, rounds, seconds, is_pinned: machine::cores() > 1 && has_taskset })
    }

    /// How it is measured, in a sentence or two.
    pub(super) fn method(&self) -> String {
        let place = match self.is_pinned {
            true => "the server on the first core and the client on the second",
            false => "server and client on whatever core the system gave them",
        };
        format!(
            "{} rounds of {} s each, {place}; in a round all take their turn. A figure is the median of the rounds, with \
             the least and the most; a ratio is the median of the rounds' ratios.",
            self.rounds,
            self.seconds.as_secs_f64()
        )
    }

    /// Those of these peers that take part.
    pub(super) fn peers(&self, peers: &[Peer]) -> Vec<Peer> {
        peers.iter().copied().filter(|peer| *peer != Peer::Go || self.programs.has_go).collect()
    }

    /// Measures all pairs in every round.
    pub(super) fn rounds(&self, pairs: &[Pair], load: &Load) -> Result<Runs, String> {
        let mut runs: Vec<(Pair, Vec<Run>)> = Vec::new();
        for pair in pairs {
            if self.peers(&[pair.client, pair.server]).len() == 2 && !runs.iter().any(|(known, _)| known == pair) {
                runs.push((*pair, Vec::new()));
            }
        }
        for _ in 0..self.rounds {
            for (pair, runs) in &mut runs {
                runs.push(self.measure(*pair, load, 1, Place::Pinned)?);
            }
        }
        Ok(Runs(runs))
    }

    /// Measures a pair once.
    pub(super) fn measure(&self, pair: Pair, load: &Load, threads: usize, place: Place) -> Result<Run, String> {
        let mut server = self.server(self.programs.path(pair.server, Side::Server), threads, place)?;
        let program = self.programs.path(pair.client, Side::Client);
        let run = self.drive(&mut server, program, load, place).map_err(|error| {
            format!("{} client against {} server, {load:?}: {error}", pair.client.name(), pair.server.name())
        })?;
        server.end()?;
        Ok(run)
    }

    /// Starts a server.
    pub(super) fn server(&self, program: PathBuf, threads: usize, place: Place) -> Result<Server, String> {
        Server::start(self.command(program, Side::Server, place), threads)
    }

    /// Runs a client for the time of a round, and asks the server when the measuring starts and ends.
    pub(super) fn drive(
        &self,
        server: &mut Server,
        program: PathBuf,
        load: &Load,
        place: Place,
    ) -> Result<Run, String> {
        let mut command = self.command(program, Side::Client, place);
        load.tell(&mut command, server.port(), self.seconds);
        let mut client = Process::start(&mut command)?;
        client.until("measuring\n", GRACE)?;
        let before = server.report()?;
        // Sleeping through most of it: to look at a pipe takes a share of a core that is measured.
        thread::sleep(self.seconds.saturating_sub(Duration::from_millis(20)));
        client.until("measured\n", self.seconds + GRACE)?;
        let used = server.report()?.since(before);
        Ok(Run { client: Printed::new(client.finish(GRACE)?)?, server: used })
    }

    /// The command line of a program in its place.
    pub(super) fn command(&self, program: PathBuf, side: Side, place: Place) -> Command {
        if !self.is_pinned || place == Place::Anywhere {
            return Command::new(program);
        }
        let core = if side == Side::Server { "0" } else { "1" };
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program);
        command
    }
}
