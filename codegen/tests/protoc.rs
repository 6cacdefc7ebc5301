//! With a real protoc, if the environment names one in `PROTOC`; without, there is nothing to see here.

use std::path::{Path, PathBuf};
use std::process::Command;

fn protoc() -> Option<PathBuf> {
    std::env::var_os("PROTOC").filter(|program| !program.is_empty()).map(PathBuf::from)
}

fn protos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protos")
}

const PROTOS: [&str; 14] = [
    "comments.proto",
    "deprecated.proto",
    "foreign/base.proto",
    "foreign/deep/inner.proto",
    "foreign/deep/user.proto",
    "helloworld.proto",
    "keywords.proto",
    "messages_only.proto",
    "no_package.proto",
    "old_style.proto",
    "own_names.proto",
    "routeguide.proto",
    "split/one.proto",
    "split/two.proto",
];

#[test]
fn both_engines_and_the_plugin_write_the_same() {
    let Some(protoc) = protoc() else { return };
    let builder = callwright_build::configure().file_descriptor_set(true);
    let expected = builder.clone().protox().generate(&PROTOS, &[protos()]).unwrap();
    let by_protoc = builder.protoc(&protoc).generate(&PROTOS, &[protos()]).unwrap();
    assert_eq!(by_protoc.files(), expected.files());
    assert_eq!(by_protoc.read().len(), expected.read().len());

    let out = tempfile::tempdir().unwrap();
    let mut plugin = std::ffi::OsString::from("--plugin=protoc-gen-callwright=");
    plugin.push(env!("CARGO_BIN_EXE_protoc-gen-callwright"));
    let mut command = Command::new(&protoc);
    command.arg("-I").arg(protos()).arg(plugin).arg("--callwright_opt=flat_output_dir,file_descriptor_set");
    let output = command.arg(format!("--callwright_out={}", out.path().display())).args(PROTOS).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(expected.differences(out.path()).unwrap(), Default::default());
}

#[test]
fn the_plugin_reports_through_protoc() {
    let Some(protoc) = protoc() else { return };
    let out = tempfile::tempdir().unwrap();
    let mut plugin = std::ffi::OsString::from("--plugin=protoc-gen-callwright=");
    plugin.push(env!("CARGO_BIN_EXE_protoc-gen-callwright"));
    let mut command = Command::new(&protoc);
    command.arg("-I").arg(protos()).arg(plugin).arg("--callwright_opt=no_servers");
    let output =
        command.arg(format!("--callwright_out={}", out.path().display())).arg("helloworld.proto").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("--callwright_out: unknown parameter `no_servers`; did you mean `no_server`?"), "{stderr}");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn errors_of_protoc_have_their_places() {
    let Some(protoc) = protoc() else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = "syntax = \"proto3\";\nimport \"gone.proto\";\nmessage M {\n  Missing \"x\" = 1;\n}\n";
    std::fs::write(folder.path().join("a.proto"), text).unwrap();
    let error =
        callwright_build::configure().protoc(&protoc).generate(&["a.proto"], &[folder.path()]).unwrap_err().to_string();
    assert!(error.contains("/a.proto:4:11: Expected field name."), "{error}");
    std::fs::write(folder.path().join("a.proto"), text.replace("\"x\"", "x")).unwrap();
    let error =
        callwright_build::configure().protoc(&protoc).generate(&["a.proto"], &[folder.path()]).unwrap_err().to_string();
    assert!(error.contains("/a.proto:2:1: Import \"gone.proto\" was not found or had errors."), "{error}");
}

#[test]
fn a_protoc_that_is_not_there_is_an_error() {
    for program in ["/nonexistent/protoc", "protoc-that-nobody-has"] {
        let builder = callwright_build::configure().protoc(program);
        let error = builder.generate(&["helloworld.proto"], &[protos()]).unwrap_err();
        assert!(error.to_string().starts_with(&format!("there is no protoc at {program:?}")), "{error}");
    }
}
