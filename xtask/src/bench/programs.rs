//! The programs under test: how they are built, and where they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interop::install;

/// Whose program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Ours,
    Tonic,
    H2,
    Go,
}

/// Which of its two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

/// Everything that was built.
pub(super) struct Programs {
    pub(super) root: PathBuf,
    pub(super) target: PathBuf,
    pub(super) has_go: bool,
}

impl Peer {
    /// As tables name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::Ours => "ours",
            Peer::Tonic => "tonic",
            Peer::H2 => "h2",
            Peer::Go => "grpc-go",
        }
    }

    fn program(self, side: Side) -> &'static str {
        match (self, side) {
            (Peer::Ours, Side::Server) => "bench_server",
            (Peer::Ours, Side::Client) => "bench_client",
            (Peer::Tonic, Side::Server) => "tonic_server",
            (Peer::Tonic, Side::Client) => "tonic_client",
            (Peer::H2, Side::Server) => "h2_server",
            (Peer::H2, Side::Client) => "h2_client",
            (Peer::Go, Side::Server) => "server",
            (Peer::Go, Side::Client) => "client",
        }
    }
}

impl Programs {
    /// Builds them below `target`: `counting` for another set that counts allocations, `go` for grpc-go where Go is there.
    pub(super) fn build(root: &Path, target: &Path, counting: bool, go: bool) -> Result<Programs, String> {
        let mut programs = Programs { root: root.to_owned(), target: target.to_owned(), has_go: false };
        // Those that count come first: cargo leaves one set at a time in its folder, and the last has to be for timing.
        if counting {
            programs.cargo(&["--features", "allocations"])?;
            programs.keep_counting()?;
        }
        programs.cargo(&[])?;
        programs.has_go = go && programs.build_go()?;
        Ok(programs)
    }

    /// A program for timing.
    pub(super) fn path(&self, peer: Peer, side: Side) -> PathBuf {
        let folder = if peer == Peer::Go { self.go() } else { self.target.join("release") };
        folder.join(peer.program(side))
    }

    /// A program that counts allocations; there is none of grpc-go.
    pub(super) fn counting(&self, peer: Peer, side: Side) -> PathBuf {
        self.target.join("allocations").join(peer.program(side))
    }

    fn go(&self) -> PathBuf {
        self.target.join("grpc-go")
    }

    fn cargo(&self, arguments: &[&str]) -> Result<(), String> {
        println!("building for release {}", arguments.join(" "));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--quiet", "--bins", "--manifest-path"])
            .arg(self.root.join("tests/bench/Cargo.toml"))
            .arg("--target-dir")
            .arg(&self.target)
            .args(arguments)
            .status()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if status.success() { Ok(()) } else { Err("tests/bench does not build".to_owned()) }
    }

    fn keep_counting(&self) -> Result<(), String> {
        for peer in [Peer::Ours, Peer::Tonic, Peer::H2] {
            for side in [Side::Server, Side::Client] {
                let (from, to) = (self.path(peer, side), self.counting(peer, side));
                fs::create_dir_all(self.target.join("allocations"))
                    .and_then(|()| fs::copy(&from, &to))
                    .map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))?;
            }
        }
        Ok(())
    }

    /// Whether grpc-go's are there now.
    fn build_go(&self) -> Result<bool, String> {
        if Command::new("go").arg("version").output().is_err() {
            println!("grpc-go is left out: there is no go");
            return Ok(false);
        }
        install::step("building with grpc-go", || {
            let mut go = Command::new("go");
            go.args(["build", "-buildvcs=false", "-o"]).arg(self.go().join("")).args(["./server", "./client"]);
            go.current_dir(self.root.join("tests/bench/go"));
            go
        })?;
        Ok(true)
    }
}
