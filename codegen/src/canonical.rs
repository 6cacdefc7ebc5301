//! One form for the descriptors that are embedded in generated code, whoever made them.
//!
//! protoc and protox write fields in different orders, protoc writes empty `options {}` and versions of it disagree on
//! `syntax = "proto2"`. None of that means anything, but each would make the fronts differ. So a descriptor is taken apart
//! as bytes (nothing that is unknown here gets lost) and put together with its fields in the order of their numbers.

use prost::DecodeError;
use prost::encoding::{self, DecodeContext, WireType};

use crate::error::Error;

/// A message of descriptor.proto: which of its fields are messages to go into, and which are options.
struct Shape {
    inner: &'static [(u32, &'static Shape)],
    options: Option<u32>,
    /// What is left out: source info, the default syntax.
    dropped: &'static [(u32, Option<&'static [u8]>)],
}

const fn shape(inner: &'static [(u32, &'static Shape)], options: Option<u32>) -> Shape {
    Shape { inner, options, dropped: &[] }
}

static FILE: Shape = Shape {
    inner: &[(4, &MESSAGE), (5, &ENUM), (6, &SERVICE), (7, &FIELD)],
    options: Some(8),
    dropped: &[(9, None), (12, Some(b"proto2"))],
};
static MESSAGE: Shape =
    shape(&[(2, &FIELD), (3, &MESSAGE), (4, &ENUM), (5, &RANGE), (6, &FIELD), (8, &ONEOF), (9, &PLAIN)], Some(7));
static FIELD: Shape = shape(&[], Some(8));
static RANGE: Shape = shape(&[], Some(3));
static ONEOF: Shape = shape(&[], Some(2));
static ENUM: Shape = shape(&[(2, &VALUE), (4, &PLAIN)], Some(3));
static VALUE: Shape = shape(&[], Some(3));
static SERVICE: Shape = shape(&[(2, &METHOD)], Some(3));
static METHOD: Shape = shape(&[], Some(4));
static PLAIN: Shape = shape(&[], None);

/// A serialized `FileDescriptorProto` in the one form, without its source info.
pub(crate) fn file(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    message(bytes, &FILE).map_err(|source| Error::Decode { what: "a file descriptor".to_owned(), source })
}

/// The recursion is as deep as messages nest, which decoding has limited to 100.
fn message(bytes: &[u8], shape: &Shape) -> Result<Vec<u8>, DecodeError> {
    let mut fields = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = rest;
        let (number, wire) = encoding::decode_key(&mut rest)?;
        let content = rest;
        encoding::skip_field(wire, number, &mut rest, DecodeContext::default())?;
        let whole = &start[..start.len() - rest.len()];
        if wire != WireType::LengthDelimited {
            fields.push((number, whole.to_vec()));
            continue;
        }
        let mut content = &content[..content.len() - rest.len()];
        encoding::decode_varint(&mut content)?;
        let is_dropped =
            |(field, value): &(u32, Option<&[u8]>)| *field == number && value.is_none_or(|value| value == content);
        if shape.dropped.iter().any(is_dropped) || (shape.options == Some(number) && content.is_empty()) {
            continue;
        }
        let inner = shape.inner.iter().find(|(field, _)| *field == number).map(|(_, shape)| *shape);
        match inner.or((shape.options == Some(number)).then_some(&PLAIN)) {
            None => fields.push((number, whole.to_vec())),
            Some(shape) => {
                let content = message(content, shape)?;
                let mut field = Vec::with_capacity(content.len() + 8);
                encoding::encode_key(number, WireType::LengthDelimited, &mut field);
                encoding::encode_varint(content.len() as u64, &mut field);
                field.extend_from_slice(&content);
                fields.push((number, field));
            }
        }
    }
    // Stable: what is repeated keeps its order.
    fields.sort_by_key(|(number, _)| *number);
    Ok(fields.into_iter().flat_map(|(_, field)| field).collect())
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::{
        DescriptorProto, FileDescriptorProto, FileOptions, MessageOptions, MethodDescriptorProto, MethodOptions,
        ServiceDescriptorProto, SourceCodeInfo,
    };

    use super::file;

    #[test]
    fn what_means_nothing_is_left_out_and_the_rest_stays() {
        let method = |options| MethodDescriptorProto { name: Some("R".into()), options, ..Default::default() };
        let with = |syntax: Option<&str>, info, options, method_options| FileDescriptorProto {
            name: Some("a.proto".into()),
            syntax: syntax.map(Into::into),
            source_code_info: info,
            options,
            message_type: vec![DescriptorProto {
                name: Some("M".into()),
                options: Some(MessageOptions { deprecated: Some(true), ..Default::default() }),
                ..Default::default()
            }],
            service: vec![ServiceDescriptorProto {
                name: Some("S".into()),
                method: vec![method(method_options)],
                ..Default::default()
            }],
            ..Default::default()
        };
        let noisy = with(
            Some("proto2"),
            Some(SourceCodeInfo::default()),
            Some(FileOptions::default()),
            Some(MethodOptions::default()),
        );
        let plain = with(None, None, None, None).encode_to_vec();
        assert_eq!(file(&noisy.encode_to_vec()).unwrap(), plain);
        assert_eq!(file(&plain).unwrap(), plain);
    }

    #[test]
    fn fields_come_in_the_order_of_their_numbers_and_unknown_ones_are_kept() {
        // package = "p" (2), name = "n" (1), unknown 1000 = 5, then options (8) with 50001 before 1.
        let mixed = [0x12, 1, b'p', 0xc0, 0x3e, 5, 0x0a, 1, b'n', 0x42, 7, 0x88, 0xb5, 0x18, 1, 0x0a, 1, b'j'];
        let sorted = [0x0a, 1, b'n', 0x12, 1, b'p', 0x42, 7, 0x0a, 1, b'j', 0x88, 0xb5, 0x18, 1, 0xc0, 0x3e, 5];
        assert_eq!(file(&mixed).unwrap(), sorted);
    }
}
