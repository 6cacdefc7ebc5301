//! Calls over TLS: who is trusted, who is refused and what that is called, and certificates that change while both sides run.

mod call_credentials;
mod certificates;
mod handshakes;
mod identities;
mod inputs;
mod reload;

use callwright::server::{Methods, Service};
use callwright::{
    Channel, ChannelCredentials, ChannelTlsBuilder, Code, Method, RunningServer, Server, ServerCredentials,
    ServerTlsBuilder, Status,
};
use callwright_tests::support::{Echo, channel, say};
use certificates::{Authority, Identity};

/// Tells who the caller is, a line a property.
const WHO: Method<String, String> = Method::new("/test.Who/Am");

struct Who;

impl Service for Who {
    fn register(self, methods: &mut Methods) {
        methods.service("test.Who", std::sync::Arc::new(self)).unary(WHO, |_, _, context| {
            let auth = context.auth_context();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut lines: Vec<_> = auth.properties().map(|(name, value)| format!("{name}={}", text(value))).collect();
            lines.push(format!("authenticated={}", auth.is_peer_authenticated()));
            lines.push(format!("identity={}", auth.peer_identity_property_name().unwrap_or("none")));
            lines.extend(context.peer_identities().map(|name| format!("peer={}", text(name))));
            Box::pin(std::future::ready(Ok(lines.join("\n"))))
        });
    }
}

/// A server of the tests' services with these credentials.
async fn serve(credentials: ServerTlsBuilder) -> RunningServer {
    let (echo, _) = Echo::new();
    let credentials = credentials.build().unwrap();
    Server::builder().credentials(credentials).add_service(echo).add_service(Who).bind("127.0.0.1:0").await.unwrap()
}

fn tls(identity: &Identity) -> ServerTlsBuilder {
    ServerCredentials::tls(&identity.chain, &identity.key)
}

fn trusting(authority: &Authority) -> ChannelTlsBuilder {
    ChannelCredentials::tls().root_certificates(&authority.pem)
}

/// A channel to a server by the name `localhost`.
fn to(server: &RunningServer, credentials: ChannelTlsBuilder) -> Channel {
    channel(&target(server)).credentials(credentials.build().unwrap()).build().unwrap()
}

fn target(server: &RunningServer) -> String {
    format!("dns:///localhost:{}", server.local_addr().socket_addr().unwrap().port())
}

/// The status of a call that cannot be made since there is no connection; it has to be UNAVAILABLE.
async fn refused(channel: &Channel) -> Status {
    let status = say(channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    status
}

/// Asserts that no connection comes about, at this stage and for this reason.
async fn refused_at(channel: &Channel, stage: &str, reason: &str) {
    let status = refused(channel).await;
    let stage = format!("(stage: {stage})");
    assert!(status.message().contains(&stage) && status.message().contains(reason), "{}", status.message());
}
