//! Which messages are compressed (gRFC L46), told by the flag byte before each, both ways.
//!
//! The rows are those of grpcio's `_compression_test.py` (64, and 2 of single messages) and of its aio
//! `compression_test.py` (8).

use std::sync::{Arc, Mutex};

use callwright::{Call, Channel, Code, Compression, Requests, Responses, RunningServer, Server, ServerContext, Status};
use callwright_tests::echo::{Blob, EchoServer, EchoServicer, EchoStub};
use futures_util::stream;

/// How many messages a stream has.
const STREAM_LENGTH: usize = 12;
const SWITCH: [Option<Compression>; 2] = [None, Some(Compression::Gzip)];

fn blob() -> Blob {
    Blob { body: vec![0; 100] }
}

/// Notes the flags of what it gets, and compresses its responses as it is told.
#[derive(Clone, Default)]
struct Scripted {
    response_compression: Option<Compression>,
    /// Which responses go out with their compression disabled.
    plain: Vec<usize>,
    /// Sends the initial metadata before it sets the compression.
    metadata_first: bool,
    seen: Arc<Mutex<Vec<bool>>>,
}

impl Scripted {
    fn begin(&self, context: &mut ServerContext) -> Result<(), Status> {
        if self.metadata_first {
            context.send_initial_metadata(callwright::Metadata::new())?;
        }
        if let Some(compression) = self.response_compression {
            context.set_response_compression(compression);
        }
        Ok(())
    }

    fn before(&self, index: usize, context: &mut ServerContext) {
        if self.plain.contains(&index) {
            context.disable_next_message_compression();
        }
    }

    fn note(&self, compressed: bool) {
        self.seen.lock().unwrap().push(compressed);
    }

