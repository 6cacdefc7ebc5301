//! A channel on which the test plays the server.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::SetupError;
use super::call::{Command, TakenCall, TestCall};
use super::server::TestServer;
use crate::server::{Methods, Service};
use crate::{Channel, ChannelBuilder, Method, Requests, Responses, Server, ServerContext, Status};

/// A channel whose calls the test takes and answers (grpcio-testing's `channel`).
///
/// The code under test gets [`channel`](Self::channel), as it would get any other; each call that it makes waits until
/// the test takes it.
///
/// ```
/// # use callwright::{Call, Method};
/// # use callwright::testing::TestChannel;
/// # async fn code_under_test(channel: callwright::Channel) -> Result<String, callwright::Status> {
/// #     Call::unary(&channel, Method::new("/helloworld.Greeter/SayHello"), "you".to_owned()).wait_for_ready(true).await
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let test = TestChannel::new().await?;
/// let client = tokio::spawn(code_under_test(test.channel()));
///
/// let mut call = test.take::<String, String>("/helloworld.Greeter/SayHello").await;
/// assert_eq!(call.wait_for_ready(), Some(true));
/// assert_eq!(call.request().await?, "you");
/// call.reply("Hello, you!".to_owned()).await?;
///
/// assert_eq!(client.await??, "Hello, you!");
/// # Ok(())
/// # }
/// ```
pub struct TestChannel {
    server: TestServer,
    channel: Channel,
    calls: Arc<Calls>,
}

impl TestChannel {
    /// A channel with every setting at its default.
    ///
    /// # Errors
    /// [`BindError::NoRuntime`](crate::BindError::NoRuntime) outside of a Tokio runtime.
    pub async fn new() -> Result<TestChannel, SetupError> {
        TestChannel::with(|builder| builder).await
    }

    /// A channel that is set up as `settings` says.
    ///
    /// # Errors
    /// As [`ChannelBuilder::build`].
    pub async fn with(settings: impl FnOnce(ChannelBuilder) -> ChannelBuilder) -> Result<TestChannel, SetupError> {
        let calls = Arc::new(Calls::default());
        let builder = Server::builder().max_receive_message_size(usize::MAX);
        let server = TestServer::start(builder.add_service(Taker { calls: calls.clone() })).await?;
        let channel = settings(server.channel_builder()).build()?;
        Ok(TestChannel { server, channel, calls })
    }

    /// The channel, for the code under test.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Takes the next call of this method (`/package.Service/Method`), in the order in which they were made; waits until
    /// there is one. Calls of other methods go on waiting.
    pub async fn take<Req, Res>(&self, path: &'static str) -> TestCall<Req, Res>
    where
        Req: prost::Message + Default + 'static,
        Res: prost::Message + Default + 'static,
    {
        self.take_method(Method::new(path)).await
    }

    /// As [`take`](Self::take), for a method whose messages have codecs of their own.
    pub async fn take_method<Req: 'static, Res: 'static>(&self, method: Method<Req, Res>) -> TestCall<Req, Res> {
        loop {
            let arrived = self.calls.arrived.notified();
            if let Some(call) = self.calls.take(method.path()) {
                return TestCall::new(call, method);
            }
            arrived.await;
        }
    }

    /// The methods of the calls that nobody has taken, in the order in which they were made; those that have ended
    /// meanwhile, by their deadline or because the client gave them up, are not among them.
    pub fn waiting(&self) -> Vec<String> {
        self.calls.lock_active().iter().map(|call| call.method().to_owned()).collect()
    }

    /// Ends the server: calls under way end in UNAVAILABLE, and so do later ones unless they wait for ready.
    pub async fn disconnect(self) {
        self.server.shutdown(std::time::Duration::ZERO).await;
    }
}

impl fmt::Debug for TestChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestChannel").field("channel", &self.channel).field("waiting", &self.waiting()).finish()
    }
}

/// The calls that nobody has taken.
#[derive(Default)]
struct Calls {
    waiting: Mutex<VecDeque<TakenCall>>,
    arrived: Notify,
}

impl Calls {
    fn take(&self, path: &str) -> Option<TakenCall> {
        let mut waiting = self.lock_active();
        let at = waiting.iter().position(|call| call.method() == path)?;
        waiting.remove(at)
    }

    /// Without those that ended meanwhile: nobody waits for an answer to them.
    fn lock_active(&self) -> MutexGuard<'_, VecDeque<TakenCall>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(TakenCall::is_active);
        waiting
    }
}

/// The service that leaves every call to the test.
struct Taker {
    calls: Arc<Calls>,
}

impl Service for Taker {
    fn register(self, methods: &mut Methods) {
        methods.fallback(Arc::new(self), |taker, requests, responses, context| {
            Box::pin(taker.serve(requests, responses, context))
        });
    }
}

impl Taker {
    async fn serve(
        &self,
        requests: Requests<Bytes>,
        responses: &mut Responses<Bytes>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        let (commands, mut received) = mpsc::unbounded_channel();
        self.calls.lock_active().push_back(TakenCall::new(requests, context, commands));
        self.calls.arrived.notify_waiters();
        while let Some(command) = received.recv().await {
            match command {
                // The test learns what became of it, or that the call has ended.
                Command::Send(message, sent) => drop(sent.send(responses.send(message).await)),
                Command::Context(change) => change(context),
                Command::End(result) => return result,
            }
        }
        Err(Status::unknown("the test let go of the call without ending it"))
    }
}
