//! The task of a channel that is in use: what the resolver finds goes to the balancer, what becomes of the subchannels too,
//! and what the balancer makes of it goes to the calls.

mod balancing;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::balancer::{ChannelControl, Picker, Standstill};
use super::connectivity::{Core, Quiet};
use super::resolver::{Endpoint, Resolution, ResolveError, drive};
use super::subchannel::{self, Subchannel, SubchannelState, WeakSubchannel};
use crate::address::Address;
use crate::call::ConnectivityState;
use balancing::Balancers;

/// What the task is told.
#[derive(Debug)]
pub(super) enum Event {
    /// There are calls, or somebody wants the channel to connect.
    Connect,
    Resolved(Result<Resolution, ResolveError>),
    Subchannel(WeakSubchannel, SubchannelState),
}

/// Runs a channel until it ends, or nobody has used it for its idle timeout.
pub(super) async fn run(core: Arc<Core>, events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>)) {
    let abandon = AbandonOnDrop(Some(core.clone()));
    tokio::select! {
        () = core.ended() => {}
        // It has told the channel so; what the channel has by now belongs to another task.
        over = Control::new(&core, events).run() => if let Over::Resting = over { abandon.disarm() },
    }
}

/// Why the task of a channel ends by itself.
enum Over {
    /// Nobody uses the channel.
    Resting,
    /// A resolver or a subchannel did.
    Panicked,
}

struct Control {
    balancers: Balancers,
    /// The addresses that the balancer has; empty before there were any.
    endpoints: Vec<Endpoint>,
    events: mpsc::UnboundedReceiver<Event>,
    quiet: Quiet,
    reach: Reach,
}

/// What a balancer reaches of its channel.
struct Reach {
    core: Arc<Core>,
    /// The resolver's task, and those of the subchannels.
    tasks: JoinSet<()>,
    tell: mpsc::UnboundedSender<Event>,
    wake_at: Option<Instant>,
    state: ConnectivityState,
}

impl Control {
    fn new(core: &Arc<Core>, events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>)) -> Control {
        let (tell, events) = events;
        let reach = Reach {
            core: core.clone(),
            tasks: JoinSet::new(),
            tell,
            wake_at: None,
            state: ConnectivityState::Connecting,
        };
        Control { balancers: Balancers::default(), endpoints: Vec::new(), events, quiet: core.quiet(), reach }
    }

    async fn run(mut self) -> Over {
        self.start_resolver();
        loop {
            let idle_at = self.quiet.next_look();
            tokio::select! {
                Some(event) = self.events.recv() => self.take(event),
                () = sleep_until(self.reach.wake_at) => {
                    self.reach.wake_at = None;
                    self.balancers.each(&mut self.reach, |balancer, control| balancer.wake(control));
                }
                // Those that have ended are let go of. A panic (of a resolver, say) ends this task as if its runtime had gone: nothing
                // more would come of what panicked.
                Some(ended) = self.reach.tasks.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        return Over::Panicked;
                    }
                }
                () = sleep_until(idle_at) => {
                    if self.reach.core.rest(&mut self.quiet) {
                        return Over::Resting;
                    }
                }
            }
        }
    }

    fn start_resolver(&mut self) {
        let core = self.reach.core.clone();
        let tell = self.reach.tell.clone();
        match core.target().resolver(core.settings().connect.tunnel()) {
            Ok(resolver) => {
                let backoff = core.settings().backoff.clone();
                self.reach.tasks.spawn(async move {
                    drive::drive(resolver, core.requests(), backoff, |resolved| {
                        let _ = tell.send(Event::Resolved(resolved));
                    })
                    .await;
                });
            }
            Err(error) => drop(tell.send(Event::Resolved(Err(error)))),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Connect => self.balancers.each(&mut self.reach, |balancer, control| balancer.connect(control)),
            Event::Resolved(Ok(resolution)) => self.resolved(resolution),
            Event::Resolved(Err(error)) => self.unresolved(&error),
            Event::Subchannel(subchannel, state) => {
                if let Some(subchannel) = subchannel.upgrade() {
                    self.balancers.each(&mut self.reach, |balancer, control| {
                        balancer.subchannel_changed(&subchannel, &state, control);
                    });
                }
            }
        }
        // A balancer that has come to rest goes on at once where there are calls.
        if self.reach.state == ConnectivityState::Idle && self.reach.core.has_waiting() {
            self.balancers.each(&mut self.reach, |balancer, control| balancer.connect(control));
        }
    }

    fn resolved(&mut self, resolution: Resolution) {
        let mut endpoints = resolution.endpoints;
        endpoints.retain(|endpoint| !endpoint.addresses().is_empty());
        if endpoints.is_empty() {
            return self.unresolved(&"there are no addresses".into());
        }
        let given = resolution.service_config.map(|given| given.and_then(|config| config.check().map(|()| config)));
        let config = match given {
            Some(Ok(config)) => Some(config),
            // What was in use stays in use (gRFC A21).
            Some(Err(_)) if !self.endpoints.is_empty() => None,
            Some(Err(error)) => return self.unresolved(&format!("its service config cannot be used: {error}").into()),
            None => Some(self.reach.core.settings().service_config.clone()),
        };
        if let Some(config) = config {
            let core = self.reach.core.clone();
            let settings = core.settings();
            let policy = settings.load_balancing(&config);
            if let Err(error) = self.balancers.choose(&policy, &settings.balancers, &self.endpoints, &mut self.reach) {
                if self.endpoints.is_empty() {
                    return self.unresolved(&format!("its service config cannot be used: {error}").into());
                }
            } else {
                core.configure(config);
            }
        }
        if self.endpoints != endpoints {
            self.reach.core.resolved(&endpoints);
            self.endpoints = endpoints;
            let endpoints = &self.endpoints;
            self.balancers.each(&mut self.reach, |balancer, control| balancer.update(endpoints, control));
        }
    }

    fn unresolved(&mut self, error: &ResolveError) {
        let status = self.reach.core.unresolved(error);
        if !self.endpoints.is_empty() {
            return;
        }
        // Without servers there is no choice of balancers either.
        self.reach.core.configure(self.reach.core.settings().service_config.clone());
        self.reach.update_state(ConnectivityState::TransientFailure, Arc::new(Standstill::Fail(status)));
    }
}

impl ChannelControl for Reach {
    fn create_subchannel(&mut self, address: &Address) -> Subchannel {
        let subchannel = Subchannel::new(&self.core, address);
        let (weak, tell) = (subchannel.downgrade(), self.tell.clone());
        let task = subchannel::run(subchannel.link().clone(), self.core.clone(), move |state| {
            let _ = tell.send(Event::Subchannel(weak.clone(), state));
        });
        subchannel.runs_as(self.tasks.spawn(task));
        subchannel
    }

    fn update_state(&mut self, state: ConnectivityState, picker: Arc<dyn Picker>) {
        self.state = state;
        self.core.set_picker(state, picker);
    }

    fn request_resolution(&mut self) {
        self.core.requests().again.notify_one();
    }

    fn wake_at(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |before| before.min(at)));
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Tells the channel when its task went away without being told to.
struct AbandonOnDrop(Option<Arc<Core>>);

impl AbandonOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        if let Some(core) = &self.0 {
            core.abandoned();
        }
    }
}
