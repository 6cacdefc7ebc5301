//! Names that are different in a `.proto` and the same in Rust: `FooBar` and `foo_bar`.
//!
//! prost-build would write both, or panic. Here both are named, with their places.

use std::collections::BTreeSet;
use std::collections::hash_map::{Entry, HashMap};

use prost_build::Module;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, ServiceDescriptorProto};

use crate::descriptor::Loaded;
use crate::error::{Error, Problem};
use crate::name;
use crate::place;
use crate::settings::Settings;
use crate::valid::{number, package};

/// Checks the files that become Rust, all together: a package may be spread over several.
pub(crate) fn check<'a>(
    files: impl Iterator<Item = &'a FileDescriptorProto> + Clone,
    loaded: &'a Loaded,
    settings: &'a Settings,
) -> Result<(), Error> {
    let mut names = Names { loaded, settings, taken: HashMap::new(), problems: BTreeSet::new() };
    if settings.include_file.is_some() {
        for file in files.clone() {
            names.package(file);
        }
    }
    for file in files {
        names.file(file);
    }
    if names.problems.is_empty() { Ok(()) } else { Err(Error::Invalid(names.problems.into_iter().collect())) }
}

/// The scope of modules, which are named from the root.
const MODULES: &str = "modules";

/// What one name was given to.
struct Taken<'a> {
    what: String,
    file: &'a FileDescriptorProto,
    path: Vec<i32>,
}

struct Names<'a> {
    loaded: &'a Loaded,
    settings: &'a Settings,
    /// By the scope and the name in Rust.
    taken: HashMap<(String, String), Taken<'a>>,
    problems: BTreeSet<Problem>,
}

impl<'a> Names<'a> {
    fn take(&mut self, file: &'a FileDescriptorProto, path: &[i32], scope: &str, name: String, what: String) {
        let taken = Taken { what, file, path: path.to_owned() };
        match self.taken.entry((scope.to_owned(), name)) {
            Entry::Vacant(entry) => {
                entry.insert(taken);
            }
            Entry::Occupied(entry) => {
                // Only now: a place is searched for, and most names clash with nothing.
                let first = entry.get();
                let text = format!(
                    "{} is called `{}` in Rust, and so is {} at {}; rename one of them",
                    taken.what,
                    entry.key().1,
                    first.what,
                    place(self.loaded, first.file, &first.path)
                );
                let position = place::position(file, path);
                self.problems.insert(Problem::new(self.loaded.place(file.name()), position, text));
            }
        }
    }

    /// The modules that the include file puts a package into; packages may share them.
    fn package(&mut self, file: &'a FileDescriptorProto) {
        let module = Module::from_protobuf_package_name(file.package()).to_string();
        let inner = module.match_indices("::").map(|(end, _)| &module[..end]);
        for module in inner.chain([module.as_str()]) {
            let taken = Taken { what: format!("the module of package {}", file.package()), file, path: vec![2] };
            self.taken.entry((MODULES.to_owned(), module.to_owned())).or_insert(taken);
        }
    }

    fn file(&mut self, file: &'a FileDescriptorProto) {
        let package = package(file);
        let scope = Module::from_protobuf_package_name(file.package()).to_string();
        for (index, message) in file.message_type.iter().enumerate() {
            self.message(file, &[4, number(index)], &scope, &package, message);
        }
        for (index, enumeration) in file.enum_type.iter().enumerate() {
            self.enumeration(file, &[5, number(index)], &scope, &package, enumeration);
        }
        for (index, service) in file.service.iter().enumerate() {
            self.service(file, index, &scope, service);
        }
    }

