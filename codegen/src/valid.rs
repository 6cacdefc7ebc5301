//! Whether descriptors are what protoc would have made.
//!
//! They may come from a file or a plugin request, that is, from anyone. prost-build takes a missing name, an unresolved
//! type or an absent import for a bug of its own caller and panics, or writes Rust that does not compile.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use crate::descriptor::Loaded;
use crate::error::{Error, Problem};
use crate::place;

/// Checks all files together.
pub(crate) fn check(loaded: &Loaded) -> Result<(), Error> {
    let mut check = Check { loaded, types: HashMap::new(), problems: BTreeSet::new() };
    let mut names = BTreeMap::new();
    for file in loaded.files.iter().map(|file| &file.proto) {
        if file.name().is_empty() {
            check.report(file, &[], "the descriptor has no name".to_owned());
        }
        if names.insert(file.name(), ()).is_some() {
            check.report(file, &[], "the descriptor set holds this file twice".to_owned());
        }
        check.declare(file);
    }
    for file in loaded.files.iter().map(|file| &file.proto) {
        for (index, import) in file.dependency.iter().enumerate() {
            if !names.contains_key(import.as_str()) {
                let text =
                    format!("imports {import:?}, which the descriptor set does not hold (protoc --include_imports)");
                check.report(file, &[3, number(index)], text);
            }
        }
        check.file(file);
    }
    if check.problems.is_empty() { Ok(()) } else { Err(Error::Invalid(check.problems.into_iter().collect())) }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Message,
    Enum,
    /// An enum of proto2, which refuses numbers that it does not list.
    ClosedEnum,
}

struct Check<'a> {
    loaded: &'a Loaded,
    types: HashMap<String, Kind>,
    problems: BTreeSet<Problem>,
}

impl Check<'_> {
    fn report(&mut self, file: &FileDescriptorProto, path: &[i32], text: String) {
        self.problems.insert(Problem::new(self.loaded.place(file.name()), place::position(file, path), text));
    }

    fn declare(&mut self, file: &FileDescriptorProto) {
        let package = package(file);
        let enums = if is_proto2(file) { Kind::ClosedEnum } else { Kind::Enum };
        for message in &file.message_type {
            self.declare_message(&package, message, enums);
        }
        for enumeration in &file.enum_type {
            self.types.insert(format!("{package}.{}", enumeration.name()), enums);
        }
    }

    fn declare_message(&mut self, scope: &str, message: &DescriptorProto, enums: Kind) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            self.declare_message(&name, nested, enums);
        }
        for enumeration in &message.enum_type {
            self.types.insert(format!("{name}.{}", enumeration.name()), enums);
        }
        self.types.insert(name, Kind::Message);
    }

    fn file(&mut self, file: &FileDescriptorProto) {
        if !["", "proto2", "proto3", "editions"].contains(&file.syntax()) {
            self.report(file, &[12], format!("syntax {:?} is not known", file.syntax()));
        }
        if !file.package().is_empty() && !file.package().split('.').all(is_name) {
            self.report(file, &[2], format!("{:?} is no package name", file.package()));
        }
        for (index, message) in file.message_type.iter().enumerate() {
            self.message(file, &mut vec![4, number(index)], message);
        }
        for (index, enumeration) in file.enum_type.iter().enumerate() {
            self.enumeration(file, &[5, number(index)], enumeration);
        }
        for (index, service) in file.service.iter().enumerate() {
            self.name(file, &[6, number(index)], "service", service.name());
            for (at, method) in service.method.iter().enumerate() {
                let path = [6, number(index), 2, number(at)];
                self.name(file, &path, "rpc", method.name());
                for name in [method.input_type(), method.output_type()] {
                    if self.types.get(name) != Some(&Kind::Message) {
                        self.report(file, &path, format!("rpc {} uses {name:?}, which is no message", method.name()));
                    }
                }
            }
        }
    }

    fn message(&mut self, file: &FileDescriptorProto, path: &mut Vec<i32>, message: &DescriptorProto) {
        self.name(file, path, "message", message.name());
        let is_entry = message.options.as_ref().is_some_and(|options| options.map_entry());
        if is_entry && message.field.iter().map(|field| field.name()).ne(["key", "value"]) {
            self.report(file, path, format!("map entry {} has other fields than key and value", message.name()));
        }
        for (index, field) in message.field.iter().enumerate() {
            path.extend([2, number(index)]);
            self.name(file, path, "field", field.name());
            if !(1..=536_870_911).contains(&field.number()) {
                self.report(file, path, format!("field {} has the number {}", field.name(), field.number()));
            }
            if Label::try_from(field.label.unwrap_or_default()).is_err() {
                self.report(file, path, format!("field {} has no label", field.name()));
            }
            let wanted = match Type::try_from(field.r#type.unwrap_or_default()) {
                Ok(Type::Message | Type::Group) => Some(Kind::Message),
                Ok(Type::Enum) => Some(Kind::Enum),
                Ok(_) => None,
                Err(_) => {
                    self.report(file, path, format!("field {} has no type", field.name()));
                    None
                }
            };
            let found = self.types.get(field.type_name()).copied();
            let fits = match wanted {
                None => true,
                Some(Kind::Message) => found == Some(Kind::Message),
                Some(_) => matches!(found, Some(Kind::Enum | Kind::ClosedEnum)),
            };
            if !fits {
                let text = format!("field {} has the type {:?}, which is not there", field.name(), field.type_name());
                self.report(file, path, text);
            }
            if found == Some(Kind::ClosedEnum) && file.syntax() == "proto3" && fits {
                let text = format!("field {} of proto3 has an enum of proto2: {}", field.name(), field.type_name());
                self.report(file, path, text);
            }
            if message.reserved_name.iter().any(|name| name == field.name()) {
                self.report(file, path, format!("field {} has a reserved name", field.name()));
            }
            if field.default_value.as_deref().is_some_and(|value| !is_default(field.r#type(), value)) {
                self.report(file, path, format!("field {} has the default {:?}", field.name(), field.default_value()));
            }
            let options = field.options.as_ref();
            if options.and_then(|options| options.packed).is_some_and(|packed| packed && !can_be_packed(field)) {
                self.report(file, path, format!("field {} cannot be packed; repeated numbers can", field.name()));
            }
            let oneof = field.oneof_index.map(usize::try_from);
            if oneof.is_some_and(|index| index.map_or(true, |index| index >= message.oneof_decl.len())) {
                self.report(file, path, format!("field {} is in a oneof that is not there", field.name()));
            }
            path.truncate(path.len() - 2);
        }
        if file.syntax() == "proto3" && !message.extension_range.is_empty() {
            self.report(file, path, format!("message {} of proto3 has extensions", message.name()));
        }
        if message.reserved_range.iter().any(|range| range.start() >= range.end()) {
            self.report(file, path, format!("message {} reserves a range that ends before it begins", message.name()));
        }
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            path.extend([8, number(index)]);
            self.name(file, path, "oneof", oneof.name());
            path.truncate(path.len() - 2);
        }
        for (index, nested) in message.nested_type.iter().enumerate() {
            path.extend([3, number(index)]);
            self.message(file, path, nested);
            path.truncate(path.len() - 2);
        }
        for (index, enumeration) in message.enum_type.iter().enumerate() {
            path.extend([4, number(index)]);
            self.enumeration(file, path, enumeration);
            path.truncate(path.len() - 2);
        }
    }

    fn enumeration(&mut self, file: &FileDescriptorProto, path: &[i32], enumeration: &EnumDescriptorProto) {
        self.name(file, path, "enum", enumeration.name());
        if enumeration.value.is_empty() {
            self.report(file, path, format!("enum {} has no value", enumeration.name()));
        }
        for (index, value) in enumeration.value.iter().enumerate() {
            let path = [path, &[2, number(index)]].concat();
            self.name(file, &path, "enum value", value.name());
            if enumeration.reserved_name.iter().any(|name| name == value.name()) {
                self.report(file, &path, format!("enum value {} has a reserved name", value.name()));
            }
        }
    }

    fn name(&mut self, file: &FileDescriptorProto, path: &[i32], what: &str, name: &str) {
        if !is_name(name) {
            self.report(file, path, format!("{name:?} is no name for a {what}"));
        } else if name.bytes().all(|byte| byte == b'_') {
            self.report(file, path, format!("{what} {name} would have no name in Rust"));
        }
    }
}

