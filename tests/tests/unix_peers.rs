//! Who is at the other end of a Unix socket.

use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use callwright::server::{Methods, Service};
use callwright::{AuthContext, Server, UnixCredentials};
use callwright_tests::support::{SAY, channel, say};
use tokio::sync::mpsc;

/// Passes on who calls.
struct Doorman(mpsc::UnboundedSender<(AuthContext, usize)>);

impl Service for Doorman {
    fn register(self, methods: &mut Methods) {
        methods.service("test.Echo", Arc::new(self)).unary(SAY, |doorman, request, context| {
            Box::pin(async move {
                let _ = doorman.0.send((context.auth_context().clone(), context.peer_identities().count()));
                Ok(request)
            })
        });
    }
}

fn text<'a>(auth: &'a AuthContext, name: &'a str) -> Vec<&'a str> {
    auth.property(name).map(|value| std::str::from_utf8(value).unwrap()).collect()
}

/// This process's user and group.
fn own_user() -> (u32, u32) {
    let own = std::fs::metadata("/proc/self").unwrap();
    (own.uid(), own.gid())
}

#[tokio::test]
async fn a_client_of_a_unix_socket_is_known_by_its_user_and_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("unix:{}", folder.path().join("door.sock").display());
    let name = format!("unix-abstract:callwright-door-{}", std::process::id());
    let (sender, mut seen) = mpsc::unbounded_channel();
    let server = Server::builder().add_service(Doorman(sender)).listen(&path).listen(&name).start().await.unwrap();
    for target in server.local_addrs() {
        say(&channel(&target.to_string()).build().unwrap(), "hello").await.unwrap();
        let (auth, identities) = seen.recv().await.unwrap();
        let UnixCredentials { uid, gid, pid, .. } = auth.unix_credentials().unwrap();
        assert_eq!(((uid, gid), pid), (own_user(), Some(std::process::id() as i32)));
        assert_eq!(text(&auth, "transport_security_type"), ["local"]);
        assert_eq!(text(&auth, "security_level"), ["TSI_PRIVACY_AND_INTEGRITY"]);
        assert_eq!(text(&auth, "unix_uid"), [uid.to_string()]);
        // It has not proved to be anybody.
        assert_eq!((identities, auth.is_peer_authenticated()), (0, false));
    }
}

#[tokio::test]
async fn a_client_in_another_process_has_that_ones_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("unix:{}", folder.path().join("door.sock").display());
    let (sender, mut seen) = mpsc::unbounded_channel();
    let _server = Server::builder().add_service(Doorman(sender)).bind(&path).await.unwrap();
    let mut client = Command::new(env!("CARGO_BIN_EXE_say_hello")).arg(&path).stdout(Stdio::null()).spawn().unwrap();
    let (auth, _) = seen.recv().await.unwrap();
    assert_eq!(auth.unix_credentials().unwrap().pid, Some(client.id() as i32));
    assert!(client.wait().unwrap().success());
}

#[tokio::test]
async fn a_client_by_tcp_or_of_the_same_process_has_no_user() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let server = Server::builder().add_service(Doorman(sender)).listen("inproc:").bind("127.0.0.1:0").await.unwrap();
    for target in server.local_addrs() {
        say(&channel(&target.to_string()).build().unwrap(), "hello").await.unwrap();
        let (auth, _) = seen.recv().await.unwrap();
        assert_eq!((auth.unix_credentials(), auth.properties().count()), (None, 0));
    }
}
