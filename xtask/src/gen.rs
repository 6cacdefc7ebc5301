//! `cargo xtask gen`: generated sources that are checked in, for builds that are not cargo's.
//!
//! It is the third front of `callwright-build`, beside the plugin and `build.rs`, and writes the same bytes as they do.

use std::collections::BTreeMap;
use std::ffi::OsString;
#[cfg(test)]
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use callwright_build::{Builder, Difference, Generated};
use lexopt::prelude::*;
use similar::TextDiff;

const USAGE: &str = "\
Generates Rust from .proto files, one file a package, and prints the name of each.

Usage: cargo xtask gen [OPTIONS] --out DIR FILES..
       cargo xtask gen [OPTIONS] --out DIR --descriptor-set FILE [FILES..]

Options:
  --out DIR              where the files go
  --check                write nothing; fail if DIR is not what would be written
  -I, --proto-path DIR   a folder to search for FILES and imports (repeatable; default: the current one)
  --descriptor-set FILE  read a serialized FileDescriptorSet (with imports) instead of .proto files
  --option KEY=VALUE     an option, spelled as the plugin's parameters are (repeatable): bytes=., no_server, ..
  -h, --help             this text

PROTOC, if set, is the protoc that reads the .proto files; editions need one.";

#[derive(Default)]
struct Arguments {
    proto_path: Vec<PathBuf>,
    descriptor_set: Option<PathBuf>,
    out: Option<PathBuf>,
    options: Vec<String>,
    files: Vec<PathBuf>,
    check: bool,
    help: bool,
}

/// Runs `gen` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match parse(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("cargo xtask gen: {error}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.help {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match execute(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Arguments, lexopt::Error> {
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('I') | Long("proto-path" | "proto_path") => {
                arguments.proto_path.push(parser.value()?.into());
            }
            Long("descriptor-set") => arguments.descriptor_set = Some(parser.value()?.into()),
            Long("out") => arguments.out = Some(parser.value()?.into()),
            Long("option") => arguments.options.push(parser.value()?.string()?),
            Long("check") => arguments.check = true,
            Short('h') | Long("help") => arguments.help = true,
            Value(file) => arguments.files.push(file.into()),
            other => return Err(other.unexpected()),
        }
    }
    if !arguments.help {
        if arguments.out.is_none() {
            return Err("--out DIR is missing".into());
        }
        if arguments.files.is_empty() && arguments.descriptor_set.is_none() {
            return Err("no .proto file is named".into());
        }
    }
    Ok(arguments)
}

fn execute(arguments: &Arguments) -> Result<ExitCode, String> {
    let mut builder = callwright_build::configure();
    for option in &arguments.options {
        builder = builder.parameter(option).map_err(|error| format!("{error:?}"))?;
    }
    let generated = generate(&builder, arguments)?;
    let out = arguments.out.as_deref().unwrap_or(Path::new("."));
    if arguments.check {
        return check(&generated, out);
    }
    generated.write(out).map_err(|error| format!("{error:?}"))?;
    for name in generated.files().keys() {
        println!("{}", out.join(name).display());
    }
    Ok(ExitCode::SUCCESS)
}

fn generate(builder: &Builder, arguments: &Arguments) -> Result<Generated, String> {
    let generated = match &arguments.descriptor_set {
        Some(path) => builder.generate_from_descriptor_set(path, &arguments.files),
        None => builder.generate(&arguments.files, &arguments.proto_path),
    };
    // Debug tells the causes too.
    generated.map_err(|error| format!("{error:?}"))
}

fn check(generated: &Generated, out: &Path) -> Result<ExitCode, String> {
    let differences = generated.differences(out).map_err(|error| format!("{error:?}"))?;
    if differences.is_empty() {
        println!("{}: {} files are as generated", out.display(), generated.files().len());
        return Ok(ExitCode::SUCCESS);
    }
    report(&differences, generated.files(), out);
    eprintln!("{} of the files in {} differ; run the same without --check", differences.len(), out.display());
    Ok(ExitCode::FAILURE)
}

