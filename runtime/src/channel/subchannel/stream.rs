//! Calls that a channel makes for itself on one connection: of one request, with a stream of responses.

use std::future::poll_fn;

use http::HeaderValue;

use crate::call::GRPC_ENCODING;
use crate::channel::connectivity::Core;
use crate::codec::frame::{Decoder, Side, encode};
use crate::codec::{Codec, Prost};
use crate::status::{Code, Status, wire};
use crate::transport::Event;
use crate::transport::client::{Connection, RequestHead};

/// The largest response that is taken, in bytes.
const MAX_RESPONSE: usize = 64 * 1024;

/// Makes the call, and gives what it ended with; OK of the server's is UNKNOWN, since these calls have no end.
pub(super) async fn stream<Req, Res>(
    connection: &Connection,
    core: &Core,
    path: HeaderValue,
    request: &Req,
    mut each: impl FnMut(Res),
) -> Status
where
    Req: prost::Message + Default + 'static,
    Res: prost::Message + Default + 'static,
{
    let settings = &core.settings().messages;
    let responses: &dyn Codec<Res> = &Prost;
    let first = match encode(&Prost, request, &settings.encoding(None, Side::Client)) {
        Ok(first) => first,
        Err(status) => return status,
    };
    let head = RequestHead {
        authority: core.authority().clone(),
        path,
        headers: core.plain_head().clone(),
        wait_for_ready: None,
    };
    let mut opened = match connection.open(head, Some(first), true) {
        Ok(opened) => opened,
        Err(error) => return error.to_status(connection.address()),
    };
    let mut decoder = None;
    loop {
        let event = match poll_fn(|cx| opened.recv.poll_event(cx)).await {
            Ok(event) => event,
            Err(error) => return error.to_status(&opened.peer),
        };
        let ended = match event {
            Event::Headers { headers, end: true, .. } => wire::decode(headers.iter()),
            Event::Headers { headers, status: 200, .. } => {
                let encoding = headers.get(&GRPC_ENCODING).map_or("identity", |name| name.to_str().unwrap_or("?"));
                match settings.compressors.accepted(encoding) {
                    Ok(compressor) => decoder = Some(Decoder::new(compressor, MAX_RESPONSE, Side::Client)),
                    Err(_) => return Status::internal(format!("the server compresses with {encoding:?}")),
                }
                continue;
            }
            Event::Headers { status, .. } => {
                return Status::new(Code::from_http(status), format!("HTTP status {status}"));
            }
            Event::Data { data, .. } => {
                let Some(decoder) = &mut decoder else { return Status::internal("a response without headers") };
                decoder.push(data);
                loop {
                    match decoder.next(responses) {
                        Ok(Some(message)) => match message.content {
                            Ok(response) => each(response),
                            Err(error) => return Status::internal(format!("a response that cannot be read: {error}")),
                        },
                        Ok(None) => break,
                        Err(status) => return status,
                    }
                }
                continue;
            }
            Event::Trailers(trailers) => wire::decode(trailers.iter()),
            Event::End => None,
        };
        return match ended {
            Some(Err(status)) => status,
            Some(Ok(_)) | None => Status::unknown("the server ended the call"),
        };
    }
}
