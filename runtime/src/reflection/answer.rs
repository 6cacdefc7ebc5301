//! One question, one answer. What it costs is bounded by the files of the server, whatever is asked.

use std::collections::HashSet;

use super::index::{FileId, Index};
use crate::generated::reflection_v1::server_reflection_request::MessageRequest;
use crate::generated::reflection_v1::server_reflection_response::MessageResponse;
use crate::generated::reflection_v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServiceResponse,
};
use crate::server::ServedServices;
use crate::status::Code;

/// How many characters of a name that is not there are repeated.
const MAX_QUOTED: usize = 200;

/// The answer; `sent` are the files that this conversation had before.
pub(super) fn answer(
    request: &ServerReflectionRequest,
    index: &Index,
    served: &ServedServices,
    sent: &mut HashSet<FileId>,
) -> MessageResponse {
    let (file, what) = match &request.message_request {
        Some(MessageRequest::FileByFilename(name)) => (index.file(name), format!("file {}", quoted(name))),
        Some(MessageRequest::FileContainingSymbol(name)) => (index.symbol(name), format!("symbol {}", quoted(name))),
        Some(MessageRequest::FileContainingExtension(extension)) => {
            let (name, number) = (&extension.containing_type, extension.extension_number);
            (index.extension(name, number), format!("extension {number} of {}", quoted(name)))
        }
        Some(MessageRequest::AllExtensionNumbersOfType(name)) => {
            return match index.extension_numbers(name) {
                None => not_found(&format!("message {}", quoted(name))),
                Some(numbers) => MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: numbers.collect(),
                }),
            };
        }
        Some(MessageRequest::ListServices(_)) => {
            let service = served.names().into_iter().map(|name| ServiceResponse { name }).collect();
            return MessageResponse::ListServicesResponse(ListServiceResponse { service });
        }
        None => return error(Code::InvalidArgument, "the request has no question that is known here".to_owned()),
    };
    match file {
        None => not_found(&what),
        Some(file) => MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
            file_descriptor_proto: with_imports(file, index, sent),
        }),
    }
}

/// The file, and all that it imports and that was not sent before.
fn with_imports(file: FileId, index: &Index, sent: &mut HashSet<FileId>) -> Vec<Vec<u8>> {
    sent.insert(file);
    let mut files = vec![file];
    let mut next = 0;
    while let Some(file) = files.get(next) {
        files.extend(index.imports(*file).filter(|import| sent.insert(*import)).collect::<Vec<_>>());
        next += 1;
    }
    files.into_iter().map(|file| index.bytes(file).to_vec()).collect()
}

/// A name that was asked for, as much of it as is worth repeating.
fn quoted(name: &str) -> String {
    match name.char_indices().nth(MAX_QUOTED) {
        None => format!("{name:?}"),
        Some((end, _)) => format!("{:?}...", name.get(..end).unwrap_or_default()),
    }
}

fn not_found(what: &str) -> MessageResponse {
    error(Code::NotFound, format!("not found: {what}"))
}

fn error(code: Code, error_message: String) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse { error_code: code.into(), error_message })
}
