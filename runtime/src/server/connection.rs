//! One client's connection: its calls, until it or the server ends.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::handler;
use super::shared::Shared;
use crate::transport::Address;
use crate::transport::server::Connection;

/// Resolves when the server is asked to drain.
pub(super) async fn drains(draining: &mut watch::Receiver<bool>) {
    if draining.wait_for(|draining| *draining).await.is_err() {
        // Nobody holds the server, so nobody will ask.
        std::future::pending::<()>().await;
    }
}

/// Serves a connection until the client closes it, or until `draining` and its calls are done.
pub(super) async fn serve(
    connection: Connection,
    local: Option<Address>,
    peer: Address,
    shared: Arc<Shared>,
    mut draining: watch::Receiver<bool>,
) {
    let stats = shared.stats.accepted(local, peer.clone());
    let mut calls = JoinSet::new();
    // Dropped before the calls, whose clients then see a connection that broke and not calls that were cancelled.
    let mut connection = connection;
    let mut told = false;
    loop {
        tokio::select! {
            incoming = poll_fn(|cx| connection.poll_accept(cx)) => match incoming {
                Some(incoming) => {
                    calls.spawn(handler::run(incoming, stats.socket().open_remote(), peer.clone(), shared.clone()));
                }
                None => break,
            },
            Some(_) = calls.join_next() => {}
            () = drains(&mut draining), if !told => {
                told = true;
                connection.graceful_shutdown();
            }
        }
    }
    // The connection is gone, so every call that is left learns of that and ends by itself.
    while calls.join_next().await.is_some() {}
}
