//! Many calls, for a long time if asked for, on one channel or each on its own.

use std::time::Duration;

use callwright::Channel;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::{Failure, Stubs, ensure_payload};
use crate::interop::flags::{Flag, FlagError, Flags};
use crate::interop::payload;
use crate::testing::{SimpleRequest, TestServiceStub};

/// How many calls are made, and what they may be like.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    iterations: u32,
    max_failures: u32,
    max_latency: Duration,
    overall_timeout: Duration,
    min_time_between_calls: Duration,
    request_size: usize,
    response_size: usize,
    threads: u32,
}

impl Soak {
    /// The flags by which it is set.
    pub const FLAGS: [Flag; 8] = [
        Flag { name: "soak_iterations", default: "10", help: "how many calls a soak makes" },
        Flag { name: "soak_max_failures", default: "0", help: "how many of them may fail, or take too long" },
        Flag {
            name: "soak_per_iteration_max_acceptable_latency_ms",
            default: "1000",
            help: "how long one of them may take",
        },
        Flag { name: "soak_overall_timeout_seconds", default: "10", help: "how long all of them may take" },
        Flag { name: "soak_min_time_ms_between_rpcs", default: "0", help: "the least time from one call to the next" },
        Flag { name: "soak_request_size", default: "271828", help: "the size of a request's payload" },
        Flag { name: "soak_response_size", default: "314159", help: "the size of a response's payload" },
        Flag { name: "soak_num_threads", default: "1", help: "how many make calls at once; it divides the iterations" },
    ];

    /// Reads the flags.
    ///
    /// # Errors
    /// [`FlagError`] for a value that is no number, or makes no sense beside the others.
    pub fn from_flags(flags: &Flags) -> Result<Soak, FlagError> {
        let millis = |name| flags.number(name, ..).map(|millis| Duration::from_millis(millis.into()));
        let size = |name| flags.number(name, ..=MAX_SIZE).map(|size| size as usize);
        let iterations = flags.number("soak_iterations", 1..)?;
        let threads = flags.number("soak_num_threads", 1..=10_000)?;
        if iterations % threads != 0 {
            let problem = format!("--soak_iterations={iterations} is no multiple of --soak_num_threads={threads}");
            return Err(FlagError(problem));
        }
        Ok(Soak {
            iterations,
            max_failures: flags.number("soak_max_failures", ..)?,
            max_latency: millis("soak_per_iteration_max_acceptable_latency_ms")?,
            overall_timeout: Duration::from_secs(flags.number("soak_overall_timeout_seconds", ..)?.into()),
            min_time_between_calls: millis("soak_min_time_ms_between_rpcs")?,
            request_size: size("soak_request_size")?,
            response_size: size("soak_response_size")?,
            threads,
        })
    }
}

/// The largest payload, in bytes: what the field that asks for it can say.
const MAX_SIZE: u32 = i32::MAX as u32;

/// Every call is made on the same channel.
pub(super) async fn on_one_channel(stubs: Stubs) -> Result<(), Failure> {
    soak(&stubs.soak, || Ok(stubs.test.clone()), |_| {}).await
}

/// Every call is made on a channel of its own, which is closed after it.
pub(super) async fn on_many_channels(stubs: Stubs) -> Result<(), Failure> {
    soak(&stubs.soak, || stubs.new_channel(), |channel| channel.close()).await
}

/// What calls are made on.
trait Connection {
    fn stub(&self) -> TestServiceStub;
}

impl Connection for TestServiceStub {
    fn stub(&self) -> TestServiceStub {
        self.clone()
    }
}

impl Connection for Channel {
    fn stub(&self) -> TestServiceStub {
        TestServiceStub::new(self.clone())
    }
}

async fn soak<C: Connection>(
    soak: &Soak,
    connect: impl Fn() -> Result<C, Failure>,
    close: impl Fn(C),
) -> Result<(), Failure> {
    let until = Instant::now() + soak.overall_timeout;
    let thread = async |thread| {
        let (mut done, mut failures) = (0, Vec::new());
        for iteration in 0..soak.iterations / soak.threads {
            let began = Instant::now();
            if began >= until {
                break;
            }
            let connection = connect()?;
            let result = call(soak, &connection.stub(), until).await;
            let latency = began.elapsed();
            close(connection);
            let problem = match result {
                Err(failure) => Some(failure.to_string()),
                Ok(()) if latency > soak.max_latency => Some(format!("it took longer than {:?}", soak.max_latency)),
                Ok(()) => None,
            };
            done += 1;
            let outcome = problem.as_deref().unwrap_or("succeeded");
            eprintln!("soak iteration: {iteration} thread: {thread} elapsed_ms: {} {outcome}", latency.as_millis());
            failures.extend(problem);
            tokio::time::sleep_until((began + soak.min_time_between_calls).min(until)).await;
        }
        Ok::<_, Failure>((done, failures))
    };
    let (mut done, mut failures) = (0, Vec::new());
    for result in join_all((0..soak.threads).map(thread)).await {
        let (calls, failed) = result?;
        done += calls;
        failures.extend(failed);
    }
    if done < soak.iterations {
        return Err(Failure(format!("only {done} of {} calls within {:?}", soak.iterations, soak.overall_timeout)));
    }
    match failures.last() {
        Some(last) if failures.len() > soak.max_failures as usize => {
            let (failed, max) = (failures.len(), soak.max_failures);
            Err(Failure(format!("{failed} of {done} calls failed, and at most {max} may; the last one: {last}")))
        }
        _ => Ok(()),
    }
}

