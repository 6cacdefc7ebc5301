//! The command `callwright` against a server that serves gRPC's standard test service and says so by reflection: nothing
//! but the server tells the command what there is to call.

use std::process::Command;

use super::Session;
use super::ours::CASE_TIMEOUT;
use super::process::{self, Ended, Process, Server};
use super::report::Direction;

/// Every row, in the order in which they run. The names are those of `--case`.
pub(super) const ROWS: [&str; 16] = [
    "command/list",
    "command/list_methods",
    "command/describe_service",
    "command/describe_method",
    "command/describe_message",
    "command/describe_enum",
    "command/unary",
    "command/unary_gzip",
    "command/server_streaming",
    "command/client_streaming",
    "command/bidi",
    "command/metadata",
    "command/status",
    "command/unimplemented",
    "command/deadline",
    "command/wait_for_ready",
];

const SERVICE: &str = "grpc.testing.TestService";
/// The status codes that rows expect, as exit codes of the command.
const DEADLINE_EXCEEDED: i32 = 64 + 4;
const RESOURCE_EXHAUSTED: i32 = 64 + 8;
const UNIMPLEMENTED: i32 = 64 + 12;

/// Whether any row is to be run.
pub(super) fn is_wanted(session: &Session) -> bool {
    ROWS.iter().any(|row| session.report.wants(row))
}

/// Runs the rows against a peer; `server` makes the command line of its server, which announces itself, for a port.
pub(super) fn run(session: &mut Session, peer: &str, direction: Direction, server: impl Fn(u16) -> Command) {
    if !is_wanted(session) {
        return;
    }
    let running = match Server::start_announced(&mut server(0)) {
        Ok(running) => running,
        Err(error) => return session.report.broken(peer, &error),
    };
    let shell = Shell { session, port: running.port() };
    let results: Vec<_> = ROWS
        .into_iter()
        .filter(|row| shell.session.report.wants(row))
        .map(|row| (row, shell.row(row, &server)))
        .collect();
    for (row, result) in results {
        session.report.note(peer, direction, row, result);
    }
}

/// The command, with the port of a running server.
struct Shell<'a> {
    session: &'a Session,
    port: u16,
}

