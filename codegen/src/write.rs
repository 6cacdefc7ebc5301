//! Files on disk: each is written whole beside its place and renamed into it, and only if it changes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Writes all files. Nothing is replaced before everything is written.
pub(crate) fn all<'a>(files: impl Iterator<Item = (PathBuf, &'a str)>) -> Result<(), Error> {
    let mut ready = Vec::new();
    for (path, text) in files {
        if unchanged(&path, text.as_bytes()) {
            continue;
        }
        ready.push((stage(&path, text.as_bytes())?, path));
    }
    for (staged, path) in ready {
        staged.persist(&path).map_err(|error| Error::io("write", path, error.error))?;
    }
    Ok(())
}

/// Writes one file, unless it already holds these bytes.
pub(crate) fn one(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if unchanged(path, bytes) {
        return Ok(());
    }
    stage(path, bytes)?.persist(path).map_err(|error| Error::io("write", path, error.error))?;
    Ok(())
}

/// A file that is rewritten with what it holds would be built again.
fn unchanged(path: &Path, bytes: &[u8]) -> bool {
    fs::read(path).is_ok_and(|held| held == bytes)
}

fn stage(path: &Path, bytes: &[u8]) -> Result<tempfile::NamedTempFile, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<tempfile::NamedTempFile> {
        fs::create_dir_all(folder)?;
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut file = tempfile::Builder::new().prefix(".callwright").tempfile_in(folder)?;
        file.write_all(bytes)?;
        readable(file.as_file())?;
        Ok(file)
    };
    write().map_err(|source| Error::io("write", path, source))
}

/// A temporary file is its owner's alone; a source file is not.
#[cfg(unix)]
fn readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_file: &fs::File) -> io::Result<()> {
    Ok(())
}
