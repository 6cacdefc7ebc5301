//! Comments of a `.proto`, as rustdoc.
//!
//! A comment was not written for rustdoc: indented text would be compiled as a doctest, `<T>` taken for HTML, `[x]` for a
//! link to an item. Here each comment becomes Markdown that says the same and does none of that. An element without a
//! comment gets one line that names it, so that `missing_docs` has nothing to say about generated code.
//!
//! prost-build would apply rules of its own to comments, weaker ones. So it never sees them: it gets a [`token`] for each
//! element, and the tokens are replaced in what it wrote.

use std::collections::HashMap;

use prost_types::source_code_info::Location;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, SourceCodeInfo};

use crate::settings::covers;
use crate::valid::{number, package};

mod markdown;

/// The cleaned comment of every element, by token.
#[derive(Debug, Default)]
pub(crate) struct Docs {
    texts: Vec<Vec<String>>,
}

const TOKEN: &str = "callwright_build_doc_";

impl Docs {
    /// Takes the comments out of `file` and leaves tokens in their places.
    pub(crate) fn take(&mut self, file: &mut FileDescriptorProto, disabled: &[String]) {
        let mut comments = HashMap::new();
        for location in file.source_code_info.take().unwrap_or_default().location {
            let text = comment(&location);
            // A path can be listed more than once (an `extend` block per extendee); the first that says something counts.
            let known: &mut String = comments.entry(location.path).or_default();
            if known.is_empty() {
                *known = text;
            }
        }
        let mut walk = Walk { docs: self, comments, disabled, path: Vec::new(), locations: Vec::new() };
        walk.file(file, &package(file));
        let mut location = walk.locations;
        location.sort_by(|left, right| left.path.cmp(&right.path));
        file.source_code_info = Some(SourceCodeInfo { location });
    }

    /// What stands behind a token; empty if `text` is none.
    pub(crate) fn lines(&self, text: &str) -> &[String] {
        let index = text.trim().strip_prefix(TOKEN).and_then(|index| index.parse::<usize>().ok());
        index.and_then(|index| self.texts.get(index)).map_or(&[], Vec::as_slice)
    }

    /// Replaces the tokens in generated text.
    pub(crate) fn put_back(&self, generated: &str) -> String {
        let mut text = String::with_capacity(generated.len() * 2);
        for line in generated.lines() {
            let lines = line.trim_start().strip_prefix("///").map_or(&[] as &[_], |line| self.lines(line));
            if lines.is_empty() {
                text.push_str(line);
                text.push('\n');
            }
            for line in lines {
                text.push_str(if line.is_empty() { "///" } else { "/// " });
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

fn comment(location: &Location) -> String {
    let leading = location.leading_comments().trim_end();
    let trailing = location.trailing_comments().trim_end();
    if leading.is_empty() || trailing.is_empty() {
        return format!("{leading}{trailing}");
    }
    format!("{leading}\n\n{trailing}")
}

struct Walk<'a> {
    docs: &'a mut Docs,
    comments: HashMap<Vec<i32>, String>,
    disabled: &'a [String],
    path: Vec<i32>,
    locations: Vec<Location>,
}

impl Walk<'_> {
    fn file(&mut self, file: &FileDescriptorProto, package: &str) {
        for (index, message) in file.message_type.iter().enumerate() {
            self.at(4, index, |walk| walk.message(message, package));
        }
        for (index, enumeration) in file.enum_type.iter().enumerate() {
            self.at(5, index, |walk| walk.enumeration(enumeration, package));
        }
        for (index, service) in file.service.iter().enumerate() {
            let name = format!("{package}.{}", service.name());
            self.at(6, index, |walk| {
                walk.element(&name, || format!("The service `{}`.", &name[1..]));
                for (index, method) in service.method.iter().enumerate() {
                    let path = format!("/{}/{}", &name[1..], method.name());
                    let name = format!("{name}.{}", method.name());
                    walk.at(2, index, |walk| walk.element(&name, || format!("Calls `{path}`.")));
                }
            });
        }
    }

    fn message(&mut self, message: &DescriptorProto, scope: &str) {
        let name = format!("{scope}.{}", message.name());
        self.element(&name, || format!("The message `{}`.", &name[1..]));
        for (index, field) in message.field.iter().enumerate() {
            let name = format!("{name}.{}", field.name());
            self.at(2, index, |walk| {
                walk.element(&name, || format!("The field `{}`, number {}.", field.name(), field.number()));
            });
        }
        for (index, nested) in message.nested_type.iter().enumerate() {
            self.at(3, index, |walk| walk.message(nested, &name));
        }
        for (index, enumeration) in message.enum_type.iter().enumerate() {
            self.at(4, index, |walk| walk.enumeration(enumeration, &name));
        }
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            let name = format!("{name}.{}", oneof.name());
            self.at(8, index, |walk| walk.element(&name, || format!("One of the fields of `{}`.", oneof.name())));
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptorProto, scope: &str) {
        let name = format!("{scope}.{}", enumeration.name());
        self.element(&name, || format!("The enum `{}`.", &name[1..]));
        for (index, value) in enumeration.value.iter().enumerate() {
            let name = format!("{name}.{}", value.name());
            self.at(2, index, |walk| walk.element(&name, || format!("The value `{}`.", value.name())));
        }
    }

    fn at(&mut self, field: i32, index: usize, visit: impl FnOnce(&mut Self)) {
        self.path.extend([field, number(index)]);
        visit(self);
        self.path.truncate(self.path.len() - 2);
    }

    fn element(&mut self, name: &str, otherwise: impl FnOnce() -> String) {
        let comment = self.comments.get(&self.path).filter(|_| !covers(self.disabled, name));
        let mut lines = comment.map(|comment| markdown::clean(comment)).unwrap_or_default();
        if lines.is_empty() {
            lines = vec![otherwise()];
        }
        let token = format!("{TOKEN}{}", self.docs.texts.len());
        self.docs.texts.push(lines);
        let path = self.path.clone();
        self.locations.push(Location { path, leading_comments: Some(token), ..Location::default() });
    }
}