impl Shell<'_> {
    fn row(&self, row: &str, server: impl Fn(u16) -> Command) -> Result<(), String> {
        match row {
            "command/list" => self.prints(&["list", "TARGET"], |said| {
                said.lines().any(|line| line == SERVICE) && said.contains("grpc.reflection.")
            }),
            "command/list_methods" => self.prints(&["list", "TARGET", SERVICE], |said| {
                ["UnaryCall", "FullDuplexCall"].iter().all(|method| said.contains(&format!("{SERVICE}/{method}\n")))
            }),
            "command/describe_service" => self.prints(&["describe", "TARGET", SERVICE], |said| {
                said.contains(
                    "  rpc FullDuplexCall(stream grpc.testing.StreamingOutputCallRequest) returns \
                     (stream grpc.testing.StreamingOutputCallResponse);\n",
                )
            }),
            "command/describe_method" => self
                .prints(&["describe", "TARGET", "grpc.testing.TestService/EmptyCall"], |said| {
                    said == "rpc EmptyCall(grpc.testing.Empty) returns (grpc.testing.Empty);\n"
                }),
            "command/describe_message" => self.prints(&["describe", "TARGET", "grpc.testing.Payload"], |said| {
                said == "message grpc.testing.Payload {\n  grpc.testing.PayloadType type = 1;\n  bytes body = 2;\n}\n"
            }),
            "command/describe_enum" => self.prints(&["describe", "TARGET", "grpc.testing.PayloadType"], |said| {
                said == "enum grpc.testing.PayloadType {\n  COMPRESSABLE = 0;\n}\n"
            }),
            "command/unary" => {
                self.calls("UnaryCall", &["-d", r#"{"responseSize": 3}"#], "{\"payload\":{\"body\":\"AAAA\"}}\n")
            }
            "command/unary_gzip" => {
                let data = format!(r#"{{"response_size": 6, "payload": {{"body": "{}"}}}}"#, "AAAA".repeat(500));
                let arguments = ["--compression", "gzip", "-d", &data];
                self.calls("UnaryCall", &arguments, "{\"payload\":{\"body\":\"AAAAAAAA\"}}\n")
            }
            "command/server_streaming" => self.calls(
                "StreamingOutputCall",
                &["-d", r#"{"responseParameters": [{"size": 3}, {"size": 6}]}"#],
                "{\"payload\":{\"body\":\"AAAA\"}}\n{\"payload\":{\"body\":\"AAAAAAAA\"}}\n",
            ),
            "command/client_streaming" => self.client_streaming(),
            "command/bidi" => self.bidi(),
            "command/metadata" => self.metadata(),
            "command/status" => {
                // Space around it, what has to be escaped, and what is more than ASCII.
                let message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
                let escaped = message.replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
                let data = format!(r#"{{"responseStatus": {{"code": 8, "message": "{escaped}"}}}}"#);
                self.fails("UnaryCall", &["-d", &data], RESOURCE_EXHAUSTED, "and Unicode BMP ☺ and non-BMP 😈")
            }
            "command/unimplemented" => self.fails("UnimplementedCall", &[], UNIMPLEMENTED, "UNIMPLEMENTED"),
            "command/deadline" => {
                let data = r#"{"responseParameters": [{"size": 1, "intervalUs": 20000000}]}"#;
                let arguments = ["--timeout", "300ms", "-d", data];
                self.fails("StreamingOutputCall", &arguments, DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
            }
            "command/wait_for_ready" => self.wait_for_ready(server),
            other => Err(format!("{other} has no code")),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(self.session, self.port, arguments)
    }

    fn run(&self, arguments: &[&str]) -> Result<Ended, String> {
        Process::start(&mut self.command(arguments))?.end(CASE_TIMEOUT)
    }

    fn prints(&self, arguments: &[&str], right: impl Fn(&str) -> bool) -> Result<(), String> {
        check(&self.run(arguments)?, 0, |ended| right(&ended.stdout))
    }

    fn calls(&self, method: &str, arguments: &[&str], printed: &str) -> Result<(), String> {
        let path = format!("{SERVICE}/{method}");
        check(&self.run(&[&["call", "TARGET", &path], arguments].concat())?, 0, |ended| ended.stdout == printed)
    }

    fn fails(&self, method: &str, arguments: &[&str], code: i32, said: &str) -> Result<(), String> {
        let path = format!("{SERVICE}/{method}");
        let ended = self.run(&[&["call", "TARGET", &path], arguments].concat())?;
        check(&ended, code, |ended| ended.output.contains(said) && ended.stdout.is_empty())
    }

    fn client_streaming(&self) -> Result<(), String> {
        let path = format!("{SERVICE}/StreamingInputCall");
        let mut call = Process::start_with_stdin(&mut self.command(&["call", "TARGET", &path]))?;
        for body in ["AAAA", "AAAAAAAA", "AA=="] {
            call.tell(&format!(r#"{{"payload": {{"body": "{body}"}}}}"#));
        }
        check(&call.end(CASE_TIMEOUT)?, 0, |ended| ended.stdout == "{\"aggregatedPayloadSize\":10}\n")
    }

    /// Ping-pong: a line is written when the one before is answered.
    fn bidi(&self) -> Result<(), String> {
        let path = format!("{SERVICE}/FullDuplexCall");
        let mut call = Process::start_with_stdin(&mut self.command(&["call", "TARGET", &path]))?;
        let bodies = ["AAAA", "AAAAAAAA", "AAAAAAAAAAAA"];
        for (number, body) in (1..).zip(bodies) {
            call.tell(&format!(r#"{{"responseParameters": [{{"size": {}}}]}}"#, 3 * number));
            call.until(&format!("\"{body}\""), CASE_TIMEOUT)?;
        }
        let expected: String = bodies.iter().map(|body| format!("{{\"payload\":{{\"body\":\"{body}\"}}}}\n")).collect();
        check(&call.end(CASE_TIMEOUT)?, 0, |ended| ended.stdout == expected)
    }

    fn metadata(&self) -> Result<(), String> {
        let (initial, trailing) = ("x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin");
        let headers = [format!("{initial}: there and back"), format!("{trailing}: q6ur")];
        let path = format!("{SERVICE}/UnaryCall");
        let ended = self.run(&["call", "TARGET", &path, "-v", "-H", &headers[0], "-H", &headers[1]])?;
        check(&ended, 0, |ended| {
            ended.output.contains(&format!("initial metadata {initial}: \"there and back\""))
                && ended.output.contains(&format!("trailing metadata {trailing}: "))
                && ended.output.contains("is READY")
        })
    }

    /// The server is started once the command has found nobody there.
    fn wait_for_ready(&self, server: impl Fn(u16) -> Command) -> Result<(), String> {
        let port = process::free_port()?;
        let path = format!("{SERVICE}/UnaryCall");
        let arguments =
            ["call", "TARGET", &path, "--wait-for-ready", "--timeout", "20s", "-d", r#"{"responseSize": 3}"#];
        let mut call = Process::start_with_stdin(&mut command(self.session, port, &arguments))?;
        call.until("is TRANSIENT_FAILURE", CASE_TIMEOUT)?;
        let _server = Server::start_announced(&mut server(port))?;
        check(&call.end(CASE_TIMEOUT)?, 0, |ended| ended.stdout == "{\"payload\":{\"body\":\"AAAA\"}}\n")
    }
}

/// The command; `TARGET` stands for the port. No protoc: what it needs, it brings.
pub(super) fn command(session: &Session, port: u16, arguments: &[&str]) -> Command {
    let target = format!("127.0.0.1:{port}");
    let mut command = Command::new(session.binaries.join("callwright"));
    command.args(arguments.iter().map(|word| if *word == "TARGET" { &target } else { *word })).env_remove("PROTOC");
    command
}

/// Whether the command ended with this code, and said what it should.
pub(super) fn check(ended: &Ended, code: i32, right: impl Fn(&Ended) -> bool) -> Result<(), String> {
    if ended.code == Some(code) && right(ended) {
        return Ok(());
    }
    Err(format!("{}\nexit code {:?}, where {code} was expected", ended.output, ended.code))
}
