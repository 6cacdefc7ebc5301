//! `least_request`: of a few servers that are chosen by chance, the one with the fewest calls under way (gRFC A48).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::children::{Change, ReadyChild, Spread, Spreading};
use super::{CallOutcome, ChannelControl, Pick, PickArgs, Picker};
use crate::call::ConnectivityState;

/// Calls under way.
type Count = Arc<AtomicUsize>;

/// Uses the servers that have little to do.
pub(in crate::channel) struct LeastRequest {
    choices: usize,
}

impl LeastRequest {
    /// Compares so many servers for each call.
    pub(in crate::channel) fn balancer(choices: usize) -> Spreading<LeastRequest> {
        Spreading::new(LeastRequest { choices })
    }
}

impl Spread for LeastRequest {
    type Of = Count;

    fn take(&mut self, change: Change<Count>, control: &mut dyn ChannelControl) {
        if let Change::Ready(ready) = change {
            let picker = FewestCalls { ready, choices: self.choices };
            control.update_state(ConnectivityState::Ready, Arc::new(picker));
        }
    }
}

/// Gives each call the server with the fewest calls, of a few.
struct FewestCalls {
    ready: Vec<ReadyChild<Count>>,
    choices: usize,
}

impl Picker for FewestCalls {
    fn pick(&self, call: &PickArgs<'_>) -> Pick {
        let mut best: Option<(bool, usize, &ReadyChild<Count>, Pick)> = None;
        for _ in 0..self.choices {
            let Some(child) = self.ready.get(fastrand::usize(..self.ready.len().max(1))) else { break };
            let pick = child.picker.pick(call);
            // Full ones come last, whatever they have.
            let full = matches!(&pick, Pick::Subchannel(picked) if !picked.subchannel().has_room());
            let count = child.extra.load(Ordering::Relaxed);
            if best.as_ref().is_none_or(|(fullest, most, ..)| (full, count) < (*fullest, *most)) {
                best = Some((full, count, child, pick));
            }
        }
        match best {
            Some((_, _, child, Pick::Subchannel(picked))) => {
                child.extra.fetch_add(1, Ordering::Relaxed);
                let count = child.extra.clone();
                let done = move |_: &CallOutcome<'_>| _ = count.fetch_sub(1, Ordering::Relaxed);
                picked.on_done(done).into()
            }
            Some((.., pick)) => pick,
            None => Pick::Queue,
        }
    }
}
