//! What is generated, word for word. The files in `tests/snapshots` are also compiled, by `tests/compile.rs`.
//!
//! After a change that is meant: `INSTA_UPDATE=always cargo test -p callwright-build --test snapshots`, then read the diff.

use std::path::{Path, PathBuf};

use callwright_build::{Builder, Generated};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn generated(builder: Builder, protos: &[&str]) -> Generated {
    builder.protox().generate(protos, &[tests().join("protos")]).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Compares one generated file with the snapshot of this name.
#[track_caller]
fn snapshot(name: &str, text: &str) {
    // A release is no reason to review them all.
    let text = &text.replacen(concat!("callwright-build ", env!("CARGO_PKG_VERSION")), "callwright-build VERSION", 1);
    let held = tests().join(format!("snapshots/snapshots__{name}.snap.rs"));
    if let Ok(held) = std::fs::read_to_string(held)
        && held != *text
    {
        // insta calls the file binary and shows no difference.
        let diff = similar::TextDiff::from_lines(held.as_str(), text.as_str());
        eprintln!("{}", diff.unified_diff().header("snapshot", "generated"));
    }
    insta::assert_binary_snapshot!(format!("{name}.rs").as_str(), text.as_bytes().to_vec());
}

/// Compares all files that come out of these protos: the names of the files, then each file that `kept` names.
#[track_caller]
fn files(builder: Builder, protos: &[&str], expected: &[(&str, &str)]) {
    let generated = generated(builder, protos);
    let names: Vec<_> = generated.files().keys().map(String::as_str).collect();
    assert_eq!(names, expected.iter().map(|(file, _)| *file).collect::<Vec<_>>());
    for (file, name) in expected {
        snapshot(name, &generated.files()[*file]);
    }
}

#[track_caller]
fn file(proto: &str, file: &str, name: &str) {
    files(callwright_build::configure(), &[proto], &[(file, name)]);
}

#[test]
fn helloworld() {
    file("helloworld.proto", "helloworld.rs", "helloworld");
}

#[test]
fn all_four_shapes() {
    file("routeguide.proto", "routeguide.rs", "routeguide");
}

#[test]
fn comments_become_rustdoc() {
    file("comments.proto", "comments.rs", "comments");
}

#[test]
fn deprecated_things_are_deprecated() {
    file("deprecated.proto", "deprecated.rs", "deprecated");
}

#[test]
fn keywords() {
    file("keywords.proto", "keywords.type.rs", "keywords");
}

#[test]
fn rpcs_called_like_our_own_methods() {
    file("own_names.proto", "own_names.rs", "own_names");
}

#[test]
fn several_services_and_an_empty_one() {
    file("several.proto", "several.rs", "several");
}

#[test]
fn messages_without_services_and_services_without_messages() {
    files(
        callwright_build::configure(),
        &["services_only.proto"],
        &[("messages_only.rs", "messages_only"), ("services_only.rs", "services_only")],
    );
}

#[test]
fn well_known_types() {
    file("well_known.proto", "well_known.rs", "well_known");
}

#[test]
fn nested_and_foreign_packages_and_none() {
    files(
        callwright_build::configure().include_file("all.rs"),
        &["no_package.proto", "foreign/deep/user.proto"],
        &[
            ("_.rs", "no_package"),
            ("all.rs", "include_file"),
            ("foreign.deep.inner.rs", "foreign_deep_inner"),
            ("foreign.deep.user.rs", "foreign_deep_user"),
            ("foreign.rs", "foreign"),
        ],
    );
}

#[test]
fn extern_paths() {
    files(
        callwright_build::configure().extern_path(".foreign", "crate::foreign"),
        &["foreign/deep/user.proto"],
        &[("foreign.deep.user.rs", "extern_path")],
    );
}

#[test]
fn a_file_of_another_crate() {
    let file = "apart.type.self_.rs";
    let builder = callwright_build::configure;
    files(builder(), &["apart/dependency.proto"], &[(file, "apart_dependency")]);
    let at_dependency = builder().extern_crate("apart/dependency.proto", "crate::apart::dependency");
    files(at_dependency.clone(), &["apart/user.proto"], &[(file, "apart_user")]);

    let messages = at_dependency.clone().build_client(false).build_server(false);
    files(messages, &["apart/user.proto"], &[(file, "apart_user_messages")]);
    let services = at_dependency.extern_crate("apart/user.proto", "crate::apart::user_messages");
    files(services, &["apart/user.proto"], &[(file, "apart_user_services")]);
}

#[test]
fn proto2_with_groups() {
    file("old_style.proto", "old_style.rs", "old_style");
}

#[test]
fn one_package_in_two_files() {
    file("split/one.proto", "split.rs", "split");
}

#[test]
fn custom_options_are_embedded() {
    let generated = generated(callwright_build::configure().file_descriptor_set(true), &["options.proto"]);
    let (text, set) = generated.files()["options.rs"].split_once("pub const FILE_DESCRIPTOR_SET").unwrap();
    // The bytes hold descriptor.proto, which changes with protox; what matters is that the options are there.
    snapshot("options", &format!("{text}pub const FILE_DESCRIPTOR_SET: &[u8] = &[];\n"));
    for option in ["/v1/{name}", "/v2", "/v3"] {
        assert!(set.contains(option), "{option} is lost");
    }
}

#[test]
fn a_server_has_its_descriptors_unless_told_otherwise() {
    let files = |builder: Builder| generated(builder, &["several.proto", "well_known.proto"]).files().clone();
    let embedded = files(callwright_build::configure());
    // Once a file, however many services it has, and without what every protoc brings.
    assert_eq!(embedded["several.rs"].matches("const FILE_DESCRIPTOR_SET").count(), 1);
    assert_eq!(embedded["several.rs"].matches("from_static(FirstServer::<()>::FILE_DESCRIPTOR_SET)").count(), 3);
    assert!(embedded["well_known.rs"].contains("google/protobuf/timestamp.proto"), "an import is a name");
    assert!(!embedded["well_known.rs"].contains("\\x05nanos"), "and not the file");
    for without in [
        callwright_build::configure().service_descriptors(false),
        callwright_build::configure().parameter("no_descriptors").unwrap(),
        callwright_build::configure().build_server(false),
    ] {
        assert!(files(without).values().all(|text| !text.contains("FILE_DESCRIPTOR_SET")));
    }
}

#[test]
fn editions() {
    for (set, file, name) in [
        ("editions_2023.binpb", "editions.v2023.rs", "editions_2023"),
        ("editions_2024.binpb", "editions.v2024.rs", "editions_2024"),
    ] {
        let path = tests().join("descriptors").join(set);
        let generated = callwright_build::configure().generate_from_descriptor_set(path, &[] as &[&str]).unwrap();
        snapshot(name, &generated.files()[file]);
    }
}

#[test]
fn options_of_the_builder() {
    let builder = callwright_build::configure()
        .bytes([".messages_only"])
        .btree_map(["."])
        .boxed(".messages_only.Everything.shape.circle")
        .type_attribute("messages_only.Color", "#[doc(alias = \"paint\")]")
        .message_attribute(".messages_only.Everything.Circle", "#[doc(alias = \"round\")]")
        .enum_attribute("Color", "#[non_exhaustive]")
        .field_attribute("Everything.d", "#[doc(alias = \"double\")]")
        .client_attribute("services_only.Relay", "#[doc(alias = \"relay stub\")]")
        .server_attribute(".", "#[doc(alias = \"relay server\")]")
        .skip_debug(["Everything.Circle"])
        .retain_enum_prefix()
        .enable_type_names()
        .type_name_domain(".", "type.googleapis.com")
        .disable_package_emission();
    files(
        builder,
        &["services_only.proto"],
        &[("messages_only.rs", "builder_options"), ("services_only.rs", "builder_options_services")],
    );
    let builder = callwright_build::configure().build_server(false).disable_comments(["."]).compile_well_known_types();
    let names: Vec<_> = generated(builder.clone(), &["well_known.proto"]).files().keys().cloned().collect();
    assert_eq!(names, ["google.protobuf.rs", "well_known.rs"]);
    files(builder, &["comments.proto"], &[("comments.rs", "client_without_comments")]);
    files(
        callwright_build::configure().build_client(false).default_package_filename("root").file_descriptor_set(true),
        &["several.proto"],
        &[("several.rs", "server_with_descriptors")],
    );
    let builder = callwright_build::configure().default_package_filename("root");
    let names: Vec<_> = generated(builder, &["no_package.proto"]).files().keys().cloned().collect();
    assert_eq!(names, ["foreign.deep.inner.rs", "root.rs"]);
    let builder = callwright_build::configure().build_client(false).build_server(false);
    let names: Vec<_> = generated(builder, &["services_only.proto"]).files().keys().cloned().collect();
    assert_eq!(names, ["messages_only.rs"]);
}
