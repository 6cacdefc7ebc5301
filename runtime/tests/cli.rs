//! The command `callwright`, run as a user runs it.
#![cfg(feature = "cli")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use callwright::dynamic::{DynamicMessage, Loader, Module, Value, to_json};
use callwright::{Address, ClientCertificates, Server, ServerCredentials, Status};

const ECHO: &str = r#"
syntax = "proto3";
package echo;
enum Mood { CALM = 0; WILD = 1; }
message Note { string text = 1; repeated int64 numbers = 2; map<string, Mood> moods = 3; optional bool loud = 4;
  oneof extra { string tag = 5; Note inner = 6; } }
service Echo {
  rpc Say(Note) returns (Note);
  rpc Repeat(Note) returns (stream Note);
  rpc Join(stream Note) returns (Note);
  rpc Chat(stream Note) returns (stream Note);
}
"#;

/// A server on a runtime of its own, and the folder with its proto.
struct Fixture {
    _runtime: tokio::runtime::Runtime,
    address: Address,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("echo.proto"), ECHO).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let module = Loader::new().include(folder.path()).load(&["echo.proto"]).unwrap();
        let server = runtime.block_on(Server::builder().add_service(servicer(&module)).bind("127.0.0.1:0")).unwrap();
        Fixture { _runtime: runtime, address: server.local_addr().clone(), folder }
    }

    /// The same over TLS, for clients that prove who they are; the files `ca.pem`, `cert.pem` and `key.pem` are what a
    /// client needs.
    fn secure() -> Fixture {
        let mut echo = Fixture::new();
        let server = certificate(&["localhost"]);
        let client = certificate(&["client.example"]);
        for (name, pem) in [("ca.pem", &server.0), ("cert.pem", &client.0), ("key.pem", &client.1)] {
            std::fs::write(echo.folder.path().join(name), pem).unwrap();
        }
        let credentials = ServerCredentials::tls(&server.0, &server.1)
            .client_root_certificates(&client.0)
            .client_certificates(ClientCertificates::Require)
            .build()
            .unwrap();
        let module = Loader::new().include(echo.folder.path()).load(&["echo.proto"]).unwrap();
        let server = Server::builder().add_service(servicer(&module)).credentials(credentials).bind("127.0.0.1:0");
        echo.address = echo._runtime.block_on(server).unwrap().local_addr().clone();
        echo
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> Output {
        let address = self.address.to_string();
        let arguments = arguments.iter().map(|word| if *word == "TARGET" { &address } else { *word });
        let mut child = Command::new(env!("CARGO_BIN_EXE_callwright"))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that needs no more of its input may have closed it.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command that succeeds, and gives what it printed.
    fn ok(&self, arguments: &[&str], stdin: &str) -> String {
        let output = self.run(arguments, stdin);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that fails, and gives its exit code and what it said.
    fn fails(&self, arguments: &[&str], stdin: &str) -> (i32, String) {
        let output = self.run(arguments, stdin);
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

/// A certificate that is its own authority, and its key, as PEM.
fn certificate(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A reflection service for who has the token, as of a server that wants it of all calls.
fn guarded_reflection(described: &Module) -> callwright::dynamic::DynamicServicer {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let reflection = Loader::new().include(protos).load(&["grpc/reflection/v1/reflection.proto"]).unwrap();
    let response = "grpc.reflection.v1.ServerReflectionResponse";
    let services = r#"{"listServicesResponse": {"service": [{"name": "echo.Echo"}]}}"#;
    let services = reflection.new_message(response, services).unwrap();
    let file = described.pool().get_file_by_name("echo.proto").unwrap().encode_to_vec();
    let file = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, file);
    let file = format!(r#"{{"fileDescriptorResponse": {{"fileDescriptorProto": ["{file}"]}}}}"#);
    let file = reflection.new_message(response, file).unwrap();
    reflection.servicer("grpc.reflection.v1.ServerReflection").unwrap().all_others(
        move |_, mut questions, answers, context| {
            let (services, file) = (services.clone(), file.clone());
            Box::pin(async move {
                let metadata = context.invocation_metadata();
                if metadata.get("authorization") != Some("Bearer x") || metadata.get_bin("id-bin") != Some(&b"abc"[..])
                {
                    return Err(Status::unauthenticated("no token"));
                }
                while let Some(question) = questions.message().await? {
                    let lists = to_json(&question).contains("listServices");
                    answers.send(if lists { services.clone() } else { file.clone() }).await?;
                }
                Ok(())
            })
        },
    )
}

fn servicer(module: &Module) -> callwright::dynamic::DynamicServicer {
    let text = |note: &DynamicMessage| note.get_field_by_name("text").unwrap().as_str().unwrap().to_owned();
    module
        .servicer("echo.Echo")
        .unwrap()
        .unary("Say", move |note, context| {
            Box::pin(async move {
                match text(&note).as_str() {
                    "fail" => Err(Status::not_found("as asked for")),
                    "forever" => std::future::pending().await,
                    "metadata" => {
                        let value = context.invocation_metadata().get("k").unwrap_or("none").to_owned();
                        context.set_trailing_metadata("cost", "3")?;
                        let mut note = note;
                        note.set_field_by_name("text", Value::String(value));
                        Ok(note)
                    }
                    _ => Ok(note),
                }
            })
        })
        .unwrap()
        .all_others(|method, mut notes, responses, _| {
            Box::pin(async move {
                let mut count = 0;
                while let Some(note) = notes.message().await? {
                    count += 1;
                    match method.name() {
                        "Repeat" => {
                            responses.send(note.clone()).await?;
                            responses.send(note).await?;
                        }
                        "Chat" => responses.send(note).await?,
                        _ => {}
                    }
                }
                if method.name() == "Join" {
                    let mut answer = DynamicMessage::new(method.output());
                    answer.set_field_by_name("text", Value::String(format!("{count} notes")));
                    responses.send(answer).await?;
                }
                Ok(())
            })
        })
}

#[test]
fn all_four_kinds_of_call_work_from_the_shell() {
    let echo = Fixture::new();
    let call = |method, rest: &[&str], stdin| {
        let all = [&["call", "TARGET", method, "--proto", "echo.proto"], rest].concat();
        echo.ok(&all, stdin)
    };
    let said = call("echo.Echo/Say", &["-d", r#"{"text": "hi", "numbers": ["1", 2]}"#, "--compression", "gzip"], "");
    assert_eq!(said, "{\"text\":\"hi\",\"numbers\":[\"1\",\"2\"]}\n");
    assert_eq!(call("echo.Echo/Say", &[], ""), "{}\n");
    assert_eq!(call("echo.Echo.Say", &["-d", "@-"], r#"{"tag": "x"}"#), "{\"tag\":\"x\"}\n");
    assert_eq!(call("echo.Echo/Repeat", &["-d", r#"{"text": "a"}"#], ""), "{\"text\":\"a\"}\n".repeat(2));
    assert_eq!(call("echo.Echo/Join", &[], "{}\n\n{\"text\": \"b\"}\n"), "{\"text\":\"2 notes\"}\n");
    assert_eq!(call("echo.Echo/Join", &["-d", "{} {} {}"], ""), "{\"text\":\"3 notes\"}\n");
    assert_eq!(
        call("echo.Echo/Chat", &[], "{\"text\": \"1\"}\n{\"text\": \"2\"}"),
        "{\"text\":\"1\"}\n{\"text\":\"2\"}\n"
    );
}

#[test]
fn metadata_goes_out_and_is_shown_when_asked_for() {
    let echo = Fixture::new();
    let data = r#"{"text": "metadata"}"#;
    let arguments = ["call", "TARGET", "echo.Echo/Say", "--proto", "echo.proto", "-H", "k: v", "-v", "-d", data];
    let output = echo.run(&arguments, "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "{\"text\":\"v\"}\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is READY") && said.contains("trailing metadata cost: \"3\""), "{said}");
}

#[test]
fn the_exit_code_is_64_plus_the_status_code() {
    let echo = Fixture::new();
    let say = |rest: &[&str]| {
        let all = [&["call", "TARGET", "echo.Echo/Say", "--proto", "echo.proto"], rest].concat();
        echo.fails(&all, "")
    };
    let (code, said) = say(&["-d", r#"{"text": "fail"}"#]);
    assert_eq!((code, said.as_str()), (64 + 5, "callwright: NOT_FOUND: as asked for\n"));
    assert_eq!(say(&["-d", r#"{"text": "forever"}"#, "--timeout", "50ms"]).0, 64 + 4);
    let (code, said) = say(&["-d", r#"{"txt": 1}"#]);
    assert!(code == 64 + 3 && said.contains("txt"), "{code}: {said}");
    let (code, said) = echo.fails(&["call", "TARGET", "echo.Echo/Sai", "--proto", "echo.proto"], "");
    assert!(code == 64 + 12 && said.contains("the nearest: Say"), "{code}: {said}");
    let (code, said) = echo.fails(&["call", "TARGET", "echo.Echo/Say", "--proto", "nope.proto"], "");
    assert!(code == 64 + 3 && said.contains("nope.proto"), "{code}: {said}");
    let (code, said) = echo.fails(&["call", "127.0.0.1:1", "echo.Echo/Say", "--proto", "echo.proto"], "");
    assert!(code == 64 + 14 && said.contains("127.0.0.1:1"), "{code}: {said}");
    let wait =
        ["call", "127.0.0.1:1", "echo.Echo/Say", "--proto", "echo.proto", "--wait-for-ready", "--timeout", "100ms"];
    assert_eq!(echo.fails(&wait, "").0, 64 + 4);
    let (code, said) = echo.fails(&["call", "TARGET", "echo.Echo/Say"], "");
    assert!(code == 64 + 12 && said.contains("reflection"), "{code}: {said}");
    let (code, said) = echo.fails(&["cal"], "");
    assert!(code == 2 && said.contains("--help"), "{code}: {said}");
    let (code, said) = echo.fails(&["call", "TARGET", "echo.Echo/Chat", "--proto", "echo.proto"], "{}\nnonsense\n");
    assert!(code == 64 + 3 && said.contains("echo.Note"), "{code}: {said}");
}

#[test]
fn list_and_describe_show_what_there_is() {
    let echo = Fixture::new();
    let from = ["--proto", "echo.proto"];
    assert_eq!(echo.ok(&[&["list"], &from[..]].concat(), ""), "echo.Echo\n");
    let methods = echo.ok(&[&["list", "echo.Echo"], &from[..]].concat(), "");
    assert_eq!(methods, "echo.Echo/Say\necho.Echo/Repeat\necho.Echo/Join\necho.Echo/Chat\n");
    let describe = |name| echo.ok(&[&["describe", name], &from[..]].concat(), "");
    assert!(describe("echo.Echo").contains("  rpc Join(stream echo.Note) returns (echo.Note);\n"));
    assert_eq!(describe("echo.Echo/Chat"), "rpc Chat(stream echo.Note) returns (stream echo.Note);\n");
    assert_eq!(describe("echo.Mood"), "enum echo.Mood {\n  CALM = 0;\n  WILD = 1;\n}\n");
    assert_eq!(
        describe("echo.Note"),
        "message echo.Note {\n  string text = 1;\n  repeated int64 numbers = 2;\n  map<string, echo.Mood> moods = 3;\n  \
         optional bool loud = 4;\n  oneof extra {\n    string tag = 5;\n    echo.Note inner = 6;\n  }\n}\n"
    );
    assert!(echo.fails(&[&["describe", "echo.Not"], &from[..]].concat(), "").1.contains("the nearest: echo.Note"));
    assert!(echo.ok(&["--help"], "").contains("callwright call TARGET"));
}

/// Runs a command whose stdout or stderr is closed before it has its input; gives its exit code and what it said on the
/// other.
fn run_unread(echo: &Fixture, method: &str, rest: &[&str], stdin: &str, close_stdout: bool) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_callwright"))
        .args(["call", &echo.address.to_string(), method, "--proto", "echo.proto"])
        .args(rest)
        .current_dir(echo.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if close_stdout {
        drop(child.stdout.take());
    } else {
        drop(child.stderr.take());
    }
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = if close_stdout { output.stderr } else { output.stdout };
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn a_pipe_that_nobody_reads_is_no_panic() {
    let echo = Fixture::new();
    // As with `| head -1`: whoever read has what they wanted.
    for method in ["echo.Echo/Chat", "echo.Echo/Join"] {
        assert_eq!(run_unread(&echo, method, &[], "{}\n{}\n", true), (0, String::new()));
    }
    // What cannot be said on stderr is in the exit code still.
    let fail = ["-v", "-d", "@-"];
    assert_eq!(run_unread(&echo, "echo.Echo/Say", &fail, r#"{"text": "fail"}"#, false), (64 + 5, String::new()));
    assert_eq!(run_unread(&echo, "echo.Echo/Say", &fail, "{}", false), (0, "{}\n".to_owned()));
}

#[test]
fn the_timeout_is_of_the_questions_to_the_server_too() {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let module = Loader::new().include(protos).load(&["grpc/reflection/v1/reflection.proto"]).unwrap();
    let silent = module.servicer("grpc.reflection.v1.ServerReflection").unwrap();
    let silent = silent.all_others(|_, _, _, _| Box::pin(std::future::pending()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::builder().add_service(silent).bind("127.0.0.1:0")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let echo = Fixture { address: server.local_addr().clone(), _runtime: runtime, folder };
    for task in [&["call", "TARGET", "echo.Echo/Say"][..], &["list", "TARGET"], &["describe", "TARGET", "echo.Note"]] {
        for wait in [&[][..], &["--wait-for-ready"]] {
            let (code, said) = echo.fails(&[task, &["--timeout", "200ms"], wait].concat(), "");
            assert!(code == 64 + 4 && said.contains("describe its services in time"), "{code}: {said}");
        }
    }
}

#[test]
fn headers_go_to_the_reflection_service_too() {
    let mut echo = Fixture::new();
    let module = Loader::new().include(echo.folder.path()).load(&["echo.proto"]).unwrap();
    let server = Server::builder().add_service(servicer(&module)).add_service(guarded_reflection(&module));
    echo.address = echo._runtime.block_on(server.bind("127.0.0.1:0")).unwrap().local_addr().clone();
    let token = ["-H", "authorization: Bearer x", "-H", "id-bin: YWJj", "-H", "k: v"];
    assert_eq!(echo.ok(&[&["list", "TARGET"], &token[..]].concat(), ""), "echo.Echo\n");
    assert!(echo.ok(&[&["describe", "TARGET", "echo.Mood"], &token[..]].concat(), "").contains("WILD = 1"));
    // The call itself has them once.
    let call = ["call", "TARGET", "echo.Echo/Say", "-d", r#"{"text": "metadata"}"#];
    assert_eq!(echo.ok(&[&call, &token[..]].concat(), ""), "{\"text\":\"v\"}\n");
    let (code, said) = echo.fails(&["list", "TARGET"], "");
    assert!(code == 64 + 16 && said.contains("no token"), "{code}: {said}");
    for (header, why) in [("id-bin: ?", "id-bin is not base64"), ("a b: c", "a b")] {
        let (code, said) = echo.fails(&["list", "TARGET", "-H", header], "");
        assert!(code == 64 + 3 && said.contains(why), "{code}: {said}");
    }
}

#[test]
fn a_server_with_an_authority_of_its_own_is_reached_and_so_is_one_that_asks_for_a_certificate() {
    let echo = Fixture::secure();
    let call = ["call", "TARGET", "echo.Echo/Say", "--proto", "echo.proto", "-d", r#"{"text": "hi"}"#];
    let roots = ["--cacert", "ca.pem"];
    let name = ["--server-name", "localhost"];
    let identity = ["--cert", "cert.pem", "--key", "key.pem"];
    let all = [&call[..], &roots, &name, &identity].concat();
    assert_eq!(echo.ok(&all, ""), "{\"text\":\"hi\"}\n");

    for (rest, why) in [
        (vec![], "the server speaks TLS, and the channel does not: give --tls, or --cacert FILE"),
        ([&roots[..], &identity].concat(), "it is for localhost: give --server-name"),
        ([&name[..], &identity].concat(), "give --cacert with the one that signed it"),
        ([&roots[..], &name].concat(), "a certificate of the client (--cert and --key)"),
    ] {
        let (code, said) = echo.fails(&[&call[..], &rest].concat(), "");
        assert!(code == 64 + 14 && said.contains(why), "{rest:?}: {code}: {said}");
    }
    for (rest, why) in [
        (["--cacert", "nope.pem", "--tls"].to_vec(), "nope.pem"),
        (["--cert", "nope.pem", "--key", "key.pem"].to_vec(), "nope.pem"),
        (["--cert", "cert.pem", "--key", "echo.proto"].to_vec(), "echo.proto"),
        (["--server-name", "a b"].to_vec(), "\"a b\" is no name of a server"),
    ] {
        let (code, said) = echo.fails(&[&["list", "TARGET"], &rest[..]].concat(), "");
        assert!(code == 64 + 3 && said.contains(why), "{rest:?}: {code}: {said}");
    }
    let (code, said) = echo.fails(&["list", "TARGET", "--cert", "cert.pem"], "");
    assert!(code == 2 && said.contains("--cert is given without --key"), "{code}: {said}");
    let plain = Fixture::new();
    let (code, said) = plain.fails(&["list", "TARGET", "--tls"], "");
    assert!(code == 64 + 14 && said.contains("does not speak TLS") && said.contains("give none of --tls"), "{said}");
}
