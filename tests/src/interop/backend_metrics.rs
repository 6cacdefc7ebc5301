//! The balancer that gRPC's test clients have beside the usual ones, `test_backend_metrics_load_balancer`: it looks at the load
//! reports that come with calls (ORCA, gRFC A51).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use callwright::balancer::{Balancer, ChannelControl, Pick, PickArgs, Picker, Subchannel, SubchannelState};
use callwright::orca::LoadReport;
use callwright::resolver::Endpoint;
use callwright::{ChannelBuilder, ConnectivityState, Status};
use tokio::sync::watch;

/// The name, as a service config says it.
pub const NAME: &str = "test_backend_metrics_load_balancer";

/// What the balancer of a channel has seen.
#[derive(Clone, Debug, Default)]
pub struct BackendMetrics {
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    in_use: AtomicBool,
    /// How many calls have ended, and the report of the last.
    last: watch::Sender<(usize, Option<LoadReport>)>,
}

impl BackendMetrics {
    /// The channel knows the balancer from now on; its service config says whether it is used.
    pub fn register(&self, channel: ChannelBuilder) -> ChannelBuilder {
        let seen = self.seen.clone();
        channel.balancer(NAME, move |_| {
            seen.in_use.store(true, Ordering::Relaxed);
            Ok(Watching { seen: seen.clone(), subchannels: Vec::new() })
        })
    }

    /// Whether a channel uses it.
    pub fn is_in_use(&self) -> bool {
        self.seen.in_use.load(Ordering::Relaxed)
    }

    /// The report that came with the last of so many calls, once that has ended; `None` where it had none.
    ///
    /// # Errors
    /// When it has not ended within `patience`.
    pub async fn of_call(&self, number: usize, patience: Duration) -> Result<Option<LoadReport>, String> {
        let mut last = self.seen.last.subscribe();
        match tokio::time::timeout(patience, last.wait_for(|(calls, _)| *calls >= number)).await {
            Ok(Ok(seen)) => Ok(seen.1.clone()),
            _ => Err(format!("the balancer was not told of the end of call {number} within {patience:?}")),
        }
    }
}

/// All servers that are connected, in turn.
struct Watching {
    seen: Arc<Seen>,
    subchannels: Vec<(Subchannel, SubchannelState)>,
}

impl Balancer for Watching {
    fn update(&mut self, endpoints: &[Endpoint], control: &mut dyn ChannelControl) {
        let before = std::mem::take(&mut self.subchannels);
        for address in endpoints.iter().flat_map(Endpoint::addresses) {
            let known = before.iter().find(|(subchannel, _)| subchannel.address() == address).cloned();
            self.subchannels.push(known.unwrap_or_else(|| {
                let subchannel = control.create_subchannel(address);
                subchannel.connect();
                (subchannel, SubchannelState::Connecting)
            }));
        }
        self.tell(control);
    }

    fn subchannel_changed(
        &mut self,
        subchannel: &Subchannel,
        state: &SubchannelState,
        control: &mut dyn ChannelControl,
    ) {
        if let Some((_, known)) = self.subchannels.iter_mut().find(|(known, _)| known == subchannel) {
            *known = state.clone();
            if matches!(state, SubchannelState::Idle) {
                subchannel.connect();
            }
            self.tell(control);
        }
    }

    /// It is never at rest.
    fn connect(&mut self, _: &mut dyn ChannelControl) {}
}

impl Watching {
    fn tell(&self, control: &mut dyn ChannelControl) {
        let ready = |(subchannel, state): &(Subchannel, SubchannelState)| {
            matches!(state, SubchannelState::Ready).then(|| subchannel.clone())
        };
        let ready: Vec<_> = self.subchannels.iter().filter_map(ready).collect();
        let failed = |(_, state): &(Subchannel, SubchannelState)| match state {
            SubchannelState::TransientFailure(status) | SubchannelState::Unhealthy(status) => Some(status.clone()),
            _ => None,
        };
        let failures: Vec<_> = self.subchannels.iter().filter_map(failed).collect();
        let state = if !ready.is_empty() {
            ConnectivityState::Ready
        } else if failures.len() == self.subchannels.len() {
            ConnectivityState::TransientFailure
        } else {
            ConnectivityState::Connecting
        };
        let failure = failures.into_iter().next_back().filter(|_| state == ConnectivityState::TransientFailure);
        let picker = InTurn { seen: self.seen.clone(), ready, failure, next: AtomicUsize::new(0) };
        control.update_state(state, Arc::new(picker));
    }
}

struct InTurn {
    seen: Arc<Seen>,
    ready: Vec<Subchannel>,
    failure: Option<Status>,
    next: AtomicUsize,
}

impl Picker for InTurn {
    fn pick(&self, _: &PickArgs<'_>) -> Pick {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(subchannel) = self.ready.get(turn % self.ready.len().max(1)) else {
            return self.failure.clone().map_or(Pick::Queue, Pick::Fail);
        };
        let seen = self.seen.clone();
        let Pick::Subchannel(picked) = Pick::subchannel(subchannel) else { return Pick::Queue };
        let picked = picked.on_done(move |outcome| {
            if outcome.code.is_some() {
                let report = outcome.trailing_metadata.and_then(|trailing| LoadReport::from_metadata(trailing).ok());
                seen.last.send_modify(|(calls, last)| {
                    *calls += 1;
                    *last = report.flatten();
                });
            }
        });
        picked.into()
    }
}

impl fmt::Debug for InTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTurn").field("ready", &self.ready).finish_non_exhaustive()
    }
}
