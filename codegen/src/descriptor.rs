//! Descriptors as bytes and as messages.
//!
//! The bytes are authoritative: `prost_types` forgets custom options and editions, so whatever is embedded or looked up
//! later is cut from the bytes, never encoded again from the decoded message.

use prost::Message;
use prost_types::FileDescriptorProto;

use crate::error::Error;

/// What an engine or a front hands to the generator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    /// Every file, imports included, in no particular order.
    pub(crate) files: Vec<RawFile>,
    /// The names of the files that were asked for; the rest are imports.
    pub(crate) inputs: Vec<String>,
    /// What was read from disk, for `cargo:rerun-if-changed`.
    pub(crate) read: Vec<std::path::PathBuf>,
    /// Where a file was found, for errors: descriptor name, path as the user would write it.
    pub(crate) places: std::collections::BTreeMap<String, String>,
}

/// One serialized `FileDescriptorProto`, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct RawFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) proto: FileDescriptorProto,
}

impl RawFile {
    pub(crate) fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        let proto = FileDescriptorProto::decode(bytes.as_slice())
            .map_err(|source| Error::Decode { what: "a file descriptor".to_owned(), source })?;
        Ok(Self { bytes, proto })
    }
}

/// A `FileDescriptorSet` whose files are left as bytes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) file: Vec<Vec<u8>>,
}

/// The files of a serialized `FileDescriptorSet`.
pub(crate) fn split_set(bytes: &[u8], what: &str) -> Result<Vec<RawFile>, Error> {
    let set = RawSet::decode(bytes).map_err(|source| Error::Decode { what: what.to_owned(), source })?;
    set.file
        .into_iter()
        .map(|bytes| {
            let proto = FileDescriptorProto::decode(bytes.as_slice())
                .map_err(|source| Error::Decode { what: what.to_owned(), source })?;
            Ok(RawFile { bytes, proto })
        })
        .collect()
}
