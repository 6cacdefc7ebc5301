//! Editions, lowered to what prost-build knows.
//!
//! Its answer to `edition = "2023"` is a panic, and `prost_types` forgets the features that an edition is made of. So the
//! bytes are decoded a second time, into the few fields that matter here, features are inherited as the language says
//! (file, message, oneof, field), and each file is rewritten as a proto3 file that has the same messages on the wire.

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto};

use crate::descriptor::RawFile;
use crate::error::{Error, Problem};
use crate::valid::package;

/// The newest edition whose rules are known here, as `google.protobuf.Edition` numbers it.
pub(crate) const NEWEST: i32 = 1001;
/// The oldest: proto2 counts as one.
pub(crate) const OLDEST: i32 = 998;

const EDITION_2023: i32 = 1000;

/// The file as prost-build can read it.
pub(crate) fn lower(raw: &RawFile) -> Result<FileDescriptorProto, Error> {
    let mut file = raw.proto.clone();
    let refuse = |text: String| Err(Error::at(Problem::new(raw.proto.name(), None, text)));
    match file.syntax() {
        "" | "proto2" | "proto3" => return Ok(file),
        "editions" => {}
        other => return refuse(format!("syntax {other:?} is not known")),
    }
    let featured = FeaturedFile::decode(raw.bytes.as_slice())
        .map_err(|source| Error::Decode { what: format!("the features of {}", raw.proto.name()), source })?;
    if !(EDITION_2023..=NEWEST).contains(&featured.edition()) {
        return refuse(format!("edition {} is not known; 2023 and 2024 are", featured.edition()));
    }
    let features = Rules::DEFAULT.with(featured.options.and_then(|options| options.features));
    let package = package(&file);
    for (message, featured) in file.message_type.iter_mut().zip(&featured.message_type) {
        lower_message(message, featured, features, &package);
    }
    file.syntax = Some("proto3".to_owned());
    Ok(file)
}

/// The file as a reflection library reads it that knows proto2 and proto3: its bytes as they came, unless it is of an
/// edition. Those become proto2, which has presence, groups and enums without a zero; a field of implicit presence then
/// has a presence of its own.
pub(crate) fn lower_for_reflection(raw: &RawFile) -> Result<Vec<u8>, Error> {
    if raw.proto.syntax() != "editions" {
        return Ok(raw.bytes.clone());
    }
    let mut file = lower(raw)?;
    file.syntax = Some("proto2".to_owned());
    file.message_type.iter_mut().for_each(forget_proto3);
    Ok(file.encode_to_vec())
}

fn forget_proto3(message: &mut DescriptorProto) {
    message.field.iter_mut().for_each(|field| field.proto3_optional = None);
    message.nested_type.iter_mut().for_each(forget_proto3);
}

fn lower_message(message: &mut DescriptorProto, featured: &FeaturedMessage, outer: Rules, scope: &str) {
    let scope = format!("{scope}.{}", message.name());
    let features = outer.with(featured.options.and_then(|options| options.features));
    let entries: Vec<String> = message
        .nested_type
        .iter()
        .filter(|nested| nested.options.as_ref().is_some_and(|options| options.map_entry()))
        .map(|nested| format!("{scope}.{}", nested.name()))
        .collect();
    let is_entry = message.options.as_ref().is_some_and(|options| options.map_entry());
    for (field, own) in message.field.iter_mut().zip(&featured.field) {
        let oneof = field.oneof_index.and_then(|index| featured.oneof_decl.get(usize::try_from(index).ok()?));
        let rules = features
            .with(oneof.and_then(|oneof| oneof.options).and_then(|options| options.features))
            .with(own.options.and_then(|options| options.features));
        // A map is one field of length-prefixed entries, whatever the features around it.
        let is_map = is_entry || entries.iter().any(|entry| field.type_name() == entry);
        lower_field(field, rules, is_map);
    }
    for (nested, featured) in message.nested_type.iter_mut().zip(&featured.nested_type) {
        lower_message(nested, featured, features, &scope);
    }
}

fn lower_field(field: &mut FieldDescriptorProto, rules: Rules, is_map: bool) {
    if is_map {
        return;
    }
    let is_message = matches!(field.r#type(), Type::Message | Type::Group);
    if is_message && rules.delimited {
        field.set_type(Type::Group);
    }
    match field.label() {
        Label::Repeated => {
            field.options.get_or_insert_with(FieldOptions::default).packed = Some(rules.packed);
        }
        _ if field.oneof_index.is_some() => {}
        _ if rules.presence == Presence::Required => field.set_label(Label::Required),
        // prost makes every singular message an Option, but a group only if it is told to.
        _ if rules.presence == Presence::Explicit || is_message => field.proto3_optional = Some(true),
        _ => {}
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Presence {
    Explicit,
    Implicit,
    Required,
}

/// The features that reach prost's output.
#[derive(Clone, Copy)]
struct Rules {
    presence: Presence,
    packed: bool,
    delimited: bool,
}

impl Rules {
    /// Editions 2023 and 2024 agree on these.
    const DEFAULT: Self = Self { presence: Presence::Explicit, packed: true, delimited: false };

    fn with(mut self, features: Option<FeatureSet>) -> Self {
        let Some(features) = features else {
            return self;
        };
        match features.field_presence {
            Some(1) => self.presence = Presence::Explicit,
            Some(2) => self.presence = Presence::Implicit,
            Some(3) => self.presence = Presence::Required,
            _ => {}
        }
        match features.repeated_field_encoding {
            Some(1) => self.packed = true,
            Some(2) => self.packed = false,
            _ => {}
        }
        match features.message_encoding {
            Some(1) => self.delimited = false,
            Some(2) => self.delimited = true,
            _ => {}
        }
        self
    }
}

// The part of descriptor.proto that prost_types lacks.

#[derive(Clone, PartialEq, Message)]
struct FeaturedFile {
    #[prost(message, repeated, tag = "4")]
    message_type: Vec<FeaturedMessage>,
    #[prost(message, optional, tag = "8")]
    options: Option<FileOptions>,
    #[prost(int32, optional, tag = "14")]
    edition: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct FeaturedMessage {
    #[prost(message, repeated, tag = "2")]
    field: Vec<FeaturedField>,
    #[prost(message, repeated, tag = "3")]
    nested_type: Vec<FeaturedMessage>,
    #[prost(message, optional, tag = "7")]
    options: Option<MessageOptions>,
    #[prost(message, repeated, tag = "8")]
    oneof_decl: Vec<FeaturedOneof>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct FeaturedField {
    #[prost(message, optional, tag = "8")]
    options: Option<OwnOptions>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct FeaturedOneof {
    #[prost(message, optional, tag = "2")]
    options: Option<OneofOptions>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct FileOptions {
    #[prost(message, optional, tag = "50")]
    features: Option<FeatureSet>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct MessageOptions {
    #[prost(message, optional, tag = "12")]
    features: Option<FeatureSet>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct OwnOptions {
    #[prost(message, optional, tag = "21")]
    features: Option<FeatureSet>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct OneofOptions {
    #[prost(message, optional, tag = "1")]
    features: Option<FeatureSet>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct FeatureSet {
    #[prost(int32, optional, tag = "1")]
    field_presence: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    repeated_field_encoding: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    message_encoding: Option<i32>,
}
