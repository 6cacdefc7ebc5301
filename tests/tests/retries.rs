//! gRFC A6: calls that are made again as their service config says, and calls that are made several times at once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use callwright::service_config::ServiceConfig;
use callwright::{ChannelBuilder, Code};
use callwright_tests::support::raw::{self, head, text, trailers};
use callwright_tests::support::{RefusedPort, channel, chat, count, say, serve_on, sum};
use futures_util::stream;
use h2::server::SendResponse;
use http::Request;
use tokio::sync::mpsc;
use tokio::time::Instant;

const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// What a server saw of one attempt.
struct Attempt {
    previous: Option<String>,
    at: Instant,
    path: String,
    /// What the client sent, or `None` where it reset the stream before its end.
    body: Option<Vec<u8>>,
}

/// How a server answers an attempt.
#[derive(Clone)]
enum Answer {
    Fail(u32, &'static [(&'static str, &'static str)]),
    Reset(h2::Reason),
    Ok(&'static str),
    /// Headers, and then this code.
    Late(u32),
    Never,
}

/// A server that answers its attempts in their order, the last answer again and again.
async fn server(answers: &[Answer]) -> (String, mpsc::UnboundedReceiver<Attempt>) {
    let (seen, attempts) = mpsc::unbounded_channel();
    let next = Arc::new(Mutex::new(answers.to_vec()));
    let address = raw::server(move |_, _, request: Request<h2::RecvStream>, response| {
        let (seen, next) = (seen.clone(), next.clone());
        async move {
            let at = Instant::now();
            let answer = {
                let mut next = next.lock().unwrap();
                if next.len() > 1 { next.remove(0) } else { next[0].clone() }
            };
            let previous = request.headers().get("grpc-previous-rpc-attempts");
            let previous = previous.map(|value| value.to_str().unwrap().to_owned());
            let path = request.uri().path().to_owned();
            let mut body = request.into_body();
            if let Answer::Never = answer {
                let _ = seen.send(Attempt { previous, at, path, body: None });
                return std::future::pending().await;
            }
            let mut bytes = Some(Vec::new());
            while let Some(part) = body.data().await {
                match (part, &mut bytes) {
                    (Ok(part), Some(bytes)) => {
                        body.flow_control().release_capacity(part.len()).unwrap();
                        bytes.extend(part);
                    }
                    _ => bytes = None,
                }
                if bytes.is_none() {
                    break;
                }
            }
            let _ = seen.send(Attempt { previous, at, path, body: bytes });
            respond(response, &answer);
        }
    })
    .await;
    (address, attempts)
}

fn respond(mut response: SendResponse<Bytes>, answer: &Answer) {
    match answer {
        Answer::Fail(code, more) => {
            let code = code.to_string();
            let mut headers = vec![GRPC, ("grpc-status", code.as_str()), ("grpc-message", "as asked for")];
            headers.extend(*more);
            drop(response.send_response(head(200, &headers), true));
        }
        Answer::Reset(reason) => response.send_reset(*reason),
        Answer::Ok(message) => {
            if let Ok(mut stream) = response.send_response(head(200, &[GRPC]), false) {
                let _ = stream.send_data(text(message), false);
                let _ = stream.send_trailers(trailers(&[("grpc-status", "0")]));
            }
        }
        Answer::Late(code) => {
            let mut stream = response.send_response(head(200, &[GRPC]), false).unwrap();
            let _ = stream.send_trailers(trailers(&[("grpc-status", &code.to_string())]));
        }
        Answer::Never => {}
    }
}

fn retrying(target: &str, policy: &str) -> ChannelBuilder {
    configured(target, &format!(r#"{{"methodConfig": [{{"name": [{{}}], "retryPolicy": {policy}}}]}}"#))
}

fn configured(target: &str, json: &str) -> ChannelBuilder {
    channel(target).service_config(ServiceConfig::from_json(json).unwrap())
}

const FAST: &str = r#"{"maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.1s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"]}"#;

fn drain(attempts: &mut mpsc::UnboundedReceiver<Attempt>) -> Vec<Attempt> {
    std::iter::from_fn(|| attempts.try_recv().ok()).collect()
}

fn previous(attempts: &[Attempt]) -> Vec<Option<&str>> {
    attempts.iter().map(|attempt| attempt.previous.as_deref()).collect()
}

#[tokio::test]
async fn a_call_is_made_as_often_as_its_policy_says_with_waits_that_grow() {
    let (address, mut attempts) = server(&[Answer::Fail(14, &[])]).await;
    let policy = r#"{"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "1s", "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"]}"#;
    let channel = retrying(&address, policy).build().unwrap();
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "as asked for"));
    let attempts = drain(&mut attempts);
    assert_eq!(previous(&attempts), [None, Some("1"), Some("2"), Some("3")]);
    for (attempt, wait) in attempts.windows(2).zip([0.2, 0.4, 0.8]) {
        let gap = (attempt[1].at - attempt[0].at).as_secs_f64();
        assert!(gap >= wait * 0.8, "{gap} s is not {wait} s -20 %");
    }
    assert!(attempts.iter().all(|attempt| attempt.body == attempts[0].body && attempt.path == "/test.Echo/Say"));
}

#[tokio::test]
async fn a_call_that_succeeds_in_the_end_says_nothing_of_its_failures() {
    let (address, mut attempts) =
        server(&[Answer::Fail(14, &[]), Answer::Reset(h2::Reason::REFUSED_STREAM), Answer::Ok("hello")]).await;
    let channel = retrying(&address, FAST).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    // What no server has looked at does not count.
    assert_eq!(previous(&drain(&mut attempts)), [None, Some("1"), Some("1")]);
}

#[tokio::test]
async fn more_than_five_attempts_are_five() {
    let (address, mut attempts) = server(&[Answer::Fail(14, &[])]).await;
    let policy = FAST.replace("\"maxAttempts\": 4", "\"maxAttempts\": 9");
    let channel = retrying(&address, &policy).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(drain(&mut attempts).len(), 5);
}

#[tokio::test]
async fn other_codes_and_calls_without_a_policy_are_not_retried() {
    let (address, mut attempts) = server(&[Answer::Fail(5, &[])]).await;
    let with_policy = retrying(&address, FAST).build().unwrap();
    assert_eq!(say(&with_policy, "hello").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(drain(&mut attempts).len(), 1);

    let (address, mut attempts) = server(&[Answer::Fail(14, &[])]).await;
    assert_eq!(say(&channel(&address).build().unwrap(), "hello").await.unwrap_err().code(), Code::Unavailable);
    let disabled = retrying(&address, FAST).disable_retries().build().unwrap();
    assert_eq!(say(&disabled, "hello").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(drain(&mut attempts).len(), 2);
}

#[tokio::test]
async fn a_server_says_when_it_wants_the_next_attempt_and_whether() {
    let (address, mut attempts) =
        server(&[Answer::Fail(14, &[("grpc-retry-pushback-ms", "300")]), Answer::Ok("hello")]).await;
    let channel = retrying(&address, FAST).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let seen = drain(&mut attempts);
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(300));

    for never in [&[("grpc-retry-pushback-ms", "-1")], &[("grpc-retry-pushback-ms", "soon")]] {
        let (address, mut attempts) = server(&[Answer::Fail(14, never)]).await;
        let channel = retrying(&address, FAST).build().unwrap();
        assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
        assert_eq!(drain(&mut attempts).len(), 1);
    }
}

#[tokio::test]
async fn a_call_whose_server_has_begun_to_answer_stays_with_it() {
    let (address, mut attempts) = server(&[Answer::Late(14), Answer::Ok("hello")]).await;
    let channel = retrying(&address, FAST).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(drain(&mut attempts).len(), 1);
}

#[tokio::test]
async fn streams_of_requests_are_sent_again_whole() {
    let (address, mut attempts) = server(&[Answer::Fail(14, &[]), Answer::Ok("hello")]).await;
    let channel = retrying(&address, FAST).build().unwrap();
    let replies = chat(&channel).send_all(stream::iter(["a", "b", "c"].map(str::to_owned))).await;
    let mut replies = replies.unwrap();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("hello"));
    let seen = drain(&mut attempts);
    let sent = [text("a"), text("b"), text("c")].concat();
    assert_eq!(seen.iter().map(|attempt| attempt.body.as_deref()).collect::<Vec<_>>(), [Some(&sent[..]); 2]);
}

#[tokio::test]
async fn a_call_that_has_sent_more_than_is_kept_stays_with_its_attempt() {
    let (address, mut attempts) = server(&[Answer::Fail(14, &[]), Answer::Ok("hello")]).await;
    let limited = retrying(&address, FAST).retry_buffer_limit(10).build().unwrap();
    let requests = stream::iter(["a long message", "another one"].map(str::to_owned));
    let mut replies = chat(&limited).send_all(requests).await.unwrap();
    assert_eq!(replies.message().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(drain(&mut attempts).len(), 1);
}

#[tokio::test]
async fn calls_that_together_sent_more_than_the_channel_keeps_stay_with_their_attempt() {
    let (address, mut attempts) = server(&[Answer::Fail(14, &[])]).await;
    let channel = retrying(&address, FAST).retry_buffer_size(100).build().unwrap();
    say(&channel, &"x".repeat(100)).await.unwrap_err();
    assert_eq!(drain(&mut attempts).len(), 1);
    // Its memory is free again.
    say(&channel, "hello").await.unwrap_err();
    assert!(drain(&mut attempts).len() > 1);
}

#[tokio::test]
async fn failures_use_up_the_tokens_of_all_calls() {
    let (address, mut attempts) = server(&[Answer::Fail(14, &[])]).await;
    let json = format!(
        r#"{{"methodConfig": [{{"name": [{{}}], "retryPolicy": {FAST}}}], "retryThrottling": {{"maxTokens": 4, "tokenRatio": 0.1}}}}"#
    );
    let channel = configured(&address, &json).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    // After the first failure 3 of 4 tokens are left, after the second the half.
    assert_eq!(drain(&mut attempts).len(), 2);
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(drain(&mut attempts).len(), 1);
}

#[tokio::test]
async fn a_call_that_no_server_can_take_is_retried_too() {
    let port = RefusedPort::new();
    let policy = r#"{"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "0.1s", "backoffMultiplier": 1,
        "retryableStatusCodes": [14]}"#;
    let channel = retrying(port.address(), policy).build().unwrap();
    let call = tokio::spawn(say(&channel, "hello").into_future());
    channel.watch_state().wait_for(callwright::ConnectivityState::TransientFailure).await.unwrap();
    let (_server, _) = serve_on(port.address()).await;
    assert_eq!(call.await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn the_deadline_covers_all_attempts_and_tells_of_the_last() {
    let (address, _attempts) = server(&[Answer::Fail(14, &[])]).await;
    let policy = FAST.replace("0.01s", "3600s").replace("0.1s", "3600s");
    let channel = retrying(&address, &policy).build().unwrap();
    let status = say(&channel, "hello").timeout(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("next attempt") && status.message().contains("as asked for"), "{status}");
}

#[tokio::test]
async fn an_attempt_that_is_not_answered_in_time_is_made_again() {
    let (address, mut attempts) = server(&[Answer::Never, Answer::Ok("hello")]).await;
    let policy = FAST.replace('}', r#", "perAttemptRecvTimeout": "0.1s"}"#);
    let channel = retrying(&address, &policy).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    assert_eq!(previous(&drain(&mut attempts)), [None, Some("1")]);
}

#[tokio::test]
async fn a_dropped_call_is_not_made_again() {
    let (address, mut attempts) = server(&[Answer::Fail(14, &[])]).await;
    let channel = retrying(&address, &FAST.replace("0.01s", "0.1s")).build().unwrap();
    let call = tokio::spawn(say(&channel, "hello").into_future());
    attempts.recv().await.unwrap();
    call.abort();
    let _ = call.await;
    // Another call on the same connection comes after it.
    let status = say(&channel, "other").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let bodies: Vec<_> = drain(&mut attempts).into_iter().map(|attempt| attempt.body.unwrap()).collect();
    assert!(bodies.iter().all(|body| body == &text("other")), "{bodies:?}");
}

fn hedging(target: &str, policy: &str) -> ChannelBuilder {
    configured(target, &format!(r#"{{"methodConfig": [{{"name": [{{}}], "hedgingPolicy": {policy}}}]}}"#))
}

#[tokio::test]
async fn a_hedge_goes_out_when_the_first_attempt_is_slow() {
    let (address, mut attempts) = server(&[Answer::Never, Answer::Ok("hello")]).await;
    let channel = hedging(&address, r#"{"maxAttempts": 3, "hedgingDelay": "0.05s"}"#).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let seen = drain(&mut attempts);
    assert_eq!(previous(&seen), [None, Some("1")]);
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_hedge_goes_out_at_once_when_an_attempt_fails_in_a_way_that_is_not_fatal() {
    let (address, mut attempts) =
        server(&[Answer::Fail(14, &[]), Answer::Reset(h2::Reason::REFUSED_STREAM), Answer::Ok("x")]).await;
    let policy = r#"{"maxAttempts": 4, "hedgingDelay": "3600s", "nonFatalStatusCodes": ["UNAVAILABLE"]}"#;
    let channel = hedging(&address, policy).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "x");
    assert_eq!(drain(&mut attempts).len(), 3);
}

#[tokio::test]
async fn a_fatal_code_ends_all_attempts() {
    let (address, mut attempts) = server(&[Answer::Never, Answer::Fail(5, &[])]).await;
    let policy = r#"{"maxAttempts": 5, "hedgingDelay": "0.02s", "nonFatalStatusCodes": ["UNAVAILABLE"]}"#;
    let channel = hedging(&address, policy).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(drain(&mut attempts).len(), 2);
}

#[tokio::test]
async fn hedges_end_where_all_have_failed_and_where_the_server_wants_no_more() {
    let policy = r#"{"maxAttempts": 3, "hedgingDelay": "3600s", "nonFatalStatusCodes": ["UNAVAILABLE"]}"#;
    let (address, mut attempts) = server(&[Answer::Fail(14, &[])]).await;
    let channel = hedging(&address, policy).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(drain(&mut attempts).len(), 3);

    let (address, mut attempts) = server(&[Answer::Fail(14, &[("grpc-retry-pushback-ms", "-1")])]).await;
    let channel = hedging(&address, policy).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(drain(&mut attempts).len(), 1);
}

#[tokio::test]
async fn streams_are_hedged_with_all_that_they_sent() {
    let (address, mut attempts) = server(&[Answer::Fail(14, &[]), Answer::Ok("x")]).await;
    let policy = r#"{"maxAttempts": 3, "hedgingDelay": "3600s", "nonFatalStatusCodes": ["UNAVAILABLE"]}"#;
    let channel = hedging(&address, policy).build().unwrap();
    let (mut sender, mut replies) = chat(&channel).start();
    for message in ["a", "b", "c"] {
        sender.send(message.to_owned()).await.unwrap();
    }
    sender.finish();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("x"));
    let sent = [text("a"), text("b"), text("c")].concat();
    assert_eq!(drain(&mut attempts).iter().map(|it| it.body.as_deref()).collect::<Vec<_>>(), [Some(&sent[..]); 2]);
}

#[tokio::test]
async fn a_hedged_call_may_send_more_than_is_kept() {
    let (server, _) = serve_on("127.0.0.1:0").await;
    let policy = r#"{"maxAttempts": 3, "hedgingDelay": "0s"}"#;
    let channel = hedging(&server.local_addr().to_string(), policy).retry_buffer_limit(64).build().unwrap();
    assert_eq!(sum(&channel).send_all(stream::iter(0..1000)).await.unwrap(), (0..1000).sum::<u32>());
    let mut replies = count(&channel, 1000).await.unwrap();
    let mut counted = 0;
    while let Some(number) = replies.message().await.unwrap() {
        assert_eq!(number, counted);
        counted += 1;
    }
    assert_eq!(counted, 1000);
}

#[tokio::test]
async fn hedged_calls_end_at_their_deadline_and_wait_for_ready() {
    let port = RefusedPort::new();
    let policy = r#"{"maxAttempts": 3, "hedgingDelay": "0.01s"}"#;
    let channel = hedging(port.address(), policy).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
    let waiting = say(&channel, "hello").wait_for_ready(true);
    let status = waiting.timeout(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let waiting = tokio::spawn(say(&channel, "hello").wait_for_ready(true).into_future());
    let (_server, _) = serve_on(port.address()).await;
    assert_eq!(waiting.await.unwrap().unwrap(), "hello");
}
