//! gRFC L64: protos parsed at run time, and calls and servicers without generated code.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use callwright::dynamic::{self, DynamicError, DynamicMessage, Loader, Module, Payload, Value, to_json};
use callwright::{Channel, Code, Compression, RunningServer, Server, Status};
use callwright_tests::support::RefusedPort;
use callwright_tests::testing::{
    Payload as TestPayload, ResponseParameters, SimpleRequest, SimpleResponse, StreamingOutputCallRequest,
    TestServiceServer, TestServiceServicer, TestServiceStub,
};
use futures_util::stream;
use serde_json::json;

fn protos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("proto")
}

const ECHO: &str = r#"
syntax = "proto3";
package echo;
import "google/protobuf/timestamp.proto";
import "google/protobuf/any.proto";
enum Colour { NONE = 0; RED = 1; }
message Item { string name = 1; double price = 2; }
message Note {
  string text = 1;
  int64 number = 2;
  repeated Item items = 3;
  google.protobuf.Timestamp at = 4;
  map<string, Colour> colours = 5;
  oneof choice { bool yes = 6; bytes data = 7; }
  google.protobuf.Any any = 8;
  Note inner = 9;
}
service Echo {
  rpc Say(Note) returns (Note);
  rpc Repeat(Note) returns (stream Note);
  rpc Join(stream Note) returns (Note);
  rpc Chat(stream Note) returns (stream Note);
}
"#;

fn echo() -> Module {
    Loader::new().text("echo.proto", ECHO).load(&["echo.proto"]).unwrap()
}

/// The text of a note.
fn text_of(note: &DynamicMessage) -> String {
    note.get_field_by_name("text").and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
}

async fn serve(module: &Module) -> (RunningServer, Channel) {
    let joined = module.message("echo.Note").unwrap();
    let servicer = module
        .servicer("echo.Echo")
        .and_then(|servicer| servicer.unary("Say", |note, _| Box::pin(async move { Ok(note) })))
        .and_then(|servicer| {
            servicer.server_streaming("Repeat", |note, responses, _| {
                Box::pin(async move {
                    for _ in 0..3 {
                        responses.send(note.clone()).await?;
                    }
                    Ok(())
                })
            })
        })
        .and_then(|servicer| {
            servicer.client_streaming("Join", move |mut notes, _| {
                let mut answer = DynamicMessage::new(joined.clone());
                Box::pin(async move {
                    let mut all = String::new();
                    while let Some(note) = notes.message().await? {
                        all += &text_of(&note);
                    }
                    answer.set_field_by_name("text", Value::String(all));
                    Ok(answer)
                })
            })
        })
        .and_then(|servicer| {
            servicer.bidi("Chat", |mut notes, responses, _| {
                Box::pin(async move {
                    while let Some(note) = notes.message().await? {
                        responses.send(note).await?;
                    }
                    Ok(())
                })
            })
        })
        .unwrap();
    let server = Server::builder().add_service(servicer).bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    (server, channel)
}

#[test]
fn a_file_gives_its_messages_and_services() {
    let loader = Loader::new().include(protos());
    let module = loader.load(&["grpc/testing/test.proto"]).unwrap();
    assert_eq!(module.message("grpc.testing.SimpleRequest").unwrap().full_name(), "grpc.testing.SimpleRequest");
    assert!(module.services().any(|service| service.full_name() == "grpc.testing.TestService"));
}

#[test]
fn well_known_types_are_there_without_files() {
    let note = echo()
        .new_message("echo.Note", r#"{"at": "2026-11-23T10:00:00Z", "any": {"@type": "t/echo.Item", "name": "x"}}"#)
        .unwrap();
    assert_eq!(to_json(&note), r#"{"at":"2026-11-23T10:00:00Z","any":{"@type":"t/echo.Item","name":"x"}}"#);
}

#[test]
fn a_file_is_loaded_once_whoever_asks_and_whatever_becomes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("once.proto");
    std::fs::write(&path, "syntax = \"proto3\"; package once; message A {}").unwrap();
    let loader = Loader::new().include(folder.path());
    let barrier = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (loader, barrier) = (loader.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                loader.load(&["once.proto"]).unwrap()
            })
        })
        .collect();
    let modules: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    std::fs::remove_file(path).unwrap();
    assert!(modules.iter().all(|module| module.is_same(&modules[0])));
    assert!(loader.load(&["once.proto"]).unwrap().is_same(&modules[0]));
}

