//! Descriptors and reflection servers that mean harm: they may be refused, and must not take this process down or hold it.

use std::path::Path;

use callwright::dynamic::{DynamicMessage, Loader, Module, Value, to_json};
use callwright::{Channel, RunningServer, Server};
use serde_json::{Value as Json, json};

const SEED: &str = r#"
syntax = "proto3";
package s;
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
enum E { A = 0; B = 1; }
message M {
  message N { int32 a = 1; M m = 2; }
  int32 a = 1; optional string b = 2; repeated N c = 3; map<string, N> d = 4; oneof e { bytes f = 5; E g = 6; }
  map<int64, double> h = 7; google.protobuf.Any i = 8; google.protobuf.Value j = 9; repeated fixed64 k = 10; bool l = 11;
  reserved 20 to 30;
}
service S { rpc One(M) returns (M.N); rpc Two(stream M) returns (stream M); }
"#;

/// Random numbers, always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Uses everything of a module that a caller may.
fn use_all(module: &Module, random: &mut Random) {
    let bytes: Vec<u8> = (0..40).map(|_| random.below(256) as u8).collect();
    for service in module.services() {
        for method in service.methods() {
            let _ = (method.input().full_name().to_owned(), method.output().full_name().to_owned());
        }
        let _ = module.servicer(service.full_name()).map(drop);
    }
    for message in module.messages().filter(|message| !message.full_name().starts_with("google.")) {
        for field in message.fields() {
            let _ = (format!("{:?}", field.kind()), field.is_map(), field.is_list(), field.containing_oneof());
            if let Some(entry) = field.kind().as_message().filter(|_| field.is_map()) {
                let _ = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
            }
            for value in ["1", "\"1\"", "null", "[1, {}]", "{\"1\": {}}", "{\"true\": 1}", "{}", "\"A\"", "true"] {
                let json = format!("{{{:?}: {value}}}", field.name());
                if let Ok(made) = module.new_message(message.full_name(), json) {
                    let _ = to_json(&made);
                }
            }
        }
        let _ = message.oneofs().map(|oneof| oneof.fields().count()).sum::<usize>();
        if let Ok(decoded) = DynamicMessage::decode(message.clone(), bytes.as_slice()) {
            let _ = to_json(&decoded);
        }
    }
}

#[test]
fn descriptors_that_contradict_themselves_are_refused_or_harmless() {
    let seed = Loader::new().text("s.proto", SEED).load(&["s.proto"]).unwrap().file_descriptor_set().to_vec();
    let mut random = Random(20261123);
    let mut taken = 0;
    for round in 0..500 {
        let mut bytes = seed.clone();
        // Its last file is the one above; those before it are Google's.
        let from = bytes.len() - 500;
        for _ in 0..=random.below(3) {
            let at = from + random.below(bytes.len() - from);
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes[at] = bytes[at].wrapping_add(1),
                _ => bytes[at] = random.below(20) as u8,
            }
        }
        match Loader::new().load_file_descriptor_set(&bytes) {
            Ok(module) => {
                use_all(&module, &mut random);
                taken += 1;
            }
            // This is what a panic of the library below looks like.
            Err(error) => assert!(!error.to_string().contains("contradict"), "round {round}: {error}"),
        }
    }
    assert!(taken > 100, "{taken} were taken: too few to say much");
}

#[test]
fn a_syntax_that_nobody_knows_is_refused() {
    // Name and syntax, as FileDescriptorProto has them.
    let file = [b"\x0a\x01a".as_slice(), b"\x62\x06proto4"].concat();
    let set = [&[0x0a, file.len() as u8], file.as_slice()].concat();
    let error = Loader::new().load_file_descriptor_set(&set).unwrap_err().to_string();
    assert!(error.contains("syntax \"proto4\" is not known"), "{error}");
}

