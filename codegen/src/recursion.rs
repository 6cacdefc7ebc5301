//! Types that contain themselves through groups.
//!
//! prost-build boxes a field whose message leads back to its own, but follows only fields of message type, not groups
//! (nor the delimited messages of editions, which become groups here). Those it is told to box.

use std::collections::{HashMap, HashSet};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorProto};

use crate::valid::package;

/// The paths of the group fields that must be boxed.
pub(crate) fn boxed_groups(files: &[FileDescriptorProto]) -> Vec<String> {
    let mut graph = Graph::default();
    for file in files {
        let package = package(file);
        for message in &file.message_type {
            graph.add(&package, message);
        }
    }
    let groups = graph.groups.iter().filter(|group| graph.leads(&group.inner, &group.outer));
    groups.map(|group| group.field.clone()).collect()
}

#[derive(Default)]
struct Graph {
    edges: HashMap<String, Vec<String>>,
    groups: Vec<Group>,
}

struct Group {
    outer: String,
    inner: String,
    /// As prost spells it: a field of a oneof is reached through the oneof.
    field: String,
}

impl Graph {
    fn add(&mut self, scope: &str, message: &DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for field in message.field.iter().filter(|field| field.label() != Label::Repeated) {
            if !matches!(field.r#type(), Type::Message | Type::Group) {
                continue;
            }
            self.edges.entry(name.clone()).or_default().push(field.type_name().to_owned());
            if field.r#type() == Type::Group {
                let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
                let oneof = oneof.and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
                let field = match oneof {
                    Some(oneof) => format!("{name}.{}.{}", oneof.name(), field.name()),
                    None => format!("{name}.{}", field.name()),
                };
                let inner = self.edges[&name].last().cloned().unwrap_or_default();
                self.groups.push(Group { outer: name.clone(), inner, field });
            }
        }
        for nested in &message.nested_type {
            self.add(&name, nested);
        }
    }

    fn leads(&self, from: &str, to: &str) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![from];
        while let Some(name) = open.pop() {
            if name == to {
                return true;
            }
            if seen.insert(name) {
                open.extend(self.edges.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }
}
