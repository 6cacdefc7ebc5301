//! What is declared in which file.
//!
//! The bytes of a file are what is served; they are decoded to be looked up in, and never encoded again.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use crate::prost::Message;
use crate::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
};

/// The files below `google/protobuf` that every protoc brings, which generated servers leave out.
const WELL_KNOWN: &[u8] = include_bytes!("well_known.binpb");

/// The files of error details, which no service's file imports: tools ask for them to show what a status has.
#[cfg(feature = "status")]
const ERROR_DETAILS: &[u8] = include_bytes!("error_details.binpb");
#[cfg(not(feature = "status"))]
const ERROR_DETAILS: &[u8] = &[];

/// A `FileDescriptorSet` whose files stay bytes.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "crate::prost")]
pub(super) struct FileSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) file: Vec<Bytes>,
}

/// A file of an [`Index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId(usize);

/// All files, by all that can be asked for.
#[derive(Default)]
pub(super) struct Index {
    files: Vec<(Bytes, Vec<String>)>,
    by_name: HashMap<String, FileId>,
    symbols: HashMap<String, FileId>,
    /// By the message that is extended; every message is here.
    extensions: HashMap<String, BTreeMap<i32, FileId>>,
}

impl Index {
    /// The files of these sets, those of error details, and those that every protoc brings. Of files of one name the first counts, and another is
    /// there for what it alone declares: two crates may each have their service.proto. What is no descriptor, which only a
    /// service can give that was written by hand, is left out.
    pub(super) fn new<'a>(sets: impl Iterator<Item = &'a Bytes>) -> Index {
        let mut index = Index::default();
        for set in sets.cloned().chain([ERROR_DETAILS, WELL_KNOWN].map(Bytes::from_static)) {
            for bytes in FileSet::decode(set).unwrap_or_default().file {
                if let Ok(file) = FileDescriptorProto::decode(bytes.clone()) {
                    index.add(bytes, file);
                }
            }
        }
        index
    }

    pub(super) fn file(&self, name: &str) -> Option<FileId> {
        self.by_name.get(name).copied()
    }

    /// The file that declares this: a message, field, oneof, enum, value, extension, service or method, by its full name.
    pub(super) fn symbol(&self, name: &str) -> Option<FileId> {
        self.symbols.get(name).copied()
    }

    pub(super) fn extension(&self, message: &str, number: i32) -> Option<FileId> {
        self.extensions.get(message)?.get(&number).copied()
    }

    /// In ascending order; `None` for a message that is not there.
    pub(super) fn extension_numbers(&self, message: &str) -> Option<impl Iterator<Item = i32>> {
        self.extensions.get(message).map(|extensions| extensions.keys().copied())
    }

    pub(super) fn bytes(&self, file: FileId) -> &[u8] {
        self.files.get(file.0).map_or(&[], |(bytes, _)| bytes)
    }

    /// The files that this one imports itself, those that are there.
    pub(super) fn imports(&self, file: FileId) -> impl Iterator<Item = FileId> {
        self.files.get(file.0).into_iter().flat_map(|(_, imports)| imports).filter_map(|import| self.file(import))
    }

    fn add(&mut self, bytes: Bytes, file: FileDescriptorProto) {
        let id = FileId(self.files.len());
        let mut declared = Declared { index: self, id, any_is_new: false };
        let package = file.package().to_owned();
        file.message_type.iter().for_each(|message| declared.message(&package, message));
        file.enum_type.iter().for_each(|enumeration| declared.enumeration(&package, enumeration));
        file.extension.iter().for_each(|extension| declared.extension(&package, extension));
        file.service.iter().for_each(|service| declared.service(&package, service));
        let any_is_new = declared.any_is_new;
        let name = file.name.unwrap_or_default();
        if !any_is_new && self.by_name.contains_key(&name) {
            return;
        }
        self.by_name.entry(name).or_insert(id);
        self.files.push((bytes, file.dependency));
    }
}

/// What one file declares, on its way into the index.
struct Declared<'a> {
    index: &'a mut Index,
    id: FileId,
    /// Whether any of it was not declared before.
    any_is_new: bool,
}

impl Declared<'_> {
    /// Notes a name, and gives it in full.
    fn symbol(&mut self, scope: &str, name: &str) -> String {
        let full = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
        self.index.symbols.entry(full.clone()).or_insert_with(|| {
            self.any_is_new = true;
            self.id
        });
        full
    }

    /// Messages nest no deeper than what was decoded, which is limited.
    fn message(&mut self, scope: &str, message: &DescriptorProto) {
        let name = self.symbol(scope, message.name());
        self.index.extensions.entry(name.clone()).or_default();
        message.field.iter().for_each(|field| drop(self.symbol(&name, field.name())));
        message.oneof_decl.iter().for_each(|oneof| drop(self.symbol(&name, oneof.name())));
        message.nested_type.iter().for_each(|nested| self.message(&name, nested));
        message.enum_type.iter().for_each(|enumeration| self.enumeration(&name, enumeration));
        message.extension.iter().for_each(|extension| self.extension(&name, extension));
    }

    fn enumeration(&mut self, scope: &str, enumeration: &EnumDescriptorProto) {
        self.symbol(scope, enumeration.name());
        // As in C++, the values are beside their enum and not below it.
        enumeration.value.iter().for_each(|value| drop(self.symbol(scope, value.name())));
    }

    fn extension(&mut self, scope: &str, extension: &FieldDescriptorProto) {
        self.symbol(scope, extension.name());
        let extended = extension.extendee().trim_start_matches('.').to_owned();
        self.index.extensions.entry(extended).or_default().entry(extension.number()).or_insert_with(|| {
            self.any_is_new = true;
            self.id
        });
    }

    fn service(&mut self, scope: &str, service: &ServiceDescriptorProto) {
        let name = self.symbol(scope, service.name());
        service.method.iter().for_each(|method| drop(self.symbol(&name, method.name())));
    }
}
