//! channelz: the rows of grpcio's own tests, and what it tells of addresses, states and ends.
//!
//! The service shows the whole process, so each test looks for its own channels and servers.

use std::time::Duration;

use callwright::admin::Admin;
use callwright::channelz::Channelz;
use callwright::channelz::proto::channel_connectivity_state::State;
use callwright::channelz::proto::{
    self, ChannelzStub, GetChannelRequest, GetServerRequest, GetServerSocketsRequest, GetServersRequest,
    GetSocketRequest, GetSubchannelRequest, GetTopChannelsRequest, address,
};
use callwright::testing::TestServer;
use callwright::{Channel, Code, RunningServer, Server};
use callwright_tests::support::{RefusedPort, channel, channel_to, chat, say, serve, serve_on, serve_with};

/// The first id that nothing has.
const NOWHERE: i64 = i64::MAX;

async fn channelz() -> (TestServer, ChannelzStub) {
    let server = TestServer::new(Channelz::new()).await.unwrap();
    let stub = ChannelzStub::new(server.channel());
    (server, stub)
}

/// All channels, by as many questions as it takes.
async fn all_channels(stub: &ChannelzStub) -> Vec<proto::Channel> {
    let mut all: Vec<proto::Channel> = Vec::new();
    loop {
        let start_channel_id = all.last().map_or(0, |last| last.r#ref.as_ref().unwrap().channel_id + 1);
        let page = stub.get_top_channels(GetTopChannelsRequest { start_channel_id, max_results: 3 }).await.unwrap();
        assert!(page.channel.len() <= 3 && (page.end || !page.channel.is_empty()));
        all.extend(page.channel);
        if page.end {
            return all;
        }
    }
}

/// What channelz tells of a channel, found by its target.
async fn find(stub: &ChannelzStub, channel: &Channel) -> proto::Channel {
    let found = all_channels(stub).await;
    let mut found = found.into_iter().filter(|found| found.data.as_ref().unwrap().target == channel.target());
    let one = found.next().expect("the channel");
    assert!(found.next().is_none(), "two channels to {}", channel.target());
    one
}

async fn find_server(stub: &ChannelzStub, server: &RunningServer) -> proto::Server {
    let mut start_server_id = 0;
    loop {
        let page = stub.get_servers(GetServersRequest { start_server_id, max_results: 2 }).await.unwrap();
        let local = server.local_addr().to_uri();
        if let Some(found) = page.server.iter().find(|found| found.listen_socket[0].name == local) {
            return found.clone();
        }
        assert!(!page.end, "no server on {local}");
        start_server_id = page.server.last().unwrap().r#ref.as_ref().unwrap().server_id + 1;
    }
}

async fn call(channel: &Channel, succeed: usize, fail: usize) {
    for _ in 0..succeed {
        assert_eq!(say(channel, "hello").await.unwrap(), "hello");
    }
    for _ in 0..fail {
        assert_eq!(say(channel, "fail").await.unwrap_err().code(), Code::AlreadyExists);
    }
}

fn counts(data: &proto::ChannelData) -> (i64, i64, i64) {
    (data.calls_started, data.calls_succeeded, data.calls_failed)
}

async fn subchannel_of(stub: &ChannelzStub, channel: &proto::Channel) -> proto::Subchannel {
    assert_eq!(channel.subchannel_ref.len(), 1);
    let subchannel_id = channel.subchannel_ref[0].subchannel_id;
    stub.get_subchannel(GetSubchannelRequest { subchannel_id }).await.unwrap().subchannel.unwrap()
}

async fn socket(stub: &ChannelzStub, socket_id: i64) -> proto::Socket {
    stub.get_socket(GetSocketRequest { socket_id, summary: false }).await.unwrap().socket.unwrap()
}

async fn socket_of(stub: &ChannelzStub, subchannel: &proto::Subchannel) -> proto::Socket {
    assert_eq!(subchannel.socket_ref.len(), 1);
    socket(stub, subchannel.socket_ref[0].socket_id).await
}

#[tokio::test]
async fn channels_that_did_nothing_are_listed() {
    let (_server, stub) = channelz().await;
    let channels: Vec<_> = (0..5).map(|number| Channel::new(format!("inproc:idle {number}")).unwrap()).collect();
    for channel in &channels {
        let found = find(&stub, channel).await;
        let data = found.data.unwrap();
        assert_eq!(counts(&data), (0, 0, 0));
        assert_eq!(data.state.unwrap().state(), State::Idle);
        assert_eq!(data.last_call_started_timestamp, None);
        assert_eq!((found.subchannel_ref.len(), found.socket_ref.len()), (0, 0));
    }
}

#[tokio::test]
async fn a_start_past_all_channels_is_empty_and_the_end() {
    let (_server, stub) = channelz().await;
    let request = GetTopChannelsRequest { start_channel_id: NOWHERE, max_results: 0 };
    let page = stub.get_top_channels(request).await.unwrap();
    assert_eq!((page.channel.len(), page.end), (0, true));
    let page = stub.get_servers(GetServersRequest { start_server_id: NOWHERE, max_results: 0 }).await.unwrap();
    assert_eq!((page.server.len(), page.end), (0, true));
}

#[tokio::test]
async fn a_channel_is_found_by_its_id() {
    let (_server, stub) = channelz().await;
    let channel = Channel::new("inproc:by id").unwrap();
    let found = find(&stub, &channel).await;
    let channel_id = found.r#ref.as_ref().unwrap().channel_id;
    let again = stub.get_channel(GetChannelRequest { channel_id }).await.unwrap().channel.unwrap();
    assert_eq!(again, found);
}

#[tokio::test]
async fn calls_that_succeed_are_counted() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve().await;
    let channel = channel_to(&server);
    call(&channel, 10, 0).await;
    let data = find(&stub, &channel).await.data.unwrap();
    assert_eq!(counts(&data), (10, 10, 0));
    assert!(data.last_call_started_timestamp.is_some());
}

