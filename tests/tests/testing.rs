//! Unit tests as a user writes them: the test is the client of a servicer, or the server of a client.

use std::time::Duration;

use callwright::testing::{TestChannel, TestServer, strict_fake_time};
use callwright::{Code, Compression, Metadata, Status};
use callwright_tests::support::{CHAT, COUNT, Echo, SAY, SUM, chat, count, say, sum, under_way};
use futures_util::{StreamExt as _, stream};

const SAY_PATH: &str = "/test.Echo/Say";

fn metadata(key: &str, value: &str) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.append(key, value).unwrap();
    metadata
}

#[tokio::test]
async fn a_servicer_is_called_without_a_socket() {
    let server = TestServer::new(Echo::new().0).await.unwrap();
    assert_eq!(say(&server.channel(), "hello").await.unwrap(), "hello");
    assert_eq!(sum(&server.channel()).send_all(stream::iter(0..4)).await.unwrap(), 6);
    let numbers: Vec<_> = count(&server.channel(), 3).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(numbers, [0, 1, 2]);
    let (mut requests, mut replies) = chat(&server.channel()).start();
    requests.send("a".into()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("a"));
    let failed = say(&server.channel(), "fail").await.unwrap_err();
    assert_eq!(
        (failed.code(), failed.message(), failed.details()),
        (Code::AlreadyExists, "as asked for", &b"details"[..])
    );
    let strict = server.channel_builder().max_receive_message_size(2).build().unwrap();
    assert_eq!(say(&strict, "hello").await.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_test_server_ends_when_it_is_dropped() {
    let server = TestServer::new(Echo::new().0).await.unwrap();
    let channel = server.channel();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let call = under_way(say(&channel, "forever"));
    tokio::task::yield_now().await;
    drop(server);
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn the_test_sees_all_that_a_call_says() {
    let test = TestChannel::with(|builder| builder.compression(Compression::Gzip)).await.unwrap();
    let client = under_way(
        say(&test.channel(), &"hello ".repeat(100))
            .wait_for_ready(true)
            .timeout(Duration::from_secs(100))
            .metadata("x-id", "42")
            .metadata("x-id-bin", vec![1, 2]),
    );
    let mut call = test.take::<String, String>(SAY_PATH).await;
    assert_eq!(call.method(), SAY_PATH);
    assert_eq!(call.wait_for_ready(), Some(true));
    assert_eq!(call.compression(), Compression::Gzip);
    assert_eq!(call.invocation_metadata().get("x-id"), Some("42"));
    assert_eq!(call.invocation_metadata().get_bin("x-id-bin"), Some(&[1, 2][..]));
    let left = call.time_remaining().unwrap();
    assert!(left <= Duration::from_secs(100) && left > Duration::from_secs(90), "{left:?}");
    assert_eq!(call.request().await.unwrap(), "hello ".repeat(100));
    assert!(call.last_was_compressed());
    assert!(call.message().await.unwrap().is_none());
    call.reply("hello".into()).await.unwrap();
    assert_eq!(client.await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn unset_is_told_from_false() {
    let test = TestChannel::new().await.unwrap();
    let calls = [say(&test.channel(), "a"), say(&test.channel(), "b").wait_for_ready(false)].map(under_way);
    for said in [None, Some(false)] {
        let call = test.take::<String, String>(SAY_PATH).await;
        assert_eq!((call.wait_for_ready(), call.deadline(), call.compression()), (said, None, Compression::None));
        call.reply(String::new()).await.unwrap();
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_test_answers_with_metadata_and_any_code() {
    let test = TestChannel::new().await.unwrap();
    let channel = test.channel();
    let client = tokio::spawn(say(&channel, "hello").send());
    let mut call = test.take::<String, String>(SAY_PATH).await;
    call.send_initial_metadata(metadata("initial", "1")).await.unwrap();
    let twice = call.send_initial_metadata(metadata("initial", "2")).await.unwrap_err();
    assert_eq!(twice.code(), Code::Internal);
    call.set_trailing_metadata("trailing", "3").await.unwrap();
    call.reply("done".into()).await.unwrap();
    let response = client.await.unwrap().unwrap();
    assert_eq!(
        (response.initial_metadata().get("initial"), response.trailing_metadata().get("trailing")),
        (Some("1"), Some("3"))
    );
    for code in (1..=16).map(Code::from) {
        let client = under_way(say(&channel, "hello"));
        let call = test.take::<String, String>(SAY_PATH).await;
        let status =
            Status::new(code, "as the test says").with_details(&b"details"[..]).with_metadata(metadata("key", "value"));
        call.terminate(status).unwrap();
        let status = client.await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.message(), status.details()), (code, "as the test says", &b"details"[..]));
        assert_eq!(status.metadata().get("key"), Some("value"));
    }
}

#[tokio::test]
async fn all_four_kinds_are_answered() {
    let test = TestChannel::new().await.unwrap();
    let channel = test.channel();

    let client = tokio::spawn(sum(&channel).send_all(stream::iter([1, 2])));
    let mut call = test.take_method(SUM).await;
    assert_eq!(
        (call.message().await.unwrap(), call.message().await.unwrap(), call.message().await.unwrap()),
        (Some(1), Some(2), None)
    );
    call.reply(7).await.unwrap();
    assert_eq!(client.await.unwrap().unwrap(), 7);

    let mut numbers = count(&channel, 5).await.unwrap();
    let mut call = test.take_method(COUNT).await;
    assert_eq!(call.request().await.unwrap(), 5);
    call.send(1).await.unwrap();
    call.send(2).await.unwrap();
    assert_eq!((numbers.message().await.unwrap(), numbers.message().await.unwrap()), (Some(1), Some(2)));
    call.terminate(Status::data_loss("lost")).unwrap();
    assert_eq!(numbers.message().await.unwrap_err().code(), Code::DataLoss);

    let (mut requests, mut replies) = chat(&channel).start();
    requests.send("a".into()).await.unwrap();
    let mut call = test.take_method(CHAT).await;
    assert_eq!(call.message().await.unwrap().as_deref(), Some("a"));
    call.set_response_compression(Compression::Gzip).await.unwrap();
    call.send("b".repeat(1000)).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap(), "b".repeat(1000));
    assert!(replies.last_was_compressed());
    requests.finish();
    assert_eq!(call.message().await.unwrap(), None);
    call.finish().unwrap();
    assert_eq!(replies.message().await.unwrap(), None);
}

#[tokio::test]
async fn calls_are_taken_by_method_in_their_order() {
    let test = TestChannel::new().await.unwrap();
    let channel = test.channel();
    let says = ["first", "second"].map(|word| under_way(say(&channel, word)));
    let mut numbers = count(&channel, 1).await.unwrap();
    let call = test.take_method(COUNT).await;
    assert_eq!(test.waiting(), [SAY_PATH, SAY_PATH]);
    call.finish().unwrap();
    assert_eq!(numbers.message().await.unwrap(), None);
    for word in ["first", "second"] {
        let mut call = test.take_method(SAY).await;
        assert_eq!(call.request().await.unwrap(), word);
        call.reply(word.to_uppercase()).await.unwrap();
    }
    assert_eq!(test.waiting(), [""; 0]);
    let [first, second] = says;
    assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), ("FIRST".into(), "SECOND".into()));
}

#[tokio::test]
async fn a_call_that_the_client_gives_up_is_seen() {
    let test = TestChannel::new().await.unwrap();
    let client = under_way(say(&test.channel(), "hello"));
    let mut call = test.take_method(SAY).await;
    assert!(call.is_active());
    client.abort();
    call.cancelled().await;
    assert_eq!(call.send("late".into()).await.unwrap_err().code(), Code::Cancelled);
    assert!(!call.is_active());
}

#[tokio::test]
async fn a_call_that_ended_before_it_was_taken_does_not_wait() {
    let test = TestChannel::new().await.unwrap();
    let given_up = under_way(say(&test.channel(), "hello"));
    while test.waiting().is_empty() {
        tokio::task::yield_now().await;
    }
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    // A call that is made later shows that the server has seen it.
    let _numbers = count(&test.channel(), 1).await.unwrap();
    while test.waiting().last().is_none_or(|last| last != COUNT.path()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(test.waiting(), [COUNT.path()]);
}

#[tokio::test]
async fn a_call_that_the_test_lets_go_is_unknown_and_says_why() {
    let test = TestChannel::new().await.unwrap();
    let client = under_way(say(&test.channel(), "hello"));
    drop(test.take_method(SAY).await);
    let status = client.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().contains("let go"), "{status}");
}

#[tokio::test]
async fn a_channel_whose_server_is_gone_is_unavailable() {
    let test = TestChannel::new().await.unwrap();
    let channel = test.channel();
    let client = under_way(say(&channel, "hello"));
    let call = test.take_method(SAY).await;
    test.disconnect().await;
    assert_eq!(client.await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(!call.is_active());
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn deadlines_pass_when_the_test_says_so() {
    let time = strict_fake_time();
    let test = TestChannel::new().await.unwrap();
    let start = time.now();
    let client = under_way(say(&test.channel(), "hello").timeout(Duration::from_secs(3600)));
    let mut call = test.take_method(SAY).await;
    assert_eq!(call.deadline(), Some(start + Duration::from_secs(3600)));
    time.advance(Duration::from_secs(3599)).await;
    assert_eq!(call.time_remaining(), Some(Duration::from_secs(1)));
    assert!(call.is_active() && !client.is_finished());
    time.advance_to(start + Duration::from_secs(3600)).await;
    call.cancelled().await;
    let status = client.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    time.advance_to(start).await;
    assert_eq!(time.now(), start + Duration::from_secs(3600));
}

#[tokio::test(start_paused = true)]
async fn time_stands_still_even_when_all_tasks_wait() {
    let time = strict_fake_time();
    let server = TestServer::new(Echo::new().0).await.unwrap();
    let late = under_way(say(&server.channel(), "forever").timeout(Duration::from_secs(1)));
    // Real time passes, and nothing else can happen meanwhile: a clock that moved by itself would end the call.
    tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(20))).await.unwrap();
    assert!(!late.is_finished());
    assert_eq!(say(&server.channel(), "remaining").timeout(Duration::from_secs(9)).await.unwrap(), "Some(9)");
    time.advance(Duration::from_secs(1)).await;
    assert_eq!(late.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_just_spawned_has_begun_when_time_moves() {
    let time = strict_fake_time();
    let server = TestServer::new(Echo::new().0).await.unwrap();
    let call = under_way(say(&server.channel(), "forever").timeout(Duration::from_secs(60)));
    time.advance(Duration::from_secs(59)).await;
    assert!(!call.is_finished());
    time.advance(Duration::from_secs(1)).await;
    assert!(call.is_finished());
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn time_goes_from_timer_to_timer() {
    let time = strict_fake_time();
    let start = time.now();
    let pauses = tokio::spawn(async move {
        let mut ends = Vec::new();
        for pause in [10, 20, 30] {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            ends.push(start.elapsed().as_secs());
        }
        ends
    });
    // In steps that are no whole milliseconds, too, it is never past where it was moved to.
    let step = Duration::from_nanos(59_999_999_999);
    time.advance(step).await;
    assert_eq!(time.now(), start + step);
    assert!(!pauses.is_finished());
    time.advance_to(start + Duration::from_secs(60)).await;
    assert_eq!(time.now(), start + Duration::from_secs(60));
    assert_eq!(pauses.await.unwrap(), [10, 30, 60]);
}

#[tokio::test(start_paused = true)]
async fn several_can_hold_and_move_the_clock() {
    let (one, other) = (strict_fake_time(), strict_fake_time());
    let start = one.now();
    tokio::join!(one.advance(Duration::from_secs(10)), other.advance(Duration::from_secs(20)));
    assert_eq!(one.now(), start + Duration::from_secs(20));
    // One that is given up, and one that is dropped, leave the clock held.
    tokio::select! {
        biased;
        () = one.advance(Duration::from_secs(10)) => unreachable!("time moves only once all tasks wait"),
        () = std::future::ready(()) => {}
    }
    drop(one);
    let late = tokio::spawn(tokio::time::sleep(Duration::from_secs(1)));
    tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(20))).await.unwrap();
    assert!(!late.is_finished());
    assert_eq!(other.now(), start + Duration::from_secs(20));
}

#[tokio::test]
#[should_panic(expected = "start_paused = true")]
async fn a_clock_that_runs_is_no_fake_one() {
    strict_fake_time();
}
