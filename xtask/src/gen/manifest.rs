//! What was made from what, by which version: a JSON file that is checked in beside the sources.
//!
//! It names files as `import` does, and a descriptor set by the name of its file, so that it is the same on every machine
//! and in every folder.

use std::collections::BTreeMap;
use std::fs;

use callwright_build::Generated;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The manifest of what was generated with these options.
pub(super) fn text(generated: &Generated, options: &[String]) -> Result<String, String> {
    let mut inputs = BTreeMap::new();
    for (name, path) in generated.read_by_name() {
        let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        inputs.insert(name, hash(&bytes));
    }
    let outputs: BTreeMap<_, _> =
        generated.files().iter().map(|(name, text)| (name.clone(), hash(text.as_bytes()))).collect();
    let manifest = json!({
        "generator": format!("callwright-build {}", callwright_build::VERSION),
        "options": options,
        "inputs": inputs,
        "outputs": outputs,
    });
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
