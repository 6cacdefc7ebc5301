//! Asking a running server for its descriptors (`doc/server-reflection.md`).

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use prost::Message;
use prost_types::FileDescriptorProto;

use super::DynamicError;
use crate::call::{Bidi, Method};
use crate::channel::{Call, Channel, RequestSender, Streaming};
use crate::status::{Code, Status};

mod proto {
    include!("../generated/grpc.reflection.v1.rs");
}

use proto::server_reflection_request::MessageRequest;
use proto::server_reflection_response::MessageResponse;
use proto::{ServerReflectionRequest, ServerReflectionResponse};

/// The two versions differ in nothing but the package.
const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
/// What a server may make this side hold.
const MAX_FILES: usize = 20_000;
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The serialized `FileDescriptorSet` of all services of a server.
pub(super) async fn descriptors(channel: &Channel) -> Result<Vec<u8>, DynamicError> {
    let answered = match collect(channel, V1).await {
        Err(status) if status.code() == Code::Unimplemented => collect(channel, V1ALPHA).await,
        answered => answered,
    };
    answered.map_err(DynamicError::Reflection)
}

async fn collect(channel: &Channel, path: &'static str) -> Result<Vec<u8>, Status> {
    let call: Call<Bidi, ServerReflectionRequest, ServerReflectionResponse> = Call::bidi(channel, Method::new(path));
    let (questions, answers) = call.wait_for_ready(false).start();
    let mut asked = Conversation { questions, answers };
    let services = match asked.ask(MessageRequest::ListServices(String::new())).await? {
        MessageResponse::ListServicesResponse(list) => list.service,
        other => return Err(unexpected(&other)),
    };
    let mut files = Files::default();
    for service in services {
        files.add(asked.files(MessageRequest::FileContainingSymbol(service.name)).await?)?;
    }
    while let Some(missing) = files.missing() {
        files.add(asked.files(MessageRequest::FileByFilename(missing.clone())).await?)?;
        if !files.by_name.contains_key(&missing) {
            return Err(Status::internal(format!("the server was asked for {missing:?} and sent other files")));
        }
    }
    asked.questions.finish();
    Ok(files.into_set())
}

/// One question, one answer.
struct Conversation {
    questions: RequestSender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Conversation {
    async fn ask(&mut self, question: MessageRequest) -> Result<MessageResponse, Status> {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let sent = self.questions.send(request).await;
        // Why a question could not be sent, the answering side knows better.
        let answer = self.answers.message().await?;
        sent?;
        match answer.and_then(|answer| answer.message_response) {
            Some(MessageResponse::ErrorResponse(error)) => Err(Status::new(error.error_code, error.error_message)),
            Some(answer) => Ok(answer),
            None => Err(Status::internal("the server ended the conversation without an answer")),
        }
    }

    async fn files(&mut self, question: MessageRequest) -> Result<Vec<Bytes>, Status> {
        match self.ask(question).await? {
            MessageResponse::FileDescriptorResponse(files) => {
                Ok(files.file_descriptor_proto.into_iter().map(Bytes::from).collect())
            }
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(answer: &MessageResponse) -> Status {
    Status::internal(format!("the server answered another question than it was asked: {answer:?}"))
}

/// The files that came, and those that they import.
#[derive(Default)]
struct Files {
    by_name: HashMap<String, Bytes>,
    wanted: Vec<String>,
    seen: HashSet<String>,
    bytes: usize,
}

impl Files {
    fn add(&mut self, files: Vec<Bytes>) -> Result<(), Status> {
        for bytes in files {
            let file = FileDescriptorProto::decode(bytes.clone())
                .map_err(|error| Status::internal(format!("the server sent a file that cannot be read: {error}")))?;
            let name = file.name().to_owned();
            if self.by_name.contains_key(&name) {
                continue;
            }
            self.bytes += bytes.len();
            if self.bytes > MAX_BYTES || self.by_name.len() >= MAX_FILES {
                let limit = format!("the server describes more than {MAX_FILES} files or {MAX_BYTES} bytes");
                return Err(Status::resource_exhausted(limit));
            }
            self.by_name.insert(name, bytes);
            self.wanted.extend(file.dependency.into_iter().filter(|import| self.seen.insert(import.clone())));
        }
        Ok(())
    }

    /// A file that is imported and did not come yet.
    fn missing(&mut self) -> Option<String> {
        while let Some(name) = self.wanted.pop() {
            if !self.by_name.contains_key(&name) {
                return Some(name);
            }
        }
        None
    }

    fn into_set(self) -> Vec<u8> {
        #[derive(Clone, PartialEq, prost::Message)]
        struct RawSet {
            #[prost(bytes = "bytes", repeated, tag = "1")]
            file: Vec<Bytes>,
        }
        let mut files: Vec<_> = self.by_name.into_iter().collect();
        files.sort();
        RawSet { file: files.into_iter().map(|(_, bytes)| bytes).collect() }.encode_to_vec()
    }
}
