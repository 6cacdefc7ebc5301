//! Descriptors from a file that another tool made: `protoc --descriptor_set_out --include_imports --include_source_info`,
//! `buf build`, Bazel's `proto_library`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::descriptor::{Loaded, split_set};
use crate::error::Error;
use crate::load::include::display;

/// The files named by `inputs` and all that they import; without `inputs` every file of the set.
pub(crate) fn load(path: &Path, inputs: &[PathBuf]) -> Result<Loaded, Error> {
    let bytes = fs::read(path).map_err(|source| Error::io("read", path, source))?;
    let mut loaded = from_bytes(&bytes, &format!("{} as a FileDescriptorSet", display(path)), inputs)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    loaded.read.push((name, path.to_owned()));
    Ok(loaded)
}

pub(crate) fn from_bytes(bytes: &[u8], what: &str, inputs: &[PathBuf]) -> Result<Loaded, Error> {
    let files = split_set(bytes, what)?;
    if files.is_empty() {
        return Err(Error::NotFound(format!("cannot decode {what}: there is no file in it")));
    }
    let mut by_name: BTreeMap<String, _> = files.into_iter().map(|file| (file.proto.name().to_owned(), file)).collect();
    if inputs.is_empty() {
        return Ok(Loaded {
            inputs: by_name.keys().cloned().collect(),
            files: by_name.into_values().collect(),
            ..Loaded::default()
        });
    }
    let mut names = Vec::new();
    for input in inputs {
        let name = display(input).replace('\\', "/");
        if !by_name.contains_key(&name) {
            let known: Vec<_> = by_name.keys().map(String::as_str).collect();
            return Err(Error::NotFound(format!(
                "{name}: not in the descriptor set, which holds {}",
                known.join(", ")
            )));
        }
        names.push(name);
    }
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut open = names.clone();
    while let Some(name) = open.pop() {
        if let Some(file) = by_name.get(&name).filter(|_| !wanted.contains(&name)) {
            open.extend(file.proto.dependency.iter().cloned());
            wanted.insert(name);
        }
    }
    by_name.retain(|name, _| wanted.contains(name));
    Ok(Loaded { inputs: names, files: by_name.into_values().collect(), ..Loaded::default() })
}