#[tokio::test]
async fn calls_that_fail_are_counted() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve().await;
    let channel = channel_to(&server);
    call(&channel, 0, 10).await;
    assert_eq!(counts(&find(&stub, &channel).await.data.unwrap()), (10, 0, 10));
}

#[tokio::test]
async fn channels_are_counted_apart() {
    let (_server, stub) = channelz().await;
    for (succeed, fail) in [(7, 9), (11, 13)] {
        let (server, _seen) = serve().await;
        let channel = channel_to(&server);
        call(&channel, succeed, fail).await;
        let (succeed, fail) = (succeed as i64, fail as i64);
        assert_eq!(counts(&find(&stub, &channel).await.data.unwrap()), (succeed + fail, succeed, fail));
    }
}

#[tokio::test]
async fn there_is_no_subchannel_before_the_first_call_and_one_after_it() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve().await;
    let channel = channel_to(&server);
    assert_eq!(find(&stub, &channel).await.subchannel_ref.len(), 0);
    call(&channel, 1, 0).await;
    let found = find(&stub, &channel).await;
    assert_eq!(found.data.as_ref().unwrap().state.unwrap().state(), State::Ready);
    let subchannel = subchannel_of(&stub, &found).await;
    let data = subchannel.data.unwrap();
    assert_eq!((data.state.unwrap().state(), data.target), (State::Ready, server.local_addr().to_uri()));
}

#[tokio::test]
async fn a_subchannel_counts_as_its_channel_does() {
    let (_server, stub) = channelz().await;
    for (succeed, fail) in [(7, 9), (17, 19), (23, 29)] {
        let (server, _seen) = serve().await;
        let channel = channel_to(&server);
        call(&channel, succeed, fail).await;
        let found = find(&stub, &channel).await;
        let subchannel = subchannel_of(&stub, &found).await;
        assert_eq!(counts(&subchannel.data.unwrap()), counts(&found.data.unwrap()));
    }
}

