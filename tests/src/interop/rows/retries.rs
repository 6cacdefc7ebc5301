//! Calls that are made again as their service config says (gRFC A6), as the peer's server sees them.

use std::time::Duration;

use callwright::service_config::ServiceConfig;
use callwright::{Channel, Code, Status};

use super::attempts::{are_numbered, call, gaps, report, wait_for_ends};
use super::server::Server;
use super::waits::{LATE, Waits};
use super::{Failure, Rows, equal};
use crate::echo::Blob;

const POLICY: &str = r#"{"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "1s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"]}"#;
/// What the policy says.
const WAITS: Waits = Waits { initial: Duration::from_millis(200), multiplier: 2.0, max: Duration::from_secs(1) };
/// A server notes an attempt before it answers it, and the wait follows the answer.
const EARLY: Duration = Duration::ZERO;

pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    let server = Server::start(&rows.server, &[]).await?;
    let peer = Peer { target: server.target() };
    rows.run("retries/four_attempts", peer.four_attempts()).await;
    rows.run("retries/five_at_the_most", peer.five_at_the_most()).await;
    rows.run("retries/other_code", peer.other_code()).await;
    rows.run("retries/no_policy", peer.no_policy()).await;
    rows.run("retries/third_succeeds", peer.third_succeeds()).await;
    rows.run("retries/pushback", peer.pushback()).await;
    rows.run("retries/pushback_stops", peer.pushback_stops()).await;
    rows.run("retries/throttled", peer.throttled()).await;
    rows.run("retries/hedged", peer.hedged()).await;
    Ok(())
}

struct Peer {
    target: String,
}

impl Peer {
    fn channel(&self, config: &str) -> Result<Channel, Failure> {
        Ok(Channel::builder(self.target.as_str()).service_config(ServiceConfig::from_json(config)?).build()?)
    }

    fn retrying(&self, policy: &str) -> Result<Channel, Failure> {
        self.channel(&format!(r#"{{"methodConfig": [{{"name": [{{}}], "retryPolicy": {policy}}}]}}"#))
    }

    async fn four_attempts(&self) -> Result<(), Failure> {
        let channel = self.retrying(POLICY)?;
        equal("code", code(call(&channel, "four", "14").await), Code::Unavailable)?;
        let attempts = report(&channel, "four").await?;
        are_numbered(&attempts, 4)?;
        WAITS.hold(&gaps(&attempts), EARLY)
    }

    async fn five_at_the_most(&self) -> Result<(), Failure> {
        let channel = self.retrying(&POLICY.replace("\"maxAttempts\": 4", "\"maxAttempts\": 9"))?;
        equal("code", code(call(&channel, "nine", "14").await), Code::Unavailable)?;
        let attempts = report(&channel, "nine").await?;
        are_numbered(&attempts, 5)?;
        WAITS.hold(&gaps(&attempts), EARLY)
    }

    async fn other_code(&self) -> Result<(), Failure> {
        let channel = self.retrying(POLICY)?;
        equal("code", code(call(&channel, "other", "5").await), Code::NotFound)?;
        are_numbered(&report(&channel, "other").await?, 1)
    }

    async fn no_policy(&self) -> Result<(), Failure> {
        let channel = Channel::new(self.target.as_str())?;
        equal("code", code(call(&channel, "none", "14").await), Code::Unavailable)?;
        are_numbered(&report(&channel, "none").await?, 1)
    }

    async fn third_succeeds(&self) -> Result<(), Failure> {
        let channel = self.retrying(POLICY)?;
        equal("code", code(call(&channel, "third", "14,14,0").await), Code::Ok)?;
        let attempts = report(&channel, "third").await?;
        are_numbered(&attempts, 3)?;
        WAITS.hold(&gaps(&attempts), EARLY)
    }

    async fn pushback(&self) -> Result<(), Failure> {
        let channel = self.retrying(POLICY)?;
        let pushed = call(&channel, "pushback", "14").metadata("x-pushback", "500");
        equal("code", code(pushed.await), Code::Unavailable)?;
        let attempts = report(&channel, "pushback").await?;
        are_numbered(&attempts, 4)?;
        let asked = Duration::from_millis(500);
        // As asked, without jitter.
        match gaps(&attempts).into_iter().find(|gap| !(asked..=asked + LATE).contains(gap)) {
            Some(gap) => Err(Failure(format!("waited for {gap:?} where the server asked for {asked:?}"))),
            None => Ok(()),
        }
    }

    async fn pushback_stops(&self) -> Result<(), Failure> {
        let channel = self.retrying(POLICY)?;
        let pushed = call(&channel, "stop", "14").metadata("x-pushback", "-1");
        equal("code", code(pushed.await), Code::Unavailable)?;
        are_numbered(&report(&channel, "stop").await?, 1)
    }

    /// Four tokens, of which each failure takes one: no more than half of them are left after the second.
    async fn throttled(&self) -> Result<(), Failure> {
        let channel = self.channel(&format!(
            r#"{{"retryThrottling": {{"maxTokens": 4, "tokenRatio": 0.1}},
                "methodConfig": [{{"name": [{{}}], "retryPolicy": {POLICY}}}]}}"#
        ))?;
        for (name, count) in [("first", 2), ("second", 1)] {
            equal("code", code(call(&channel, name, "14").await), Code::Unavailable)?;
            are_numbered(&report(&channel, name).await?, count)?;
        }
        Ok(())
    }

    /// The third of three attempts answers; the others would never.
    async fn hedged(&self) -> Result<(), Failure> {
        let channel = self.channel(
            r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.2s"}}]}"#,
        )?;
        equal("code", code(call(&channel, "hedged", "never,never,0").await), Code::Ok)?;
        let reporting = Channel::new(self.target.as_str())?;
        let attempts = wait_for_ends(&reporting, "hedged", &["cancelled", "cancelled", "0"]).await?;
        are_numbered(&attempts, 3)
    }
}

fn code(result: Result<Blob, Status>) -> Code {
    result.map_or_else(|status| status.code(), |_| Code::Ok)
}
