//! Whose turn it is, by weight: the static stride scheduler of gRFC A58.
//!
//! Each server has a turn in every round, and takes it in as many rounds as its weight says: a server of the largest weight in
//! all of them, one of half of that in every other. Nothing is computed for a pick but its number.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The weight of a server that takes each of its turns.
const MAX: u64 = u16::MAX as u64;
/// No server has more, or less, than so many times the mean, whatever it reports.
const MAX_RATIO: f64 = 10.0;
const MIN_RATIO: f64 = 0.1;

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Of each server; all are [`MAX`] where the reports do not tell them apart.
    weights: Vec<u64>,
    turn: AtomicUsize,
}

impl Schedule {
    /// A schedule of these weights, from turn `first` on. A server without one has the mean of the others; with fewer than two
    /// weights all are equal.
    pub(super) fn new(weights: &[Option<f64>], first: usize) -> Schedule {
        let known: Vec<f64> = weights.iter().flatten().copied().collect();
        let turn = AtomicUsize::new(first);
        if known.len() < 2 {
            return Schedule { weights: vec![MAX; weights.len()], turn };
        }
        // Divided first: the sum of what servers report may be more than there are numbers for.
        let mean = known.iter().map(|weight| weight / known.len() as f64).sum::<f64>();
        let bounded = |weight: f64| weight.clamp(mean * MIN_RATIO, mean * MAX_RATIO);
        let bounded: Vec<f64> = weights.iter().map(|weight| bounded(weight.unwrap_or(mean))).collect();
        let most = bounded.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let scaled = bounded.iter().map(|weight| ((weight / most * MAX as f64).round() as u64).clamp(1, MAX));
        Schedule { weights: scaled.collect(), turn }
    }

    /// The server of the next turn; 0 where there is none.
    pub(super) fn next(&self) -> usize {
        let count = self.weights.len();
        if count == 0 {
            return 0;
        }
        loop {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let (server, round) = (turn % count, (turn / count) as u64);
            let Some(weight) = self.weights.get(server) else { return 0 };
            // Servers of one weight do not all take the same rounds.
            let shift = (server as u64).wrapping_mul(MAX / 2);
            if weight.wrapping_mul(round).wrapping_add(shift) % MAX >= MAX - weight {
                return server;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(weights: &[Option<f64>]) -> Vec<f64> {
        let schedule = Schedule::new(weights, 12_345);
        let mut counts = vec![0_u32; weights.len()];
        for _ in 0..100_000 {
            counts[schedule.next()] += 1;
        }
        counts.iter().map(|count| f64::from(*count) / 100_000.0).collect()
    }

    fn assert_shares(weights: &[Option<f64>], expected: &[f64]) {
        for (share, expected) in shares(weights).iter().zip(expected) {
            assert!((share - expected).abs() < 0.01, "{weights:?} gave {:?}, not {expected:?}", shares(weights));
        }
    }

    #[test]
    fn calls_are_shared_by_weight() {
        assert_shares(&[Some(1.0), Some(3.0)], &[0.25, 0.75]);
        assert_shares(&[Some(100.0), Some(200.0), Some(100.0)], &[0.25, 0.5, 0.25]);
        assert_shares(&[Some(5e-9), Some(5e-9)], &[0.5, 0.5]);
    }

    #[test]
    fn a_server_without_a_report_has_the_mean() {
        assert_shares(&[Some(1.0), None, Some(3.0)], &[1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0]);
    }

    #[test]
    fn fewer_than_two_reports_make_all_equal() {
        assert_shares(&[Some(7.0), None, None], &[1.0 / 3.0; 3]);
        assert_shares(&[None, None], &[0.5, 0.5]);
        assert_eq!(Schedule::new(&[], 0).next(), 0);
    }

    #[test]
    fn weights_whose_sum_is_infinite_do_not_stall_the_picks() {
        let schedule = Schedule::new(&[Some(1.7e308), Some(1.7e308)], 0);
        (0..100).for_each(|_| _ = schedule.next());
        assert!(schedule.turn.load(Ordering::Relaxed) < 1000);
    }

    #[test]
    fn no_report_starves_a_server() {
        let shares = shares(&[Some(1.0), Some(1.0), Some(1e9)]);
        assert!(shares[0] > 0.01 && shares[1] > 0.01, "{shares:?}");
    }
}
