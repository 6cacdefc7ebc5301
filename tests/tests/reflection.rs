//! A server that says what it has.
//!
//! The rows are those of grpcio's `_reflection_servicer_test.py` (6), of its `_reflection_client_test.py` (10, gRFC L95),
//! which our client in `dynamic` answers for, and what a server of ours promises beside them.

use std::path::Path;

use callwright::dynamic::{DynamicError, Loader};
use callwright::prost::Message as _;
use callwright::prost_types::{FileDescriptorProto, FileDescriptorSet};
use callwright::reflection::Reflection;
use callwright::reflection::proto::server_reflection_request::MessageRequest;
use callwright::reflection::proto::server_reflection_response::MessageResponse;
use callwright::reflection::proto::{
    ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse, ServerReflectionStub,
};
use callwright::{Call, Channel, Code, Method, RunningServer, Server};
use callwright_tests::echo::{EchoServer, EchoServicer};
use callwright_tests::interop::companions::reflection;
use callwright_tests::testing::{
    TestServiceServer, TestServiceServicer, UnimplementedServiceServer, UnimplementedServiceServicer,
};

const V1ALPHA: Method<ServerReflectionRequest, ServerReflectionResponse> =
    Method::new("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");

struct Unimplemented;

impl TestServiceServicer for Unimplemented {}
impl UnimplementedServiceServicer for Unimplemented {}
impl EchoServicer for Unimplemented {}

/// A server of two services of one file, of reflection, and of one service that is added after it.
async fn serve() -> (RunningServer, Channel) {
    let server = Server::builder()
        .add_service(TestServiceServer::new(Unimplemented))
        .add_service(UnimplementedServiceServer::new(Unimplemented))
        .add_service(reflection().unwrap())
        .add_service(EchoServer::new(Unimplemented))
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    (server, channel)
}

/// Asks all of this in one conversation, of v1 and of v1alpha; both must say the same.
async fn ask(channel: &Channel, questions: Vec<MessageRequest>) -> Vec<MessageResponse> {
    let answers = converse(ServerReflectionStub::new(channel.clone()).server_reflection_info(), &questions).await;
    assert_eq!(answers, converse(Call::bidi(channel, V1ALPHA), &questions).await);
    answers
}

async fn converse(
    call: Call<callwright::Bidi, ServerReflectionRequest, ServerReflectionResponse>,
    questions: &[MessageRequest],
) -> Vec<MessageResponse> {
    let (mut requests, mut responses) = call.start();
    let mut answers = Vec::new();
    for question in questions {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(question.clone()) };
        requests.send(request.clone()).await.unwrap();
        let response = responses.message().await.unwrap().unwrap();
        assert_eq!((response.valid_host.as_str(), response.original_request), ("", Some(request)));
        answers.push(response.message_response.unwrap());
    }
    requests.finish();
    assert_eq!(responses.message().await.unwrap(), None);
    answers
}

/// The names of the files in an answer.
fn files(answer: &MessageResponse) -> Vec<String> {
    let MessageResponse::FileDescriptorResponse(files) = answer else { panic!("no files: {answer:?}") };
    let decoded =
        files.file_descriptor_proto.iter().map(|bytes| FileDescriptorProto::decode(bytes.as_slice()).unwrap());
    decoded.map(|file| file.name().to_owned()).collect()
}

fn assert_not_found(answer: &MessageResponse, what: &str) {
    let MessageResponse::ErrorResponse(error) = answer else { panic!("no error: {answer:?}") };
    assert_eq!((error.error_code, error.error_message.as_str()), (5, format!("not found: {what}").as_str()));
}

fn file(name: &str) -> MessageRequest {
    MessageRequest::FileByFilename(name.to_owned())
}

fn symbol(name: &str) -> MessageRequest {
    MessageRequest::FileContainingSymbol(name.to_owned())
}

fn extension(message: &str, number: i32) -> MessageRequest {
    let containing_type = message.to_owned();
    MessageRequest::FileContainingExtension(ExtensionRequest { containing_type, extension_number: number })
}

// The servicer.

#[tokio::test]
async fn a_file_is_found_by_its_name() {
    let (_server, channel) = serve().await;
    let questions = vec![file("grpc/testing/empty.proto"), file("i-donut-exist"), file("")];
    let answers = ask(&channel, questions).await;
    assert_eq!(files(&answers[0]), ["grpc/testing/empty.proto"]);
    assert_not_found(&answers[1], "file \"i-donut-exist\"");
    assert_not_found(&answers[2], "file \"\"");
}

