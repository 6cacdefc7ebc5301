//! Load balancing (`doc/load-balancing.md`): which of a target's servers a call goes to.
//!
//! A [`Balancer`] gets the addresses that the [resolver](crate::resolver) found, makes a [`Subchannel`] for each that it wants
//! to use, and is told what becomes of them. What calls see of it is its [`Picker`]: it is asked for each call, and gives the
//! subchannel that the call goes out on. Built in are `pick_first` (what a channel uses unless told otherwise), `round_robin`,
//! `least_request`, `weighted_round_robin`, and `outlier_detection` around any of them; see
//! [`LoadBalancing`](crate::service_config::LoadBalancing). A program may add its own:
//! [`ChannelBuilder::balancer`](crate::ChannelBuilder::balancer).
//!
//! All calls of a balancer come from one task of its channel, one after the other. It must not wait in them.

mod address_order;
mod children;
mod custom;
mod least_request;
mod outlier_detection;
mod pick_first;
mod round_robin;
mod weighted_round_robin;

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use tokio::time::Instant;

use super::opened::Opened;
use super::queue::QueuedCall;
use super::resolver::Endpoint;
pub use super::subchannel::{Subchannel, SubchannelState};
use crate::address::Address;
use crate::call::ConnectivityState;
use crate::metadata::Metadata;
use crate::status::{Code, Status};

use address_order::address_order;
pub(super) use custom::Balancers;
use least_request::LeastRequest;
use outlier_detection::OutlierDetection;
use pick_first::PickFirst;
use round_robin::RoundRobin;
use weighted_round_robin::WeightedRoundRobin;

/// Spreads the calls of one channel over its servers.
pub trait Balancer: Send + 'static {
    /// The resolver has found these servers; there is one at least.
    fn update(&mut self, endpoints: &[Endpoint], control: &mut dyn ChannelControl);

    /// One of the balancer's subchannels is in another state.
    fn subchannel_changed(
        &mut self,
        subchannel: &Subchannel,
        state: &SubchannelState,
        control: &mut dyn ChannelControl,
    );

    /// There are calls, or somebody asked for a connection: a balancer that is IDLE starts to connect.
    fn connect(&mut self, control: &mut dyn ChannelControl);

    /// The time has come that was asked for with [`ChannelControl::wake_at`].
    fn wake(&mut self, control: &mut dyn ChannelControl) {
        let _ = control;
    }
}

/// What a balancer does to its channel.
pub trait ChannelControl {
    /// A subchannel to this address, IDLE. It ends when the last handle is dropped; calls on it go on.
    fn create_subchannel(&mut self, address: &Address) -> Subchannel;

    /// The channel is in this state from now on, and asks this picker.
    fn update_state(&mut self, state: ConnectivityState, picker: Arc<dyn Picker>);

    /// The addresses may be old: has the resolver look again, as soon as it may.
    fn request_resolution(&mut self);

    /// Has [`Balancer::wake`] called at this time, or at an earlier one that was asked for before and has not come.
    fn wake_at(&mut self, at: Instant);
}

/// Gives each call its subchannel. Asked by all tasks that make calls, and with the channel's lock held: it must not use the
/// channel, nor wait.
pub trait Picker: Send + Sync + 'static {
    /// What becomes of this call.
    fn pick(&self, call: &PickArgs<'_>) -> Pick;
}

/// What a picker may know of a call.
#[derive(Clone, Copy, Debug)]
pub struct PickArgs<'a> {
    pub(in crate::channel) path: &'a HeaderValue,
    pub(in crate::channel) metadata: &'a Metadata,
}

