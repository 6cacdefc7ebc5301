//! What channelz shows of a server inside of an HTTP server.

use callwright::{Address, stats};

use crate::support::{call, echo, say};

/// More calls than any other test of this process makes of one server, so that it is found among theirs.
const CALLS: u64 = 1234;

#[tokio::test]
async fn the_server_is_known_and_one_connection_stands_for_all() {
    let (service, _seen) = echo();
    for number in 1..=CALLS {
        call(&service, say(if number % 2 == 0 { "hello" } else { "fail" })).await;
    }
    let (servers, _) = stats::servers(0, usize::MAX);
    let server = servers.iter().find(|server| server.calls().started == CALLS).expect("the server");
    assert_eq!((server.calls().succeeded, server.calls().failed), (CALLS / 2, CALLS / 2));
    assert!(server.listeners().is_empty());
    let (sockets, _) = server.sockets(0, usize::MAX);
    let [socket] = &sockets[..] else { panic!("{} connections", sockets.len()) };
    assert_eq!((socket.remote(), socket.local()), (Some(&Address::Unknown), None));
    let counts = socket.counts();
    assert_eq!((counts.streams_started, counts.streams_succeeded, counts.messages_sent), (CALLS, CALLS, CALLS / 2));
    drop((servers, sockets, service));
}
