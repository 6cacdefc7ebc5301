//! The other engine: a real protoc, the only one that reads editions. It is asked for descriptors, comments included.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

    let bytes = run(&program, &folders, &paths).map_err(|error| named_as_texts(error, texts.path()))?;
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

/// The descriptors of `paths` and of all that they import.
fn run(program: &Path, folders: &Folders, paths: &[PathBuf]) -> Result<Vec<u8>, Error> {
    let made = tempfile::tempdir().map_err(|source| Error::io("make", std::env::temp_dir(), source))?;
    let set = made.path().join("descriptors");
    let option = |name: &str, path: &Path| {
        let mut option = OsString::from(name);
        option.push(path);
        option
    };
    let mut command = Command::new(program);
    command.args(["--include_imports", "--include_source_info"]).arg(option("--descriptor_set_out=", &set));
    command.args(folders.search().iter().map(|folder| option("-I", folder))).args(paths);
    let failed = |source| Error::Protoc { what: format!("cannot run {}", program.display()), source: Some(source) };
    let ran = command.output().map_err(failed)?;
    if ran.status.success() {
        return fs::read(&set).map_err(|source| Error::io("read", &set, source));
    }
    let stderr = String::from_utf8_lossy(&ran.stderr);
    if stderr.trim().is_empty() {
        let what = format!("{} ended with {} and said nothing", program.display(), ran.status);
        return Err(Error::Protoc { what, source: None });
    }
    Err(folders.problems(&stderr))
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
/// them.
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

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn messages_are_split_into_place_and_text() {
        assert_eq!(split("/x/a.proto:5:3: \"M\": no"), ("/x/a.proto", Some((5, 3)), "\"M\": no"));
        assert_eq!(split("a.proto: File not found."), ("a.proto", None, "File not found."));
        assert_eq!(split("Killed"), ("protoc", None, "Killed"));
    }
}