impl<'a> PickArgs<'a> {
    /// Any call, for a picker that fails all.
    pub(in crate::channel) fn any(metadata: &'a Metadata) -> PickArgs<'a> {
        static PATH: HeaderValue = HeaderValue::from_static("/");
        PickArgs { path: &PATH, metadata }
    }

    /// The method's path, `/package.Service/Method`.
    pub fn method(&self) -> &str {
        self.path.to_str().unwrap_or_default()
    }

    /// What the call sends before its messages.
    pub fn metadata(&self) -> &Metadata {
        self.metadata
    }
}

/// What becomes of a call.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pick {
    /// It goes out on this subchannel. Where that is not READY, or takes no more streams, the call is queued and picked again
    /// when something has changed.
    Subchannel(Picked),
    /// It waits for the next picker.
    Queue,
    /// It ends with this status, unless it waits for ready: then it waits for the next picker.
    Fail(Status),
    /// It ends with this status, even if it waits for ready.
    Drop(Status),
}

impl Pick {
    /// It goes out on this subchannel.
    pub fn subchannel(subchannel: &Subchannel) -> Pick {
        Picked::new(subchannel).into()
    }
}

/// A subchannel for one call.
pub struct Picked {
    pub(super) subchannel: Subchannel,
    pub(super) on_done: Option<OnDone>,
}

pub(super) type OnDone = Box<dyn FnOnce(&CallOutcome<'_>) + Send>;

impl Picked {
    /// This subchannel.
    pub fn new(subchannel: &Subchannel) -> Picked {
        Picked { subchannel: subchannel.clone(), on_done: None }
    }

    /// The subchannel.
    pub fn subchannel(&self) -> &Subchannel {
        &self.subchannel
    }

    /// Opens the call's stream, or says why it cannot have one; `None` where there is no room for it now.
    pub(super) fn open(self, call: &dyn QueuedCall) -> Option<Result<Opened, Status>> {
        self.subchannel.open(call, self.on_done)
    }

    /// The call does not go there.
    pub(super) fn give_back(self) {
        if let Some(done) = self.on_done {
            done(&CallOutcome { code: None, trailing_metadata: None });
        }
    }

    /// Has `done` called when the call (this attempt of it, where it is made again) has ended, or did not go out on this
    /// subchannel after all. What was asked for before is called first. As a picker it must not use the channel, nor wait.
    pub fn on_done(mut self, done: impl FnOnce(&CallOutcome<'_>) + Send + 'static) -> Self {
        self.on_done = Some(match self.on_done.take() {
            None => Box::new(done),
            Some(before) => Box::new(move |outcome| {
                before(outcome);
                done(outcome);
            }),
        });
        self
    }
}

impl From<Picked> for Pick {
    fn from(picked: Picked) -> Self {
        Pick::Subchannel(picked)
    }
}

impl fmt::Debug for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picked").field("subchannel", &self.subchannel).finish_non_exhaustive()
    }
}

/// How a call ended that a picker had given a subchannel.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CallOutcome<'a> {
    /// The code; `None` where the call did not go out.
    pub code: Option<Code>,
    /// What the server sent after the last message.
    pub trailing_metadata: Option<&'a Metadata>,
}

/// The same for all calls.
#[derive(Debug)]
pub(super) enum Standstill {
    /// They wait.
    Queue,
    /// They fail.
    Fail(Status),
}

impl Picker for Standstill {
    fn pick(&self, _: &PickArgs<'_>) -> Pick {
        match self {
            Standstill::Queue => Pick::Queue,
            Standstill::Fail(status) => Pick::Fail(status.clone()),
        }
    }
}

/// No call can go out for this reason.
fn fail(control: &mut dyn ChannelControl, status: Status) {
    control.update_state(ConnectivityState::TransientFailure, Arc::new(Standstill::Fail(status)));
}

/// All calls wait.
fn wait(control: &mut dyn ChannelControl, state: ConnectivityState) {
    control.update_state(state, Arc::new(Standstill::Queue));
}

/// What to say where no server can be reached: each with its cause.
fn all_failed<'a>(failures: impl Iterator<Item = &'a Status>) -> Status {
    let mut failures: Vec<&Status> = failures.collect();
    failures.dedup_by(|one, other| one.message() == other.message());
    match failures.as_slice() {
        [] => Status::unavailable("there are no addresses"),
        [only] => (*only).clone(),
        several => {
            let list: Vec<&str> = several.iter().map(|status| status.message()).collect();
            Status::unavailable(format!("all addresses failed: {}", list.join("; ")))
        }
    }
}
