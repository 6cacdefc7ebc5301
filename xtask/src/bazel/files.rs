//! Files and folders, with the path in every error.

use std::fs;
use std::io;
use std::path::Path;

pub(super) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| at(path, error))
}

/// Writes a file, and the folder that it is in.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).and_then(|()| fs::write(path, text)).map_err(|error| at(path, error))
}

/// Removes what may be there.
pub(super) fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(folder, error)),
        _ => Ok(()),
    }
}

/// Copies a folder with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| at(to, error))?;
    for entry in fs::read_dir(from).map_err(|error| at(from, error))? {
        let entry = entry.map_err(|error| at(from, error))?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        // What Bazel leaves in a workspace are links.
        match entry.file_type().map_err(|error| at(&path, error))? {
            kind if kind.is_dir() => copy(&path, &to)?,
            kind if kind.is_file() => fs::copy(&path, &to).map(drop).map_err(|error| at(&path, error))?,
            _ => {}
        }
    }
    Ok(())
}

/// Makes `to` stand for `from`.
pub(super) fn link(from: &Path, to: &Path) -> Result<(), String> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(from, to);
    #[cfg(not(unix))]
    let linked = fs::copy(from, to).map(drop);
    linked.map_err(|error| at(to, error))
}

fn at(path: &Path, error: io::Error) -> String {
    format!("{}: {error}", path.display())
}
