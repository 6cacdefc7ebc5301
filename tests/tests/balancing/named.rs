//! Servers that say who they are, and that a test holds up, has fail, and gives a load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use callwright::codegen::prost;
use callwright::codegen::prost::Message as _;
use callwright::server::{Methods, Service};
use callwright::{Channel, RunningServer, Server, ServerBuilder, ServerContext, Status};
use callwright_tests::support::{SAY, say};
use tokio::sync::watch;

/// A server with a name.
pub(crate) struct Named {
    server: RunningServer,
    state: Arc<State>,
}

struct State {
    name: &'static str,
    waiting: AtomicU32,
    released: watch::Sender<bool>,
    fails: AtomicBool,
    load: Mutex<Option<LoadReport>>,
}

/// What is sent of `xds.data.orca.v3.OrcaLoadReport`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "::callwright::codegen::prost")]
struct LoadReport {
    #[prost(double, tag = "1")]
    cpu_utilization: f64,
    #[prost(double, tag = "6")]
    rps_fractional: f64,
}

/// A server of this name on a free port.
pub(crate) async fn serve_named(name: &'static str) -> Named {
    Named::start(name, Server::builder()).await
}

impl Named {
    pub(crate) async fn start(name: &'static str, builder: ServerBuilder) -> Named {
        let state = Arc::new(State {
            name,
            waiting: AtomicU32::new(0),
            released: watch::Sender::new(false),
            fails: AtomicBool::new(false),
            load: Mutex::default(),
        });
        let server = builder.add_service(Answers(state.clone())).bind("127.0.0.1:0").await.unwrap();
        Named { server, state }
    }

    pub(crate) fn address(&self) -> String {
        self.server.local_addr().to_string()
    }

    /// How many calls wait here.
    pub(crate) fn waiting(&self) -> u32 {
        self.state.waiting.load(Ordering::SeqCst)
    }

    /// Lets the calls go that wait here.
    pub(crate) fn release(&self) {
        self.state.released.send_replace(true);
        self.state.released.send_replace(false);
    }

    /// Lets go all that wait, and that come.
    pub(crate) fn release_all(&self) {
        self.state.released.send_replace(true);
    }

    pub(crate) fn hold_again(&self) {
        self.state.released.send_replace(false);
    }

    /// Whether calls fail.
    pub(crate) fn fail(&self, fails: bool) {
        self.state.fails.store(fails, Ordering::SeqCst);
    }

    /// What it reports with each call.
    pub(crate) fn report_load(&self, cpu_utilization: f64, rps_fractional: f64) {
        *self.state.load.lock().unwrap() = Some(LoadReport { cpu_utilization, rps_fractional });
    }
}

struct Answers(Arc<State>);

impl Service for Answers {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Echo", self.0)
            .unary(SAY, |state, request, context| Box::pin(State::answer(state, request, context)));
    }
}

impl State {
    async fn answer(&self, request: String, context: &mut ServerContext) -> Result<String, Status> {
        let report = self.load.lock().unwrap().clone();
        if let Some(report) = report {
            context.set_trailing_metadata("endpoint-load-metrics-bin", report.encode_to_vec())?;
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(Status::unavailable("as asked for"));
        }
        if request == "wait" {
            let mut released = self.released.subscribe();
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let _left = Left(&self.waiting);
            if !*released.borrow_and_update() {
                let _ = released.changed().await;
            }
        }
        Ok(self.name.to_owned())
    }
}

struct Left<'a>(&'a AtomicU32);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Makes so many calls, one after the other, and counts who answered.
pub(crate) async fn names(channel: &Channel, calls: u32) -> BTreeMap<String, u32> {
    let mut seen = BTreeMap::new();
    for _ in 0..calls {
        *seen.entry(say(channel, "name").await.unwrap()).or_default() += 1;
    }
    seen
}

/// Adds what was counted elsewhere.
pub(crate) fn spread(all: &mut BTreeMap<String, u32>, more: BTreeMap<String, u32>) {
    more.into_iter().for_each(|(name, count)| *all.entry(name).or_default() += count);
}
