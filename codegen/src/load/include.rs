//! Include paths: from a path on disk to the name that `import` uses, and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::Error;

/// What is searched: texts in memory first, then the folders, in order.
#[derive(Clone, Debug)]
pub(crate) struct Includes {
    texts: BTreeMap<String, String>,
    folders: Vec<PathBuf>,
}

/// An input file under its two names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// As `import` spells it: relative to its folder, with `/`.
    pub(crate) name: String,
    /// The folder it was found in.
    pub(crate) folder: PathBuf,
}

impl Found {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }
}

impl Includes {
    /// With no folder at all, the current one is searched, as protoc does.
    pub(crate) fn new(folders: &[PathBuf]) -> Self {
        let folders = if folders.is_empty() { vec![PathBuf::from(".")] } else { folders.to_vec() };
        Self { texts: BTreeMap::new(), folders }
    }

    /// The same, with texts by the name that `import` uses.
    pub(crate) fn with_texts(mut self, texts: BTreeMap<String, String>) -> Self {
        self.texts = texts;
        self
    }

    /// The text of that name that is in memory.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    pub(crate) fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// The same, with a folder that is searched before the others.
    pub(crate) fn before_all(mut self, folder: &Path) -> Self {
        self.folders.insert(0, folder.to_owned());
        self
    }

    /// Where an input lies: one that is in memory was written into the first folder.
    pub(crate) fn folder_of<'a>(&'a self, input: &'a Found) -> &'a Path {
        match self.texts.contains_key(&input.name) {
            true => self.folders.first().unwrap_or(&input.folder),
            false => &input.folder,
        }
    }

    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The first file of that name.
    pub(crate) fn find(&self, name: &str) -> Option<Found> {
        // "" is a folder and "/x" would leave the include path: neither can be imported.
        if name.is_empty() || Path::new(name).components().any(|part| !matches!(part, Component::Normal(_))) {
            return None;
        }
        self.folders
            .iter()
            .map(|folder| Found { name: name.to_owned(), folder: folder.clone() })
            .find(|found| found.path().is_file())
    }

    /// Where a file of that name was looked for, for an error.
    pub(crate) fn tried(&self, name: &str) -> String {
        self.tried_after(Vec::new(), Path::new(name))
    }

    /// The same after other places. One place is named once, however its folders are spelled.
    fn tried_after(&self, mut before: Vec<PathBuf>, name: &Path) -> String {
        let place = |path: &Path| std::path::absolute(plain(path)).ok();
        let mut shown: Vec<_> = before.iter().map(|path| display(path)).collect();
        for folder in &self.folders {
            let candidate = folder.join(name);
            if before.iter().all(|known| place(known) != place(&candidate)) {
                shown.push(display(&candidate) + missing_folder(folder));
                before.push(candidate);
            }
        }
        shown.join(", ")
    }

    /// The input at `path`: a path that leads into an include folder, or a name relative to one.
    pub(crate) fn input(&self, path: &Path) -> Result<Found, Error> {
        if let Some(name) = name_of(path).filter(|name| self.texts.contains_key(name)) {
            return Ok(Found { name, folder: PathBuf::new() });
        }
        let Some(found) = self.folders.iter().find_map(|folder| under(path, folder)) else {
            return self.input_by_name(path);
        };
        if !found.path().is_file() {
            // `proto/a.proto` may also be meant relative to the folder `proto/..`; only then is it worth a second look.
            return self.input_by_name(path);
        }
        match self.find(&found.name) {
            Some(first) if !same_file(&first.path(), &found.path()) => Err(Error::NotFound(format!(
                "{}: hidden by {}, which an earlier include path holds under the same name; name that one, or put the \
                 include paths in another order",
                display(path),
                display(&first.path()),
            ))),
            Some(first) => Ok(first),
            None => Ok(found),
        }
    }

    fn input_by_name(&self, path: &Path) -> Result<Found, Error> {
        if let Some(found) = name_of(path).and_then(|name| self.find(&name)) {
            return Ok(found);
        }
        if path.is_file() {
            let folders: Vec<_> = self.folders.iter().map(|folder| display(folder) + missing_folder(folder)).collect();
            return Err(Error::NotFound(format!(
                "{}: not inside any include path ({}); add the folder from which it is to be imported",
                display(path),
                folders.join(", "),
            )));
        }
        if path.is_dir() {
            return Err(Error::NotFound(format!("{}: is a folder; name the .proto files", display(path))));
        }
        let tried = match path.is_relative() {
            true => self.tried_after(vec![path.to_owned()], path),
            false => display(path),
        };
        Err(Error::NotFound(format!("{}: file not found; looked for {tried}", display(path))))
    }
}

/// A path as a person would write it: without the `./` that an include path of `.` puts before it.
pub(crate) fn display(path: &Path) -> String {
    let short = path.strip_prefix(".").unwrap_or(path);
    if short.as_os_str().is_empty() { ".".to_owned() } else { short.display().to_string() }
}

fn missing_folder(folder: &Path) -> &'static str {
    // That of a file without a folder is the current one.
    if folder.as_os_str().is_empty() || folder.is_dir() { "" } else { " (there is no such folder)" }
}

/// The file's name below `folder`, by the spelling of the paths, else by where they really are.
fn under(path: &Path, folder: &Path) -> Option<Found> {
    let relative = match plain(path).strip_prefix(plain(folder)) {
        Ok(relative) => relative.to_owned(),
        Err(_) => fs::canonicalize(path).ok()?.strip_prefix(fs::canonicalize(folder).ok()?).ok()?.to_owned(),
    };
    Some(Found { name: name_of(&relative)?, folder: folder.to_owned() })
}

/// Without `.` components: `./proto` and `proto` are one folder.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

/// A relative path as `import` would spell it.
pub(crate) fn name_of(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    if parts.is_empty() { None } else { Some(parts.join("/")) }
}

fn same_file(left: &Path, right: &Path) -> bool {
    match (fs::canonicalize(left), fs::canonicalize(right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}
