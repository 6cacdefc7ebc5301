//! From descriptors to Rust, in memory: the one path that all fronts share.

use std::collections::{BTreeMap, HashSet};

use proc_macro2::Literal;
use prost_build::Module;
use prost_types::FileDescriptorProto;
use quote::quote;

use crate::check;
use crate::descriptor::Loaded;
use crate::docs::Docs;
use crate::edition;
use crate::embed::Embedded;
use crate::emit;
use crate::error::Error;
use crate::extern_crate;
use crate::include_file;
use crate::lints;
use crate::messages;
use crate::model::ServiceModel;
use crate::recursion;
use crate::settings::{Layout, Settings};
use crate::valid;

/// Which packages become files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of the inputs and of all that they import: what a build script wants.
    Everything,
    /// Those that an input belongs to: what protoc expects of a plugin.
    Inputs,
}

/// What is generated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// The text of each file, by its path below the output folder.
    pub(crate) files: BTreeMap<String, String>,
    /// The module that each package's file belongs into.
    pub(crate) modules: Vec<(Module, String)>,
}

pub(crate) fn generate(loaded: &Loaded, settings: &Settings, scope: Scope) -> Result<Output, Error> {
    valid::check(loaded)?;
    let inputs: HashSet<&str> = loaded.inputs.iter().map(String::as_str).collect();
    let mut files = loaded.files.iter().map(edition::lower).collect::<Result<Vec<_>, _>>()?;
    // By name: the order of the inputs must not show in the output.
    files.sort_by(|left, right| left.name().cmp(right.name()));
    for file in &mut files {
        if !has_services(file, &inputs, settings) {
            file.service.clear();
        }
    }

    let mut settings = settings.clone();
    let in_crates = extern_crate::paths(&files, &settings)?;
    settings.extern_path.extend(in_crates);

    let mut packages: BTreeMap<Module, Package> = BTreeMap::new();
    for file in &files {
        let package = packages.entry(module(file)).or_default();
        let is_input = inputs.contains(file.name());
        if is_input || !settings.is_in_extern_crate(file.name()) {
            package.files.push(file.name().to_owned());
        }
        package.wanted |= scope == Scope::Everything || is_input;
    }
    check::check(
        files.iter().filter(|file| packages.get(&module(file)).is_some_and(|it| it.wanted)),
        loaded,
        &settings,
    )?;

    if let Some(path) = &settings.messages_at {
        let elsewhere = elsewhere(&files, path)?;
        settings.extern_path.extend(elsewhere);
    }
    settings.boxed.extend(recursion::boxed_groups(&files));
    let settings = &settings;
    let mut docs = Docs::default();
    for file in &mut files {
        docs.take(file, &settings.disable_comments);
    }
    let messages = messages::generate(files, settings)?;
    for (module, text) in messages.modules {
        packages.entry(module).or_default().messages = text;
    }
    let mut embedded = Embedded::new(loaded, settings);
    for service in &messages.services {
        let package = packages.entry(Module::from_protobuf_package_name(&service.package)).or_default();
        package.services.push(ServiceModel::new(service, &docs, &mut embedded, settings)?);
    }

    let mut output = BTreeMap::new();
    let mut modules = Vec::new();
    for (module, package) in packages {
        if !package.wanted || (package.messages.is_empty() && package.services.is_empty()) {
            continue;
        }
        let name = file_name(&module, settings);
        output.insert(name.clone(), package.print(&docs, settings, loaded)?);
        modules.push((module, name));
    }
    if let Some(name) = &settings.include_file
        && output.insert(name.clone(), include_file::print(name, &modules, settings)?).is_some()
    {
        return Err(Error::Setting(format!("the include file {name} has the name of a package's file")));
    }
    Ok(Output { files: output, modules })
}

/// Where the messages of all packages are that were generated below `path` before.
fn elsewhere(files: &[FileDescriptorProto], path: &str) -> Result<BTreeMap<String, String>, Error> {
    let packages = files.iter().filter(|file| file.package() != "google.protobuf");
    let place = |file: &FileDescriptorProto| {
        if file.package().is_empty() {
            let text = format!("{}: without a package, its messages cannot be taken from {path}", file.name());
            return Err(Error::Setting(text));
        }
        let module: Vec<_> = module(file).parts().map(str::to_owned).collect();
        Ok((format!(".{}", file.package()), format!("{path}::{}", module.join("::"))))
    };
    packages.map(place).collect()
}

fn module(file: &FileDescriptorProto) -> Module {
    Module::from_protobuf_package_name(file.package())
}

/// What comes from elsewhere, a package or a file, brings its services along, unless the file is what was asked for.
fn has_services(file: &FileDescriptorProto, inputs: &HashSet<&str>, settings: &Settings) -> bool {
    let is_elsewhere = || settings.is_in_extern_crate(file.name()) || settings.is_extern(&valid::package(file));
    (settings.build_client || settings.build_server) && (inputs.contains(file.name()) || !is_elsewhere())
}

#[derive(Default)]
struct Package {
    files: Vec<String>,
    wanted: bool,
    messages: String,
    services: Vec<ServiceModel>,
}

impl Package {
    fn print(&self, docs: &Docs, settings: &Settings, loaded: &Loaded) -> Result<String, Error> {
        let backend = |error: syn::Error| Error::Backend(format!("the generated code is no Rust: {error}"));
        let mut file = syn::parse_file(&docs.put_back(&self.messages)).map_err(backend)?;
        let services = self.services.iter().map(|service| emit::service(service, settings));
        let services: syn::File = syn::parse2(quote!(#(#services)*)).map_err(backend)?;
        file.items.extend(services.items);
        let files: Vec<_> = self.files.iter().map(String::as_str).collect();
        if settings.file_descriptor_set {
            let bytes = Literal::byte_string(&loaded.embedded_set(&files)?);
            let item = quote! {
                /// The serialized `FileDescriptorSet` of this package and of all that it imports.
                pub const FILE_DESCRIPTOR_SET: &[u8] = #bytes;
            };
            file.items.push(syn::parse2(item).map_err(backend)?);
        }
        lints::allow(&mut file);
        Ok(header(&files.join(", ")) + &prettyplease::unparse(&file))
    }
}

/// The first line of every file.
pub(crate) fn header(from: &str) -> String {
    format!("{MARK} {} from {from}. Do not edit.\n", env!("CARGO_PKG_VERSION"))
}

/// By this a generated file is known.
pub(crate) const MARK: &str = "// @generated by callwright-build";

fn file_name(module: &Module, settings: &Settings) -> String {
    // `r#type` is how Rust spells the module, not a name for a file.
    let parts: Vec<_> = module.parts().map(|part| part.trim_start_matches("r#")).collect();
    if parts.is_empty() {
        return format!("{}.rs", settings.default_package_filename);
    }
    let file = format!("{}.rs", parts.join("."));
    match settings.layout {
        Layout::Flat => file,
        Layout::Folders => format!("{}/{file}", parts.join("/")),
    }
}