#[test]
fn a_file_that_was_wrong_can_be_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mended.proto");
    let loader = Loader::new().include(folder.path());
    std::fs::write(&path, "syntax = \"proto3\"; message A { strin b = 1; }").unwrap();
    let error = loader.load(&["mended.proto"]).unwrap_err();
    assert!(error.to_string().ends_with("mended.proto:1:32: name 'strin' is not defined"), "{error}");
    std::fs::write(&path, "syntax = \"proto3\"; message A { string b = 1; }").unwrap();
    loader.load(&["mended.proto"]).unwrap();
}

#[test]
fn the_three_functions_agree() {
    // Tests run in the folder of their package.
    let path = "proto/callwright/tests/echo.proto";
    let (protos, services) = dynamic::protos_and_services(path).unwrap();
    assert!(dynamic::protos(path).unwrap().module().is_same(protos.module()));
    assert!(dynamic::services(path).unwrap().module().is_same(services.module()));
    assert!(protos.module().is_same(services.module()));
}

#[test]
fn the_search_path_is_searched_in_order() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (folder, field) in [(&first, "one"), (&second, "two")] {
        let text = format!("syntax = \"proto3\"; package a; message A {{ int32 {field} = 1; }}");
        std::fs::write(folder.path().join("a.proto"), text).unwrap();
    }
    std::fs::write(second.path().join("b.proto"), "syntax = \"proto3\"; import \"a.proto\"; message B { a.A a = 1; }")
        .unwrap();
    let module = Loader::new().include(first.path()).include(second.path()).load(&["b.proto"]).unwrap();
    assert!(module.message("a.A").unwrap().get_field_by_name("one").is_some());
}

#[test]
fn a_file_that_is_not_there_says_where_it_was_looked_for() {
    let error =
        Loader::new().include("no/such/folder").include(protos()).load(&["nope.proto"]).unwrap_err().to_string();
    for part in ["no/such/folder/nope.proto", "there is no such folder", "proto/nope.proto"] {
        assert!(error.contains(part), "{error}");
    }
    let error = dynamic::protos("nope.proto").unwrap_err().to_string();
    assert!(error.contains("nope.proto"), "{error}");
}

#[test]
fn an_unknown_name_lists_the_nearest() {
    let module = echo();
    let channel = Channel::new("127.0.0.1:1").unwrap();
    let error = module.stub("Ecko", &channel).unwrap_err().to_string();
    assert_eq!(error, "there is no service \"Ecko\"; the nearest: echo.Echo");
    let error = module.stub("echo.Echo", &channel).unwrap().method("say").unwrap_err().to_string();
    assert!(error.starts_with("there is no method of echo.Echo \"say\"; the nearest: Say, "), "{error}");
    let error = module.message("Item").unwrap_err().to_string();
    assert!(error.starts_with("there is no message \"Item\"; the nearest: echo.Item, "), "{error}");
    assert!(matches!(module.servicer("x"), Err(DynamicError::Unknown { .. })));
}

