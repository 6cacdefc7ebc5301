//! `cargo xtask gen`: generated sources that are checked in, for builds that are not cargo's.
//!
//! It is the third front of `callwright-build`, beside the plugin and `build.rs`, and writes the same bytes as they do.

mod depfile;
mod manifest;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
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
  --module-tree NAME     also write a file that includes all others, in modules nested as the packages are
  --manifest FILE        also write which files were made from which, with their hashes, as JSON; --check checks it too
  --depfile FILE         also write the dependencies as make and ninja read them
  --extern-path P=R      types below .P are found at the Rust path R (repeatable)
  --extern-crate F=R     the types of the file F, as an import names it, are in the crate R (repeatable)
  --client-only          stubs without servicers
  --server-only          servicers without stubs
  --option KEY=VALUE     an option, spelled as the plugin's parameters are (repeatable): bytes=., no_server, ..
  -h, --help             this text

PROTOC, if set, is the protoc that reads the .proto files; editions need one.";

#[derive(Default)]
struct Arguments {
    proto_path: Vec<PathBuf>,
    descriptor_set: Option<PathBuf>,
    out: Option<PathBuf>,
    options: Vec<String>,
    manifest: Option<PathBuf>,
    depfile: Option<PathBuf>,
    /// Files whose types are said to be in another crate.
    extern_crates: Vec<String>,
    files: Vec<PathBuf>,
    client_only: bool,
    server_only: bool,
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
            Long("module-tree") => arguments.options.push(format!("include_file={}", parser.value()?.string()?)),
            Long("extern-path") => arguments.options.push(format!("extern_path={}", parser.value()?.string()?)),
            Long("extern-crate") => {
                let value = parser.value()?.string()?;
                arguments.options.push(format!("extern_crate={value}"));
                arguments.extern_crates.extend(value.split_once('=').map(|(file, _)| file.to_owned()));
            }
            Long("client-only") => {
                arguments.client_only = true;
                arguments.options.push("no_server".to_owned());
            }
            Long("server-only") => {
                arguments.server_only = true;
                arguments.options.push("no_client".to_owned());
            }
            Long("manifest") => arguments.manifest = Some(parser.value()?.into()),
            Long("depfile") => arguments.depfile = Some(parser.value()?.into()),
            Long("check") => arguments.check = true,
            Short('h') | Long("help") => arguments.help = true,
            Value(file) => arguments.files.push(file.into()),
            other => return Err(other.unexpected()),
        }
    }
    if arguments.client_only && arguments.server_only {
        return Err("--client-only and --server-only exclude each other; for messages alone there is --option no_client,no_server".into());
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
    for file in arguments.extern_crates.iter().filter(|file| !generated.protos().contains(file.as_str())) {
        // A build that knows all crates may name more than one file needs.
        eprintln!("warning: --extern-crate {file}: nothing imports a file of that name");
    }
    let out = arguments.out.as_deref().unwrap_or(Path::new("."));
    let manifest = match &arguments.manifest {
        Some(path) => Some((path, manifest::text(&generated, &arguments.options)?)),
        None => None,
    };
    if arguments.check {
        return check(&generated, out, manifest);
    }
    let mut others: Vec<_> = manifest.map(|(path, text)| (path.clone(), text)).into_iter().collect();
    if let Some(path) = &arguments.depfile {
        let outputs = generated.files().keys().map(|name| out.join(name));
        others.push((path.clone(), depfile::text(outputs, generated.read().iter().map(PathBuf::as_path))));
    }
    generated.write_with(out, &others).map_err(|error| format!("{error:?}"))?;
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

fn check(generated: &Generated, out: &Path, manifest: Option<(&PathBuf, String)>) -> Result<ExitCode, String> {
    let differences = generated.differences(out).map_err(|error| format!("{error:?}"))?;
    let stale = manifest.filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text));
    if let Some((path, text)) = &stale {
        eprintln!("{}: differs", path.display());
        let held = fs::read_to_string(path).unwrap_or_default();
        eprint!("{}", TextDiff::from_lines(held.as_str(), text).unified_diff().header("checked in", "generated"));
    }
    if differences.is_empty() && stale.is_some() {
        eprintln!("the manifest differs; run the same without --check");
        return Ok(ExitCode::FAILURE);
    }
    if differences.is_empty() {
        println!("{}: {} files are as generated", out.display(), generated.files().len());
        return Ok(ExitCode::SUCCESS);
    }
    report(&differences, generated.files(), out);
    let left_over = differences.values().filter(|difference| **difference == Difference::Stale).count();
    let advice = match (left_over, differences.len() - left_over) {
        (_, 0) => "delete what is not generated any more",
        (0, _) => "run the same without --check",
        _ => "run the same without --check, and delete what is not generated any more",
    };
    eprintln!("{} of the files in {} differ; {advice}", differences.len(), out.display());
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
