//! A server on which the test plays the client.

use std::time::Duration;

use super::SetupError;
use crate::server::Service;
use crate::{Channel, ChannelBuilder, RunningServer, Server, ServerBuilder};

/// A server without a socket, for the test of a servicer (grpcio-testing's `server_from_dictionary`).
///
/// [`channel`](Self::channel) gives what a stub needs; from there the test reads what any client reads: messages,
/// initial and trailing metadata ([`Call::send`](crate::Call::send)), code and details (the [`Status`](crate::Status)).
/// Dropping it stops the server.
#[derive(Debug)]
pub struct TestServer {
    running: Option<RunningServer>,
    channel: Channel,
}

impl TestServer {
    /// Serves one service, with every setting at its default.
    ///
    /// # Errors
    /// [`BindError::NoRuntime`](crate::BindError::NoRuntime) outside of a Tokio runtime.
    pub async fn new(service: impl Service) -> Result<TestServer, SetupError> {
        TestServer::start(Server::builder().add_service(service)).await
    }

    /// Serves what `builder` is set up with.
    ///
    /// # Errors
    /// As [`ServerBuilder::bind`].
    pub async fn start(builder: ServerBuilder) -> Result<TestServer, SetupError> {
        let running = builder.bind("inproc:").await?;
        let channel = Channel::new(running.local_addr().to_string())?;
        Ok(TestServer { running: Some(running), channel })
    }

    /// A channel to the server; clones share one connection.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Sets up another channel to the server.
    pub fn channel_builder(&self) -> ChannelBuilder {
        Channel::builder(self.channel.target())
    }

    /// Shuts the server down, as [`RunningServer::shutdown`] does.
    pub async fn shutdown(mut self, grace: Duration) {
        if let Some(running) = self.running.take() {
            running.shutdown(grace).await;
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}
