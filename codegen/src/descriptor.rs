//! Descriptors as bytes and as messages.
//!
//! The bytes are authoritative: `prost_types` forgets custom options and editions, so whatever is embedded or looked up
//! later is cut from the bytes, never encoded again from the decoded message.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use prost::Message;
use prost_types::FileDescriptorProto;

use crate::canonical;
use crate::error::Error;

/// What an engine or a front hands to the generator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    /// Every file, imports included, in no particular order.
    pub(crate) files: Vec<RawFile>,
    /// The names of the files that were asked for; the rest are imports.
    pub(crate) inputs: Vec<String>,
    /// What was read from disk, by the name that `import` uses; a descriptor set by its own.
    pub(crate) read: Vec<(String, PathBuf)>,
    /// Where a file was found, for errors: descriptor name, path as the user would write it.
    pub(crate) places: BTreeMap<String, String>,
}

/// The files that every protoc brings, in versions of its own. They are not embedded into servers: the runtime has them.
const WELL_KNOWN: [&str; 12] = [
    "google/protobuf/any.proto",
    "google/protobuf/api.proto",
    "google/protobuf/compiler/plugin.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/type.proto",
    "google/protobuf/wrappers.proto",
];

/// One serialized `FileDescriptorProto`, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct RawFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) proto: FileDescriptorProto,
}

/// A `FileDescriptorSet` whose files are left as bytes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) file: Vec<Vec<u8>>,
}

/// Of a file descriptor, what tells it from others.
#[derive(Clone, PartialEq, Message)]
struct NameOnly {
    #[prost(string, tag = "1")]
    name: String,
}

/// The files of a serialized `FileDescriptorSet`.
pub(crate) fn split_set(bytes: &[u8], what: &str) -> Result<Vec<RawFile>, Error> {
    split_new(bytes, what, |_| false)
}

/// The files of a serialized `FileDescriptorSet` whose names are not `known`.
pub(crate) fn split_new(bytes: &[u8], what: &str, known: impl Fn(&str) -> bool) -> Result<Vec<RawFile>, Error> {
    let decode = |source| Error::Decode { what: what.to_owned(), source };
    let mut files = Vec::new();
    for bytes in RawSet::decode(bytes).map_err(decode)?.file {
        if known(&NameOnly::decode(bytes.as_slice()).map_err(decode)?.name) {
            continue;
        }
        let proto = FileDescriptorProto::decode(bytes.as_slice()).map_err(decode)?;
        files.push(RawFile { bytes, proto });
    }
    Ok(files)
}

impl Loaded {
    /// The file as an error names it.
    pub(crate) fn place(&self, name: &str) -> String {
        self.places.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// The files of `roots` and all that they import, each after its imports: what reflection wants to serve. Comments are
    /// left out: nothing reads them at run time, and they are most of the bytes.
    pub(crate) fn embedded_set(&self, roots: &[&str]) -> Result<Vec<u8>, Error> {
        let mut set = RawSet::default();
        for file in self.in_order(roots) {
            set.file.push(canonical::file(&file.bytes)?);
        }
        Ok(set.encode_to_vec())
    }

    /// The same for one file, without what the runtime has.
    pub(crate) fn service_set(&self, file: &str) -> Result<Vec<u8>, Error> {
        let mut set = RawSet::default();
        for file in self.in_order(&[file]).into_iter().filter(|file| !WELL_KNOWN.contains(&file.proto.name())) {
            set.file.push(canonical::file(&file.bytes)?);
        }
        Ok(set.encode_to_vec())
    }

    /// All files as they came, in an order that does not depend on that of the inputs.
    pub(crate) fn whole_set(&self) -> Vec<u8> {
        let mut names: Vec<_> = self.files.iter().map(|file| file.proto.name()).collect();
        names.sort_unstable();
        RawSet { file: self.in_order(&names).into_iter().map(|file| file.bytes.clone()).collect() }.encode_to_vec()
    }

    fn in_order(&self, roots: &[&str]) -> Vec<&RawFile> {
        let by_name: HashMap<_, _> = self.files.iter().map(|file| (file.proto.name(), file)).collect();
        let mut order = Vec::new();
        let mut seen = HashSet::new();
        // (file, whether its imports are done); a stack of our own, for a chain of imports has any length.
        let mut open: Vec<_> = roots.iter().rev().map(|name| (*name, false)).collect();
        while let Some((name, done)) = open.pop() {
            let Some(file) = by_name.get(name) else {
                continue;
            };
            if done {
                order.push(*file);
            } else if seen.insert(name) {
                open.push((name, true));
                open.extend(file.proto.dependency.iter().rev().map(|import| (import.as_str(), false)));
            }
        }
        order
    }
}
