//! The workspace of docs/bazel-and-other-builds.md, as a reader would write it.

use super::Report;
use super::files;
use super::machine::Machine;
use super::run::Bazel;

const PAGE: &str = "docs/bazel-and-other-builds.md";
/// What the page calls the folder of a compiler.
const SYSROOT: &str = "\"/usr/local/rust\"";

/// Writes what the page shows into the workspace of this Bazel, and builds it.
pub(super) fn row(bazel: &Bazel<'_>, machine: &Machine, clean: bool, report: &mut Report) {
    report.row("the workspace of the page about Bazel builds", build(bazel, machine, clean));
}

fn build(bazel: &Bazel<'_>, machine: &Machine, clean: bool) -> Result<(), String> {
    let workspace = bazel.workspace();
    files::remove(&workspace)?;
    files::copy(&machine.runtime, &workspace.join("third_party/callwright"))?;
    let page = files::read(&machine.root.join(PAGE))?;
    let shown = shown(&page);
    let names: Vec<_> = shown.iter().map(|(name, _)| *name).collect();
    if names != ["WORKSPACE", "third_party/callwright/BUILD.bazel", "BUILD.bazel", "shop.proto"] {
        return Err(format!("{PAGE} shows {names:?}"));
    }
    for (name, text) in shown {
        let text = text.replace(SYSROOT, &format!("{:?}", machine.sysroot));
        files::write(&workspace.join(name), &text)?;
    }
    if clean {
        bazel.run(&["clean", "--expunge"])?;
    }
    bazel.run(&["build", "//..."]).map(drop)
}

/// The files that a page shows: each a paragraph that begins with its name in backquotes, and the block after it.
fn shown(page: &str) -> Vec<(&str, &str)> {
    let mut shown = Vec::new();
    for (at, _) in page.match_indices("\n\n`") {
        let paragraph = &page[at + 3..];
        let Some((before, rest)) = paragraph.split_once("\n\n") else { continue };
        let name = before.split('`').next().unwrap_or_default();
        if !before.ends_with(':') || before.contains('\n') || !rest.starts_with("```") {
            continue;
        }
        let block = rest.split_once('\n').and_then(|(_, block)| block.split_once("```\n"));
        shown.extend(block.map(|(text, _)| (name, text)));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_stands_under_their_names() {
        let page = "# Page\n\n`a.txt`:\n\n```text\none\ntwo\n```\n\n`b` is no file:\n\nfor there is no block; and\n`e` begins no paragraph:\n\n```sh\nfour\n```\n\n\
                    `c/d`, in a folder:\n\n```sh\nthree\n```\n";
        assert_eq!(shown(page), [("a.txt", "one\ntwo\n"), ("c/d", "three\n")]);
    }
}