    fn take_seen(&self) -> Vec<bool> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl EchoServicer for Scripted {
    async fn unary_unary(&self, request: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        self.note(context.request_was_compressed());
        self.begin(context)?;
        self.before(0, context);
        Ok(request)
    }

    async fn unary_stream(
        &self,
        request: Blob,
        responses: &mut Responses<Blob>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        self.note(context.request_was_compressed());
        self.begin(context)?;
        for index in 0..STREAM_LENGTH {
            self.before(index, context);
            responses.send(request.clone()).await?;
        }
        Ok(())
    }

    async fn stream_unary(&self, mut requests: Requests<Blob>, context: &mut ServerContext) -> Result<Blob, Status> {
        self.begin(context)?;
        self.before(0, context);
        let mut last = Blob::default();
        while let Some(request) = requests.message().await? {
            self.note(requests.last_was_compressed());
            last = request;
        }
        Ok(last)
    }

    async fn stream_stream(
        &self,
        mut requests: Requests<Blob>,
        responses: &mut Responses<Blob>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        self.begin(context)?;
        let mut index = 0;
        while let Some(request) = requests.message().await? {
            self.note(requests.last_was_compressed());
            self.before(index, context);
            responses.send(request).await?;
            index += 1;
        }
        Ok(())
    }
}

/// One of the four kinds of call.
#[derive(Clone, Copy, Debug)]
struct Kind {
    client_streams: bool,
    server_streams: bool,
}

const KINDS: [Kind; 4] = [
    Kind { client_streams: false, server_streams: false },
    Kind { client_streams: false, server_streams: true },
    Kind { client_streams: true, server_streams: false },
    Kind { client_streams: true, server_streams: true },
];

fn length(streams: bool) -> usize {
    if streams { STREAM_LENGTH } else { 1 }
}

fn with<K, Req, Res>(call: Call<K, Req, Res>, compression: Option<Compression>) -> Call<K, Req, Res> {
    match compression {
        Some(compression) => call.compression(compression),
        None => call,
    }
}

/// Makes one call, and gives the flags of its responses. Every message must arrive intact.
async fn call(stub: &EchoStub, kind: Kind, compression: Option<Compression>) -> Result<Vec<bool>, Status> {
    let requests = || stream::iter((0..STREAM_LENGTH).map(|_| blob()));
    let mut responses = match (kind.client_streams, kind.server_streams) {
        (false, false) => {
            let response = with(stub.unary_unary(blob()), compression).send().await?;
            assert_eq!(*response.message(), blob());
            return Ok(vec![response.was_compressed()]);
        }
        (true, false) => {
            let (mut sender, reply) = with(stub.stream_unary(), compression).start();
            for _ in 0..STREAM_LENGTH {
                sender.send(blob()).await?;
            }
            sender.finish();
            let response = reply.response().await?;
            assert_eq!(*response.message(), blob());
            return Ok(vec![response.was_compressed()]);
        }
        (false, true) => with(stub.unary_stream(blob()), compression).await?,
        (true, true) => with(stub.stream_stream(), compression).send_all(requests()).await?,
    };
    let mut flags = Vec::new();
    while let Some(message) = responses.message().await? {
        assert_eq!(message, blob());
        flags.push(responses.last_was_compressed());
    }
    Ok(flags)
}

async fn serve(servicer: &Scripted, compression: Option<Compression>) -> RunningServer {
    let mut server = Server::builder().add_service(EchoServer::new(servicer.clone()));
    if let Some(compression) = compression {
        server = server.compression(compression);
    }
    server.bind("127.0.0.1:0").await.unwrap()
}

fn connect(server: &RunningServer, compression: Option<Compression>) -> EchoStub {
    let mut channel = Channel::builder(server.local_addr().to_string());
    if let Some(compression) = compression {
        channel = channel.compression(compression);
    }
    EchoStub::new(channel.build().unwrap())
}

/// Runs the rows of one channel setting and one server setting: 16 of the 64.
async fn quarter(on_channel: Option<Compression>, on_server: Option<Compression>) {
    let mut rows = 0;
    for on_response in SWITCH {
        let servicer = Scripted { response_compression: on_response, ..Scripted::default() };
        let server = serve(&servicer, on_server).await;
        let stub = connect(&server, on_channel);
        for kind in KINDS {
            for on_call in SWITCH {
                let row = format!(
                    "{kind:?}, channel {on_channel:?}, call {on_call:?}, server {on_server:?}, response {on_response:?}"
                );
                let responses = call(&stub, kind, on_call).await.unwrap_or_else(|status| panic!("{row}: {status}"));
                let request_compressed = on_channel.or(on_call).is_some();
                let response_compressed = on_server.or(on_response).is_some();
                assert_eq!(
                    servicer.take_seen(),
                    vec![request_compressed; length(kind.client_streams)],
                    "requests: {row}"
                );
                assert_eq!(responses, vec![response_compressed; length(kind.server_streams)], "responses: {row}");
                rows += 1;
            }
        }
        server.stop().await;
    }
    assert_eq!(rows, 16);
}

#[tokio::test]
async fn only_what_a_call_or_a_response_asks_for_is_compressed() {
    quarter(None, None).await;
}

#[tokio::test]
async fn a_servers_setting_compresses_every_response() {
    quarter(None, Some(Compression::Gzip)).await;
}

#[tokio::test]
async fn a_channels_setting_compresses_every_request() {
    quarter(Some(Compression::Gzip), None).await;
}

#[tokio::test]
async fn a_channels_and_a_servers_setting_compress_both_ways() {
    quarter(Some(Compression::Gzip), Some(Compression::Gzip)).await;
}

#[tokio::test]
async fn the_narrower_setting_switches_off_what_the_wider_one_switched_on() {
    let servicer = Scripted { response_compression: Some(Compression::None), ..Scripted::default() };
    let server = serve(&servicer, Some(Compression::Gzip)).await;
    let stub = connect(&server, Some(Compression::Gzip));
    for kind in KINDS {
        let responses = call(&stub, kind, Some(Compression::None)).await.unwrap();
        assert_eq!(servicer.take_seen(), vec![false; length(kind.client_streams)], "{kind:?}");
        assert_eq!(responses, vec![false; length(kind.server_streams)], "{kind:?}");
    }
}

#[tokio::test]
async fn a_stream_whose_every_message_is_disabled_goes_out_plain() {
    let servicer = Scripted { plain: (0..STREAM_LENGTH).collect(), ..Scripted::default() };
    let server = serve(&servicer, Some(Compression::Deflate)).await;
    let stub = connect(&server, None);
    assert_eq!(call(&stub, KINDS[1], None).await.unwrap(), [false; STREAM_LENGTH]);
    assert_eq!(call(&stub, KINDS[3], None).await.unwrap(), [false; STREAM_LENGTH]);
}

#[tokio::test]
async fn disabling_one_message_leaves_the_next_compressed() {
    let servicer = Scripted { plain: vec![0], ..Scripted::default() };
    let server = serve(&servicer, Some(Compression::Deflate)).await;
    let stub = connect(&server, None);
    let mut expected = [true; STREAM_LENGTH];
    expected[0] = false;
    assert_eq!(call(&stub, KINDS[1], None).await.unwrap(), expected);
    assert_eq!(call(&stub, KINDS[3], None).await.unwrap(), expected);
}

/// A server that takes deflate, and gzip no more.
async fn serve_without_gzip(servicer: &Scripted) -> RunningServer {
    Server::builder()
        .accept_compression([Compression::Deflate])
        .add_service(EchoServer::new(servicer.clone()))
        .bind("127.0.0.1:0")
        .await
        .unwrap()
}

#[tokio::test]
async fn gzip_on_the_channel_is_unimplemented_where_the_server_disabled_it() {
    let server = serve_without_gzip(&Scripted::default()).await;
    let status = call(&connect(&server, Some(Compression::Gzip)), KINDS[0], None).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
}

#[tokio::test]
async fn deflate_on_the_channel_works_where_the_server_disabled_gzip() {
    let servicer = Scripted::default();
    let server = serve_without_gzip(&servicer).await;
    call(&connect(&server, Some(Compression::Deflate)), KINDS[0], None).await.unwrap();
    assert_eq!(servicer.take_seen(), [true]);
}

#[tokio::test]
async fn gzip_on_the_call_is_unimplemented_where_the_server_disabled_it() {
    let server = serve_without_gzip(&Scripted::default()).await;
    let status = call(&connect(&server, None), KINDS[0], Some(Compression::Gzip)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
}

#[tokio::test]
async fn deflate_on_the_call_works_where_the_server_disabled_gzip() {
    let servicer = Scripted::default();
    let server = serve_without_gzip(&servicer).await;
    call(&connect(&server, None), KINDS[0], Some(Compression::Deflate)).await.unwrap();
    assert_eq!(servicer.take_seen(), [true]);
}

#[tokio::test]
async fn response_compression_is_set_before_the_first_message_and_not_after_the_initial_metadata() {
    let early = Scripted { response_compression: Some(Compression::Gzip), ..Scripted::default() };
    let server = serve(&early, None).await;
    assert_eq!(call(&connect(&server, None), KINDS[1], None).await.unwrap(), [true; STREAM_LENGTH]);

    let late = Scripted { metadata_first: true, ..early };
    let server = serve(&late, None).await;
    let status = call(&connect(&server, None), KINDS[1], None).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(status.message().contains("after the initial metadata was sent"), "{status}");
}

#[tokio::test]
async fn a_disabled_unary_response_arrives_intact() {
    let servicer = Scripted { response_compression: Some(Compression::Gzip), plain: vec![0], ..Scripted::default() };
    let server = serve(&servicer, None).await;
    assert_eq!(call(&connect(&server, None), KINDS[0], None).await.unwrap(), [false]);
}

#[tokio::test]
async fn a_stream_with_one_disabled_message_arrives_intact() {
    let servicer = Scripted { response_compression: Some(Compression::Gzip), plain: vec![1], ..Scripted::default() };
    let server = serve(&servicer, None).await;
    let flags = call(&connect(&server, None), KINDS[1], None).await.unwrap();
    assert_eq!(flags[..3], [true, false, true]);
}

#[tokio::test]
async fn a_server_can_default_to_deflate() {
    let server = serve(&Scripted::default(), Some(Compression::Deflate)).await;
    assert_eq!(call(&connect(&server, None), KINDS[0], None).await.unwrap(), [true]);
}
