//! The plugin as protoc runs it: a request on stdin, a response on stdout, exit code 0 whatever is wrong with the request.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use prost::Message;
use prost_types::FileDescriptorSet;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, repeated, tag = "1")]
    file_to_generate: Vec<String>,
    #[prost(string, optional, tag = "2")]
    parameter: Option<String>,
    #[prost(bytes = "vec", repeated, tag = "15")]
    proto_file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(string, optional, tag = "1")]
    error: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    supported_features: Option<u64>,
    #[prost(int32, optional, tag = "3")]
    minimum_edition: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    maximum_edition: Option<i32>,
    #[prost(message, repeated, tag = "15")]
    file: Vec<ResponseFile>,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseFile {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "15")]
    content: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Runs the plugin on these bytes; it must succeed.
#[track_caller]
fn run(request: &[u8]) -> Response {
    let mut plugin = Command::new(env!("CARGO_BIN_EXE_protoc-gen-callwright"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    plugin.stdin.take().unwrap().write_all(request).unwrap();
    let output = plugin.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let response = Response::decode(output.stdout.as_slice()).unwrap();
    assert_eq!(response.supported_features, Some(3));
    assert_eq!((response.minimum_edition, response.maximum_edition), (Some(998), Some(1001)));
    response
}

/// The request that protoc would make for these files.
fn request(protos: &[&str], parameter: &str) -> Request {
    let generated = callwright_build::configure().protox().generate(protos, &[tests().join("protos")]).unwrap();
    let set = RawSet::decode(generated.file_descriptor_set()).unwrap();
    Request {
        file_to_generate: protos.iter().map(|proto| (*proto).to_owned()).collect(),
        parameter: Some(parameter.to_owned()),
        proto_file: set.file,
    }
}

#[track_caller]
fn refused(request: &[u8], expected: &str) {
    let response = run(request);
    assert!(response.file.is_empty());
    let error = response.error.unwrap();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn files_are_laid_out_as_protoc_gen_prost_does() {
    let names = |response: &Response| -> Vec<_> { response.file.iter().map(|file| file.name().to_owned()).collect() };
    let protos = ["foreign/deep/user.proto", "no_package.proto"];
    let response = run(&request(&protos, "").encode_to_vec());
    assert_eq!(response.error, None);
    assert_eq!(names(&response), ["_.rs", "foreign/deep/user/foreign.deep.user.rs"]);
    let response = run(&request(&protos, "flat_output_dir,default_package_filename=root").encode_to_vec());
    assert_eq!(names(&response), ["foreign.deep.user.rs", "root.rs"], "what is only imported is not generated");
    let response = run(&request(&["split/one.proto"], "include_file=mod.rs").encode_to_vec());
    assert_eq!(names(&response), ["mod.rs", "split/split.rs"]);
}

#[test]
fn a_request_gives_the_bytes_that_build_rs_gets() {
    let protos = ["comments.proto", "split/one.proto", "split/two.proto", "well_known.proto", "options.proto"];
    for parameter in ["", "file_descriptor_set", "bytes=.,no_client,type_attribute=.=#[derive(PartialOrd\\,)]"] {
        let response = run(&request(&protos, &format!("flat_output_dir,{parameter}")).encode_to_vec());
        assert_eq!(response.error, None);
        let builder = callwright_build::configure().protox().parameter(parameter).unwrap();
        let generated = builder.generate(&protos, &[tests().join("protos")]).unwrap();
        let expected: Vec<_> = generated.files().iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let got: Vec<_> = response.file.iter().map(|file| (file.name(), file.content())).collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn editions_are_accepted() {
    for set in ["editions_2023", "editions_2024"] {
        let bytes = std::fs::read(tests().join(format!("descriptors/{set}.binpb"))).unwrap();
        let proto_file = RawSet::decode(bytes.as_slice()).unwrap().file;
        let request = Request { file_to_generate: vec![format!("{set}.proto")], parameter: None, proto_file };
        let response = run(&request.encode_to_vec());
        assert_eq!(response.error, None);
        assert_eq!(response.file.len(), 1);
    }
}

#[test]
fn errors_go_into_the_response() {
    refused(&request(&["helloworld.proto"], "flat").encode_to_vec(), "unknown parameter `flat`. Known are boxed, ");
    refused(
        &request(&["helloworld.proto"], "no_clients").encode_to_vec(),
        "unknown parameter `no_clients`; did you mean `no_client`? Known are",
    );
    refused(
        &request(&["helloworld.proto"], "extern_path=helloworld=::x").encode_to_vec(),
        "Protobuf paths must be fully qualified",
    );
    refused(
        &request(&["helloworld.proto"], "type_attribute=.=#[derive(").encode_to_vec(),
        "the generated code is no Rust",
    );
    refused(
        &request(&["helloworld.proto"], "client_attribute=.=derive").encode_to_vec(),
        "`derive` is no Rust attribute",
    );
    let mut missing = request(&["helloworld.proto"], "");
    missing.file_to_generate.push("other.proto".into());
    refused(&missing.encode_to_vec(), "other.proto: to be generated, but its descriptor is not in the request");
    let mut without_import = request(&["services_only.proto"], "");
    without_import.proto_file.retain(|file| {
        !file.windows(19).any(|it| it == b"messages_only.proto" as &[u8])
            || file.windows(13).any(|it| it == b"services_only" as &[u8])
    });
    refused(
        &without_import.encode_to_vec(),
        "services_only.proto:5:1: imports \"messages_only.proto\", which the descriptor set does not hold",
    );
}

#[test]
fn a_truncated_request_is_an_error_or_a_smaller_request() {
    let whole = request(&["deprecated.proto"], "").encode_to_vec();
    refused(&whole[..whole.len() - 1], "cannot decode the CodeGeneratorRequest: ");
    refused(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "cannot decode the CodeGeneratorRequest: ");
    assert_eq!(callwright_build::plugin::respond(b"").len(), 8, "nothing asked, nothing generated");
    for length in 0..whole.len() {
        let response = callwright_build::plugin::respond(&whole[..length]);
        let response = Response::decode(response.as_slice()).unwrap();
        assert!(response.error.is_some() || response.file.is_empty(), "{length}");
    }
}

#[test]
fn a_damaged_request_never_panics() {
    let whole = request(&["old_style.proto", "keywords.proto"], "").encode_to_vec();
    // Every byte, and all four, were tried once; a few of them keep the test quick.
    for at in (0..whole.len()).step_by(37) {
        for damage in [0x01, 0x7f] {
            let mut bytes = whole.clone();
            bytes[at] ^= damage;
            let response = Response::decode(callwright_build::plugin::respond(&bytes).as_slice()).unwrap();
            if let Some(error) = response.error {
                assert!(!error.contains("gave up"), "byte {at} ^ {damage:#x}: {error}");
            }
        }
    }
}

#[test]
fn descriptor_sets_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.binpb");
    let error = |bytes: &[u8], protos: &[&str]| {
        std::fs::write(&path, bytes).unwrap();
        let result = callwright_build::configure().generate_from_descriptor_set(&path, protos);
        format!("{:?}", result.unwrap_err()).replace(&format!("{}/", folder.path().display()), "")
    };
    assert_eq!(error(b"", &[]), "cannot decode set.binpb as a FileDescriptorSet: there is no file in it");
    let text = error(b"syntax = \"proto3\";", &[]);
    assert!(text.starts_with("cannot decode set.binpb as a FileDescriptorSet: failed to decode"), "{text}");

    let generated =
        callwright_build::configure().protox().generate(&["several.proto"], &[tests().join("protos")]).unwrap();
    let bytes = generated.file_descriptor_set();
    assert!(error(&bytes[..bytes.len() / 2], &[]).starts_with("cannot decode set.binpb as a FileDescriptorSet: "));
    assert_eq!(error(bytes, &["other.proto"]), "other.proto: not in the descriptor set, which holds several.proto");

    let set = FileDescriptorSet::decode(bytes).unwrap();
    let changed = |change: &dyn Fn(&mut prost_types::FileDescriptorProto)| {
        let mut set = set.clone();
        change(&mut set.file[0]);
        error(&set.encode_to_vec(), &[])
    };
    assert_eq!(
        changed(&|file| file.service[0].method[0].input_type = Some(".several.Gone".into())),
        "several.proto:6:3: rpc Call uses \".several.Gone\", which is no message"
    );
    assert_eq!(
        changed(&|file| file.message_type[0].field[0].r#type = None),
        "several.proto:17:3: field name has no type"
    );
    assert_eq!(
        changed(&|file| file.message_type[0].name = Some("no name".into())),
        "several.proto:6:3: rpc Call uses \".several.Thing\", which is no message\n\
         several.proto:10:3: rpc Call uses \".several.Thing\", which is no message\n\
         several.proto:16:1: \"no name\" is no name for a message"
    );
    assert_eq!(
        changed(&|file| file.syntax = Some("proto9".into())),
        "several.proto:1:1: syntax \"proto9\" is not known"
    );
    assert_eq!(
        changed(&|file| file.syntax = Some("editions".into())),
        "several.proto: edition 0 is not known; 2023 and 2024 are"
    );
    assert_eq!(
        changed(&|file| {
            file.source_code_info = None;
            file.message_type.push(prost_types::DescriptorProto { name: Some("thing".into()), ..Default::default() });
        }),
        "several.proto: message thing is called `Thing` in Rust, and so is message Thing at several.proto; rename one of them"
    );
}

#[test]
fn source_info_may_be_missing_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.binpb");
    let builder = callwright_build::configure().protox();
    let generated = builder.generate(&["comments.proto"], &[tests().join("protos")]).unwrap();
    let mut set = FileDescriptorSet::decode(generated.file_descriptor_set()).unwrap();
    // prost-build panics on an element that source info, if there is any, does not list.
    set.file[0].source_code_info.as_mut().unwrap().location.retain(|location| location.path == [6, 0, 2, 0]);
    std::fs::write(&path, set.encode_to_vec()).unwrap();
    let generated = builder.generate_from_descriptor_set(&path, &[] as &[&str]).unwrap();
    let text = &generated.files()["comments.rs"];
    assert!(text.contains("/// The message `comments.Text`.") && text.contains("/// Echoes `a < b`"), "{text}");
}
