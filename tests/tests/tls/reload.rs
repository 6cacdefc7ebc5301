//! Certificates that are renewed while both sides run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use callwright::{Channel, ChannelCredentials, ChannelTlsBuilder, RunningServer, ServerCredentials};
use callwright_tests::support::say;
use tempfile::TempDir;

use crate::certificates::{Authority, Identity};
use crate::{refused_at, serve, tls, to, trusting};

/// Files that are written anew.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Files {
        Files { folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn write_identity(&self, identity: &Identity) -> (PathBuf, PathBuf) {
        self.write("chain.pem", &identity.chain);
        self.write("key.pem", &identity.key);
        (self.path("chain.pem"), self.path("key.pem"))
    }
}

/// The files are looked at for each connection.
const ALWAYS: Duration = Duration::ZERO;

async fn works(server: &RunningServer, credentials: ChannelTlsBuilder) {
    assert_eq!(say(&to(server, credentials), "hello").await.unwrap(), "hello");
}

async fn reconnected(server: &RunningServer, credentials: &ChannelCredentials) -> Channel {
    // Each channel makes a connection of its own, with credentials that are shared.
    let target = crate::target(server);
    callwright_tests::support::channel(&target).credentials(credentials.clone()).build().unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn a_servers_new_certificate_is_used_and_a_broken_one_is_not() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = Files::new();
    let (chain, key) = files.write_identity(&old.server(&["localhost"]));
    let server = serve(ServerCredentials::tls_files(&chain, &key).reload_interval(ALWAYS)).await;
    works(&server, trusting(&old)).await;
    let next = new.server(&["localhost"]);
    // Half of the change, as it is for a moment with any tool that writes two files.
    files.write("chain.pem", &next.chain);
    works(&server, trusting(&old)).await;
    files.write("key.pem", "not a key");
    works(&server, trusting(&old)).await;
    std::fs::remove_file(&key).unwrap();
    works(&server, trusting(&old)).await;
    files.write("key.pem", &next.key);
    works(&server, trusting(&new)).await;
    refused_at(&to(&server, trusting(&old)), "TLS", "unknown issuer").await;
    assert_eq!(read(&chain), next.chain);
}

#[tokio::test]
async fn a_connection_goes_on_with_the_certificate_that_it_began_with() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = Files::new();
    let (chain, key) = files.write_identity(&old.server(&["localhost"]));
    let server = serve(ServerCredentials::tls_files(chain, key).reload_interval(ALWAYS)).await;
    let channel = to(&server, trusting(&old));
    assert_eq!(say(&channel, "before").await.unwrap(), "before");
    files.write_identity(&new.server(&["localhost"]));
    works(&server, trusting(&new)).await;
    assert_eq!(say(&channel, "after").await.unwrap(), "after");
}

#[tokio::test]
async fn a_servers_new_roots_of_clients_are_used() {
    let (authority, old, new) = (Authority::new("a root"), Authority::new("old"), Authority::new("new"));
    let files = Files::new();
    files.write("clients.pem", &old.pem);
    let credentials = tls(&authority.server(&["localhost"])).client_root_certificates_file(files.path("clients.pem"));
    let server = serve(credentials.reload_interval(ALWAYS)).await;
    let (old, new_client) = (old.client("old", &[]), new.client("new", &[]));
    let with = |identity: &Identity| trusting(&authority).identity(&identity.chain, &identity.key);
    works(&server, with(&old)).await;
    refused_at(&to(&server, with(&new_client)), "TLS", "does not accept the client's certificate").await;
    files.write("clients.pem", &new.pem);
    works(&server, with(&new_client)).await;
    refused_at(&to(&server, with(&old)), "TLS", "does not accept the client's certificate").await;
}

#[tokio::test]
async fn a_clients_new_roots_and_identity_are_used() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = Files::new();
    files.write("roots.pem", &old.pem);
    let (chain, key) = files.write_identity(&old.client("old", &[]));
    let credentials = ChannelCredentials::tls()
        .root_certificates_file(files.path("roots.pem"))
        .identity_files(chain, key)
        .reload_interval(ALWAYS)
        .build()
        .unwrap();
    let serve_with =
        |authority: &Authority| serve(tls(&authority.server(&["localhost"])).client_root_certificates(&authority.pem));
    let server = serve_with(&old).await;
    assert_eq!(say(&reconnected(&server, &credentials).await, "old").await.unwrap(), "old");
    let renewed = serve_with(&new).await;
    refused_at(&reconnected(&renewed, &credentials).await, "TLS", "unknown issuer").await;
    files.write("roots.pem", "half written");
    assert_eq!(say(&reconnected(&server, &credentials).await, "old").await.unwrap(), "old");
    files.write("roots.pem", &new.pem);
    files.write_identity(&new.client("new", &[]));
    assert_eq!(say(&reconnected(&renewed, &credentials).await, "new").await.unwrap(), "new");
}

#[tokio::test(start_paused = true)]
async fn the_files_are_looked_at_no_more_often_than_the_interval_says() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = Files::new();
    let (chain, key) = files.write_identity(&old.server(&["localhost"]));
    let server = serve(ServerCredentials::tls_files(chain, key)).await;
    files.write_identity(&new.server(&["localhost"]));
    works(&server, trusting(&old)).await;
    tokio::time::advance(Duration::from_secs(9)).await;
    works(&server, trusting(&old)).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    works(&server, trusting(&new)).await;
}
