//! Tools that know a server by its standard services alone: grpc-health-probe, grpcurl and buf curl against our interop
//! server. What there is to call they have from its reflection.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Session;
use super::install;
use super::ours::{self, CASE_TIMEOUT};
use super::process::Process;
use super::report::Direction;

const PEER: &str = "tools";
const PROBE: &str = "github.com/grpc-ecosystem/grpc-health-probe@v0.4.61";
const GRPCURL: &str = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4";
const BUF: &str = "@bufbuild/buf@1.75.0";

/// One run of a tool. Arguments hold TARGET where the server's address is due.
struct Row {
    name: &'static str,
    tool: Tool,
    arguments: &'static [&'static str],
    /// The exit code.
    code: i32,
    /// What it prints, each somewhere.
    said: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Tool {
    Probe,
    Grpcurl,
    Buf,
}

const fn probe(
    name: &'static str,
    arguments: &'static [&'static str],
    code: i32,
    said: &'static [&'static str],
) -> Row {
    Row { name, tool: Tool::Probe, arguments, code, said }
}

const fn grpcurl(
    name: &'static str,
    arguments: &'static [&'static str],
    code: i32,
    said: &'static [&'static str],
) -> Row {
    Row { name, tool: Tool::Grpcurl, arguments, code, said }
}

