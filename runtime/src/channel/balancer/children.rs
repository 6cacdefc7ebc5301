//! One `pick_first` for each server, under the balancers that use all of them (gRFC A61).

use std::sync::Arc;

use tokio::time::Instant;

use super::pick_first::{Health, PickFirst};
use super::{
    Balancer, ChannelControl, Endpoint, Pick, PickArgs, Picker, Subchannel, SubchannelState, all_failed, fail, wait,
};
use crate::address::Address;
use crate::call::ConnectivityState;
use crate::status::Status;

/// Spreads calls over all servers that take them: what `round_robin` and its likes differ in.
pub(super) trait Spread: Send + 'static {
    /// What is known of a server.
    type Of: Clone + Default + Send + 'static;

    /// Which servers take calls has changed, or their connections have.
    fn take(&mut self, change: Change<Self::Of>, control: &mut dyn ChannelControl);

    /// The time has come that may have been asked for.
    fn wake(&mut self, control: &mut dyn ChannelControl) {
        let _ = control;
    }
}

/// A balancer that uses all servers.
pub(in crate::channel) struct Spreading<S: Spread> {
    children: Children<S::Of>,
    spread: S,
}

impl<S: Spread> Spreading<S> {
    pub(super) fn new(spread: S) -> Self {
        Spreading::with(spread, |_, _| {})
    }

    /// As [`new`](Self::new), with something to be done with each subchannel before it connects.
    pub(super) fn with(spread: S, on_created: impl Fn(&Subchannel, &S::Of) + Send + 'static) -> Self {
        Spreading { children: Children { children: Vec::new(), on_created: Box::new(on_created) }, spread }
    }
}

impl<S: Spread> Balancer for Spreading<S> {
    fn update(&mut self, endpoints: &[Endpoint], control: &mut dyn ChannelControl) {
        let change = self.children.update(endpoints, control);
        self.spread.take(change, control);
    }

    fn subchannel_changed(
        &mut self,
        subchannel: &Subchannel,
        state: &SubchannelState,
        control: &mut dyn ChannelControl,
    ) {
        let change = self.children.subchannel_changed(subchannel, state, control);
        self.spread.take(change, control);
    }

    /// It is never at rest.
    fn connect(&mut self, _: &mut dyn ChannelControl) {}

    fn wake(&mut self, control: &mut dyn ChannelControl) {
        let change = self.children.wake(control);
        self.spread.take(change, control);
        self.spread.wake(control);
    }
}

/// The servers, each with a state of `T` of its own for as long as the resolver gives it.
struct Children<T> {
    children: Vec<Child<T>>,
    /// Called with each subchannel that is made for a server.
    on_created: Box<OnCreated<T>>,
}

type OnCreated<T> = dyn Fn(&Subchannel, &T) + Send;

struct Child<T> {
    endpoint: Endpoint,
    balancer: PickFirst,
    subchannels: Vec<Subchannel>,
    state: ConnectivityState,
    picker: Option<Arc<dyn Picker>>,
    extra: T,
}

/// A server that takes calls.
#[derive(Clone)]
pub(super) struct ReadyChild<T> {
    pub(super) picker: Arc<dyn Picker>,
    pub(super) extra: T,
}

/// What became of the whole by a change.
pub(super) enum Change<T> {
    /// Some servers take calls: these.
    Ready(Vec<ReadyChild<T>>),
    /// None does; the channel was told.
    Told,
    /// Nothing of note.
    Nothing,
}

impl<T: Clone + Default> Children<T> {
    fn update(&mut self, endpoints: &[Endpoint], control: &mut dyn ChannelControl) -> Change<T> {
        let mut known = std::mem::take(&mut self.children);
        for endpoint in endpoints {
            if self.children.iter().any(|child| child.endpoint == *endpoint) {
                continue;
            }
            let at = known.iter().position(|child| child.endpoint == *endpoint);
            match at {
                Some(at) => self.children.push(known.swap_remove(at)),
                None => {
                    let mut child = Child {
                        endpoint: endpoint.clone(),
                        balancer: PickFirst::with_health(false, Health::Heeded),
                        subchannels: Vec::new(),
                        state: ConnectivityState::Connecting,
                        picker: None,
                        extra: T::default(),
                    };
                    child.ask(control, &*self.on_created, |balancer, control| {
                        balancer.update(std::slice::from_ref(endpoint), control)
                    });
                    self.children.push(child);
                }
            }
        }
        self.tell(control)
    }