#[tokio::test]
async fn a_subchannel_has_one_socket_that_counts_streams_and_messages() {
    let (_server, stub) = channelz().await;
    for (succeed, fail) in [(7, 9), (11, 13)] {
        let (server, _seen) = serve().await;
        let channel = channel_to(&server);
        call(&channel, succeed, fail).await;
        let subchannel = subchannel_of(&stub, &find(&stub, &channel).await).await;
        let data = socket_of(&stub, &subchannel).await.data.unwrap();
        let all = (succeed + fail) as i64;
        assert_eq!((data.streams_started, data.streams_succeeded, data.streams_failed), (all, all, 0));
        assert_eq!((data.messages_sent, data.messages_received), (all, succeed as i64));
        assert!(data.last_local_stream_created_timestamp.is_some() && data.last_message_sent_timestamp.is_some());
        assert!(data.last_message_received_timestamp.is_some());
        assert_eq!(data.last_remote_stream_created_timestamp, None);
    }
}

#[tokio::test]
async fn a_stream_is_one_stream_and_its_messages() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve().await;
    let channel = channel_to(&server);
    let (mut requests, mut replies) = chat(&channel).start();
    for _ in 0..200 {
        requests.send("hello".into()).await.unwrap();
        replies.message().await.unwrap();
    }
    requests.finish();
    assert_eq!(replies.message().await.unwrap(), None);
    let found = find(&stub, &channel).await;
    assert_eq!(counts(found.data.as_ref().unwrap()), (1, 1, 0));
    let data = socket_of(&stub, &subchannel_of(&stub, &found).await).await.data.unwrap();
    assert_eq!((data.streams_started, data.streams_succeeded, data.streams_failed), (1, 1, 0));
    assert_eq!((data.messages_sent, data.messages_received), (200, 200));
}

#[tokio::test]
async fn messages_that_were_not_sent_are_not_counted() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve_with(Server::builder().max_send_message_size(8), "127.0.0.1:0").await;
    let channel = channel_to(&server);
    let (mut requests, mut replies) = chat(&channel).start();
    for message in ["short", "much too long"] {
        requests.send(message.into()).await.unwrap();
    }
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("short"));
    assert_eq!(replies.message().await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(say(&channel, "much too long").await.unwrap_err().code(), Code::ResourceExhausted);
    let server_id = find_server(&stub, &server).await.r#ref.unwrap().server_id;
    let sockets = GetServerSocketsRequest { server_id, start_socket_id: 0, max_results: 0 };
    let sockets = stub.get_server_sockets(sockets).await.unwrap().socket_ref;
    let data = socket(&stub, sockets[0].socket_id).await.data.unwrap();
    assert_eq!((data.messages_received, data.messages_sent), (3, 1));
}

#[tokio::test]
async fn calls_that_are_cut_off_have_failed_on_both_sides() {
    let (_server, stub) = channelz().await;
    let (server, mut seen) = serve().await;
    let channel = channel_to(&server);
    let call = tokio::spawn(say(&channel, "forever").into_future());
    seen.recv().await;
    call.abort();
    while !matches!(seen.recv().await, Some(callwright_tests::support::Seen::Done(_))) {}
    let found = find(&stub, &channel).await;
    assert_eq!(counts(found.data.as_ref().unwrap()), (1, 0, 1));
    let data = socket_of(&stub, &subchannel_of(&stub, &found).await).await.data.unwrap();
    assert_eq!((data.streams_started, data.streams_succeeded, data.streams_failed), (1, 0, 1));
    let data = find_server(&stub, &server).await.data.unwrap();
    assert_eq!((data.calls_started, data.calls_succeeded, data.calls_failed), (1, 0, 1));
}

#[tokio::test]
async fn servers_are_listed_with_their_counts() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve().await;
    assert_eq!(find_server(&stub, &server).await.data.unwrap().calls_started, 0);
    call(&channel_to(&server), 23, 29).await;
    let data = find_server(&stub, &server).await.data.unwrap();
    assert_eq!((data.calls_started, data.calls_succeeded, data.calls_failed), (52, 23, 29));
    assert!(data.last_call_started_timestamp.is_some());
}

#[tokio::test]
async fn a_server_is_found_by_its_id() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve().await;
    let found = find_server(&stub, &server).await;
    let server_id = found.r#ref.as_ref().unwrap().server_id;
    assert_eq!(stub.get_server(GetServerRequest { server_id }).await.unwrap().server.unwrap(), found);
}

