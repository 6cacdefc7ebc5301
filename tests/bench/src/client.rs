//! What a client under test can do, and how every client starts.

use std::process::ExitCode;

use crate::flags::{ClientFlags, Mode};
use crate::{Failure, accounting, load, report, rt};

/// What is sent, made once: a call only copies it.
#[derive(Clone, Debug)]
pub struct Job {
    /// What kind of call.
    pub mode: Mode,
    /// The name of a unary request, of the size that is wanted.
    pub name: String,
    /// The body of a message of a stream, of the size that is wanted.
    pub body: Vec<u8>,
    /// How many messages a stream has.
    pub messages: u32,
}

impl Job {
    /// What these flags ask for.
    pub fn new(flags: &ClientFlags) -> Job {
        Job { mode: flags.mode, name: "x".repeat(flags.size), body: vec![b'x'; flags.size], messages: flags.messages }
    }
}

/// One connection of a library under test.
pub trait Client: Send + Sync + Sized + 'static {
    /// Connects, and comes back when calls can go out.
    fn connect(flags: &ClientFlags) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Makes one call of the job's mode to its end, and checks what came. Gives how many messages that were: an echoed one
    /// counts once.
    fn call(&self, job: &Job) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// Runs a client as the flags of the process say, and prints what came of it.
pub fn run<C: Client>() -> ExitCode {
    let flags = ClientFlags::from_env();
    accounting::raise_open_files();
    let outcome = rt::runtime(flags.threads).map_err(Failure::from).and_then(|runtime| {
        let outcome = runtime.block_on(load::run::<C>(&flags));
        // Not waiting for calls that were under way when the time was over.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(outcome) => report::print(&outcome),
        Err(error) => {
            eprintln!("the client cannot run against {}:{}: {error}", flags.host, flags.port);
            ExitCode::FAILURE
        }
    }
}

/// Says that so many messages came and not as many as should have.
///
/// # Errors
/// If they are not the same.
pub fn expect(what: &str, came: u64, wanted: u64) -> Result<(), Failure> {
    if came == wanted { Ok(()) } else { Err(format!("{came} {what} came, and {wanted} should have").into()) }
}