#[tokio::test]
async fn all_four_kinds_of_call_take_json() {
    let module = echo();
    let (_server, channel) = serve(&module).await;
    let stub = module.stub("echo.Echo", &channel).unwrap();
    let note = json!({"text": "hello", "number": "9007199254740993", "items": [{"name": "a", "price": 1.5}],
        "colours": {"x": "RED"}, "data": "AP8="});

    let say = stub.method("Say").unwrap();
    let reply = say.call(note.clone()).compression(Compression::Gzip).metadata("k", "v").await.unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&to_json(&reply)).unwrap(), note);

    let mut notes = stub.method("Repeat").unwrap().server_streaming(r#"{"text": "again"}"#).await.unwrap();
    let mut seen = 0;
    while let Some(note) = notes.message().await.unwrap() {
        assert_eq!(text_of(&note), "again");
        seen += 1;
    }
    assert_eq!(seen, 3);

    let join = stub.method("Join").unwrap();
    let requests: Vec<_> = ["a", "b", "c"].iter().map(|text| join.request(json!({"text": text})).unwrap()).collect();
    assert_eq!(text_of(&join.client_streaming().send_all(stream::iter(requests)).await.unwrap()), "abc");

    let chat = stub.method("Chat").unwrap();
    let (mut requests, mut replies) = chat.bidi().start();
    for text in ["one", "two"] {
        requests.send(chat.request(json!({"text": text})).unwrap()).await.unwrap();
        assert_eq!(text_of(&replies.message().await.unwrap().unwrap()), text);
    }
    requests.finish();
    assert!(replies.message().await.unwrap().is_none());
}