/// A server that answers reflection's questions as it is told; `None` is no answer, ever.
async fn reflecting(answer: fn(&Json) -> Option<Json>) -> (RunningServer, Channel) {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/proto");
    let module = Loader::new().include(protos).load(&["grpc/reflection/v1/reflection.proto"]).unwrap();
    let servicer = module
        .servicer("grpc.reflection.v1.ServerReflection")
        .and_then(|servicer| {
            servicer.bidi("ServerReflectionInfo", move |mut questions, answers, _| {
                let module = module.clone();
                Box::pin(async move {
                    while let Some(question) = questions.message().await? {
                        let question = serde_json::from_str(&to_json(&question)).unwrap();
                        let Some(answer) = answer(&question) else { return std::future::pending().await };
                        let name = "grpc.reflection.v1.ServerReflectionResponse";
                        answers.send(module.new_message(name, answer).unwrap()).await?;
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

/// A file with an import, a service and nothing else.
fn bare_file(name: &str, import: Option<&str>, service: Option<&str>) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| [&[tag, bytes.len() as u8], bytes].concat();
    let mut file = field(0x0a, name.as_bytes());
    file.extend(import.map(|import| field(0x1a, import.as_bytes())).unwrap_or_default());
    file.extend(service.map(|service| field(0x32, &field(0x0a, service.as_bytes()))).unwrap_or_default());
    file
}

/// Files as reflection sends them.
fn files(files: Vec<Vec<u8>>) -> Json {
    let text = "syntax = \"proto3\"; message Files { repeated bytes files = 1; }";
    let module = Loader::new().text("files.proto", text).load(&["files.proto"]).unwrap();
    let mut message = module.new_message("Files", "{}").unwrap();
    message.set_field_by_name("files", Value::List(files.into_iter().map(|file| Value::Bytes(file.into())).collect()));
    let json: Json = serde_json::from_str(&to_json(&message)).unwrap();
    json!({"fileDescriptorResponse": {"fileDescriptorProto": json["files"]}})
}

fn file(name: &str, import: Option<&str>, service: Option<&str>) -> Json {
    files(vec![bare_file(name, import, service)])
}

fn services(names: &[&str]) -> Json {
    let names: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    json!({"listServicesResponse": {"service": names}})
}

async fn refused(answer: fn(&Json) -> Option<Json>) -> String {
    let (_server, channel) = reflecting(answer).await;
    Loader::new().load_from_server(&channel).await.unwrap_err().to_string()
}

#[tokio::test]
async fn files_without_end_have_one() {
    let error = refused(|question| match question["fileByFilename"].as_str() {
        _ if question.get("listServices").is_some() => Some(services(&["A"])),
        None => Some(file("0", Some("1"), Some("A"))),
        // Many at once, so that there are fewer questions.
        Some(name) => {
            let first: u32 = name.parse().unwrap();
            let file = |number: u32| bare_file(&number.to_string(), Some(&(number + 1).to_string()), None);
            Some(files((first..first + 500).map(file).collect()))
        }
    })
    .await;
    assert!(error.contains("more than 20000 files"), "{error}");
}

#[tokio::test]
async fn services_without_end_have_one() {
    let error = refused(|_| Some(services(&vec!["a"; 30_000]))).await;
    assert!(error.contains("more than 20000 services"), "{error}");
}

#[tokio::test]
async fn files_that_import_each_other_are_harmless() {
    let answer = |question: &Json| match question.get("fileByFilename") {
        _ if question.get("listServices").is_some() => Some(services(&["A"])),
        None => Some(file("a", Some("b"), Some("A"))),
        Some(_) => Some(file("b", Some("a"), None)),
    };
    let (_server, channel) = reflecting(answer).await;
    assert_eq!(Loader::new().load_from_server(&channel).await.unwrap().services().count(), 1);
}

#[tokio::test]
async fn answers_to_other_questions_are_refused() {
    let other = refused(|question| match question.get("listServices") {
        Some(_) => Some(services(&["A"])),
        None => Some(file("a", Some("b"), Some("A"))),
    });
    assert!(other.await.contains("was asked for \"b\" and sent other files"));
    assert!(refused(|_| Some(services(&["A"]))).await.contains("another question"));
    assert!(refused(|_| Some(services(&[]))).await.contains("lists no services"));
    assert!(refused(|_| Some(json!({}))).await.contains("without an answer"));
    let ok = refused(|_| Some(json!({"errorResponse": {"errorCode": 0}}))).await;
    assert!(ok.contains("an error that is none"), "{ok}");
}

#[tokio::test]
async fn a_service_that_the_server_cannot_describe_leaves_the_others() {
    let answer = |question: &Json| match question["fileContainingSymbol"].as_str() {
        None => Some(services(&["A", "B"])),
        Some("A") => Some(json!({"errorResponse": {"errorCode": 5, "errorMessage": "no such file"}})),
        Some(_) => Some(file("b", None, Some("B"))),
    };
    let (_server, channel) = reflecting(answer).await;
    let module = Loader::new().load_from_server(&channel).await.unwrap();
    assert_eq!(module.service("B").unwrap().full_name(), "B");
    let error = module.service("A").unwrap_err().to_string();
    assert!(error.contains("has the service A") && error.contains("no such file"), "{error}");
}
