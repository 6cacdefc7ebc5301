//! The test cases, as a client runs them: by name, against any server.

mod cancellation;
mod compression;
mod load;
mod metadata;
mod orca;
mod scaling;
mod soak;
mod status;
mod streaming;
mod unary;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use callwright::orca::proto::OpenRcaServiceStub;
use callwright::{Call, Channel, ChannelBuilder, ChannelError, Code, Status, Unary};

pub use soak::Soak;

use super::backend_metrics::BackendMetrics;
use super::payload;
use crate::testing::{SimpleRequest, SimpleResponse, TestServiceStub, UnimplementedServiceStub};

/// The size of a large request's payload, in bytes.
const LARGE_REQUEST: usize = 271_828;
/// The size of a large response's payload, in bytes.
const LARGE_RESPONSE: usize = 314_159;

/// One test case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    name: &'static str,
    run: fn(Stubs) -> Running,
}

/// A test case under way.
pub type Running = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// What the cases call: all services, on one channel, or on others like it.
#[derive(Debug)]
pub struct Stubs {
    test: TestServiceStub,
    unimplemented: UnimplementedServiceStub,
    load_reports: OpenRcaServiceStub,
    channel: ChannelBuilder,
    soak: Soak,
    metrics: BackendMetrics,
}

/// What a case saw that it should not have.
#[derive(Debug)]
pub struct Failure(String);

impl Case {
    /// Every case that this client has.
    pub const ALL: &[Case] = &[
        Case { name: "empty_unary", run: |stubs| Box::pin(unary::empty(stubs)) },
        Case { name: "large_unary", run: |stubs| Box::pin(unary::large(stubs)) },
        Case { name: "cacheable_unary", run: |stubs| Box::pin(unary::cacheable(stubs)) },
        Case { name: "pick_first_unary", run: |stubs| Box::pin(unary::pick_first(stubs)) },
        Case { name: "client_streaming", run: |stubs| Box::pin(streaming::client(stubs)) },
        Case { name: "server_streaming", run: |stubs| Box::pin(streaming::server(stubs)) },
        Case { name: "ping_pong", run: |stubs| Box::pin(streaming::ping_pong(stubs)) },
        Case { name: "half_duplex", run: |stubs| Box::pin(streaming::half_duplex(stubs)) },
        Case { name: "empty_stream", run: |stubs| Box::pin(streaming::empty(stubs)) },
        Case { name: "slow_consumer", run: |stubs| Box::pin(streaming::slow_consumer(stubs)) },
        Case { name: "custom_metadata", run: |stubs| Box::pin(metadata::custom(stubs)) },
        Case { name: "status_code_and_message", run: |stubs| Box::pin(status::code_and_message(stubs)) },
        Case { name: "special_status_message", run: |stubs| Box::pin(status::special_message(stubs)) },
        Case { name: "unimplemented_method", run: |stubs| Box::pin(status::unimplemented_method(stubs)) },
        Case { name: "unimplemented_service", run: |stubs| Box::pin(status::unimplemented_service(stubs)) },
        Case { name: "cancel_after_begin", run: |stubs| Box::pin(cancellation::after_begin(stubs)) },
        Case { name: "cancel_after_first_response", run: |stubs| Box::pin(cancellation::after_first_response(stubs)) },
        Case { name: "timeout_on_sleeping_server", run: |stubs| Box::pin(cancellation::timeout(stubs)) },
        Case { name: "client_compressed_unary", run: |stubs| Box::pin(compression::client_unary(stubs, true)) },
        Case {
            name: "client_compressed_unary_noprobe",
            run: |stubs| Box::pin(compression::client_unary(stubs, false)),
        },
        Case { name: "client_compressed_streaming", run: |stubs| Box::pin(compression::client_streaming(stubs, true)) },
        Case {
            name: "client_compressed_streaming_noprobe",
            run: |stubs| Box::pin(compression::client_streaming(stubs, false)),
        },
        Case { name: "server_compressed_unary", run: |stubs| Box::pin(compression::server_unary(stubs)) },
        Case { name: "server_compressed_streaming", run: |stubs| Box::pin(compression::server_streaming(stubs)) },
        Case { name: "concurrent_large_unary", run: |stubs| Box::pin(load::concurrent_large_unary(stubs)) },
        Case { name: "very_large_request", run: |stubs| Box::pin(load::very_large_request(stubs)) },
        Case { name: "orca_per_rpc", run: |stubs| Box::pin(orca::per_rpc(stubs)) },
        Case { name: "orca_oob", run: |stubs| Box::pin(orca::out_of_band(stubs)) },
        Case {
            name: "max_concurrent_streams_connection_scaling",
            run: |stubs| Box::pin(scaling::on_another_connection(stubs)),
        },
        Case { name: "rpc_soak", run: |stubs| Box::pin(soak::on_one_channel(stubs)) },
        Case { name: "channel_soak", run: |stubs| Box::pin(soak::on_many_channels(stubs)) },
    ];