    fn subchannel_changed(
        &mut self,
        subchannel: &Subchannel,
        state: &SubchannelState,
        control: &mut dyn ChannelControl,
    ) -> Change<T> {
        let Some(child) = self.children.iter_mut().find(|child| child.subchannels.contains(subchannel)) else {
            return Change::Nothing;
        };
        let changed = child.ask(control, &*self.on_created, |balancer, control| {
            balancer.subchannel_changed(subchannel, state, control)
        });
        if child.state == ConnectivityState::Idle {
            child.ask(control, &*self.on_created, |balancer, control| balancer.connect(control));
        }
        if changed { self.tell(control) } else { Change::Nothing }
    }

    fn wake(&mut self, control: &mut dyn ChannelControl) -> Change<T> {
        let mut changed = false;
        for child in &mut self.children {
            changed |= child.ask(control, &*self.on_created, |balancer, control| balancer.wake(control));
        }
        if changed { self.tell(control) } else { Change::Nothing }
    }

    /// READY if any server is, else CONNECTING if any is on the way, else TRANSIENT_FAILURE with all their causes.
    fn tell(&mut self, control: &mut dyn ChannelControl) -> Change<T> {
        if self.children.is_empty() {
            return Change::Nothing;
        }
        let ready: Vec<_> = self.children.iter().filter_map(Child::ready).collect();
        if !ready.is_empty() {
            return Change::Ready(ready);
        }
        let failing = |child: &Child<T>| child.state == ConnectivityState::TransientFailure;
        if self.children.iter().all(failing) {
            let metadata = crate::metadata::Metadata::new();
            let failures: Vec<Status> = self.children.iter().filter_map(|child| child.failure(&metadata)).collect();
            fail(control, all_failed(failures.iter()));
        } else {
            wait(control, ConnectivityState::Connecting);
        }
        Change::Told
    }
}

impl<T: Clone> Child<T> {
    /// Lets its balancer do something; whether its state or picker is another then.
    fn ask(
        &mut self,
        control: &mut dyn ChannelControl,
        on_created: &OnCreated<T>,
        what: impl FnOnce(&mut PickFirst, &mut dyn ChannelControl),
    ) -> bool {
        let extra = &self.extra;
        let on_created = |subchannel: &Subchannel| on_created(subchannel, extra);
        let mut inner = ChildControl { control, created: &mut self.subchannels, on_created: &on_created, said: None };
        what(&mut self.balancer, &mut inner);
        let Some((state, picker)) = inner.said else { return false };
        self.subchannels.retain(|subchannel| self.balancer.uses(subchannel));
        (self.state, self.picker) = (state, Some(picker));
        true
    }

    fn ready(&self) -> Option<ReadyChild<T>> {
        let picker = self.picker.clone().filter(|_| self.state == ConnectivityState::Ready)?;
        Some(ReadyChild { picker, extra: self.extra.clone() })
    }

    fn failure(&self, metadata: &crate::metadata::Metadata) -> Option<Status> {
        match self.picker.as_ref()?.pick(&PickArgs::any(metadata)) {
            Pick::Fail(status) => Some(status),
            Pick::Subchannel(_) | Pick::Queue | Pick::Drop(_) => None,
        }
    }
}

/// What a child reaches of the channel: its own state is its parent's to tell.
struct ChildControl<'a> {
    control: &'a mut dyn ChannelControl,
    created: &'a mut Vec<Subchannel>,
    on_created: &'a dyn Fn(&Subchannel),
    said: Option<(ConnectivityState, Arc<dyn Picker>)>,
}

impl ChannelControl for ChildControl<'_> {
    fn create_subchannel(&mut self, address: &Address) -> Subchannel {
        let subchannel = self.control.create_subchannel(address);
        (self.on_created)(&subchannel);
        self.created.push(subchannel.clone());
        subchannel
    }

    fn update_state(&mut self, state: ConnectivityState, picker: Arc<dyn Picker>) {
        self.said = Some((state, picker));
    }

    fn request_resolution(&mut self) {
        self.control.request_resolution();
    }

    fn wake_at(&mut self, at: Instant) {
        self.control.wake_at(at);
    }
}
