//! `callwright`: calls any gRPC service from the shell, with protos read from files or asked of the server.

mod arguments;
mod call;
mod channel;
mod describe;
mod failure;
mod output;
mod source;

use std::process::ExitCode;

use arguments::{Arguments, Task};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            output::say(format_args!("{error}\ncallwright --help says what there is"));
            return ExitCode::from(failure::USAGE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(format_args!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(arguments));
    // A read of stdin may be under way, and nothing waits for it.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(failure) => {
            output::say(format_args!("{failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.task {
        Task::Help => output::line(arguments::HELP),
        Task::Call(call) => call::run(call).await,
        Task::List(list) => describe::list(list).await,
        Task::Describe(describe) => describe::describe(describe).await,
    }
}
