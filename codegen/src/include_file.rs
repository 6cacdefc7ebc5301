//! One file that includes all others, in modules nested as the packages are: the shape that prost's relative paths
//! (`super::super::other::Message`) need.

use std::collections::BTreeMap;
use std::path::Path;

use prost_build::Module;

use crate::error::Error;
use crate::generate::{Output, header};
use crate::settings::Settings;

#[derive(Default)]
struct Tree<'a> {
    file: Option<&'a str>,
    modules: BTreeMap<&'a str, Tree<'a>>,
}

impl<'a> Tree<'a> {
    fn new(modules: &'a [(Module, String)]) -> Self {
        let mut tree = Tree::default();
        for (module, file) in modules {
            module.parts().fold(&mut tree, |tree, part| tree.modules.entry(part).or_default()).file = Some(file);
        }
        tree
    }
}

/// The include file `name` over the files of `modules`.
pub(crate) fn print(name: &str, modules: &[(Module, String)], settings: &Settings) -> Result<String, Error> {
    if Path::new(name).file_name().is_none_or(|file| file != name) {
        return Err(Error::Setting(format!("the include file {name:?} must be a file name, without folders")));
    }
    let mut text = header("all packages");
    let include = |file: &str| match settings.include_from_out_dir {
        true => format!("include!(concat!(env!(\"OUT_DIR\"), \"/{file}\"));\n"),
        false => format!("include!({file:?});\n"),
    };
    write(&Tree::new(modules), "", &include, &mut text);
    Ok(text)
}

/// The same with the files themselves in the place of what includes them.
pub(crate) fn nested(output: &Output) -> String {
    let mut text = String::new();
    let inline = |file: &str| output.files.get(file).cloned().unwrap_or_default();
    write(&Tree::new(&output.modules), "", &inline, &mut text);
    text
}

fn write(tree: &Tree<'_>, outer: &str, content: &impl Fn(&str) -> String, text: &mut String) {
    let indent = "    ".repeat(outer.matches('.').count());
    if let Some(file) = tree.file {
        text.push_str(&format!("{indent}{}", content(file)));
    }
    for (name, inner) in &tree.modules {
        let package = format!("{outer}{}", name.trim_start_matches("r#"));
        text.push_str(&format!("{indent}/// The package `{package}`.\n"));
        text.push_str(&format!("{indent}#[allow(unreachable_pub)]\n{indent}pub mod {name} {{\n"));
        write(inner, &format!("{package}."), content, text);
        text.push_str(&format!("{indent}}}\n"));
    }
}
