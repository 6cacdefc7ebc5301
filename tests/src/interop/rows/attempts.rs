//! Calls whose attempts the peer's server notes, ends as it is told, and reports.
//!
//! Peers do this in `UnaryUnary`, beside what `interop/echo.rs` lists:
//!
//! | metadata | what the handler does |
//! |---|---|
//! | `x-call: NAME` | notes an attempt of the call of this name |
//! | `x-answers: 14,never,0` | ends it with the code of its place among the call's attempts, the last one again and again; with `never` waits until it is cancelled |
//! | `x-pushback: 500` | fails with `grpc-retry-pushback-ms: 500` |
//! | `x-report: NAME` | answers with the attempts of that call, a line each: `MICROSECONDS PREVIOUS END` |
//!
//! `PREVIOUS` is what the attempt said in `grpc-previous-rpc-attempts`, or `-`. `END` is the code, `cancelled`, or `running`.

use std::time::Duration;

use callwright::{Call, Channel, Unary};

use super::{Failure, TIMEOUT, blob, equal};
use crate::echo::{Blob, EchoStub};

/// How often a report is asked for until it says what it is to say.
const POLL: Duration = Duration::from_millis(5);

/// An attempt as the server saw it.
#[derive(Debug)]
pub(super) struct Attempt {
    /// When it came, by the server's clock.
    at: Duration,
    /// What it said of those before.
    pub(super) previous: String,
    /// How it ended.
    pub(super) end: String,
}

/// A call of this name, whose attempts end so.
pub(super) fn call(channel: &Channel, name: &str, answers: &str) -> Call<Unary, Blob, Blob> {
    let call = EchoStub::new(channel.clone()).unary_unary(blob(1)).timeout(TIMEOUT);
    call.metadata("x-call", name.to_owned()).metadata("x-answers", answers.to_owned())
}

/// What the server has seen of a call.
pub(super) async fn report(channel: &Channel, name: &str) -> Result<Vec<Attempt>, Failure> {
    let call = EchoStub::new(channel.clone()).unary_unary(blob(0)).timeout(TIMEOUT);
    let report = call.metadata("x-report", name.to_owned()).await?;
    String::from_utf8(report.body)?.lines().map(parse).collect()
}

/// Waits until these are the ends of a call's attempts.
pub(super) async fn wait_for_ends(channel: &Channel, name: &str, ends: &[&str]) -> Result<Vec<Attempt>, Failure> {
    let waiting = async {
        loop {
            let attempts = report(channel, name).await?;
            if attempts.iter().map(|attempt| attempt.end.as_str()).eq(ends.iter().copied()) {
                return Ok(attempts);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    match tokio::time::timeout(TIMEOUT, waiting).await {
        Ok(attempts) => attempts,
        Err(_) => Err(Failure(format!("the attempts do not end as {ends:?}: {:?}", report(channel, name).await?))),
    }
}

/// Compares what the attempts said of those before them: each tells their number, the first nothing.
pub(super) fn are_numbered(attempts: &[Attempt], count: usize) -> Result<(), Failure> {
    let previous: Vec<_> = attempts.iter().map(|attempt| attempt.previous.clone()).collect();
    let expected: Vec<_> =
        (0..count).map(|number| if number == 0 { "-".to_owned() } else { number.to_string() }).collect();
    equal("previous attempts", previous, expected)
}

/// The times between the attempts.
pub(super) fn gaps(attempts: &[Attempt]) -> Vec<Duration> {
    let next = attempts.iter().skip(1);
    attempts.iter().zip(next).map(|(attempt, next)| next.at.saturating_sub(attempt.at)).collect()
}

fn parse(line: &str) -> Result<Attempt, Failure> {
    let mut parts = line.split(' ');
    let (Some(at), Some(previous), Some(end), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Failure(format!("no line of a report: {line:?}")));
    };
    Ok(Attempt { at: Duration::from_micros(at.parse()?), previous: previous.to_owned(), end: end.to_owned() })
}