const fn buf(name: &'static str, arguments: &'static [&'static str], code: i32, said: &'static [&'static str]) -> Row {
    Row { name, tool: Tool::Buf, arguments, code, said }
}

/// Every row, in the order in which they run: some change the server's health for those that follow.
const ROWS: [Row; 24] = [
    probe("probe/server", &["-addr", "TARGET"], 0, &["status: SERVING"]),
    probe("probe/service", &["-addr", "TARGET", "-service", SERVICE], 0, &["status: SERVING"]),
    probe(
        "probe/unknown",
        &["-addr", "TARGET", "-service", "no.Such"],
        3,
        &["NotFound", "unknown service \"no.Such\""],
    ),
    grpcurl(
        "grpcurl/list",
        &["-plaintext", "TARGET", "list"],
        0,
        &[
            "grpc.channelz.v1.Channelz\n",
            "grpc.health.v1.Health\n",
            "grpc.reflection.v1.ServerReflection\n",
            "grpc.reflection.v1alpha.ServerReflection\n",
            "grpc.testing.TestService\n",
        ],
    ),
    grpcurl(
        "grpcurl/list_methods",
        &["-plaintext", "TARGET", "list", SERVICE],
        0,
        &["grpc.testing.TestService.EmptyCall\n", "grpc.testing.TestService.FullDuplexCall\n"],
    ),
    grpcurl(
        "grpcurl/describe_all",
        &["-plaintext", "TARGET", "describe"],
        0,
        &["grpc.health.v1.Health is a service:", "grpc.testing.TestService is a service:", "rpc UnaryCall"],
    ),
    grpcurl(
        "grpcurl/describe_method",
        &["-plaintext", "TARGET", "describe", "grpc.testing.TestService.FullDuplexCall"],
        0,
        &["rpc FullDuplexCall ( stream .grpc.testing.StreamingOutputCallRequest ) returns"],
    ),
    grpcurl(
        "grpcurl/describe_message",
        &["-plaintext", "TARGET", "describe", "grpc.testing.Payload"],
        0,
        &["message Payload {\n  .grpc.testing.PayloadType type = 1;\n  bytes body = 2;\n}"],
    ),
    grpcurl(
        "grpcurl/describe_reflection",
        &["-plaintext", "TARGET", "describe", "grpc.reflection.v1alpha.ServerReflectionRequest"],
        0,
        &[".grpc.reflection.v1alpha.ExtensionRequest file_containing_extension = 5;"],
    ),
    grpcurl(
        "grpcurl/describe_extensions",
        &["-plaintext", "TARGET", "describe", "callwright.tests.Scope"],
        0,
        &["extend .callwright.tests.Extended {", "second = 125;"],
    ),
    grpcurl(
        "grpcurl/describe_nothing",
        &["-plaintext", "TARGET", "describe", "no.Such"],
        1,
        &["Symbol not found: no.Such"],
    ),
    grpcurl("grpcurl/call", &["-plaintext", "-d", ONE, "TARGET", UNARY_DOT], 0, &["\"body\": \"AAAA\""]),
    grpcurl(
        "grpcurl/call_bidi",
        &["-plaintext", "-d", TWO, "TARGET", "grpc.testing.TestService/FullDuplexCall"],
        0,
        &["\"body\": \"AA==\"", "\"body\": \"AAA=\""],
    ),
    grpcurl(
        "grpcurl/call_fails",
        &["-plaintext", "-d", r#"{"responseStatus": {"code": 8, "message": "as asked"}}"#, "TARGET", UNARY_DOT],
        64 + 8,
        &["Code: ResourceExhausted", "Message: as asked"],
    ),
    grpcurl(
        "grpcurl/health_check",
        &["-plaintext", "-d", r#"{"service": "grpc.testing.TestService"}"#, "TARGET", "grpc.health.v1.Health/Check"],
        0,
        &["\"status\": \"SERVING\""],
    ),
    grpcurl(
        "grpcurl/health_list",
        &["-plaintext", "TARGET", "grpc.health.v1.Health/List"],
        0,
        &["\"grpc.testing.TestService\": {"],
    ),
    buf(
        "buf/list_services",
        &["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--list-services", "http://TARGET"],
        0,
        &["grpc.health.v1.Health\n", "grpc.testing.TestService\n"],
    ),
    buf(
        "buf/list_methods",
        &["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--list-methods", "http://TARGET"],
        0,
        &["grpc.health.v1.Health/Watch\n", "grpc.testing.TestService/UnaryCall\n"],
    ),
    buf(
        "buf/call_by_v1",
        &[
            "curl",
            "--protocol",
            "grpc",
            "--http2-prior-knowledge",
            "--reflect-protocol",
            "grpc-v1",
            "-d",
            ONE,
            UNARY_URL,
        ],
        0,
        &["\"body\": \"AAAA\""],
    ),
    buf(
        "buf/call_by_v1alpha",
        &[
            "curl",
            "--protocol",
            "grpc",
            "--http2-prior-knowledge",
            "--reflect-protocol",
            "grpc-v1alpha",
            "-d",
            ONE,
            UNARY_URL,
        ],
        0,
        &["\"body\": \"AAAA\""],
    ),
    grpcurl(
        "probe/turned_off",
        &["-plaintext", "TARGET", "grpc.testing.XdsUpdateHealthService/SetNotServing"],
        0,
        &["{}"],
    ),
    probe("probe/server_not_serving", &["-addr", "TARGET"], 4, &["NOT_SERVING"]),
    probe("probe/service_not_serving", &["-addr", "TARGET", "-service", SERVICE], 4, &["NOT_SERVING"]),
    probe("probe/nobody", &["-addr", "127.0.0.1:1", "-connect-timeout", "3s"], 2, &["127.0.0.1:1"]),
];

const SERVICE: &str = "grpc.testing.TestService";
const UNARY_DOT: &str = "grpc.testing.TestService/UnaryCall";
const UNARY_URL: &str = "http://TARGET/grpc.testing.TestService/UnaryCall";
const ONE: &str = r#"{"responseSize": 3}"#;
const TWO: &str = r#"{"responseParameters": [{"size": 1}, {"size": 2}]}"#;

pub(super) fn run(session: &mut Session) {
    // Those of a group are run together: the health of one is changed by another.
    let wanted: Vec<_> =
        ROWS.iter().filter(|row| session.report.wants(row.name) || session.report.wants_group(row.name)).collect();
    if wanted.is_empty() {
        return;
    }
    let tools = match Tools::install(&session.peers) {
        Ok(tools) => tools,
        Err(error) => return session.report.broken(PEER, &error),
    };
    match ours::server(&session.binaries) {
        Ok(server) => {
            for row in wanted {
                let result = tools.run(row, server.port());
                session.report.note(PEER, Direction::TheirsToOurs, row.name, result);
            }
        }
        Err(error) => session.report.broken(PEER, &error),
    }
}

/// Where the tools are.
struct Tools {
    go: PathBuf,
    buf: PathBuf,
}

impl Tools {
    fn install(peers: &Path) -> Result<Tools, String> {
        let folder = peers.join(PEER);
        let pins = [PROBE, GRPCURL, BUF].join("\n");
        let tools = Tools { go: folder.join("bin"), buf: folder.join("node_modules/.bin/buf") };
        if install::is_done(&folder, &pins) {
            return Ok(tools);
        }
        fs::create_dir_all(&tools.go).map_err(|error| format!("cannot make {}: {error}", tools.go.display()))?;
        // One by one: they are modules of their own, with versions of their own of what they are built with.
        for module in [PROBE, GRPCURL] {
            install::step(&format!("installing {module}"), || {
                let mut go = Command::new("go");
                go.args(["install", module]).env("GOBIN", &tools.go).current_dir(&folder);
                go
            })?;
        }
        install::step(&format!("installing {BUF}"), || {
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(&folder).arg(BUF);
            npm
        })?;
        install::done(&folder, &pins)?;
        Ok(tools)
    }

    fn run(&self, row: &Row, port: u16) -> Result<(), String> {
        let mut command = Command::new(match row.tool {
            Tool::Probe => self.go.join("grpc-health-probe"),
            Tool::Grpcurl => self.go.join("grpcurl"),
            Tool::Buf => self.buf.clone(),
        });
        let target = format!("127.0.0.1:{port}");
        command.args(row.arguments.iter().map(|argument| argument.replace("TARGET", &target)));
        let ended = Process::start(&mut command)?.end(CASE_TIMEOUT)?;
        if ended.code != Some(row.code) {
            return Err(format!("{}\nexit code {:?}, where {} was expected", ended.output, ended.code, row.code));
        }
        match row.said.iter().find(|part| !ended.output.contains(*part)) {
            Some(missing) => Err(format!("{}\nwithout {missing:?}", ended.output)),
            None => Ok(()),
        }
    }
}
