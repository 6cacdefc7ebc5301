//! Asking a running server for its descriptors (`doc/server-reflection.md`).

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use prost::Message;
use prost_types::FileDescriptorProto;

use super::DynamicError;
use crate::call::{Bidi, Method};
use crate::channel::{Call, Channel, RequestSender, Streaming};
use crate::generated::reflection_v1::server_reflection_request::MessageRequest;
use crate::generated::reflection_v1::server_reflection_response::MessageResponse;
use crate::generated::reflection_v1::{ServerReflectionRequest, ServerReflectionResponse};
use crate::status::{Code, Status};

/// The two versions differ in nothing but the package.
const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
/// What a server may make this side hold.
const MAX_FILES: usize = 20_000;
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What a server says of its services.
pub(super) struct Answered {
    /// The serialized `FileDescriptorSet`.
    pub(super) descriptors: Vec<u8>,
    /// The services that it lists without a description, and what it says instead. A server whose services come from
    /// several libraries may know the descriptors of some alone.
    pub(super) undescribed: Vec<(String, String)>,
}

/// Asks for all services of a server.
pub(super) async fn ask(channel: &Channel) -> Result<Answered, DynamicError> {
    let answered = match collect(channel, V1).await {
        Err(status) if status.code() == Code::Unimplemented => collect(channel, V1ALPHA).await,
        answered => answered,
    };
    answered.map_err(DynamicError::Reflection)
}

async fn collect(channel: &Channel, path: &'static str) -> Result<Answered, Status> {
    let call: Call<Bidi, ServerReflectionRequest, ServerReflectionResponse> = Call::bidi(channel, Method::new(path));
    let (questions, answers) = call.wait_for_ready(false).start();
    let mut asked = Conversation { questions, answers };
    let services = match asked.ask(MessageRequest::ListServices(String::new())).await? {
        MessageResponse::ListServicesResponse(list) => list.service,
        other => return Err(unexpected(&other)),
    };
    if services.len() > MAX_FILES {
        return Err(Status::resource_exhausted(format!("the server lists more than {MAX_FILES} services")));
    }
    let mut files = Files::default();
    let mut undescribed = Vec::new();
    for name in services.into_iter().map(|service| service.name) {
        if files.services.contains(&name) {
            continue;
        }
        match asked.files(MessageRequest::FileContainingSymbol(name.clone())).await? {
            Ok(answer) => files.add(answer)?,
            Err(status) => undescribed.push((name, status.to_string())),
        }
    }
    if files.by_name.is_empty() {
        let text = match undescribed.first() {
            Some((name, why)) => format!("the server describes none of its services: of {name} it says {why}"),
            None => "the server lists no services".to_owned(),
        };
        return Err(Status::not_found(text));
    }
    while let Some(missing) = files.missing() {
        files.add(asked.files(MessageRequest::FileByFilename(missing.clone())).await?.map_err(|status| {
            let text = format!("of {missing:?}, which another file imports, the server says {}", status.message());
            Status::new(status.code(), text)
        })?)?;
        if !files.by_name.contains_key(&missing) {
            return Err(Status::internal(format!("the server was asked for {missing:?} and sent other files")));
        }
    }
    asked.questions.finish();
    Ok(Answered { descriptors: files.into_set(), undescribed })
}

/// One question, one answer.
struct Conversation {
    questions: RequestSender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Conversation {
    async fn ask(&mut self, question: MessageRequest) -> Result<MessageResponse, Status> {
        self.question(question).await?
    }

    /// The inner error is the server's answer, after which it can be asked more.
    async fn question(&mut self, question: MessageRequest) -> Result<Result<MessageResponse, Status>, Status> {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let sent = self.questions.send(request).await;
        // Why a question could not be sent, the answering side knows better.
        let answer = self.answers.message().await?;
        sent?;
        match answer.and_then(|answer| answer.message_response) {
            Some(MessageResponse::ErrorResponse(error)) => {
                Ok(Err(match Status::new(error.error_code, error.error_message) {
                    ok if ok.code() == Code::Ok => Status::internal("the server answers with an error that is none"),
                    status => status,
                }))
            }
            Some(answer) => Ok(Ok(answer)),
            None => Err(Status::internal("the server ended the conversation without an answer")),
        }
    }

    async fn files(&mut self, question: MessageRequest) -> Result<Result<Vec<Bytes>, Status>, Status> {
        match self.question(question).await? {
            Ok(MessageResponse::FileDescriptorResponse(files)) => {
                Ok(Ok(files.file_descriptor_proto.into_iter().map(Bytes::from).collect()))
            }
            Ok(other) => Err(unexpected(&other)),
            Err(status) => Ok(Err(status)),
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
    /// The full names of the services in these files.
    services: HashSet<String>,
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
            self.services.extend(file.service.iter().map(|service| match file.package() {
                "" => service.name().to_owned(),
                package => format!("{package}.{}", service.name()),
            }));
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