    /// The case of this name.
    pub fn find(name: &str) -> Option<Case> {
        Case::ALL.iter().find(|case| case.name == name).copied()
    }

    /// The name, as `--test_case` takes it.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Runs the case on a channel, or as many as it needs.
    ///
    /// # Errors
    /// [`Failure`]: what was seen, and what should have been.
    pub async fn run(self, builder: ChannelBuilder, soak: Soak) -> Result<(), Failure> {
        let metrics = BackendMetrics::default();
        let builder = metrics.register(builder);
        let channel = builder.clone().build()?;
        let stubs = Stubs {
            test: TestServiceStub::new(channel.clone()),
            unimplemented: UnimplementedServiceStub::new(channel.clone()),
            load_reports: OpenRcaServiceStub::new(channel),
            channel: builder,
            soak,
            metrics,
        };
        (self.run)(stubs).await
    }
}

impl Stubs {
    /// A unary call with a large payload both ways.
    fn large_unary(&self) -> Call<Unary, SimpleRequest, SimpleResponse> {
        self.test.unary_call(large_request())
    }

    /// Another channel like the one that the stubs are on.
    fn new_channel(&self) -> Result<Channel, Failure> {
        Ok(self.channel.clone().build()?)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure(format!("a call that should succeed ended in {status}"))
    }
}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Failure {
        Failure(error.to_string())
    }
}

fn large_request() -> SimpleRequest {
    SimpleRequest {
        response_size: LARGE_RESPONSE as i32,
        payload: Some(payload(LARGE_REQUEST)),
        ..SimpleRequest::default()
    }
}

fn ensure_eq<T: PartialEq + fmt::Debug>(what: &str, seen: &T, expected: &T) -> Result<(), Failure> {
    if seen == expected {
        return Ok(());
    }
    Err(Failure(format!("{what}: saw {seen:?}, expected {expected:?}")))
}

/// Checks a response's payload: its size, and that it is zeros.
fn ensure_payload(what: &str, seen: Option<&crate::testing::Payload>, size: usize) -> Result<(), Failure> {
    let body = seen.map(|payload| payload.body.as_slice()).unwrap_or_default();
    ensure_eq(&format!("size of the payload of {what}"), &body.len(), &size)?;
    ensure_eq(&format!("payload of {what} is zeros"), &body.iter().all(|byte| *byte == 0), &true)
}

/// Checks that a call failed, and how.
fn ensure_code<T>(what: &str, result: Result<T, Status>, code: Code) -> Result<Status, Failure> {
    match result {
        Ok(_) => Err(Failure(format!("{what}: the call succeeded, expected {code}"))),
        Err(status) if status.code() == code => Ok(status),
        Err(status) => Err(Failure(format!("{what}: the call ended in {status}, expected {code}"))),
    }
}
