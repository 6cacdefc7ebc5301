//! `pick_first`: one connection, to the first address that answers (gRFC A62, and happy eyeballs of A61).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{
    Balancer, ChannelControl, Endpoint, Pick, PickArgs, Picker, Subchannel, SubchannelState, address_order, all_failed,
    fail, wait,
};
use crate::address::Address;
use crate::call::ConnectivityState;
use crate::status::Status;

/// How long an attempt may take before the next address is tried beside it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Uses one server: the first that answers.
#[derive(Debug)]
pub(in crate::channel) struct PickFirst {
    shuffles: bool,
    health: Health,
    addresses: Vec<Address>,
    /// Those that are tried; with one selected, that one alone.
    candidates: Vec<Candidate>,
    /// The candidate that calls go to.
    selected: Option<Subchannel>,
    /// The first round of attempts, while it lasts.
    pass: Option<Pass>,
    /// Whether TRANSIENT_FAILURE was told, and no connection since.
    failing: bool,
    /// Failures since the resolver was asked last.
    failures: usize,
}

/// What a subchannel's health means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::channel) enum Health {
    /// Nothing: there is no other server to go to.
    Ignored,
    /// A server that does not serve takes no calls.
    Heeded,
}

#[derive(Debug)]
struct Candidate {
    subchannel: Subchannel,
    state: SubchannelState,
    /// Why it could not connect in this round, or the last time.
    failure: Option<Status>,
}

#[derive(Debug)]
struct Pass {
    /// The next candidate to be tried.
    next: usize,
    /// When that is, unless the one before fails sooner.
    next_at: Instant,
}

impl PickFirst {
    pub(in crate::channel) fn new(shuffles: bool) -> Self {
        PickFirst::with_health(shuffles, Health::Ignored)
    }

    pub(super) fn with_health(shuffles: bool, health: Health) -> Self {
        PickFirst {
            shuffles,
            health,
            addresses: Vec::new(),
            candidates: Vec::new(),
            selected: None,
            pass: None,
            failing: false,
            failures: 0,
        }
    }

    /// Whether a subchannel is still of use.
    pub(super) fn uses(&self, subchannel: &Subchannel) -> bool {
        self.candidates.iter().any(|candidate| candidate.subchannel == *subchannel)
    }

    fn start_pass(&mut self, control: &mut dyn ChannelControl) {
        let mut known = std::mem::take(&mut self.candidates);
        for address in &self.addresses {
            let at = known.iter().position(|candidate| candidate.subchannel.address() == address);
            self.candidates.push(match at {
                Some(at) => Candidate { failure: None, ..known.swap_remove(at) },
                None => {
                    let subchannel = control.create_subchannel(address);
                    if self.health == Health::Heeded {
                        subchannel.watch_health();
                    }
                    Candidate { subchannel, state: SubchannelState::Idle, failure: None }
                }
            });
        }
        self.pass = Some(Pass { next: 0, next_at: Instant::now() });
        if !self.failing {
            wait(control, ConnectivityState::Connecting);
        }
        self.advance(control);
    }

    /// Tries the next address; those that are known to fail are passed over.
    fn advance(&mut self, control: &mut dyn ChannelControl) {
        let Some(pass) = &mut self.pass else { return };
        while let Some(candidate) = self.candidates.get_mut(pass.next) {
            pass.next += 1;
            match &candidate.state {
                SubchannelState::TransientFailure(status) => candidate.failure = Some(status.clone()),
                SubchannelState::Idle => {
                    candidate.subchannel.connect();
                    pass.next_at = Instant::now() + ATTEMPT_DELAY;
                    return control.wake_at(pass.next_at);
                }
                SubchannelState::Connecting | SubchannelState::Ready | SubchannelState::Unhealthy(_) => {
                    pass.next_at = Instant::now() + ATTEMPT_DELAY;
                    return control.wake_at(pass.next_at);
                }
            }
        }
        if self.candidates.iter().all(|candidate| candidate.failure.is_some()) {
            self.pass = None;
            self.fail(control);
            self.look_again(control);
            for candidate in self.candidates.iter().filter(|it| matches!(it.state, SubchannelState::Idle)) {
                candidate.subchannel.connect();
            }
        }
    }

