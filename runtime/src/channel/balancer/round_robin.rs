//! `round_robin`: all servers, in turn (gRFC A61).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::children::{Change, ReadyChild, Spread, Spreading};
use super::{ChannelControl, Pick, PickArgs, Picker};
use crate::call::ConnectivityState;

/// Uses all servers in turn.
pub(in crate::channel) struct RoundRobin;

impl RoundRobin {
    pub(in crate::channel) fn balancer() -> Spreading<RoundRobin> {
        Spreading::new(RoundRobin)
    }
}

impl Spread for RoundRobin {
    type Of = ();

    fn take(&mut self, change: Change<()>, control: &mut dyn ChannelControl) {
        if let Change::Ready(ready) = change {
            control.update_state(ConnectivityState::Ready, Arc::new(InTurn::new(ready)));
        }
    }
}

/// Gives each call the next server.
struct InTurn {
    ready: Vec<ReadyChild<()>>,
    next: AtomicUsize,
}

impl InTurn {
    /// Begins anywhere, so that many clients do not all begin at the same server.
    fn new(ready: Vec<ReadyChild<()>>) -> Self {
        let next = AtomicUsize::new(fastrand::usize(..ready.len().max(1)));
        InTurn { ready, next }
    }
}

impl Picker for InTurn {
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
