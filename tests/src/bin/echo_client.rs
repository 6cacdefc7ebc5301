//! Runs rows of grpcio's own tests, and of what channels do by themselves, with our client against an echo server in another
//! language.

use std::process::ExitCode;

use callwright_tests::interop::flags::{Flag, Flags, usage};
use callwright_tests::interop::rows::Rows;

const ABOUT: &str = "\
Runs a group of rows, each of which prints PASS or FAIL; exits with 1 if one fails.
Behind the flags come -- and the command that starts the server.";
const FLAGS: [Flag; 3] = [
    Flag {
        name: "group",
        default: "wait_for_ready",
        help: "the group of rows: wait_for_ready, compression, status, channel_states, backoff, retries, pings",
    },
    Flag { name: "aio", default: "true", help: "whether the server has --aio, and rows of it are to be run" },
    Flag { name: "case", default: "", help: "the row, or the start of rows' names; all if empty" },
];

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let server = arguments.split_off(end).into_iter().skip(1).collect();
    let parsed = Flags::parse(&FLAGS, arguments).and_then(|flags| Ok((flags.bool("aio")?, flags)));
    let (aio, flags) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("echo_client: {error}\n\n{}", usage("echo_client", ABOUT, &FLAGS));
            return ExitCode::FAILURE;
        }
    };
    match Rows::new(flags.text("case"), server).with_aio(aio).run_group(flags.text("group")).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("echo_client: {failure}");
            ExitCode::FAILURE
        }
    }
}