#[tokio::test]
async fn a_file_is_found_by_whatever_it_declares() {
    let (_server, channel) = serve().await;
    let empty =
        ask(&channel, vec![symbol("grpc.testing.Empty"), symbol("i.donut.exist.co.uk.org.net.me.name.foo")]).await;
    assert_eq!(files(&empty[0]), ["grpc/testing/empty.proto"]);
    assert_not_found(&empty[1], "symbol \"i.donut.exist.co.uk.org.net.me.name.foo\"");
    for name in [
        "callwright.tests.Scope",
        "callwright.tests.Scope.Inner",
        "callwright.tests.Scope.INNER_VALUE",
        "callwright.tests.Scope.second",
        "callwright.tests.Scope.choice",
        "callwright.tests.Scope.one",
        "callwright.tests.first",
        "callwright.tests.Extension.number",
    ] {
        assert_eq!(
            files(&ask(&channel, vec![symbol(name)]).await[0])[0],
            "callwright/tests/extensions.proto",
            "{name}"
        );
    }
    for name in ["grpc.testing.TestService", "grpc.testing.TestService.UnaryCall"] {
        assert_eq!(files(&ask(&channel, vec![symbol(name)]).await[0])[0], "grpc/testing/test.proto", "{name}");
    }
    for name in [
        "callwright",
        "",
        ".callwright.tests.Scope",
        "callwright.tests.Scope.Inner.INNER_VALUE",
        "grpc.testing.TestService/UnaryCall",
    ] {
        assert_not_found(&ask(&channel, vec![symbol(name)]).await[0], &format!("symbol {name:?}"));
    }
}

#[tokio::test]
async fn a_file_is_found_by_an_extension_and_brings_what_it_imports() {
    let (_server, channel) = serve().await;
    let extended = "callwright.tests.Extended";
    let answers =
        ask(&channel, vec![extension(extended, 125), extension(extended, 55), extension("i.donut.exist", 125)]).await;
    assert_eq!(files(&answers[0]), ["callwright/tests/extensions.proto", "callwright/tests/extended.proto"]);
    assert_not_found(&answers[1], "extension 55 of \"callwright.tests.Extended\"");
    assert_not_found(&answers[2], "extension 125 of \"i.donut.exist\"");
}

#[tokio::test]
async fn the_numbers_of_all_extensions_are_told_in_order() {
    let (_server, channel) = serve().await;
    let names = ["callwright.tests.Extended", "callwright.tests.Extension", "i.donut.exist.co.uk.net.name.foo"];
    let answers =
        ask(&channel, names.map(|name| MessageRequest::AllExtensionNumbersOfType(name.to_owned())).to_vec()).await;
    for (answer, (name, numbers)) in answers.iter().zip([(names[0], &[124, 125, 126, 127, 128][..]), (names[1], &[])]) {
        let MessageResponse::AllExtensionNumbersResponse(found) = answer else { panic!("{answer:?}") };
        assert_eq!((found.base_type_name.as_str(), found.extension_number.as_slice()), (name, numbers));
    }
    assert_not_found(&answers[2], "message \"i.donut.exist.co.uk.net.name.foo\"");
}

#[tokio::test]
async fn services_are_listed_in_the_order_in_which_they_were_added() {
    let (_server, channel) = serve().await;
    let answers = ask(&channel, vec![MessageRequest::ListServices(String::new())]).await;
    let MessageResponse::ListServicesResponse(list) = &answers[0] else { panic!("{answers:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "grpc.testing.TestService",
            "grpc.testing.UnimplementedService",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "callwright.tests.Echo",
        ]
    );
}

#[tokio::test]
async fn the_service_has_the_name_that_tools_look_for() {
    assert_eq!(ServerReflectionStub::SERVICE_NAME, "grpc.reflection.v1.ServerReflection");
    let (_server, channel) = serve().await;
    for (version, path) in
        [("v1", "grpc/reflection/v1/reflection.proto"), ("v1alpha", "grpc/reflection/v1alpha/reflection.proto")]
    {
        let answers = ask(&channel, vec![symbol(&format!("grpc.reflection.{version}.ServerReflection"))]).await;
        assert_eq!(files(&answers[0]), [path]);
    }
}

// The client.

