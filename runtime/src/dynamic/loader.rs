//! Where protos come from: files, texts in memory, a descriptor set, a running server.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use callwright_build::{Descriptors, Parser};

use super::module::Module;
use super::{DynamicError, reflection};
use crate::Channel;

/// Loads `.proto` files, with a search path of its own.
///
/// ```
/// use callwright::dynamic::Loader;
///
/// let module = Loader::new()
///     .text("a.proto", r#"syntax = "proto3"; package a; message A { int32 number = 1; }"#)
///     .load(&["a.proto"])?;
/// assert_eq!(module.message("a.A")?.full_name(), "a.A");
/// # Ok::<(), callwright::dynamic::DynamicError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a loader does nothing until load() is called"]
pub struct Loader {
    includes: Vec<PathBuf>,
    texts: Vec<(String, String)>,
}

/// What tells one loading of files from another: where it starts, where it looks, and for what.
type Key = (Option<PathBuf>, Vec<PathBuf>, Vec<PathBuf>);

/// The place of one module. Its lock is held while the module is loaded, so that threads which want the same wait for
/// it, and others do not.
type Slot = Arc<Mutex<Option<Module>>>;

/// The modules that were loaded from files.
static LOADED: LazyLock<Mutex<HashMap<Key, Slot>>> = LazyLock::new(Mutex::default);

impl Loader {
    /// A loader that searches the current folder, unless an [`include`](Self::include) says where else to look.
    pub fn new() -> Loader {
        Loader::default()
    }

    /// Searches this folder as well, after those named before: as `-I` of protoc.
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Loader {
        self.includes.push(folder.into());
        self
    }

    /// Adds a file that is in memory, under the name that `import` uses; it is found before one on disk.
    pub fn text(mut self, name: impl Into<String>, text: impl Into<String>) -> Loader {
        self.texts.push((name.into(), text.into()));
        self
    }

    /// Loads these files and all that they import.
    ///
    /// Files on disk are loaded once per process: the same files with the same search path give the same module again,
    /// from any thread, whatever became of the files. What is in memory is parsed each time.
    ///
    /// # Errors
    /// [`DynamicError::Proto`] for a file that is not there, with the paths that were tried, or that is wrong, with
    /// `file:line:column`.
    pub fn load(&self, files: &[impl AsRef<Path>]) -> Result<Module, DynamicError> {
        if !self.texts.is_empty() {
            return self.parse(files);
        }
        let files: Vec<_> = files.iter().map(|file| file.as_ref().to_owned()).collect();
        let key = (std::env::current_dir().ok(), self.includes.clone(), files);
        let slot = LOADED.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().clone();
        let mut loaded = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = &*loaded {
            return Ok(module.clone());
        }
        match self.parse(&key.2) {
            Ok(module) => Ok(loaded.insert(module).clone()),
            Err(error) => {
                // A file that is mended may be loaded then; one that never is must not be remembered for ever.
                drop(loaded);
                LOADED.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                Err(error)
            }
        }
    }

    /// Loads a serialized `FileDescriptorSet` that holds all imports.
    ///
    /// # Errors
    /// [`DynamicError::Proto`] for bytes that are none.
    pub fn load_file_descriptor_set(&self, bytes: &[u8]) -> Result<Module, DynamicError> {
        Module::new(Descriptors::from_file_descriptor_set(bytes)?)
    }

    /// Asks a running server for its services, by its reflection service (v1, and v1alpha where there is no v1).
    ///
    /// A service that the server lists and cannot describe fails when it is asked for, and the others do not.
    ///
    /// # Errors
    /// [`DynamicError::Reflection`] when the server cannot be asked or answers with nonsense.
    pub async fn load_from_server(&self, channel: &Channel) -> Result<Module, DynamicError> {
        let answered = reflection::ask(channel).await?;
        let descriptors = Descriptors::from_file_descriptor_set(&answered.descriptors)?;
        Module::with_undescribed(descriptors, answered.undescribed)
    }

    fn parse(&self, files: &[impl AsRef<Path>]) -> Result<Module, DynamicError> {
        let parser = self.includes.iter().fold(Parser::new(), |parser, folder| parser.include(folder));
        let parser = self.texts.iter().fold(parser, |parser, (name, text)| parser.text(name, text));
        Module::new(parser.parse(files)?)
    }
}
