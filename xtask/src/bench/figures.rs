//! Figures: what the rounds gave, whose they are, and what they should be.

use super::programs::Peer;

/// A figure in each round.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Samples(Vec<f64>);

/// A figure of one peer.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) peer: Peer,
    pub(super) samples: Samples,
}

/// What a row should show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// Ours, as a share of tonic's.
    RatioAtMost(f64),
    /// Ours, as a multiple of tonic's.
    RatioAtLeast(f64),
    /// Ours alone.
    AtMost(f64),
    /// Ours alone.
    AtLeast(f64),
    /// It is only shown.
    None,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// What was done, and what of it this is.
    pub(super) work: String,
    pub(super) unit: &'static str,
    pub(super) target: Target,
    pub(super) figures: Vec<Figure>,
}

impl Samples {
    pub(super) fn new(samples: Vec<f64>) -> Samples {
        Samples(samples)
    }

    /// That of one round alone.
    pub(super) fn one(sample: f64) -> Samples {
        Samples(vec![sample])
    }

    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match (sorted.len(), sorted.len() / 2) {
            (0, _) => f64::NAN,
            (length, middle) if length % 2 == 1 => sorted[middle],
            (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
        }
    }

    pub(super) fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    pub(super) fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }

    /// Round by round: a machine that is slow in one round is slow for both.
    pub(super) fn ratio(&self, to: &Samples) -> Samples {
        Samples(self.0.iter().zip(&to.0).map(|(ours, theirs)| ours / theirs).collect())
    }
}

impl Target {
    /// How far a figure is from it: 1 is the target itself, and what is above has missed it.
    pub(super) fn share(self, figure: f64) -> Option<f64> {
        match self {
            Target::RatioAtMost(bound) | Target::AtMost(bound) => Some(figure / bound),
            Target::RatioAtLeast(bound) | Target::AtLeast(bound) => Some(bound / figure),
            Target::None => None,
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Target::RatioAtMost(bound) => format!("at most {bound:.2} of tonic's"),
            Target::RatioAtLeast(bound) => format!("at least {bound} times tonic's"),
            Target::AtMost(bound) => format!("at most {bound}"),
            Target::AtLeast(bound) => format!("at least {bound}"),
            Target::None => String::new(),
        }
    }
}

impl Row {
    pub(super) fn new(work: impl Into<String>, unit: &'static str, target: Target, figures: Vec<Figure>) -> Row {
        Row { work: work.into(), unit, target, figures }
    }

    pub(super) fn of(&self, peer: Peer) -> Option<&Samples> {
        self.figures.iter().find(|figure| figure.peer == peer).map(|figure| &figure.samples)
    }

    /// Ours to tonic's.
    pub(super) fn ratio(&self) -> Option<Samples> {
        Some(self.of(Peer::Ours)?.ratio(self.of(Peer::Tonic)?))
    }

    /// What the target is about.
    pub(super) fn compared(&self) -> Option<Samples> {
        match self.target {
            Target::RatioAtMost(_) | Target::RatioAtLeast(_) => self.ratio(),
            Target::AtMost(_) | Target::AtLeast(_) => self.of(Peer::Ours).cloned(),
            Target::None => None,
        }
    }

    /// Whether the median is as it should be, where it should be anything.
    pub(super) fn is_met(&self) -> Option<bool> {
        Some(self.target.share(self.compared()?.median())? <= 1.0)
    }
}

/// A number with three digits that count.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        "?".to_owned()
    } else if magnitude >= 99.95 {
        grouped(value)
    } else if magnitude >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A whole number, its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(target: Target, ours: [f64; 3], tonic: [f64; 3]) -> Row {
        let figure = |peer, samples: [f64; 3]| Figure { peer, samples: Samples::new(samples.to_vec()) };
        Row::new("work", "us", target, vec![figure(Peer::Ours, ours), figure(Peer::Tonic, tonic)])
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let row = row(Target::RatioAtMost(0.5), [1.0, 4.0, 9.0], [4.0, 8.0, 10.0]);
        let ratio = row.ratio().unwrap();
        assert_eq!((ratio.median(), ratio.least(), ratio.most()), (0.5, 0.25, 0.9));
        assert_eq!(row.is_met(), Some(true));
    }

    #[test]
    fn a_target_is_met_from_its_own_side() {
        let met = |target| row(target, [2.0; 3], [1.0; 3]).is_met();
        assert_eq!((met(Target::RatioAtMost(1.9)), met(Target::RatioAtLeast(1.9))), (Some(false), Some(true)));
        assert_eq!(
            (met(Target::AtMost(2.0)), met(Target::AtLeast(2.1)), met(Target::None)),
            (Some(true), Some(false), None)
        );
        let unknown = row(Target::RatioAtLeast(1.0), [f64::NAN; 3], [1.0; 3]);
        assert_eq!(unknown.is_met(), Some(false));
    }

    #[test]
    fn an_even_number_of_rounds_has_a_median_between_them() {
        assert_eq!(Samples::new(vec![4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert!(Samples::new(Vec::new()).median().is_nan());
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let shown = [0.123, 9.999, 45.678, 99.96, 1234.0, 1_234_567.8, -123_456.0].map(number);
        assert_eq!(shown, ["0.12", "10.0", "45.7", "100", "1,234", "1,234,568", "-123,456"]);
        assert_eq!(number(f64::NAN), "?");
    }
}
