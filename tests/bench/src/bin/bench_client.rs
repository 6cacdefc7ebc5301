//! Our client, as a user would write it: one channel for each connection.

use std::process::ExitCode;
use std::time::Duration;

use callwright::Channel;
use callwright_bench::Failure;
use callwright_bench::client::{self, Client, Job, expect};
use callwright_bench::flags::{ClientFlags, Mode};
use callwright_bench::server::MAX_MESSAGE_BYTES;
use futures_util::stream;
use helloworld::{Chunk, GreeterStub, HelloRequest, StreamerStub, Wanted};

mod helloworld {
    callwright::include_proto!("helloworld");
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

struct Callwright {
    greeter: GreeterStub,
    streamer: StreamerStub,
}

impl Client for Callwright {
    async fn connect(flags: &ClientFlags) -> Result<Self, Failure> {
        let channel = Channel::builder(format!("dns:///{}:{}", flags.host, flags.port))
            .max_receive_message_size(MAX_MESSAGE_BYTES)
            .max_send_message_size(MAX_MESSAGE_BYTES)
            .build()?;
        channel.wait_until_ready(CONNECT_TIMEOUT).await?;
        Ok(Callwright { greeter: GreeterStub::new(channel.clone()), streamer: StreamerStub::new(channel) })
    }

    async fn call(&self, job: &Job) -> Result<u64, Failure> {
        match job.mode {
            Mode::Unary | Mode::Idle => self.unary(job).await,
            Mode::ServerStream => self.download(job).await,
            Mode::ClientStream => self.upload(job).await,
            Mode::Bidi => self.echo(job).await,
        }
    }
}

impl Callwright {
    async fn unary(&self, job: &Job) -> Result<u64, Failure> {
        let reply = self.greeter.say_hello(HelloRequest { name: job.name.clone() }).await?;
        expect("bytes", reply.message.len() as u64, job.name.len() as u64)?;
        Ok(1)
    }

    async fn download(&self, job: &Job) -> Result<u64, Failure> {
        let wanted = Wanted { messages: job.messages, size: u32::try_from(job.body.len())? };
        let mut chunks = self.streamer.download(wanted).await?;
        let mut came = 0;
        while chunks.message().await?.is_some() {
            came += 1;
        }
        expect("messages", came, job.messages.into())?;
        Ok(came)
    }

    async fn upload(&self, job: &Job) -> Result<u64, Failure> {
        let chunks = (0..job.messages).map(|_| Chunk { body: job.body.clone() });
        let received = self.streamer.upload().send_all(stream::iter(chunks)).await?;
        expect("messages", received.messages, job.messages.into())?;
        Ok(received.messages)
    }

    async fn echo(&self, job: &Job) -> Result<u64, Failure> {
        let body = job.body.clone();
        let chunks = (0..job.messages).map(move |_| Chunk { body: body.clone() });
        let mut echoes = self.streamer.echo().send_all(stream::iter(chunks)).await?;
        let mut came = 0;
        while echoes.message().await?.is_some() {
            came += 1;
        }
        expect("messages", came, job.messages.into())?;
        Ok(came)
    }
}

fn main() -> ExitCode {
    client::run::<Callwright>()
}
