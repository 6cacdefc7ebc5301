//! protoc's side of the plugin: a `CodeGeneratorRequest` in, a `CodeGeneratorResponse` out.

use std::collections::BTreeMap;

use prost::Message;

use crate::descriptor::{Loaded, RawFile};
use crate::edition;
use crate::error::Error;
use crate::generate::{Scope, generate};
use crate::guard;
use crate::parameter;
use crate::settings::{Layout, Settings};

/// Answers a serialized `CodeGeneratorRequest` with a serialized `CodeGeneratorResponse`.
///
/// It cannot fail: what is wrong with the request, its parameter or its files is told in the response, which is where
/// protoc and buf look for it.
pub fn respond(request: &[u8]) -> Vec<u8> {
    let mut response = Response {
        // FEATURE_PROTO3_OPTIONAL | FEATURE_SUPPORTS_EDITIONS
        supported_features: Some(1 | 2),
        minimum_edition: Some(edition::OLDEST),
        maximum_edition: Some(edition::NEWEST),
        ..Response::default()
    };
    match guard::run(|| answer(request)) {
        Ok(files) => {
            let file = |(name, content)| ResponseFile { name: Some(name), content: Some(content) };
            response.file = files.into_iter().map(file).collect();
        }
        // Debug, for it tells the causes too.
        Err(error) => response.error = Some(format!("{error:?}")),
    }
    response.encode_to_vec()
}

fn answer(request: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    let decode = |what: &str| {
        let what = what.to_owned();
        move |source| Error::Decode { what, source }
    };
    let request = Request::decode(request).map_err(decode("the CodeGeneratorRequest"))?;
    let mut settings = Settings { layout: Layout::Folders, ..Settings::default() };
    parameter::apply(request.parameter(), &mut settings)?;
    let mut files = Vec::new();
    for bytes in request.proto_file {
        let proto = prost_types::FileDescriptorProto::decode(bytes.as_slice())
            .map_err(decode("a file of the CodeGeneratorRequest"))?;
        files.push(RawFile { bytes, proto });
    }
    for name in &request.file_to_generate {
        if !files.iter().any(|file| file.proto.name() == name) {
            return Err(Error::NotFound(format!("{name}: to be generated, but its descriptor is not in the request")));
        }
    }
    let loaded = Loaded { files, inputs: request.file_to_generate, ..Loaded::default() };
    Ok(generate(&loaded, &settings, Scope::Inputs)?.files)
}

/// `CodeGeneratorRequest`, with its files left as bytes.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, repeated, tag = "1")]
    file_to_generate: Vec<String>,
    #[prost(string, optional, tag = "2")]
    parameter: Option<String>,
    #[prost(bytes = "vec", repeated, tag = "15")]
    proto_file: Vec<Vec<u8>>,
}

/// `CodeGeneratorResponse`, with the edition fields that `prost_types` lacks.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(string, optional, tag = "1")]
    error: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    supported_features: Option<u64>,
    #[prost(int32, optional, tag = "3")]
    minimum_edition: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    maximum_edition: Option<i32>,
    #[prost(message, repeated, tag = "15")]
    file: Vec<ResponseFile>,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseFile {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "15")]
    content: Option<String>,
}
