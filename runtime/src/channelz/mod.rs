//! channelz: a service that shows what the channels, servers and sockets of its process do (gRFC A14, with the trace events
//! of gRFC A3; `grpc.channelz.v1`).
//!
//! ```
//! use callwright::Server;
//! use callwright::channelz::Channelz;
//!
//! let server = Server::builder().add_service(Channelz::new());
//! ```
//!
//! It shows all of the process, not of its own server alone. What it shows is counted anyway ([`stats`]); what
//! is gone is not shown. grpcdebug and grpcio-channelz read it.

mod address;
mod channel;
mod server;

use std::sync::Arc;
use std::time::SystemTime;

use crate::generated::channelz_v1::{
    ChannelzServer, ChannelzServicer, GetChannelRequest, GetChannelResponse, GetServerRequest, GetServerResponse,
    GetServerSocketsRequest, GetServerSocketsResponse, GetServersRequest, GetServersResponse, GetSocketRequest,
    GetSocketResponse, GetSubchannelRequest, GetSubchannelResponse, GetTopChannelsRequest, GetTopChannelsResponse,
};
use crate::prost_types::Timestamp;
use crate::server::{Methods, ServerContext, Service};
use crate::stats;
use crate::status::Status;

/// The messages and the stub of `grpc.channelz.v1`, for a client.
pub mod proto {
    pub use crate::generated::channelz_v1::*;
}

/// How many entries an answer has unless the request says otherwise.
const DEFAULT_RESULTS: usize = 50;
/// How many entries an answer has at most.
const MAX_RESULTS: usize = 1000;

/// The channelz service.
///
/// Listings have 50 entries unless the request says otherwise, and at most 1,000. An id that is not there is NOT_FOUND; a
/// negative start or number of entries is INVALID_ARGUMENT.
#[derive(Clone, Copy, Debug, Default)]
pub struct Channelz;

impl Channelz {
    /// The service.
    pub fn new() -> Channelz {
        Channelz
    }
}

impl Service for Channelz {
    fn register(self, methods: &mut Methods) {
        methods.add(ChannelzServer::new(Servicer));
    }
}

struct Servicer;

impl ChannelzServicer for Servicer {
    async fn get_top_channels(
        &self,
        request: GetTopChannelsRequest,
        _: &mut ServerContext,
    ) -> Result<GetTopChannelsResponse, Status> {
        let start = start("start_channel_id", request.start_channel_id)?;
        let (channels, end) = stats::channels(start, max_results(request.max_results)?);
        Ok(GetTopChannelsResponse { channel: channels.iter().map(|stats| channel::channel(stats)).collect(), end })
    }

    async fn get_channel(
        &self,
        request: GetChannelRequest,
        _: &mut ServerContext,
    ) -> Result<GetChannelResponse, Status> {
        let stats = find("channel", request.channel_id, stats::channel)?;
        Ok(GetChannelResponse { channel: Some(channel::channel(&stats)) })
    }

    async fn get_subchannel(
        &self,
        request: GetSubchannelRequest,
        _: &mut ServerContext,
    ) -> Result<GetSubchannelResponse, Status> {
        let stats = find("subchannel", request.subchannel_id, stats::subchannel)?;
        Ok(GetSubchannelResponse { subchannel: Some(channel::subchannel(&stats)) })
    }

    async fn get_servers(
        &self,
        request: GetServersRequest,
        _: &mut ServerContext,
    ) -> Result<GetServersResponse, Status> {
        let start = start("start_server_id", request.start_server_id)?;
        let (servers, end) = stats::servers(start, max_results(request.max_results)?);
        Ok(GetServersResponse { server: servers.iter().map(|stats| server::server(stats)).collect(), end })
    }

    async fn get_server(&self, request: GetServerRequest, _: &mut ServerContext) -> Result<GetServerResponse, Status> {
        let stats = find("server", request.server_id, stats::server)?;
        Ok(GetServerResponse { server: Some(server::server(&stats)) })
    }

    async fn get_server_sockets(
        &self,
        request: GetServerSocketsRequest,
        _: &mut ServerContext,
    ) -> Result<GetServerSocketsResponse, Status> {
        let stats = find("server", request.server_id, stats::server)?;
        let start = start("start_socket_id", request.start_socket_id)?;
        let (sockets, end) = stats.sockets(start, max_results(request.max_results)?);
        Ok(GetServerSocketsResponse {
            socket_ref: sockets.iter().map(|stats| server::socket_ref(stats)).collect(),
            end,
        })
    }

    async fn get_socket(&self, request: GetSocketRequest, _: &mut ServerContext) -> Result<GetSocketResponse, Status> {
        let stats = find("socket", request.socket_id, stats::socket)?;
        Ok(GetSocketResponse { socket: Some(server::socket(&stats)) })
    }
}

fn find<T>(what: &str, id: i64, find: fn(u64) -> Option<Arc<T>>) -> Result<Arc<T>, Status> {
    let found = u64::try_from(id).ok().and_then(find);
    found.ok_or_else(|| Status::not_found(format!("there is no {what} with id {id}")))
}

fn start(field: &str, id: i64) -> Result<u64, Status> {
    u64::try_from(id).map_err(|_| Status::invalid_argument(format!("{field} is {id}: ids are not negative")))
}

fn max_results(wanted: i64) -> Result<usize, Status> {
    match usize::try_from(wanted) {
        Ok(0) => Ok(DEFAULT_RESULTS),
        Ok(wanted) => Ok(wanted.min(MAX_RESULTS)),
        Err(_) => Err(Status::invalid_argument(format!("max_results is {wanted}: it is not negative"))),
    }
}

/// Ids and counters are far from where this would matter.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::from(time)
}
