//! Parsing alone: from `.proto` files, or texts in memory, to descriptors, for who wants to look at them and not at Rust.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;

use crate::descriptor::{Loaded, RawSet};
use crate::edition;
use crate::error::Error;
use crate::guard;
use crate::load::{self, include::Includes, include::name_of};
use crate::settings::Engine;
use crate::valid;

/// Parses `.proto` files into descriptors, with the parser that the generator uses.
///
/// ```
/// let descriptors = callwright_build::Parser::new()
///     .text("a.proto", "syntax = \"proto3\"; message A { int32 number = 1; }")
///     .parse(&["a.proto"])?;
/// assert_eq!(descriptors.inputs(), ["a.proto"]);
/// # Ok::<(), callwright_build::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a parser does nothing until parse() is called"]
pub struct Parser {
    includes: Vec<PathBuf>,
    texts: BTreeMap<String, String>,
    engine: Engine,
}

impl Parser {
    /// A parser that searches the current folder, unless an [`include`](Self::include) says where else to look.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Searches this folder as well, after those named before: as `-I` of protoc.
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Parser {
        self.includes.push(folder.into());
        self
    }

    /// Adds a file that is in memory, under the name that `import` uses; it is found before one on disk.
    pub fn text(mut self, name: impl Into<String>, text: impl Into<String>) -> Parser {
        self.texts.insert(name.into(), text.into());
        self
    }

    /// Parses with this protoc, which reads editions too. Unless said otherwise, the one that `PROTOC` names is used,
    /// and without it the parser in Rust.
    pub fn protoc(mut self, program: impl Into<PathBuf>) -> Parser {
        self.engine = Engine::Protoc(program.into());
        self
    }

    /// Parses with the parser in Rust, whatever `PROTOC` is set to.
    pub fn protox(mut self) -> Parser {
        self.engine = Engine::Protox;
        self
    }

    /// Parses these files and all that they import.
    ///
    /// # Errors
    ///
    /// What is wrong with the input, as `file:line:column: text`.
    pub fn parse(&self, files: &[impl AsRef<Path>]) -> Result<Descriptors, Error> {
        if let Some(name) = self.texts.keys().find(|name| name_of(Path::new(name)).as_ref() != Some(*name)) {
            let text = format!("{name:?} cannot be the name of a file: it is a path as `import` spells it, with `/`");
            return Err(Error::Setting(text));
        }
        let files: Vec<_> = files.iter().map(|file| file.as_ref().to_owned()).collect();
        let includes = Includes::new(&self.includes).with_texts(self.texts.clone());
        guard::run(|| {
            let loaded = load::files(&files, &includes, &self.engine)?;
            valid::check(&loaded)?;
            Descriptors::new(loaded)
        })
    }
}

/// What a [`Parser`] found: descriptors of the files that were asked for, and of all that they import.
#[derive(Clone, Debug)]
pub struct Descriptors {
    file_descriptor_set: Vec<u8>,
    lowered: Vec<u8>,
    inputs: Vec<String>,
    read: Vec<PathBuf>,
}

impl Descriptors {
    /// Reads a serialized `FileDescriptorSet` that holds all imports.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] for bytes that are no descriptor set, [`Error::Invalid`] for descriptors that make no sense.
    pub fn from_file_descriptor_set(bytes: &[u8]) -> Result<Descriptors, Error> {
        guard::run(|| {
            let loaded = load::descriptor_set::from_bytes(bytes, "the descriptor set", &[])?;
            valid::check(&loaded)?;
            Descriptors::new(loaded)
        })
    }

    fn new(loaded: Loaded) -> Result<Descriptors, Error> {
        let mut lowered = RawSet::default();
        for file in &loaded.files {
            lowered.file.push(edition::lower_for_reflection(file)?);
        }
        let file_descriptor_set = loaded.whole_set();
        Ok(Descriptors {
            file_descriptor_set,
            lowered: lowered.encode_to_vec(),
            inputs: loaded.inputs,
            read: loaded.read.into_iter().map(|(_, path)| path).collect(),
        })
    }

    /// The serialized `FileDescriptorSet`, byte for byte what the parser made of each file, custom options included.
    pub fn file_descriptor_set(&self) -> &[u8] {
        &self.file_descriptor_set
    }

    /// The same for libraries that do not know editions: files of an edition are rewritten as proto2 files that have the
    /// same messages on the wire.
    pub fn without_editions(&self) -> &[u8] {
        &self.lowered
    }

    /// The names of the files that were asked for, as `import` spells them.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// What was read from disk.
    pub fn read(&self) -> &[PathBuf] {
        &self.read
    }
}
