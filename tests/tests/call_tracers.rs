//! Tracers follow every attempt of a call: each has one beginning and one end, however the call is made and ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::interceptor::{
    Attempt, CallAttemptTracer, CallDetails, CallTracer, Interceptor, MessageEvent, Next, RequestMessages,
    ResponseMessages,
};
use callwright::service_config::ServiceConfig;
use callwright::{Channel, Code, Status};
use callwright_tests::support::raw::{self, head, text, trailers};
use callwright_tests::support::{channel, chat, say};
use h2::Reason;

/// What was told, in the order of the attempts.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Vec<String>>>>);

impl Log {
    /// The attempts, once so many have ended.
    async fn ended(&self, attempts: usize) -> Vec<String> {
        let all_ended = || {
            let log = self.0.lock().unwrap();
            log.len() >= attempts && log.iter().all(|attempt| attempt.iter().any(|line| line.starts_with("ended")))
        };
        while !all_ended() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.0.lock().unwrap().iter().map(|attempt| attempt.join(", ")).collect()
    }
}

struct Follows(Log);

impl Interceptor for Follows {
    async fn intercept(
        &self,
        mut details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        details.trace(Followed(self.0.clone()));
        next.run(details, requests).await
    }
}

struct Followed(Log);

impl CallTracer for Followed {
    fn attempt(&self, attempt: &mut Attempt<'_>) -> Box<dyn CallAttemptTracer> {
        let mut log = self.0.0.lock().unwrap();
        let unseen = if attempt.is_transparent_retry() { " unseen" } else { "" };
        log.push(vec![format!("after {}{unseen}", attempt.previous_attempts())]);
        Box::new(FollowedAttempt { log: self.0.clone(), number: log.len() - 1 })
    }
}

struct FollowedAttempt {
    log: Log,
    number: usize,
}

impl FollowedAttempt {
    fn note(&self, what: String) {
        self.log.0.lock().unwrap()[self.number].push(what);
    }
}

impl CallAttemptTracer for FollowedAttempt {
    fn message_sent(&self, _: &MessageEvent) {
        self.note("sent".to_owned());
    }

    fn message_received(&self, _: &MessageEvent) {
        self.note("received".to_owned());
    }

    fn ended(&self, status: &Status) {
        self.note(format!("ended {}", status.code()));
    }
}

/// What a server does with a stream.
#[derive(Clone, Copy)]
enum Does {
    Answer,
    Fail,
    Refuse,
    Break,
    Hang,
}

/// A channel to a server that does so with its streams in turn, the last again and again, and what is told of the channel's calls.
async fn followed(does: &'static [Does], config: &str) -> (Channel, Log) {
    let next = Arc::new(Mutex::new(does.iter().copied()));
    let address = raw::server(move |_, _, _, mut response| {
        let does = next.lock().unwrap().next().unwrap_or(does[does.len() - 1]);
        async move {
            let grpc = ("content-type", "application/grpc");
            match does {
                Does::Answer => {
                    let mut stream = response.send_response(head(200, &[grpc]), false).unwrap();
                    stream.send_data(text("hello"), false).unwrap();
                    stream.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
                }
                Does::Fail => drop(response.send_response(head(200, &[grpc, ("grpc-status", "14")]), true)),
                Does::Refuse => response.send_reset(Reason::REFUSED_STREAM),
                Does::Break => response.send_reset(Reason::INTERNAL_ERROR),
                Does::Hang => std::future::pending().await,
            }
        }
    })
    .await;
    let log = Log::default();
    let config = ServiceConfig::from_json(&format!(r#"{{"methodConfig": [{{"name": [{{}}], {config}}}]}}"#)).unwrap();
    (channel(&address).interceptor(Follows(log.clone())).service_config(config).build().unwrap(), log)
}

const RETRIES: &str = r#""retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.001s", "maxBackoff": "0.001s",
    "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}"#;
const HEDGES: &str =
    r#""hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.005s", "nonFatalStatusCodes": ["UNAVAILABLE"]}"#;

#[tokio::test]
async fn retries_and_those_that_no_server_saw_are_told_apart() {
    let (channel, log) = followed(&[Does::Refuse, Does::Fail, Does::Answer], RETRIES).await;
    say(&channel, "hello").await.unwrap();
    let expected = [
        "after 0, sent, ended UNAVAILABLE",
        "after 0 unseen, sent, ended UNAVAILABLE",
        "after 1, sent, received, ended OK",
    ];
    assert_eq!(log.ended(3).await, expected);
}

#[tokio::test]
async fn a_stream_sends_its_messages_again() {
    let (channel, log) = followed(&[Does::Fail, Does::Answer], RETRIES).await;
    let (mut sender, mut replies) = chat(&channel).start();
    for word in ["one", "two"] {
        sender.send(word.to_owned()).await.unwrap();
    }
    sender.finish();
    while replies.message().await.unwrap().is_some() {}
    let seen = log.ended(2).await;
    assert_eq!(seen.len(), 2);
    assert!(seen[1].starts_with("after 1, sent, sent, received, ended OK"), "{seen:?}");
}

#[tokio::test]
async fn hedges_end_when_one_of_them_is_answered() {
    let (channel, log) = followed(&[Does::Hang, Does::Fail, Does::Answer], HEDGES).await;
    say(&channel, "hello").await.unwrap();
    let expected =
        ["after 0, sent, ended CANCELLED", "after 1, sent, ended UNAVAILABLE", "after 2, sent, received, ended OK"];
    assert_eq!(log.ended(3).await, expected);
}

#[tokio::test]
async fn a_hedge_that_ends_its_call_is_not_given_up() {
    let two = HEDGES.replace(r#""maxAttempts": 3"#, r#""maxAttempts": 2"#);
    let (channel, log) = followed(&[Does::Hang, Does::Break], &two).await;
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Internal);
    assert_eq!(log.ended(2).await, ["after 0, sent, ended CANCELLED", "after 1, sent, ended INTERNAL"]);
}

#[tokio::test]
async fn attempts_end_when_their_call_is_given_up() {
    for config in [RETRIES, HEDGES] {
        let (channel, log) = followed(&[Does::Hang], config).await;
        let status = say(&channel, "hello").timeout(Duration::from_millis(100)).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        let seen = log.ended(1).await;
        assert!(seen.iter().all(|attempt| attempt.ends_with("ended DEADLINE_EXCEEDED")), "{seen:?}");

        let (channel, log) = followed(&[Does::Hang], config).await;
        let call = tokio::spawn(say(&channel, "hello").into_future());
        while log.0.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        call.abort();
        let seen = log.ended(1).await;
        assert!(seen.iter().all(|attempt| attempt.ends_with("ended CANCELLED")), "{seen:?}");
    }
}

#[tokio::test]
async fn attempts_end_when_their_channel_is_closed() {
    for config in [RETRIES, HEDGES] {
        let (channel, log) = followed(&[Does::Hang], config).await;
        let call = tokio::spawn(say(&channel, "hello").into_future());
        while log.0.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        channel.close();
        assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Cancelled);
        let seen = log.ended(1).await;
        assert!(seen.iter().all(|attempt| attempt.matches("ended").count() == 1), "{seen:?}");
    }
}
