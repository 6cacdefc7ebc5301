//! What the generated files depend on, as make and ninja read it.

use std::path::{Path, PathBuf};

/// The rule that says which files are made from which: `out/a.rs out/b.rs: a.proto b.proto`.
pub(super) fn text<'a>(outputs: impl Iterator<Item = PathBuf>, inputs: impl Iterator<Item = &'a Path>) -> String {
    let outputs: Vec<_> = outputs.map(|path| escaped(&path)).collect();
    let mut inputs: Vec<_> = inputs.map(escaped).collect();
    inputs.sort();
    let mut text = format!("{}:", outputs.join(" "));
    for input in &inputs {
        text.push_str(" \\\n  ");
        text.push_str(input);
    }
    text.push('\n');
    // A file that was deleted must not stop the build that no longer needs it.
    for input in &inputs {
        text.push_str(&format!("\n{input}:\n"));
    }
    text
}

/// A path as a word of a rule.
fn escaped(path: &Path) -> String {
    let mut word = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            ' ' | '#' | '\\' => word.extend(['\\', c]),
            '$' => word.push_str("$$"),
            c => word.push(c),
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_every_file_and_escapes_what_make_would_read() {
        let inputs = [Path::new("b c.proto"), Path::new("a$.proto")];
        let text = text([PathBuf::from("out/a.rs")].into_iter(), inputs.into_iter());
        assert_eq!(text, "out/a.rs: \\\n  a$$.proto \\\n  b\\ c.proto\n\na$$.proto:\n\nb\\ c.proto:\n");
    }
}