#[tokio::test]
async fn dynamic_calls_wait_for_their_server_too() {
    let module = echo();
    let port = RefusedPort::new();
    let say = module.stub("echo.Echo", &port.failed_channel().await).unwrap().method("Say").unwrap();
    assert_eq!(say.call("{}").await.unwrap_err().code(), Code::Unavailable);
    let timeout = std::time::Duration::from_millis(20);
    assert_eq!(say.call("{}").wait_for_ready(true).timeout(timeout).await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn what_does_not_fit_says_which_field() {
    let module = echo();
    let channel = Channel::new("127.0.0.1:1").unwrap();
    let stub = module.stub("echo.Echo", &channel).unwrap();
    let say = stub.method("Say").unwrap();
    for (json, part) in [
        (r#"{"items": [{"name": "a"}, {"price": "cheap"}]}"#, "items[1].price"),
        (r#"{"items": [{"nam": "a"}]}"#, "nam"),
        (r#"{"colours": {"x": "PURPLE"}}"#, "colours.x"),
        (r#"{"at": "yesterday"}"#, "at"),
        (r#"{"inner": {"number": 1.5}}"#, "inner.number"),
        (r#"{"yes": true, "data": "AA=="}"#, "choice"),
        ("{", "echo.Note"),
        ("{} {}", "echo.Note"),
        ("[]", "echo.Note"),
        ("", "echo.Note"),
    ] {
        let status = say.call(json).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{json}");
        assert!(status.message().contains(part), "{json}: {status}");
    }
    let item = module.new_message("echo.Item", "{}").unwrap();
    let status = say.call(item).await.unwrap_err();
    assert_eq!(status.message(), "the method takes echo.Note, and was given echo.Item");
    let status = say.server_streaming("{}").await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("/echo.Echo/Say is unary"), "{status}");
    let (_requests, mut replies) = say.bidi().start();
    assert_eq!(replies.message().await.unwrap_err().code(), Code::Unimplemented);
}

const NUMBERS: &str = r#"
syntax = "proto3";
package n;
import "google/protobuf/any.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/wrappers.proto";
message N {
  float real = 1; int32 small = 2; int64 large = 3; uint64 natural = 4; repeated float reals = 5;
  map<string, int64> by_name = 6; google.protobuf.FloatValue wrapped = 7; google.protobuf.Any any = 8; N inner = 9;
  google.protobuf.Empty empty = 10; double double = 11;
}
"#;

#[test]
fn json_is_what_proto3_says_it_is() {
    let module = Loader::new().text("n.proto", NUMBERS).load(&["n.proto"]).unwrap();
    let taken = |json: &str| module.new_message("n.N", json).map(|message| to_json(&message));
    // What is printed can be read again; so can what other languages print.
    let largest = r#"{"real":3.4028235e38,"reals":[-3.4028235e38],"wrapped":3.4028235e38}"#;
    assert_eq!(taken(largest).unwrap(), largest.replace("e38", "e+38"));
    let any = taken(r#"{"any": {"@type": "x/google.protobuf.Empty"}}"#).unwrap();
    assert_eq!(any, r#"{"any":{"@type":"x/google.protobuf.Empty","value":{}}}"#);
    assert_eq!(taken(&any).unwrap(), any);
    assert_eq!(taken(r#"{"real": 1e-30, "double": 1e-30}"#).unwrap(), r#"{"real":1e-30,"double":1e-30}"#);
    let infinite = r#"{"real":"-Infinity","reals":["NaN","Infinity"],"wrapped":"Infinity"}"#;
    assert_eq!(taken(infinite).unwrap(), infinite);
    // Integers may have an exponent, in quotes too.
    let exponents = r#"{"small": "1e3", "large": "-2.50E1", "natural": 1.0, "byName": {"a": "1.0"}}"#;
    let same = r#"{"small":1000,"large":"-25","natural":"1","byName":{"a":"1"}}"#;
    assert_eq!(taken(exponents).unwrap(), same);
    let inside = format!(r#"{{"any": {{"@type": "x/n.N", "inner": {exponents}}}}}"#);
    assert_eq!(taken(&inside).unwrap(), format!(r#"{{"any":{{"@type":"x/n.N","inner":{same}}}}}"#));
    for refused in [
        r#"{"natural": 18446744073709551616}"#,
        r#"{"natural": 1e30}"#,
        r#"{"large": -9223372036854775809}"#,
        r#"{"large": 9.3e18}"#,
        r#"{"small": "1e10"}"#,
        r#"{"small": " 1e1"}"#,
        r#"{"small": "1.5"}"#,
        r#"{"real": 3.5e38}"#,
        r#"{"small": 1, "small": 2}"#,
        r#"{"inner": {"byName": {"a": 1, "a": 2}}}"#,
    ] {
        assert!(matches!(taken(refused), Err(DynamicError::Json { .. })), "{refused}");
    }
    let error = taken(r#"{"inner": {"byName": {"a": 1, "a": 2}}}"#).unwrap_err().to_string();
    assert!(error.contains("inner.byName") && error.contains("\"a\" comes twice"), "{error}");
}

#[test]
fn nothing_in_a_message_overflows_the_stack_when_it_is_printed() {
    let module = Loader::new().text("n.proto", NUMBERS).load(&["n.proto"]).unwrap();
    // An Any in an Any, written from the inside: whoever decodes bytes sees the outermost alone.
    let mut any = Vec::new();
    for _ in 0..3_000 {
        let mut outer = b"\x0a\x05x/n.N\x12".to_vec();
        let mut field = b"\x42".to_vec();
        length(any.len(), &mut field);
        field.extend(any);
        length(field.len(), &mut outer);
        outer.extend(field);
        any = outer;
    }
    let descriptor = module.message("google.protobuf.Any").unwrap();
    let printed = to_json(&DynamicMessage::decode(descriptor, any.as_slice()).unwrap());
    assert!(printed.contains("levels deep"), "{}", printed.len());
}

fn length(mut length: usize, bytes: &mut Vec<u8>) {
    while length > 127 {
        bytes.push(length as u8 | 128);
        length >>= 7;
    }
    bytes.push(length as u8);
}

#[test]
fn nothing_in_json_overflows_the_stack() {
    let module = echo();
    for depth in [1_000, 1_000_000] {
        let nested = "{\"inner\":".repeat(depth) + "{}" + &"}".repeat(depth);
        assert!(matches!(module.new_message("echo.Note", nested), Err(DynamicError::Json { .. })));
        let array = "{\"items\":".to_owned() + &"[".repeat(depth);
        assert!(matches!(module.new_message("echo.Note", array), Err(DynamicError::Json { .. })));
    }
}

#[test]
fn nothing_in_a_proto_takes_the_process_down() {
    let load = |text: &str| Loader::new().text("a.proto", text).load(&["a.proto"]);
    let syntax = "syntax = \"proto3\"; ";
    load(&(syntax.to_owned() + &"message A {".repeat(20_000))).unwrap_err();
    load("syntax = \"proto3\"; import \"a.proto\";").unwrap_err();
    load("").map(drop).unwrap_or(());
    load("\u{feff}syntax = \"proto3\"; message A {}").unwrap();
    load("edition = \"2023\";").map(drop).unwrap_or(());
    // What the parser takes, the library behind it has to take as well.
    let chain: String =
        (0..2_000).map(|number| format!("message M{number} {{ M{} m = 1; }}", (number + 1) % 2_000)).collect();
    load(&(syntax.to_owned() + &chain)).unwrap();
    for bytes in [&b"\xff"[..], b"\x0a\x03\x0a\x01a", b""] {
        let _ = Loader::new().load_file_descriptor_set(bytes).map(drop);
    }
}

struct Typed;

impl TestServiceServicer for Typed {
    async fn unary_call(
        &self,
        request: SimpleRequest,
        _context: &mut callwright::ServerContext,
    ) -> Result<SimpleResponse, Status> {
        Ok(SimpleResponse { payload: request.payload, ..SimpleResponse::default() })
    }
}

#[tokio::test]
async fn dynamic_and_generated_types_of_one_file_talk_to_each_other() {
    let module = Loader::new().include(protos()).load(&["grpc/testing/test.proto"]).unwrap();
    let payload = Some(TestPayload { body: b"hello".to_vec(), ..TestPayload::default() });

    // A dynamic client, a generated server; the request comes from a generated type.
    let server = Server::builder().add_service(TestServiceServer::new(Typed)).bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    let call = module.stub("grpc.testing.TestService", &channel).unwrap().method("UnaryCall").unwrap();
    let typed = SimpleRequest { payload: payload.clone(), ..SimpleRequest::default() };
    let reply = call.call(Payload::message(&typed)).await.unwrap();
    assert_eq!(reply.transcode_to::<SimpleResponse>().unwrap().payload, payload);
    let reply = call.call(json!({"payload": {"body": "aGVsbG8="}})).await.unwrap();
    assert_eq!(reply.transcode_to::<SimpleResponse>().unwrap().payload, payload);

    // A generated client, a dynamic server that is one handler for all methods.
    let proxy =
        module.servicer("grpc.testing.TestService").unwrap().all_others(|method, mut requests, responses, _| {
            Box::pin(async move {
                let mut last = None;
                while let Some(request) = requests.message().await? {
                    last = Some(request);
                }
                let body =
                    last.as_ref().and_then(|request| request.get_field_by_name("payload").map(|it| it.into_owned()));
                let mut answer = DynamicMessage::new(method.output());
                if let Some(body) = body {
                    answer.set_field_by_name("payload", body);
                }
                responses.send(answer).await
            })
        });
    let server = Server::builder().add_service(proxy).bind("127.0.0.1:0").await.unwrap();
    let stub = TestServiceStub::new(Channel::new(server.local_addr().to_string()).unwrap());
    assert_eq!(stub.unary_call(typed).await.unwrap().payload, payload);
    let request = StreamingOutputCallRequest {
        payload: payload.clone(),
        response_parameters: vec![ResponseParameters::default()],
        ..StreamingOutputCallRequest::default()
    };
    let mut replies = stub.streaming_output_call(request).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().payload, payload);
    assert!(replies.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_method_without_a_handler_is_unimplemented() {
    let module = echo();
    let servicer = module.servicer("echo.Echo").unwrap();
    let server = Server::builder().add_service(servicer).bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    let say = module.stub("echo.Echo", &channel).unwrap().method("Say").unwrap();
    assert_eq!(say.call("{}").await.unwrap_err().code(), Code::Unimplemented);
}

#[test]
fn a_servicer_knows_its_methods() {
    let servicer = || echo().servicer("echo.Echo").unwrap();
    let error = servicer().unary("Sai", |note, _| Box::pin(async { Ok(note) })).unwrap_err();
    assert!(error.to_string().contains("the nearest: Say"), "{error}");
    let error = servicer().unary("Chat", |note, _| Box::pin(async { Ok(note) })).unwrap_err();
    assert!(error.to_string().contains("is bidirectional streaming: use bidi"), "{error}");
}
