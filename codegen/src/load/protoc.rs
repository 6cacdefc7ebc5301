//! The other engine: a real protoc, run through protobuf-parse, and the only one that reads editions.
//!
//! protobuf-parse panics when it cannot find the program, does not read `PROTOC_INCLUDE`, leaves comments out unless told
//! otherwise, and hands protoc's messages over as one quoted string. All four are dealt with here.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use protobuf::Message;
use protobuf::descriptor::FileDescriptorSet;

use crate::descriptor::{Loaded, split_set};
use crate::error::{Error, Problem};
use crate::load::include::{Found, Includes, display};

pub(crate) fn load(program: &Path, inputs: &[Found], includes: &Includes) -> Result<Loaded, Error> {
    let program = find_program(program)?;
    // protoc reads files alone: what is in memory goes into a folder that is searched before all others.
    let texts = tempfile::tempdir().map_err(|source| Error::io("make", std::env::temp_dir(), source))?;
    for (name, text) in includes.texts() {
        let path = texts.path().join(name);
        let folder = path.parent().unwrap_or(texts.path());
        fs::create_dir_all(folder).map_err(|source| Error::io("make", folder, source))?;
        fs::write(&path, text).map_err(|source| Error::io("write", &path, source))?;
    }
    let includes = &includes.clone().before_all(texts.path());
    let folders = Folders::new(includes)?;
    let paths: Vec<PathBuf> =
        inputs.iter().map(|input| folders.real(includes.folder_of(input)).join(&input.name)).collect();

    let mut parser = protobuf_parse::Parser::new();
    parser.protoc().protoc_path(&program).capture_stderr().protoc_extra_args(["--include_source_info"]);
    parser.includes(folders.search()).inputs(&paths);
    let parsed = parser.parse_and_typecheck().map_err(|error| {
        let chain: Vec<_> = error.chain().map(ToString::to_string).collect();
        match chain.iter().find_map(|text| stderr(text)) {
            Some(text) => named_as_texts(folders.problems(&text), texts.path()),
            None => Error::Protoc { what: format!("{} failed: {}", program.display(), chain.join(": ")), source: None },
        }
    })?;

    let mut set = FileDescriptorSet::new();
    set.file = parsed.file_descriptors;
    let bytes = set.write_to_bytes().map_err(|error| Error::Backend(error.to_string()))?;
    let files = split_set(&bytes, "the descriptors that protoc made")?;
    let on_disk = |name: &str| includes.find(name).filter(|found| found.folder != texts.path());
    let found: Vec<_> = files.iter().filter_map(|file| on_disk(file.proto.name())).collect();
    Ok(Loaded {
        inputs: inputs.iter().map(|input| input.name.clone()).collect(),
        places: found.iter().map(|found| (found.name.clone(), display(&found.path()))).collect(),
        read: found.iter().map(|found| (found.name.clone(), found.path())).collect(),
        files,
    })
}

/// The folder of the texts is nobody's business: an error in one names it as it was given.
fn named_as_texts(error: Error, folder: &Path) -> Error {
    let Error::Invalid(mut problems) = error else { return error };
    for problem in &mut problems {
        if let Ok(name) = Path::new(&problem.file).strip_prefix(folder) {
            problem.file = display(name);
        }
    }
    Error::Invalid(problems)
}

fn find_program(program: &Path) -> Result<PathBuf, Error> {
    let found = if program.components().count() > 1 || program.is_absolute() {
        program.is_file().then(|| program.to_owned())
    } else {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path)
            .map(|folder| folder.join(program).with_extension(env::consts::EXE_EXTENSION))
            .find(|candidate| candidate.is_file())
    };
    found.ok_or_else(|| Error::Protoc {
        what: format!(
            "there is no protoc at {:?}; set PROTOC to where it is, or unset it to parse without protoc",
            program.display().to_string()
        ),
        source: None,
    })
}

/// The include folders as the user wrote them and as protoc gets them: absolute, so that every input begins with one of
/// them, as protobuf-parse demands.
struct Folders {
    folders: Vec<(PathBuf, PathBuf)>,
    bundled: Option<PathBuf>,
}

