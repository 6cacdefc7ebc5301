//! Files whose Rust is in another crate: where each of their types is, by the names that the generator itself gives.

use std::collections::{BTreeMap, HashSet};

use prost_build::Module;
use prost_types::{DescriptorProto, FileDescriptorProto};

use crate::error::Error;
use crate::name;
use crate::settings::Settings;
use crate::valid::package;

/// What `extern_path` would have to say, type by type, for the files that `extern_crate` names. What it does say counts.
///
/// Each type by itself, nested ones too: a package may be spread over crates, and from the path of an outer type prost
/// would derive one with other names.
pub(crate) fn paths(files: &[FileDescriptorProto], settings: &Settings) -> Result<Vec<(String, String)>, Error> {
    let crates = crates(settings)?;
    let mut paths =
        Paths { known: settings.extern_path.iter().map(|(path, _)| path.as_str()).collect(), found: Vec::new() };
    for file in files {
        let Some(path) = crates.get(file.name()) else {
            continue;
        };
        // They come with the runtime, also where they were among the files of that crate.
        if file.package() == "google.protobuf" && !settings.compile_well_known_types {
            continue;
        }
        let module = Module::from_protobuf_package_name(file.package());
        let module = std::iter::once(*path).chain(module.parts()).collect::<Vec<_>>().join("::");
        let package = package(file);
        for message in &file.message_type {
            paths.message(&package, &module, message);
        }
        for enumeration in &file.enum_type {
            paths.take(&package, &module, enumeration.name());
        }
    }
    Ok(paths.found)
}

/// The crate of each file.
fn crates(settings: &Settings) -> Result<BTreeMap<&str, &str>, Error> {
    let mut crates = BTreeMap::new();
    for (file, path) in &settings.extern_crate {
        syn::parse_str::<syn::Path>(path)
            .map_err(|_| Error::Setting(format!("extern_crate={file}={path}: {path} is no path of a Rust crate")))?;
        let other = crates.insert(file.as_str(), path.as_str()).filter(|other| other != path);
        if let Some(other) = other {
            return Err(Error::Setting(format!("extern_crate: {file} is said to be in {other} and in {path}")));
        }
    }
    Ok(crates)
}

struct Paths<'a> {
    known: HashSet<&'a str>,
    found: Vec<(String, String)>,
}

impl Paths<'_> {
    fn message(&mut self, scope: &str, module: &str, message: &DescriptorProto) {
        if message.options.as_ref().is_some_and(|options| options.map_entry()) {
            return;
        }
        self.take(scope, module, message.name());
        let scope = format!("{scope}.{}", message.name());
        let module = format!("{module}::{}", name::snake(message.name()));
        for nested in &message.nested_type {
            self.message(&scope, &module, nested);
        }
        for enumeration in &message.enum_type {
            self.take(&scope, &module, enumeration.name());
        }
    }

    fn take(&mut self, scope: &str, module: &str, name: &str) {
        let path = format!("{scope}.{name}");
        if !self.known.contains(path.as_str()) {
            self.found.push((path, format!("{module}::{}", name::upper_camel(name))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(crates: &[(&str, &str)]) -> String {
        let extern_crate = crates.iter().map(|(file, path)| ((*file).to_owned(), (*path).to_owned())).collect();
        let settings = Settings { extern_crate, ..Settings::default() };
        paths(&[], &settings).unwrap_err().to_string()
    }

    fn message(name: &str) -> DescriptorProto {
        DescriptorProto { name: Some(name.to_owned()), ..Default::default() }
    }

    #[test]
    fn a_file_is_in_one_crate() {
        assert_eq!(
            refused(&[("a.proto", "::a"), ("b.proto", "::a"), ("a.proto", "::b")]),
            "extern_crate: a.proto is said to be in ::a and in ::b"
        );
        assert_eq!(refused(&[("a.proto", "a-b")]), "extern_crate=a.proto=a-b: a-b is no path of a Rust crate");
    }

    #[test]
    fn the_well_known_types_are_the_runtimes() {
        let file = FileDescriptorProto {
            name: Some("google/protobuf/empty.proto".to_owned()),
            package: Some("google.protobuf".to_owned()),
            message_type: vec![message("Empty")],
            ..Default::default()
        };
        let files = [file];
        let extern_crate = vec![("google/protobuf/empty.proto".to_owned(), "::a".to_owned())];
        let mut settings = Settings { extern_crate, ..Settings::default() };
        assert_eq!(paths(&files, &settings).unwrap(), []);
        settings.compile_well_known_types = true;
        let expected = (".google.protobuf.Empty".to_owned(), "::a::google::protobuf::Empty".to_owned());
        assert_eq!(paths(&files, &settings).unwrap(), [expected]);
    }

    #[test]
    fn extern_path_counts_more() {
        let file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            message_type: vec![message("M"), message("N")],
            ..Default::default()
        };
        let pair = |left: &str, right: &str| vec![(left.to_owned(), right.to_owned())];
        let settings = Settings {
            extern_crate: pair("a.proto", "::a"),
            extern_path: pair(".M", "crate::Mine"),
            ..Settings::default()
        };
        assert_eq!(paths(&[file], &settings).unwrap(), pair(".N", "::a::N"));
    }
}
