//! Tests of servicers and of clients, without a port and without a sleep (gRFC L65's `testing`; feature `testing`).
//!
//! | to test | take | the test is |
//! |---|---|---|
//! | a servicer | [`TestServer`] | the client: it calls any stub, and sees messages, metadata, code and details |
//! | code that calls a stub | [`TestChannel`] | the server: it looks at each call, answers it or ends it |
//! | both at once | `bind("inproc:")` and a [`Channel`](crate::Channel) to it | neither |
//! | deadlines, and whatever else takes time | [`strict_fake_time`] beside these | the clock |
//!
//! All of it runs on channels and servers as they are, only over memory in place of a socket: what holds in the test
//! holds on the wire.
//!
//! ```
//! # use callwright::server::{Methods, Service};
//! # use callwright::{Call, Channel, Method, Status, Unary};
//! # struct Greeter;
//! # impl Service for Greeter {
//! #     fn register(self, methods: &mut Methods) {
//! #         methods.service("helloworld.Greeter", std::sync::Arc::new(self)).unary(
//! #             Method::<String, String>::new("/helloworld.Greeter/SayHello"),
//! #             |_, name, _| Box::pin(async move { Ok(format!("Hello, {name}!")) }),
//! #         );
//! #     }
//! # }
//! # struct GreeterStub(Channel);
//! # impl GreeterStub {
//! #     fn new(channel: Channel) -> Self { GreeterStub(channel) }
//! #     fn say_hello(&self, name: &str) -> Call<Unary, String, String> {
//! #         Call::unary(&self.0, Method::new("/helloworld.Greeter/SayHello"), name.into())
//! #     }
//! # }
//! use callwright::testing::TestServer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // With generated code: TestServer::new(GreeterServer::new(MyGreeter))
//! let server = TestServer::new(Greeter).await?;
//! let reply = GreeterStub::new(server.channel()).say_hello("you").await?;
//! assert_eq!(reply, "Hello, you!");
//! # Ok(())
//! # }
//! ```

mod call;
mod channel;
mod server;
mod time;

pub use call::TestCall;
pub use channel::TestChannel;
pub use server::TestServer;
pub use time::{FakeTime, strict_fake_time};

use crate::{BindError, ChannelError};

/// Why a test's channel or server cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The server cannot start.
    #[error(transparent)]
    Server(#[from] BindError),
    /// The channel cannot be built.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}