/// The package with a dot before it, or nothing.
pub(crate) fn package(file: &FileDescriptorProto) -> String {
    match file.package() {
        "" => String::new(),
        package => format!(".{package}"),
    }
}

pub(crate) fn number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

fn is_proto2(file: &FileDescriptorProto) -> bool {
    matches!(file.syntax(), "" | "proto2")
}

fn can_be_packed(field: &FieldDescriptorProto) -> bool {
    field.label() == Label::Repeated
        && !matches!(field.r#type(), Type::String | Type::Bytes | Type::Message | Type::Group)
}

/// Whether a default is spelled as descriptors spell it.
fn is_default(kind: Type, value: &str) -> bool {
    match kind {
        Type::Bool => matches!(value, "true" | "false"),
        Type::Float | Type::Double => value.parse::<f64>().is_ok(),
        Type::Int32 | Type::Sint32 | Type::Sfixed32 => value.parse::<i32>().is_ok(),
        Type::Int64 | Type::Sint64 | Type::Sfixed64 => value.parse::<i64>().is_ok(),
        Type::Uint32 | Type::Fixed32 => value.parse::<u32>().is_ok(),
        Type::Uint64 | Type::Fixed64 => value.parse::<u64>().is_ok(),
        Type::Enum => is_name(value),
        Type::String => true,
        Type::Bytes => is_c_escaped(value.as_bytes()),
        Type::Message | Type::Group => false,
    }
}

fn is_c_escaped(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'\\' | b'?' | b'\'' | b'"', rest @ ..]) => rest,
            (b'\\', [b'x' | b'X', one, two, rest @ ..]) if one.is_ascii_hexdigit() && two.is_ascii_hexdigit() => rest,
            (b'\\', [b'0'..=b'3', b'0'..=b'7', b'0'..=b'7', rest @ ..]) => rest,
            (b'\\', _) => return false,
            _ => after,
        };
    }
    true
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}
