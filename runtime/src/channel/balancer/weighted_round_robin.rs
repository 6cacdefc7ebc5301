//! `weighted_round_robin`: all servers, each as often as its load reports say that it can bear (gRFC A58).

mod load;
mod schedule;

use std::sync::Arc;

use tokio::time::Instant;

use super::children::{Change, ReadyChild, Spread, Spreading};
use super::round_robin::first_with_room;
use super::{ChannelControl, Pick, PickArgs, Picker, Subchannel};
use crate::call::ConnectivityState;
use crate::channel::backoff::LONGEST;
use crate::channel::subchannel::{LoadReport, LoadWatch};
use crate::service_config::WeightedRoundRobinSettings;
use load::Weight;
use schedule::Schedule;

/// Uses all servers, those with little load more often.
pub(in crate::channel) struct WeightedRoundRobin {
    settings: Arc<WeightedRoundRobinSettings>,
    ready: Vec<ReadyChild<Arc<Weight>>>,
    update_at: Option<Instant>,
}

impl WeightedRoundRobin {
    pub(in crate::channel) fn balancer(settings: WeightedRoundRobinSettings) -> Spreading<WeightedRoundRobin> {
        let settings = Arc::new(settings);
        let wanted = settings.clone();
        let spread = WeightedRoundRobin { settings, ready: Vec::new(), update_at: None };
        Spreading::with(spread, move |subchannel: &Subchannel, weight: &Arc<Weight>| {
            if wanted.enable_oob_load_report {
                let (weight, settings) = (weight.clone(), wanted.clone());
                let report = Arc::new(move |report: &LoadReport| weight.take(report, &settings));
                subchannel.watch_load(LoadWatch { period: wanted.oob_reporting_period, report });
            }
        })
    }

    /// Makes a picker of the weights as they are now.
    fn weigh(&mut self, control: &mut dyn ChannelControl) {
        let now = Instant::now();
        let weights: Vec<Option<f64>> =
            self.ready.iter().map(|child| child.extra.current(now, &self.settings)).collect();
        let picker = Weighted {
            schedule: Schedule::new(&weights, fastrand::usize(..)),
            ready: self.ready.clone(),
            settings: self.settings.clone(),
        };
        control.update_state(ConnectivityState::Ready, Arc::new(picker));
        let next = now + self.settings.weight_update_period.min(LONGEST);
        self.update_at = Some(next);
        control.wake_at(next);
    }
}

impl Spread for WeightedRoundRobin {
    type Of = Arc<Weight>;

    fn take(&mut self, change: Change<Arc<Weight>>, control: &mut dyn ChannelControl) {
        match change {
            Change::Ready(ready) => {
                for child in &ready {
                    // One that was not in use begins anew: what it reported before says nothing now.
                    if !self.ready.iter().any(|known| Arc::ptr_eq(&known.extra, &child.extra)) {
                        child.extra.begin();
                    }
                }
                self.ready = ready;
                self.weigh(control);
            }
            Change::Told => {
                self.ready.clear();
                self.update_at = None;
            }
            Change::Nothing => {}
        }
    }

    fn wake(&mut self, control: &mut dyn ChannelControl) {
        match self.update_at {
            Some(at) if at <= Instant::now() => self.weigh(control),
            Some(at) => control.wake_at(at),
            None => {}
        }
    }
}

/// Gives each call a server, by weight.
struct Weighted {
    ready: Vec<ReadyChild<Arc<Weight>>>,
    schedule: Schedule,
    settings: Arc<WeightedRoundRobinSettings>,
}

impl Picker for Weighted {
    fn pick(&self, call: &PickArgs<'_>) -> Pick {
        let count = self.ready.len();
        let first = self.schedule.next();
        let order = (0..count).filter_map(|n| self.ready.get((first + n) % count));
        match first_with_room(order, call) {
            // With reports beside the calls, those of the calls do not count.
            Some((Pick::Subchannel(picked), _)) if self.settings.enable_oob_load_report => picked.into(),
            Some((Pick::Subchannel(picked), child)) => {
                let (weight, settings) = (child.extra.clone(), self.settings.clone());
                picked.on_done(move |outcome| weight.report(outcome.trailing_metadata, &settings)).into()
            }
            Some((pick, _)) => pick,
            None => Pick::Queue,
        }
    }
}
