//! One file that includes all others, in modules nested as the packages are: the shape that prost's relative paths
//! (`super::super::other::Message`) need.

use std::collections::BTreeMap;
use std::path::Path;

use prost_build::Module;

use crate::error::Error;
use crate::generate::header;
use crate::settings::Settings;

#[derive(Default)]
struct Tree<'a> {
    file: Option<&'a str>,
    modules: BTreeMap<&'a str, Tree<'a>>,
}

/// The include file `name` over the files of `modules`.
pub(crate) fn print(name: &str, modules: &[(Module, String)], settings: &Settings) -> Result<String, Error> {
    if Path::new(name).file_name().is_none_or(|file| file != name) {
        return Err(Error::Setting(format!("the include file {name:?} must be a file name, without folders")));
    }
    let mut tree = Tree::default();
    for (module, file) in modules {
        module.parts().fold(&mut tree, |tree, part| tree.modules.entry(part).or_default()).file = Some(file);
    }
    let mut text = header("all packages");
    write(&tree, "", settings.include_from_out_dir, &mut text);
    Ok(text)
}

fn write(tree: &Tree<'_>, outer: &str, from_out_dir: bool, text: &mut String) {
    let indent = "    ".repeat(outer.matches('.').count());
    if let Some(file) = tree.file {
        let path = if from_out_dir { format!("concat!(env!(\"OUT_DIR\"), \"/{file}\")") } else { format!("{file:?}") };
        text.push_str(&format!("{indent}include!({path});\n"));
    }
    for (name, inner) in &tree.modules {
        let package = format!("{outer}{}", name.trim_start_matches("r#"));
        text.push_str(&format!("{indent}/// The package `{package}`.\n"));
        text.push_str(&format!("{indent}#[allow(unreachable_pub)]\n{indent}pub mod {name} {{\n"));
        write(inner, &format!("{package}."), from_out_dir, text);
        text.push_str(&format!("{indent}}}\n"));
    }
}