#[tokio::test]
async fn our_client_knows_what_our_server_has() {
    let (_server, channel) = serve().await;
    let module = Loader::new().load_from_server(&channel).await.unwrap();
    // list_services, service_name
    let services: Vec<_> = module.services().map(|service| service.full_name().to_owned()).collect();
    for name in ["grpc.testing.TestService", "callwright.tests.Echo", "grpc.reflection.v1.ServerReflection"] {
        assert!(services.iter().any(|service| service == name), "{name} is not in {services:?}");
    }
    // find a file, a message, a service and a method
    assert_eq!(module.pool().get_file_by_name("grpc/testing/empty.proto").unwrap().package_name(), "grpc.testing");
    let request = module.message("grpc.testing.SimpleRequest").unwrap();
    assert_eq!(request.get_field_by_name("response_size").unwrap().number(), 2);
    let service = module.service("grpc.testing.TestService").unwrap();
    assert_eq!(service.methods().next().unwrap().name(), "EmptyCall");
    let stub = module.stub("grpc.testing.TestService", &channel).unwrap();
    let status = stub.method("UnaryCall").unwrap().call(r#"{"responseSize": 1}"#).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "method /grpc.testing.TestService/UnaryCall is not implemented")
    );
}

#[tokio::test]
async fn our_client_names_what_is_not_there() {
    let (_server, channel) = serve().await;
    let module = Loader::new().load_from_server(&channel).await.unwrap();
    // Extensions of messages are not asked for: a file that none of the services imports is not known.
    assert!(module.pool().get_file_by_name("callwright/tests/extensions.proto").is_none());
    let unknown = |error: DynamicError| matches!(error, DynamicError::Unknown { .. });
    assert!(unknown(module.message("grpc.testing.NoMessage").unwrap_err()));
    assert!(unknown(module.service("grpc.testing.NoService").unwrap_err()));
    let stub = module.stub("grpc.testing.TestService", &channel).unwrap();
    assert!(unknown(stub.method("NoMethod").unwrap_err()));
}

// What is promised beside that.

#[tokio::test]
async fn a_file_is_sent_once_in_a_conversation_unless_it_is_asked_for() {
    let (_server, channel) = serve().await;
    let test = "grpc/testing/test.proto";
    let imports = ["grpc/testing/empty.proto", "grpc/testing/messages.proto"];
    let answers = ask(&channel, vec![file(test), symbol("grpc.testing.TestService"), file(imports[0])]).await;
    assert_eq!(files(&answers[0]), [&[test][..], &imports].concat());
    assert_eq!(files(&answers[1]), [test]);
    assert_eq!(files(&answers[2]), [imports[0]]);
}

#[tokio::test]
async fn a_dynamic_service_describes_itself() {
    let text = r#"
        syntax = "proto3"; package d; import "google/protobuf/timestamp.proto";
        message M { google.protobuf.Timestamp at = 1; } service S { rpc Say(M) returns (M); }"#;
    let module = Loader::new().text("d.proto", text).load(&["d.proto"]).unwrap();
    let servicer = module.servicer("d.S").unwrap().unary("Say", |note, _| Box::pin(async move { Ok(note) })).unwrap();
    let server =
        Server::builder().add_service(Reflection::new()).add_service(servicer).bind("127.0.0.1:0").await.unwrap();
    drop(module);
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    let answers = ask(&channel, vec![symbol("d.S")]).await;
    assert_eq!(files(&answers[0]), ["d.proto", "google/protobuf/timestamp.proto"]);
    let learned = Loader::new().load_from_server(&channel).await.unwrap();
    let say = learned.stub("d.S", &channel).unwrap().method("Say").unwrap();
    let at = r#"{"at":"2026-11-23T10:00:00Z"}"#;
    assert_eq!(callwright::dynamic::to_json(&say.call(at).await.unwrap()), at);
}