impl Folders {
    fn new(includes: &Includes) -> Result<Self, Error> {
        let real = |folder: &PathBuf| Some((folder.clone(), folder.canonicalize().ok()?));
        let folders = includes.folders().iter().filter_map(real).collect();
        let bundled = match env::var_os("PROTOC_INCLUDE").map(PathBuf::from) {
            Some(folder) if !folder.is_dir() => {
                return Err(Error::Setting(format!("PROTOC_INCLUDE is {folder:?}, which is no folder")));
            }
            folder => folder,
        };
        Ok(Self { folders, bundled })
    }

    fn real(&self, folder: &Path) -> PathBuf {
        let found = self.folders.iter().find(|(written, _)| written == folder);
        found.map_or_else(|| folder.to_owned(), |(_, real)| real.clone())
    }

    fn search(&self) -> Vec<PathBuf> {
        self.folders.iter().map(|(_, real)| real.clone()).chain(self.bundled.clone()).collect()
    }

    /// protoc's messages, with paths as the user wrote them.
    fn problems(&self, stderr: &str) -> Error {
        let mut problems = Vec::new();
        for line in stderr.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (file, position, text) = split(line);
            if text.starts_with("warning:") || line.starts_with("[libprotobuf WARNING") {
                continue;
            }
            let problem = Problem::new(self.written(file), position, text);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        if problems.is_empty() {
            return Error::Protoc { what: format!("protoc failed and said: {stderr:?}"), source: None };
        }
        Error::Invalid(problems)
    }

    /// Old protocs print the name that `import` uses, new ones the path that they were given.
    fn written(&self, file: &str) -> String {
        let found = self.folders.iter().find_map(|(written, real)| {
            let rest = match Path::new(file).strip_prefix(real) {
                Ok(rest) => rest,
                Err(_) if Path::new(file).is_relative() && real.join(file).is_file() => Path::new(file),
                Err(_) => return None,
            };
            Some(display(&written.join(rest)))
        });
        found.unwrap_or_else(|| file.to_owned())
    }
}

/// `file:line:column: text`, or `file: text`, or text alone.
fn split(line: &str) -> (&str, Option<(u32, u32)>, &str) {
    let mut parts = line.match_indices(": ");
    let located = parts.find_map(|(at, _)| {
        let (place, text) = (&line[..at], &line[at + 2..]);
        let (place, column) = place.rsplit_once(':')?;
        let (file, row) = place.rsplit_once(':')?;
        Some((file, Some((row.parse().ok()?, column.parse().ok()?)), text))
    });
    located.or_else(|| line.split_once(": ").map(|(file, text)| (file, None, text))).unwrap_or(("protoc", None, line))
}

/// What protoc wrote to stderr, out of protobuf-parse's message, which quotes it as a Rust string.
fn stderr(message: &str) -> Option<String> {
    let (_, quoted) = message.split_once("exited with non-zero code; stderr: \"")?;
    let quoted = quoted.strip_suffix('"')?;
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next()? {
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            '0' => text.push('\0'),
            'u' => {
                let code: String = chars.by_ref().skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                text.push(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32)?);
            }
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{split, stderr};

    #[test]
    fn stderr_is_unquoted() {
        let message =
            "protoc command \"x\" exited with non-zero code; stderr: \"a.proto:5:3: \\\"M\\\" is not \\u{e9}.\\nb\"";
        assert_eq!(stderr(message).as_deref(), Some("a.proto:5:3: \"M\" is not \u{e9}.\nb"));
        assert_eq!(stderr("something else"), None);
    }

    #[test]
    fn messages_are_split_into_place_and_text() {
        assert_eq!(split("/x/a.proto:5:3: \"M\": no"), ("/x/a.proto", Some((5, 3)), "\"M\": no"));
        assert_eq!(split("a.proto: File not found."), ("a.proto", None, "File not found."));
        assert_eq!(split("Killed"), ("protoc", None, "Killed"));
    }
}