    fn fail(&mut self, control: &mut dyn ChannelControl) {
        self.failing = true;
        let failures = self.candidates.iter().filter_map(|candidate| candidate.failure.as_ref());
        fail(control, all_failed(failures));
    }

    fn look_again(&mut self, control: &mut dyn ChannelControl) {
        self.failures = 0;
        control.request_resolution();
    }

    fn select(&mut self, subchannel: &Subchannel, state: &SubchannelState, control: &mut dyn ChannelControl) {
        self.candidates.retain(|candidate| candidate.subchannel == *subchannel);
        self.selected = Some(subchannel.clone());
        self.pass = None;
        self.failing = false;
        self.tell(subchannel, state, control);
    }

    /// Tells how the selected one stands.
    fn tell(&mut self, subchannel: &Subchannel, state: &SubchannelState, control: &mut dyn ChannelControl) {
        match state {
            SubchannelState::Unhealthy(status) if self.health == Health::Heeded => {
                fail(control, status.clone());
            }
            SubchannelState::Connecting if self.health == Health::Heeded => {
                wait(control, ConnectivityState::Connecting);
            }
            _ => control.update_state(ConnectivityState::Ready, Arc::new(Only(subchannel.clone()))),
        }
    }
}

impl Balancer for PickFirst {
    fn update(&mut self, endpoints: &[Endpoint], control: &mut dyn ChannelControl) {
        self.addresses = address_order(endpoints, self.shuffles);
        if let Some(selected) = &self.selected {
            if self.addresses.contains(selected.address()) {
                return;
            }
            self.selected = None;
        } else if self.pass.is_none() && !self.failing && !self.candidates.is_empty() {
            // It rests, until there are calls.
            return;
        }
        self.start_pass(control);
    }

    fn subchannel_changed(
        &mut self,
        subchannel: &Subchannel,
        state: &SubchannelState,
        control: &mut dyn ChannelControl,
    ) {
        let Some(at) = self.candidates.iter().position(|candidate| candidate.subchannel == *subchannel) else { return };
        let before = std::mem::replace(&mut self.candidates[at].state, state.clone());
        let is_selected = self.selected.is_some();
        match state {
            // Its connection came up and was gone again before it could be told of.
            SubchannelState::Idle if self.pass.is_some() && matches!(before, SubchannelState::Connecting) => {
                (self.pass, self.failing) = (None, false);
                self.look_again(control);
                wait(control, ConnectivityState::Idle);
            }
            _ if is_selected && !matches!(state, SubchannelState::Idle | SubchannelState::TransientFailure(_)) => {
                self.tell(subchannel, state, control);
            }
            SubchannelState::Ready | SubchannelState::Unhealthy(_) => self.select(subchannel, state, control),
            SubchannelState::Idle | SubchannelState::TransientFailure(_) if is_selected => {
                self.selected = None;
                self.look_again(control);
                wait(control, ConnectivityState::Idle);
            }
            SubchannelState::TransientFailure(status) => {
                let first = self.candidates[at].failure.replace(status.clone()).is_none();
                match &self.pass {
                    // The one that was tried last, or the last that was not known to fail.
                    Some(pass) if pass.next == self.candidates.len() || first && pass.next == at + 1 => {
                        self.advance(control);
                    }
                    Some(_) => {}
                    None => {
                        self.fail(control);
                        self.failures += 1;
                        if self.failures >= self.candidates.len() {
                            self.look_again(control);
                        }
                    }
                }
            }
            SubchannelState::Idle if self.pass.is_none() && self.failing => subchannel.connect(),
            SubchannelState::Idle | SubchannelState::Connecting => {}
        }
    }

    fn connect(&mut self, control: &mut dyn ChannelControl) {
        if self.selected.is_none() && self.pass.is_none() && !self.failing && !self.addresses.is_empty() {
            self.start_pass(control);
        }
    }

    fn wake(&mut self, control: &mut dyn ChannelControl) {
        match &self.pass {
            Some(pass) if pass.next_at <= Instant::now() => self.advance(control),
            Some(pass) if pass.next < self.candidates.len() => control.wake_at(pass.next_at),
            Some(_) | None => {}
        }
    }
}

/// Gives all calls the same subchannel.
struct Only(Subchannel);

impl Picker for Only {
    fn pick(&self, _: &PickArgs<'_>) -> Pick {
        Pick::subchannel(&self.0)
    }
}