#[tokio::test]
async fn a_servers_connections_are_listed() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve().await;
    let channels = [channel_to(&server), channel_to(&server), channel_to(&server)];
    for channel in &channels {
        call(channel, 1, 0).await;
    }
    let server_id = find_server(&stub, &server).await.r#ref.unwrap().server_id;
    let list = |start_socket_id, max_results| {
        stub.get_server_sockets(GetServerSocketsRequest { server_id, start_socket_id, max_results })
    };
    let first = list(0, 2).await.unwrap();
    assert_eq!((first.socket_ref.len(), first.end), (2, false));
    let rest = list(first.socket_ref[1].socket_id + 1, 0).await.unwrap();
    assert_eq!((rest.socket_ref.len(), rest.end), (1, true));
    for socket_ref in first.socket_ref.iter().chain(&rest.socket_ref) {
        let found = socket(&stub, socket_ref.socket_id).await;
        let data = found.data.unwrap();
        assert_eq!((data.streams_started, data.streams_succeeded), (1, 1));
        assert_eq!((data.messages_received, data.messages_sent), (1, 1));
        assert!(data.last_remote_stream_created_timestamp.is_some());
        assert_eq!(data.last_local_stream_created_timestamp, None);
    }
}

#[tokio::test]
async fn a_servers_listening_socket_is_told() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve().await;
    let found = find_server(&stub, &server).await;
    assert_eq!(found.listen_socket.len(), 1);
    let listening = socket(&stub, found.listen_socket[0].socket_id).await;
    assert_eq!(listening.remote, None);
    let Some(address::Address::TcpipAddress(address)) = listening.local.unwrap().address else { panic!("no TCP") };
    let local = server.local_addr().socket_addr().unwrap();
    assert_eq!((address.ip_address, address.port), (vec![127, 0, 0, 1], i32::from(local.port())));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (_server, stub) = channelz().await;
    for id in [NOWHERE, 0, -1] {
        let status = stub.get_server(GetServerRequest { server_id: id }).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, &*format!("there is no server with id {id}")));
        let channel = stub.get_channel(GetChannelRequest { channel_id: id }).await.unwrap_err();
        let subchannel = stub.get_subchannel(GetSubchannelRequest { subchannel_id: id }).await.unwrap_err();
        let socket = stub.get_socket(GetSocketRequest { socket_id: id, summary: false }).await.unwrap_err();
        let sockets =
            stub.get_server_sockets(GetServerSocketsRequest { server_id: id, start_socket_id: 0, max_results: 0 });
        for status in [channel, subchannel, socket, sockets.await.unwrap_err()] {
            assert_eq!(status.code(), Code::NotFound, "{status}");
        }
    }
}

