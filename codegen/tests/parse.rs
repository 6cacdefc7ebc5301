//! Parsing alone: texts in memory, files on disk, descriptor sets, editions.

use std::path::Path;

use callwright_build::{Descriptors, Error, Parser};
use prost::Message as _;
use prost_types::FileDescriptorSet;

const SYNTAX: &str = "syntax = \"proto3\";\n";

fn names(descriptors: &Descriptors) -> Vec<String> {
    let set = FileDescriptorSet::decode(descriptors.file_descriptor_set()).unwrap();
    set.file.iter().map(|file| file.name().to_owned()).collect()
}

fn protos() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protos")
}

#[test]
fn texts_import_each_other_and_the_well_known_types() {
    let parsed = Parser::new()
        .protox()
        .text("b/b.proto", format!("{SYNTAX}package b; message B {{}}"))
        .text(
            "a.proto",
            format!(
                "{SYNTAX}import \"b/b.proto\"; import \"google/protobuf/any.proto\"; message A {{ b.B b = 1; \
                 google.protobuf.Any any = 2; }}"
            ),
        )
        .parse(&["a.proto"])
        .unwrap();
    assert_eq!(parsed.inputs(), ["a.proto"]);
    let mut found = names(&parsed);
    found.sort();
    assert_eq!(found, ["a.proto", "b/b.proto", "google/protobuf/any.proto"]);
    assert!(parsed.read().is_empty());
}

#[test]
fn a_text_is_found_before_a_file_and_may_import_one() {
    let text = format!("{SYNTAX}import \"helloworld.proto\"; message A {{ helloworld.HelloRequest hello = 1; }}");
    let parsed = Parser::new().protox().include(protos()).text("routeguide.proto", text).parse(&["routeguide.proto"]);
    let parsed = parsed.unwrap();
    assert_eq!(parsed.read(), [protos().join("helloworld.proto")]);
}

#[test]
fn an_error_in_a_text_has_its_place() {
    let error =
        Parser::new().protox().text("a.proto", "syntax = \"proto3\";\nmessage A { strin b = 1; }").parse(&["a.proto"]);
    assert_eq!(error.unwrap_err().to_string(), "a.proto:2:13: name 'strin' is not defined");
}

#[test]
fn a_file_that_is_not_there_says_where_it_was_looked_for() {
    let error = Parser::new().protox().include("no/such").include(protos()).parse(&["missing.proto"]).unwrap_err();
    assert!(matches!(error, Error::NotFound(_)));
    for part in ["no/such/missing.proto", "there is no such folder", "tests/protos/missing.proto"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_text_cannot_have_a_name_that_leads_elsewhere() {
    for name in ["../a.proto", "/a.proto", "", "./a.proto", "a//b.proto"] {
        let error = Parser::new().text(name, SYNTAX).parse(&["a.proto"]).unwrap_err();
        assert!(matches!(error, Error::Setting(_)), "{name:?}: {error}");
    }
}

#[test]
fn editions_become_what_other_libraries_read() {
    for name in ["editions_2023.binpb", "editions_2024.binpb"] {
        let set = std::fs::read(protos().parent().unwrap().join("descriptors").join(name)).unwrap();
        let parsed = Descriptors::from_file_descriptor_set(&set).unwrap();
        let whole = FileDescriptorSet::decode(parsed.file_descriptor_set()).unwrap();
        assert!(whole.file.iter().any(|file| file.syntax() == "editions"));
        let lowered = FileDescriptorSet::decode(parsed.without_editions()).unwrap();
        assert!(lowered.file.iter().all(|file| file.syntax() != "editions"));
        prost_reflect::DescriptorPool::decode(parsed.without_editions()).unwrap();
    }
}

#[test]
fn bytes_that_are_no_descriptor_set_are_an_error() {
    for bytes in [&b"\xff\xff"[..], b"", b"\x0a\x05hello"] {
        Descriptors::from_file_descriptor_set(bytes).unwrap_err();
    }
}

#[test]
fn protoc_reads_texts_too() {
    // Only where a protoc is named: the parser in Rust has the tests above.
    let Some(protoc) = std::env::var_os("PROTOC") else { return };
    let parser = Parser::new().protoc(protoc).include(protos());
    let text = format!("{SYNTAX}import \"helloworld.proto\"; message A {{ helloworld.HelloRequest hello = 1; }}");
    let parsed = parser.clone().text("a/b.proto", text).parse(&["a/b.proto"]).unwrap();
    assert_eq!(parsed.inputs(), ["a/b.proto"]);
    assert_eq!(parsed.read(), [protos().join("helloworld.proto")]);
    let error = parser.text("a.proto", "syntax = \"proto3\";\nmessage A { strin b = 1; }").parse(&["a.proto"]);
    assert!(error.unwrap_err().to_string().starts_with("a.proto:2:13: "));
}

#[test]
fn what_most_people_forget_is_said() {
    let error = |text: &str| Parser::new().protox().text("a.proto", text).parse(&["a.proto"]).unwrap_err().to_string();
    for (name, file) in
        [("Timestamp", "timestamp"), ("StringValue", "wrappers"), ("Struct", "struct"), ("FieldMask", "field_mask")]
    {
        let said = error(&format!("{SYNTAX}message A {{ google.protobuf.{name} a = 1; }}"));
        assert!(said.ends_with(&format!("is not defined; it needs import \"google/protobuf/{file}.proto\"")), "{said}");
    }
    assert!(error("message A { int32 a = 1; }").ends_with("a file without `syntax = \"proto3\";` is proto2"));
}
