//! What can be sent to another task, shared between tasks, and held without being pinned: a promise that the compiler
//! keeps.

use callwright::{
    Address, AuthContext, Backoff, Bidi, BindError, Call, Cancelled, Channel, ChannelBuilder, ChannelError,
    ClientStreaming, Code, CodecError, Compression, CompressionError, ConnectivityState, DecompressError, Metadata,
    MetadataError, MetadataValue, Method, Outcome, Reply, RequestSender, Requests, Response, Responses, RunningServer,
    ServerBuilder, ServerContext, ServerStreaming, StateWatch, Status, Streaming, TargetError, Unary,
};
use callwright_tests::support::{channel, chat, count, say, sum};

use std::future::IntoFuture as _;

fn shared<T: Send + Sync + Unpin + 'static>() {}
fn sent<T: Send + Unpin + 'static>() {}
fn sent_value<T: Send>(_: T) {}

#[test]
fn what_describes_things_can_be_shared() {
    shared::<(Channel, ChannelBuilder, Backoff, ConnectivityState, StateWatch, Address)>();
    shared::<(Status, Code, Metadata, MetadataValue, Compression, Response<String>, Method<String, String>)>();
    shared::<(ChannelError, TargetError, BindError, CompressionError, DecompressError, MetadataError, CodecError)>();
    shared::<(callwright::status::ErrorDetails, callwright::status::ErrorDetailsError)>();
    shared::<(callwright::health::Health, callwright::health::HealthService, callwright::health::ServingStatus)>();
    shared::<(callwright::orca::CallMetrics, callwright::orca::ServerMetrics, callwright::orca::OrcaService)>();
    shared::<(callwright::orca::LoadReport, callwright::orca::LoadReportError)>();
    shared::<(callwright::service_config::ServiceConfig, callwright::service_config::LoadBalancing)>();
    shared::<(callwright::reflection::Reflection, callwright::server::ServedServices)>();
    shared::<(RunningServer, ServerContext, AuthContext, Outcome)>();
    shared::<(
        callwright::http_service::HttpService,
        callwright::grpc_web::GrpcWebService,
        callwright::grpc_web::GrpcWeb,
    )>();
    sent::<ServerBuilder>();
}

#[test]
fn calls_and_their_halves_can_be_sent_to_other_tasks() {
    sent::<(Call<Unary, String, String>, Call<ServerStreaming, String, String>)>();
    sent::<(Call<ClientStreaming, String, String>, Call<Bidi, String, String>)>();
    sent::<(Streaming<String>, Reply<String>, RequestSender<String>)>();
    sent::<(Requests<String>, Responses<String>, Cancelled)>();
    sent::<(callwright::http_service::ResponseFuture, callwright::http_service::Body)>();
    sent::<(callwright::grpc_web::ResponseFuture, callwright::grpc_web::Body)>();
}

#[tokio::test]
async fn the_futures_of_calls_can_be_spawned() {
    let channel = channel("127.0.0.1:1").build().unwrap();
    sent_value((say(&channel, "").into_future(), say(&channel, "").send()));
    sent_value((count(&channel, 0).into_future(), count(&channel, 0).send()));
    sent_value(sum(&channel).send_all(futures_util::stream::empty()));
    sent_value(chat(&channel).send_all(futures_util::stream::empty()));
    let (mut requests, mut replies) = chat(&channel).start();
    sent_value((requests.send(String::new()), replies.message()));
    let (_requests, reply) = sum(&channel).start();
    sent_value(reply.response());
    sent_value((channel.wait_until_ready(std::time::Duration::ZERO), channel.watch_state().changed()));
}