#[tokio::test]
async fn an_id_of_another_kind_is_not_found() {
    let (_server, stub) = channelz().await;
    let channel = Channel::new("inproc:another kind").unwrap();
    let id = find(&stub, &channel).await.r#ref.unwrap().channel_id;
    assert_eq!(stub.get_server(GetServerRequest { server_id: id }).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn negative_starts_and_sizes_are_invalid() {
    let (_server, stub) = channelz().await;
    for (start_channel_id, max_results) in [(-1, 0), (0, -1)] {
        let status = stub.get_top_channels(GetTopChannelsRequest { start_channel_id, max_results }).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
}

#[tokio::test]
async fn a_channel_that_cannot_connect_tells_why() {
    let (_server, stub) = channelz().await;
    let port = RefusedPort::new();
    let channel = port.failed_channel().await;
    let found = find(&stub, &channel).await;
    let data = found.data.as_ref().unwrap();
    assert_eq!(data.state.unwrap().state(), State::TransientFailure);
    let trace = data.trace.as_ref().unwrap();
    assert!(trace.creation_timestamp.is_some() && trace.num_events_logged == trace.events.len() as i64);
    let told: Vec<_> = trace.events.iter().map(|event| (&*event.description, event.severity())).collect();
    assert_eq!(told[0], ("channel created", proto::channel_trace_event::Severity::CtInfo));
    let (last, severity) = told[told.len() - 1];
    assert!(last.contains("TRANSIENT_FAILURE") && last.contains("stage: connect"), "{last}");
    assert_eq!(severity, proto::channel_trace_event::Severity::CtWarning);
    let child = trace.events.iter().find_map(|event| event.child_ref.clone()).expect("the subchannel's event");
    let proto::channel_trace_event::ChildRef::SubchannelRef(child) = child else { panic!("{child:?}") };
    assert_eq!(child.subchannel_id, found.subchannel_ref[0].subchannel_id);
    let subchannel = subchannel_of(&stub, &found).await;
    assert_eq!(subchannel.socket_ref.len(), 0);
    assert_eq!(subchannel.data.unwrap().state.unwrap().state(), State::TransientFailure);
}

#[tokio::test]
async fn a_subchannel_whose_server_says_nothing_tells_that_it_failed() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let patience = Duration::from_millis(20);
    let builder = channel(&silent.local_addr().unwrap().to_string()).min_connect_timeout(patience);
    let channel = builder.build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    let (channels, _) = callwright::stats::channels(0, usize::MAX);
    let stats = channels.iter().find(|stats| stats.target() == channel.target()).unwrap();
    let events = stats.subchannels()[0].trace().events;
    let failed = events.iter().find(|event| event.severity == callwright::stats::Severity::Warning);
    let failed = failed.expect("an event that tells of the failure");
    assert!(failed.description.contains("TRANSIENT_FAILURE") && failed.description.contains("SETTINGS"), "{failed:?}");
}

#[tokio::test]
async fn events_are_bounded_and_counted() {
    let (_server, stub) = channelz().await;
    let (mut server, _seen) = serve_on("inproc:").await;
    let address = server.local_addr().to_string();
    let channel = channel(&address).build().unwrap();
    for _ in 0..20 {
        call(&channel, 1, 0).await;
        let mut states = channel.watch_state();
        server.stop().await;
        states.wait_for(callwright::ConnectivityState::Idle).await.unwrap();
        server = serve_on(&address).await.0;
    }
    let trace = find(&stub, &channel).await.data.unwrap().trace.unwrap();
    assert_eq!(trace.events.len(), 30);
    assert!(trace.num_events_logged >= 60, "{}", trace.num_events_logged);
}

#[tokio::test]
async fn what_is_gone_is_not_shown() {
    let (_server, stub) = channelz().await;
    let (server, _seen) = serve_on("inproc:gone").await;
    let channel = channel_to(&server);
    call(&channel, 1, 0).await;
    let found = find(&stub, &channel).await;
    let subchannel = subchannel_of(&stub, &found).await;
    let (channel_id, socket_id) = (found.r#ref.unwrap().channel_id, subchannel.socket_ref[0].socket_id);
    let server_id = find_server(&stub, &server).await.r#ref.unwrap().server_id;
    drop(channel);
    server.shutdown(Duration::from_secs(60)).await;
    // The last tasks end a little later.
    while stub.get_socket(GetSocketRequest { socket_id, summary: false }).await.is_ok()
        || stub.get_channel(GetChannelRequest { channel_id }).await.is_ok()
        || stub.get_server(GetServerRequest { server_id }).await.is_ok()
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn unix_sockets_and_names_within_the_process_are_told() {
    let (_server, stub) = channelz().await;
    let path = std::env::temp_dir().join(format!("callwright-channelz-{}.sock", std::process::id()));
    for listen in [format!("unix:{}", path.display()), "inproc:told".to_owned()] {
        let (server, _seen) = serve_with(Server::builder(), &listen).await;
        let channel = channel_to(&server);
        call(&channel, 1, 0).await;
        let subchannel = subchannel_of(&stub, &find(&stub, &channel).await).await;
        match socket_of(&stub, &subchannel).await.remote.unwrap().address.unwrap() {
            address::Address::UdsAddress(address) => assert_eq!(address.filename, path.display().to_string()),
            address::Address::OtherAddress(address) => assert_eq!(address.name, "inproc:told"),
            address::Address::TcpipAddress(address) => panic!("{address:?}"),
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn admin_adds_channelz() {
    let server = TestServer::new(Admin::new()).await.unwrap();
    let page = ChannelzStub::new(server.channel()).get_servers(GetServersRequest::default()).await.unwrap();
    assert!(!page.server.is_empty());
}
