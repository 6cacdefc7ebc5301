//! `round_robin`: all servers, in turn (gRFC A61).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::children::{Change, Children, ReadyChild};
use super::{Balancer, ChannelControl, Endpoint, Pick, PickArgs, Picker, Subchannel, SubchannelState};
use crate::call::ConnectivityState;

/// Uses all servers in turn.
pub(in crate::channel) struct RoundRobin {
    children: Children<()>,
}

impl RoundRobin {
    pub(in crate::channel) fn new() -> Self {
        RoundRobin { children: Children::new() }
    }
}

impl Balancer for RoundRobin {
    fn update(&mut self, endpoints: &[Endpoint], control: &mut dyn ChannelControl) {
        tell(self.children.update(endpoints, control), control);
    }

    fn subchannel_changed(
        &mut self,
        subchannel: &Subchannel,
        state: &SubchannelState,
        control: &mut dyn ChannelControl,
    ) {
        tell(self.children.subchannel_changed(subchannel, state, control), control);
    }

    /// It is never at rest.
    fn connect(&mut self, _: &mut dyn ChannelControl) {}

    fn wake(&mut self, control: &mut dyn ChannelControl) {
        tell(self.children.wake(control), control);
    }
}

fn tell(change: Change<()>, control: &mut dyn ChannelControl) {
    if let Change::Ready(ready) = change {
        control.update_state(ConnectivityState::Ready, Arc::new(InTurn::new(ready)));
    }
}

/// Gives each call the next server.
pub(super) struct InTurn<T> {
    ready: Vec<ReadyChild<T>>,
    next: AtomicUsize,
}

impl<T> InTurn<T> {
    /// Begins anywhere, so that many clients do not all begin at the same server.
    pub(super) fn new(ready: Vec<ReadyChild<T>>) -> Self {
        let next = AtomicUsize::new(fastrand::usize(..ready.len().max(1)));
        InTurn { ready, next }
    }
}

impl<T: Send + Sync + 'static> Picker for InTurn<T> {
    fn pick(&self, call: &PickArgs<'_>) -> Pick {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        // A server that takes no more for now is passed over where another does.
        let in_turn = (0..self.ready.len()).filter_map(|n| self.ready.get(turn.wrapping_add(n) % self.ready.len()));
        first_with_room(in_turn, call).map_or(Pick::Queue, |(pick, _)| pick)
    }
}

/// What the first of these children picks whose server has room for a call; without any, the first.
pub(super) fn first_with_room<'a, T: 'a>(
    children: impl Iterator<Item = &'a ReadyChild<T>>,
    call: &PickArgs<'_>,
) -> Option<(Pick, &'a ReadyChild<T>)> {
    let mut first = None;
    for child in children {
        let pick = child.picker.pick(call);
        match &pick {
            Pick::Subchannel(picked) if !picked.subchannel().has_room() => {
                first.get_or_insert((pick, child));
            }
            _ => return Some((pick, child)),
        }
    }
    first
}
