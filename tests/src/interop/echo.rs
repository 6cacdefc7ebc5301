//! An echo server whose calls say, in their metadata, how it is to answer them. Peers in other languages serve the same.
//!
//! | metadata | what the handler does |
//! |---|---|
//! | `x-responses: N` | `UnaryStream` answers with N messages (1 if not said) |
//! | `x-response-compression: gzip` | sets the compression of the response |
//! | `x-metadata-first: 1` | sends the initial metadata before it does so |
//! | `x-plain: 0,2` or `x-plain: all` | disables the compression of these responses |
//! | `x-status-bin` | `UnaryUnary` ends with this serialized `google.rpc.Status` |
//! | `x-code`, `x-message`, `x-details-bin` | it ends with these, the details as they are; without a code peers succeed with them |
//!
//! The trailing metadata tells the flag bytes of the requests: `x-request-flags: 110`.
//!
//! What peers do beside this, for calls that are made several times, is listed in `rows/attempts.rs`.

use callwright::{Compression, Metadata, Requests, Responses, ServerContext, Status};

use super::details::fail_as_asked;
use crate::echo::{Blob, EchoServicer};

/// Serves `callwright.tests.Echo`.
#[derive(Clone, Copy, Debug)]
pub struct EchoService;

/// What the metadata of a call asks for.
struct Script {
    responses: usize,
    plain: Plain,
}

enum Plain {
    All,
    These(Vec<usize>),
}

impl Script {
    fn begin(context: &mut ServerContext) -> Result<Script, Status> {
        let metadata = context.invocation_metadata();
        let number =
            |text: &str| text.parse::<usize>().map_err(|_| Status::invalid_argument(format!("no number: {text}")));
        let responses = metadata.get("x-responses").map_or(Ok(1), number)?;
        let plain = match metadata.get("x-plain") {
            Some("all") => Plain::All,
            Some(list) => Plain::These(list.split(',').map(number).collect::<Result<_, _>>()?),
            None => Plain::These(Vec::new()),
        };
        let compression = metadata.get("x-response-compression").map(compression).transpose()?;
        if metadata.contains_key("x-metadata-first") {
            context.send_initial_metadata(Metadata::new())?;
        }
        if let Some(compression) = compression {
            context.set_response_compression(compression);
        }
        Ok(Script { responses, plain })
    }

    fn before(&self, index: usize, context: &mut ServerContext) {
        let plain = match &self.plain {
            Plain::All => true,
            Plain::These(indexes) => indexes.contains(&index),
        };
        if plain {
            context.disable_next_message_compression();
        }
    }
}

/// The algorithm of this name, as metadata and flags spell it.
///
/// # Errors
/// INVALID_ARGUMENT for a name that is none.
pub fn compression(name: &str) -> Result<Compression, Status> {
    match name {
        "identity" => Ok(Compression::None),
        "deflate" => Ok(Compression::Deflate),
        "gzip" => Ok(Compression::Gzip),
        other => Err(Status::invalid_argument(format!("no compression is called {other:?}"))),
    }
}

impl EchoServicer for EchoService {
    async fn unary_unary(&self, request: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        let script = Script::begin(context)?;
        tell_flags(&[context.request_was_compressed()], context)?;
        fail_as_asked(context.invocation_metadata())?;
        script.before(0, context);
        Ok(request)
    }

    async fn unary_stream(
        &self,
        request: Blob,
        responses: &mut Responses<Blob>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        let script = Script::begin(context)?;
        tell_flags(&[context.request_was_compressed()], context)?;
        for index in 0..script.responses {
            script.before(index, context);
            responses.send(request.clone()).await?;
        }
        Ok(())
    }

    async fn stream_unary(&self, mut requests: Requests<Blob>, context: &mut ServerContext) -> Result<Blob, Status> {
        let script = Script::begin(context)?;
        let mut last = Blob::default();
        let mut flags = Vec::new();
        while let Some(request) = requests.message().await? {
            flags.push(requests.last_was_compressed());
            last = request;
        }
        tell_flags(&flags, context)?;
        script.before(0, context);
        Ok(last)
    }

    async fn stream_stream(
        &self,
        mut requests: Requests<Blob>,
        responses: &mut Responses<Blob>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        let script = Script::begin(context)?;
        let mut flags = Vec::new();
        while let Some(request) = requests.message().await? {
            script.before(flags.len(), context);
            flags.push(requests.last_was_compressed());
            responses.send(request).await?;
        }
        tell_flags(&flags, context)
    }
}

fn tell_flags(flags: &[bool], context: &mut ServerContext) -> Result<(), Status> {
    let digits: String = flags.iter().map(|flag| if *flag { '1' } else { '0' }).collect();
    Ok(context.set_trailing_metadata("x-request-flags", digits)?)
}