async fn call(soak: &Soak, stub: &TestServiceStub, until: Instant) -> Result<(), Failure> {
    let request = SimpleRequest {
        response_size: soak.response_size as i32,
        payload: Some(payload(soak.request_size)),
        ..SimpleRequest::default()
    };
    let response = stub.unary_call(request).deadline(until).await?;
    ensure_payload("the response", response.payload.as_ref(), soak.response_size)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use callwright::{RunningServer, Server, ServerContext, Status};

    use super::*;
    use crate::interop::cases::Case;
    use crate::testing::{SimpleResponse, TestServiceServer, TestServiceServicer};

    /// Answers each third call wrongly, and each after so long a time.
    #[derive(Default)]
    struct Moody {
        fails: bool,
        delay: Duration,
        calls: AtomicU32,
        peers: std::sync::Mutex<std::collections::HashSet<String>>,
    }

    impl TestServiceServicer for Moody {
        async fn unary_call(
            &self,
            request: SimpleRequest,
            context: &mut ServerContext,
        ) -> Result<SimpleResponse, Status> {
            self.peers.lock().unwrap().insert(context.peer());
            tokio::time::sleep(self.delay).await;
            if self.calls.fetch_add(1, Ordering::SeqCst) % 3 == 2 && self.fails {
                return Err(Status::internal("the third"));
            }
            let size = request.response_size as usize;
            Ok(SimpleResponse { payload: Some(payload(size)), ..SimpleResponse::default() })
        }
    }

    fn flags(arguments: &[&str]) -> Result<Soak, FlagError> {
        Soak::from_flags(&Flags::parse(&Soak::FLAGS, arguments.iter().map(|it| (*it).to_owned()))?)
    }

    async fn serve(address: &str, moody: Moody) -> (RunningServer, Arc<Moody>) {
        let moody = Arc::new(moody);
        let service = TestServiceServer::from_arc(moody.clone());
        (Server::builder().add_service(service).bind(address).await.unwrap(), moody)
    }

    async fn run(case: &str, server: &RunningServer, arguments: &[&str]) -> Result<(), String> {
        let channel = Channel::builder(server.local_addr().to_string());
        let case = Case::find(case).unwrap();
        case.run(channel, flags(arguments).unwrap()).await.map_err(|failure| failure.to_string())
    }

    #[test]
    fn flags_that_make_no_sense_are_refused() {
        assert!(flags(&[]).is_ok());
        assert!(flags(&["--soak_iterations=12", "--soak_num_threads=4"]).is_ok());
        for wrong in [
            "--soak_num_threads=3",
            "--soak_num_threads=0",
            "--soak_iterations=0",
            "--soak_iterations=-1",
            "--soak_max_failures=some",
            "--soak_request_size=4294967295",
        ] {
            assert!(flags(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn more_failures_than_allowed_fail_a_soak() {
        for case in ["rpc_soak", "channel_soak"] {
            for (allowed, passes) in [(2, false), (3, true)] {
                let (server, moody) = serve("inproc:", Moody { fails: true, ..Moody::default() }).await;
                let allowed = format!("--soak_max_failures={allowed}");
                let result = run(case, &server, &[&allowed]).await;
                assert_eq!(result.is_ok(), passes, "{case} {result:?}");
                if let Err(failure) = result {
                    assert!(
                        failure.starts_with("3 of 10 calls failed, and at most 2 may; the last one: "),
                        "{failure}"
                    );
                }
                assert_eq!(moody.calls.load(Ordering::SeqCst), 10);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_a_failure() {
        let (server, _) = serve("inproc:", Moody { delay: Duration::from_millis(101), ..Moody::default() }).await;
        let latency = |millis| format!("--soak_per_iteration_max_acceptable_latency_ms={millis}");
        let failure = run("rpc_soak", &server, &[&latency(100)]).await.unwrap_err();
        assert!(failure.ends_with("10 of 10 calls failed, and at most 0 may; the last one: it took longer than 100ms"));
        run("rpc_soak", &server, &[&latency(110)]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_soak_ends_when_its_time_is_over() {
        let (server, moody) = serve("inproc:", Moody { delay: Duration::from_millis(900), ..Moody::default() }).await;
        let began = Instant::now();
        let failure = run("rpc_soak", &server, &["--soak_iterations=20"]).await.unwrap_err();
        assert_eq!(failure, "only 12 of 20 calls within 10s");
        assert_eq!(began.elapsed().as_secs(), 10);
        assert_eq!(moody.calls.load(Ordering::SeqCst), 11);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_keep_their_distance_and_threads_share_them() {
        let (server, moody) = serve("inproc:", Moody::default()).await;
        let began = Instant::now();
        run("rpc_soak", &server, &["--soak_min_time_ms_between_rpcs=500"]).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        let began = Instant::now();
        run("rpc_soak", &server, &["--soak_min_time_ms_between_rpcs=500", "--soak_num_threads=5"]).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        assert_eq!(moody.calls.load(Ordering::SeqCst), 20);
    }

    #[tokio::test]
    async fn a_channel_soak_connects_for_every_call() {
        for (case, connections) in [("rpc_soak", 1), ("channel_soak", 10)] {
            let (server, moody) = serve("127.0.0.1:0", Moody::default()).await;
            run(case, &server, &[]).await.unwrap();
            assert_eq!(moody.peers.lock().unwrap().len(), connections, "{case}");
        }
    }
}