    fn message(
        &mut self,
        file: &'a FileDescriptorProto,
        path: &[i32],
        scope: &str,
        outer: &str,
        message: &DescriptorProto,
    ) {
        let full = format!("{outer}.{}", message.name());
        let is_entry = message.options.as_ref().is_some_and(|options| options.map_entry());
        if is_entry || self.settings.is_extern(&full) {
            return;
        }
        let at = |field: i32, index: usize| [path, &[field, number(index)]].concat();
        self.take(file, path, scope, name::upper_camel(message.name()), format!("message {}", message.name()));

        let inner = format!("{scope}::{}", name::snake(message.name()));
        let fields = format!("{inner} fields");
        for (index, field) in message.field.iter().enumerate() {
            let (path, what) = (at(2, index), format!("field {}", field.name()));
            match field.oneof_index.filter(|_| !field.proto3_optional()) {
                None => self.take(file, &path, &fields, name::snake(field.name()), what),
                Some(oneof) => {
                    let variants = format!("{inner} oneof {oneof}");
                    self.take(file, &path, &variants, name::upper_camel(field.name()), what);
                }
            }
        }
        let has_oneof = message.field.iter().any(|field| field.oneof_index.is_some() && !field.proto3_optional());
        let is_map = |nested: &&DescriptorProto| nested.options.as_ref().is_some_and(|options| options.map_entry());
        let has_nested = !message.enum_type.is_empty() || !message.nested_type.iter().all(|nested| is_map(&nested));
        if self.settings.include_file.is_some() && (has_oneof || has_nested) {
            let module = inner.trim_start_matches("::").to_owned();
            self.take(file, path, MODULES, module, format!("the module of message {}", message.name()));
        }
        for (index, nested) in message.nested_type.iter().enumerate() {
            self.message(file, &at(3, index), &inner, &full, nested);
        }
        for (index, enumeration) in message.enum_type.iter().enumerate() {
            self.enumeration(file, &at(4, index), &inner, &full, enumeration);
        }
        let nested = message.nested_type.iter().map(|nested| nested.name());
        let types: BTreeSet<String> =
            nested.chain(message.enum_type.iter().map(|nested| nested.name())).map(name::upper_camel).collect();
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            let has_fields =
                message.field.iter().any(|field| field.oneof_index == Some(number(index)) && !field.proto3_optional());
            if !has_fields {
                continue;
            }
            let what = format!("oneof {}", oneof.name());
            self.take(file, &at(8, index), &fields, name::snake(oneof.name()), what.clone());
            let mut name = name::upper_camel(oneof.name());
            if types.contains(&name) {
                // prost's way out of this very clash.
                name.push_str("OneOf");
            }
            self.take(file, &at(8, index), &inner, name, what);
        }
    }

    fn enumeration(
        &mut self,
        file: &'a FileDescriptorProto,
        path: &[i32],
        scope: &str,
        outer: &str,
        enumeration: &EnumDescriptorProto,
    ) {
        if self.settings.is_extern(&format!("{outer}.{}", enumeration.name())) {
            return;
        }
        let rust = name::upper_camel(enumeration.name());
        let variants = format!("{scope}::{rust} values");
        self.take(file, path, scope, rust, format!("enum {}", enumeration.name()));
        let mut numbers = BTreeSet::new();
        for (index, value) in enumeration.value.iter().enumerate() {
            // Of several names for one number, prost keeps the first.
            if numbers.insert(value.number()) {
                let name = name::of_value(enumeration.name(), value.name(), self.settings.retain_enum_prefix);
                let path = [path, &[2, number(index)]].concat();
                self.take(file, &path, &variants, name, format!("enum value {}", value.name()));
            }
        }
    }

    fn service(&mut self, file: &'a FileDescriptorProto, index: usize, scope: &str, service: &ServiceDescriptorProto) {
        let path = [6, number(index)];
        let mut types = Vec::new();
        if self.settings.build_client {
            types.push("Stub");
        }
        if self.settings.build_server {
            types.extend(["Servicer", "Server"]);
        }
        for suffix in types {
            let name = name::of_service(service.name(), suffix);
            self.take(file, &path, scope, name, format!("the {suffix} of service {}", service.name()));
        }
        let methods = format!("{scope} service {}", service.name());
        for (at, method) in service.method.iter().enumerate() {
            let name = name::of_method(method.name());
            self.take(file, &[6, number(index), 2, number(at)], &methods, name, format!("rpc {}", method.name()));
        }
    }
}

/// `file:line:column`, or the file alone.
fn place(loaded: &Loaded, file: &FileDescriptorProto, path: &[i32]) -> String {
    let name = loaded.place(file.name());
    match place::position(file, path) {
        Some((line, column)) => format!("{name}:{line}:{column}"),
        None => name,
    }
}
