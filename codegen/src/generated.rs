//! The result: text in memory, until somebody writes it or compares it with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::descriptor::Loaded;
use crate::error::Error;
use crate::generate::{MARK, Output};
use crate::include_file;
use crate::write;

/// Generated files, not written yet.
#[derive(Clone, Debug)]
pub struct Generated {
    output: Output,
    file_descriptor_set: Vec<u8>,
    protos: BTreeSet<String>,
    names: Vec<String>,
    read: Vec<PathBuf>,
}

/// How a folder differs from what was generated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The file is not there.
    Missing,
    /// The file holds something else.
    Changed {
        /// What it holds.
        held: String,
    },
    /// The file was generated once and is not any more.
    Stale,
}

impl Generated {
    pub(crate) fn new(output: Output, loaded: Loaded) -> Self {
        let file_descriptor_set = loaded.whole_set();
        let protos = loaded.files.iter().map(|file| file.proto.name().to_owned()).collect();
        let (names, read) = loaded.read.into_iter().unzip();
        Self { output, file_descriptor_set, protos, names, read }
    }

    /// The text of each file, by its path below the output folder.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.output.files
    }

    /// All packages in one text, in modules nested as the packages are; what has no package comes first.
    pub fn nested(&self) -> String {
        include_file::nested(&self.output)
    }

    /// The serialized descriptors of all files, with custom options and source info.
    pub fn file_descriptor_set(&self) -> &[u8] {
        &self.file_descriptor_set
    }

    /// All files that were asked for and all that they import, each as `import` names it.
    pub fn protos(&self) -> &BTreeSet<String> {
        &self.protos
    }

    /// The files on disk from which this was made.
    pub fn read(&self) -> &[PathBuf] {
        &self.read
    }

    /// The same, each with a name that does not depend on where it is: as `import` names it; a descriptor set by the name
    /// of its file.
    pub fn read_by_name(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.names.iter().map(String::as_str).zip(self.read.iter().map(PathBuf::as_path))
    }

    /// Writes all files below `folder`, those that changed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. No file is replaced before all are written beside their places.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        self.write_with(folder, &[])
    }

    /// The same, with other files that are to be written if these are: a manifest, say.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_with(&self, folder: &Path, others: &[(PathBuf, String)]) -> Result<(), Error> {
        let own = self.output.files.iter().map(|(name, text)| (folder.join(name), text.as_str()));
        write::all(own.chain(others.iter().map(|(path, text)| (path.clone(), text.as_str()))))
    }

    /// What [`write`](Self::write) would change, by file. Files that this generator wrote earlier and would not write any
    /// more count too; others in the folder do not.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if something there cannot be read.
    pub fn differences(&self, folder: &Path) -> Result<BTreeMap<String, Difference>, Error> {
        let mut differences = BTreeMap::new();
        for (name, text) in &self.output.files {
            let path = folder.join(name);
            match fs::read(&path) {
                Ok(held) if held == text.as_bytes() => {}
                Ok(held) => {
                    let held = String::from_utf8_lossy(&held).into_owned();
                    differences.insert(name.clone(), Difference::Changed { held });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    differences.insert(name.clone(), Difference::Missing);
                }
                Err(error) => return Err(Error::io("read", path, error)),
            }
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(differences),
            Err(error) => return Err(Error::io("read", folder, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| Error::io("read", folder, error))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let ours = path.extension().is_some_and(|extension| extension == "rs")
                && !self.output.files.contains_key(name)
                && fs::read(&path).is_ok_and(|held| held.starts_with(MARK.as_bytes()));
            if ours {
                differences.insert(name.to_owned(), Difference::Stale);
            }
        }
        Ok(differences)
    }
}