#[tokio::test]
async fn each_of_two_files_of_one_name_tells_what_it_alone_declares() {
    let mut builder = Server::builder().add_service(Reflection::new());
    for package in ["a", "b"] {
        let text =
            format!("syntax = \"proto3\"; package {package}; message M {{}} service S {{ rpc Say(M) returns (M); }}");
        let module = Loader::new().text("service.proto", text).load(&["service.proto"]).unwrap();
        builder = builder.add_service(module.servicer(&format!("{package}.S")).unwrap());
    }
    let server = builder.bind("inproc:").await.unwrap();
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    let answers = ask(&channel, vec![symbol("a.S"), symbol("b.S.Say"), symbol("b.M"), file("service.proto")]).await;
    let packages = answers.iter().map(|answer| {
        let MessageResponse::FileDescriptorResponse(files) = answer else { panic!("no files: {answer:?}") };
        let decoded = FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap();
        decoded.package().to_owned()
    });
    assert_eq!(packages.collect::<Vec<_>>(), ["a", "b", "b", "a"]);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_repeated_in_part() {
    let (_server, channel) = serve().await;
    let long = "\u{1}".repeat(1_000_000);
    for question in [symbol(&long), file(&long), extension(&long, 1), MessageRequest::AllExtensionNumbersOfType(long)] {
        let answers = ask(&channel, vec![question]).await;
        let MessageResponse::ErrorResponse(error) = &answers[0] else { panic!("found") };
        assert!(
            error.error_message.len() < 2000 && error.error_message.contains("..."),
            "{}",
            error.error_message.len()
        );
    }
}

#[tokio::test]
async fn a_question_that_is_none_is_an_error_and_the_conversation_goes_on() {
    let (_server, channel) = serve().await;
    let (mut requests, mut responses) = ServerReflectionStub::new(channel).server_reflection_info().start();
    let request = ServerReflectionRequest { host: "example.com".to_owned(), message_request: None };
    for _ in 0..2 {
        requests.send(request.clone()).await.unwrap();
        let response = responses.message().await.unwrap().unwrap();
        let Some(MessageResponse::ErrorResponse(error)) = response.message_response else { panic!() };
        assert_eq!(Code::from(error.error_code), Code::InvalidArgument);
        assert_eq!((response.valid_host.as_str(), response.original_request.as_ref()), ("example.com", Some(&request)));
    }
}

#[test]
fn descriptors_that_are_none_are_refused() {
    assert!(Reflection::new().with_file_descriptor_set(&b"\xff"[..]).is_err());
    // A set of one file, which is no file.
    assert!(Reflection::new().with_file_descriptor_set(&b"\x0a\x01\xff"[..]).is_err());
}

/// The files that generated servers leave out are those that the parser brings. After it was raised, they are written anew:
/// `CALLWRIGHT_WRITE_WELL_KNOWN=1 cargo test -p callwright-tests --test reflection`.
#[tokio::test]
async fn the_well_known_files_are_those_of_the_parser() {
    let names = [
        "any",
        "api",
        "compiler/plugin",
        "descriptor",
        "duration",
        "empty",
        "field_mask",
        "source_context",
        "struct",
        "timestamp",
        "type",
        "wrappers",
    ];
    let names = names.map(|name| format!("google/protobuf/{name}.proto"));
    let imports: String = names.iter().map(|name| format!("import {name:?};")).collect();
    let module =
        Loader::new().text("all.proto", format!("syntax = \"proto3\"; {imports}")).load(&["all.proto"]).unwrap();
    let mut set = RawSet::decode(module.file_descriptor_set()).unwrap();
    let last = FileDescriptorProto::decode(set.file.pop().unwrap().as_slice()).unwrap();
    assert_eq!((last.name(), set.file.len()), ("all.proto", names.len()));
    let parsed = set.encode_to_vec();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src/reflection/well_known.binpb");
    if std::env::var_os("CALLWRIGHT_WRITE_WELL_KNOWN").is_some() {
        std::fs::write(&path, &parsed).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == parsed, "{path:?} is not what the parser has");

    // And every one of them is told of, by a server that has no service which imports it.
    let server = Server::builder().add_service(Reflection::new()).bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::new(server.local_addr().to_string()).unwrap();
    for name in names {
        assert_eq!(files(&ask(&channel, vec![file(&name)]).await[0])[0], name);
    }
}

/// Tools show error details when they know their types, which no service's file imports. After a change of the protos:
/// `CALLWRIGHT_WRITE_ERROR_DETAILS=1 cargo test -p callwright-tests --test reflection`.
#[tokio::test]
async fn the_files_of_error_details_are_told_of() {
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime");
    let names = ["google/rpc/error_details.proto", "google/rpc/status.proto"];
    let loader = names.iter().fold(Loader::new(), |loader, name| {
        loader.text(*name, std::fs::read_to_string(runtime.join("proto").join(name)).unwrap())
    });
    let mut set = FileDescriptorSet::decode(loader.load(&names).unwrap().file_descriptor_set()).unwrap();
    set.file.retain(|file| names.contains(&file.name()));
    set.file.iter_mut().for_each(|file| file.source_code_info = None);
    let parsed = set.encode_to_vec();
    let path = runtime.join("src/reflection/error_details.binpb");
    if std::env::var_os("CALLWRIGHT_WRITE_ERROR_DETAILS").is_some() {
        std::fs::write(&path, &parsed).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == parsed, "{path:?} is not what the protos say");

    let (_server, channel) = serve().await;
    let answers = ask(&channel, vec![symbol("google.rpc.RetryInfo"), symbol("google.rpc.Status")]).await;
    assert_eq!(files(&answers[0]), [names[0], "google/protobuf/duration.proto"]);
    assert_eq!(files(&answers[1]), [names[1], "google/protobuf/any.proto"]);
}

/// A `FileDescriptorSet` whose files stay the bytes that they are: decoded, they would lose their custom options.
#[derive(Clone, PartialEq, callwright::prost::Message)]
#[prost(prost_path = "callwright::prost")]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}
