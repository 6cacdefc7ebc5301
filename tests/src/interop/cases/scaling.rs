//! More connections where the streams of one are used up (gRFC A105), against a server that allows two on each
//! (`--max_concurrent_streams_limit=2`) and with a service config that allows two connections.

use callwright::{RequestSender, Streaming};

use super::{Failure, Stubs, ensure_eq};
use crate::testing::{BoolValue, ResponseParameters, StreamingOutputCallRequest, StreamingOutputCallResponse};

type Duplex = (RequestSender<StreamingOutputCallRequest>, Streaming<StreamingOutputCallResponse>);

pub(super) async fn on_another_connection(stubs: Stubs) -> Result<(), Failure> {
    let (first, first_call) = open(&stubs).await?;
    let (second, second_call) = open(&stubs).await?;
    let (third, third_call) = open(&stubs).await?;
    ensure_eq("the first two calls' addresses are there, and one", &(!first.is_empty() && first == second), &true)?;
    ensure_eq(&format!("the third call's address, {third}, is not {first}"), &(third != first), &true)?;
    for (requests, mut responses) in [first_call, second_call, third_call] {
        requests.finish();
        ensure_eq("further responses", &responses.message().await?, &None)?;
    }
    Ok(())
}

/// A call that goes on, and the client's address as the server sees it.
async fn open(stubs: &Stubs) -> Result<(String, Duplex), Failure> {
    let (mut requests, mut responses) = stubs.test.full_duplex_call().start();
    let parameters = ResponseParameters {
        fill_peer_socket_address: Some(BoolValue { value: true }),
        ..ResponseParameters::default()
    };
    let request =
        StreamingOutputCallRequest { response_parameters: vec![parameters], ..StreamingOutputCallRequest::default() };
    requests.send(request).await?;
    let response = responses.message().await?.ok_or_else(|| Failure("a call ended without a response".to_owned()))?;
    Ok((response.peer_socket_address, (requests, responses)))
}

#[cfg(test)]
mod tests {
    use callwright::service_config::ServiceConfig;
    use callwright::{Channel, Server};

    use crate::interop::InteropService;
    use crate::interop::cases::{Case, Soak};
    use crate::interop::flags::Flags;
    use crate::testing::TestServiceServer;

    async fn run(streams: u32, connections: u32) -> Result<(), String> {
        let soak = Soak::from_flags(&Flags::parse(&Soak::FLAGS, []).unwrap()).unwrap();
        let server = Server::builder().max_concurrent_streams(streams);
        let server = server.add_service(TestServiceServer::new(InteropService::new("one")));
        let server = server.bind("127.0.0.1:0").await.unwrap();
        let config = ServiceConfig::new().with_max_connections_per_subchannel(connections);
        let channel = Channel::builder(server.local_addr().to_string()).service_config(config);
        let case = Case::find("max_concurrent_streams_connection_scaling").unwrap();
        case.run(channel, soak).await.map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn the_third_call_has_a_connection_of_its_own() {
        run(2, 2).await.unwrap();
        let failure = run(1, 3).await.unwrap_err();
        assert!(failure.contains("first two"), "{failure}");
        let failure = run(3, 2).await.unwrap_err();
        assert!(failure.contains("third"), "{failure}");
    }
}