fn report(differences: &BTreeMap<String, Difference>, files: &BTreeMap<String, String>, out: &Path) {
    for (name, difference) in differences {
        let path = out.join(name);
        let path = path.display();
        match difference {
            Difference::Missing => eprintln!("{path}: is missing"),
            Difference::Stale => eprintln!("{path}: is not generated any more; delete it"),
            Difference::Changed { held } => {
                eprintln!("{path}: differs");
                let text = files.get(name).map_or("", String::as_str);
                let diff = TextDiff::from_lines(held.as_str(), text);
                eprint!("{}", diff.unified_diff().header("checked in", "generated"));
            }
            other => eprintln!("{path}: {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn gen_with(args: &[&str]) -> Result<ExitCode, String> {
        let arguments = parse(args.iter().map(OsString::from)).map_err(|error| error.to_string())?;
        execute(&arguments)
    }

    #[test]
    fn check_fails_on_drift_and_passes_after_writing() {
        let folder = tempfile::tempdir().unwrap();
        let proto = folder.path().join("a.proto");
        fs::write(&proto, "syntax = \"proto3\"; package a; message M { int32 x = 1; }").unwrap();
        let (include, proto) = (folder.path().to_str().unwrap(), proto.to_str().unwrap());
        let out = folder.path().join("out");
        let args = ["-I", include, "--out", out.to_str().unwrap(), proto];
        let checked = [&args[..], &["--check"]].concat();

        assert_eq!(gen_with(&checked), Ok(ExitCode::FAILURE), "nothing was written yet");
        assert!(!out.exists(), "a check writes nothing");
        assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));
        assert_eq!(gen_with(&checked), Ok(ExitCode::SUCCESS));

        let file = out.join("a.rs");
        fs::write(&file, fs::read_to_string(&file).unwrap() + "// mine\n").unwrap();
        assert_eq!(gen_with(&checked), Ok(ExitCode::FAILURE));
        assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));
        fs::copy(&file, out.join("b.rs")).unwrap();
        assert_eq!(gen_with(&checked), Ok(ExitCode::FAILURE), "a file that is left over is drift too");
        fs::write(out.join("b.rs"), "// hand-written\n").unwrap();
        assert_eq!(gen_with(&checked), Ok(ExitCode::SUCCESS), "a file of somebody else is none of our business");
    }

    #[test]
    fn a_broken_proto_writes_nothing_and_tells_the_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("good.proto"), "syntax = \"proto3\"; package good; message M {}").unwrap();
        fs::write(folder.path().join("bad.proto"), "syntax = \"proto3\";\nmessage M { Missing x = 1; }").unwrap();
        let out = folder.path().join("out");
        let include = folder.path().to_str().unwrap();
        let error = gen_with(&["-I", include, "--out", out.to_str().unwrap(), "good.proto", "bad.proto"]).unwrap_err();
        // Either parser may be at work, by PROTOC.
        assert!(error.contains("bad.proto:2:13: ") && error.contains("is not defined"), "{error}");
        assert!(!out.exists());
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        for args in [&["a.proto"][..], &["--out", "x"], &["--what"]] {
            assert!(gen_with(args).is_err(), "{args:?}");
        }
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Set {
        #[prost(bytes = "vec", repeated, tag = "1")]
        file: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Request {
        #[prost(string, repeated, tag = "1")]
        file_to_generate: Vec<String>,
        #[prost(string, tag = "2")]
        parameter: String,
        #[prost(bytes = "vec", repeated, tag = "15")]
        proto_file: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Response {
        #[prost(message, repeated, tag = "15")]
        file: Vec<File>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct File {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "15")]
        content: String,
    }

    fn held(folder: &Path) -> BTreeMap<String, String> {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        files.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
    }

    #[test]
    fn xtask_and_build_rs_and_the_plugin_write_the_same_bytes() {
        let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codegen/tests/protos");
        let files = ["comments.proto", "routeguide.proto", "split/one.proto", "split/two.proto", "well_known.proto"];
        let folder = tempfile::tempdir().unwrap();
        let (by_xtask, by_build_rs) = (folder.path().join("xtask"), folder.path().join("build.rs"));

        let option = "bytes=.,file_descriptor_set,type_attribute=.=#[doc(alias = \"a\\, b\")]";
        let mut args = vec!["-I", protos.to_str().unwrap(), "--out", by_xtask.to_str().unwrap(), "--option", option];
        args.extend(files);
        assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));

        let builder = callwright_build::configure()
            .bytes(["."])
            .file_descriptor_set(true)
            .type_attribute(".", "#[doc(alias = \"a, b\")]")
            .out_dir(&by_build_rs);
        builder.compile_protos(&files, &[&protos]).unwrap();
        assert_eq!(held(&by_xtask), held(&by_build_rs));

        let generated = builder.generate(&files, &[&protos]).unwrap();
        let request = Request {
            file_to_generate: files.map(str::to_owned).to_vec(),
            parameter: format!("flat_output_dir,{option}"),
            proto_file: Set::decode(generated.file_descriptor_set()).unwrap().file,
        };
        let response = callwright_build::plugin::respond(&request.encode_to_vec());
        let response = Response::decode(response.as_slice()).unwrap();
        let by_plugin: BTreeMap<_, _> = response.file.into_iter().map(|file| (file.name, file.content)).collect();
        assert_eq!(by_plugin, held(&by_xtask));
    }
}
