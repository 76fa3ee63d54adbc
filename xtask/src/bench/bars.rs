//! Bars: how far a figure of u2m may go.

use super::samples::{Samples, Series, Spread};

/// A figure of one case must be at most so much.
pub(super) struct Bar {
    pub(super) table: &'static str,
    pub(super) case: &'static str,
    pub(super) figure: &'static str,
    pub(super) limit: Limit,
}

/// What is held against the limit.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    /// The median of the ratios to this case, taken round by round.
    Ratio(&'static str, f64),
    /// The median of the rounds.
    Typical(f64),
    /// The worst of the rounds.
    Worst(f64),
}

/// A bar and what became of it.
pub(super) struct BarResult {
    /// The title of the block that the bar belongs to.
    pub(super) block: &'static str,
    pub(super) bar: &'static Bar,
    /// `None` when the figure or its anchor has no samples.
    pub(super) measured: Option<f64>,
    /// Whether it need not be measured here.
    pub(super) is_excused: bool,
}

impl Bar {
    pub(super) fn judge(
        &'static self,
        block: &'static str,
        samples: &Samples,
        is_excused: bool,
    ) -> BarResult {
        let find = |case| samples.find(self.table, case, self.figure);
        let spread = |of: &Series| of.spread();
        let mine = find(self.case);
        let measured = match self.limit {
            Limit::Ratio(anchor, _) => {
                let ratio = mine.zip(find(anchor)).and_then(|(mine, its)| mine.ratio_to(its));
                ratio.map(|ratio: Spread| ratio.median)
            }
            Limit::Typical(_) => mine.and_then(spread).map(|spread| spread.median),
            Limit::Worst(_) => mine.and_then(spread).map(|spread| spread.max),
        };
        BarResult { block, bar: self, measured, is_excused }
    }
}

impl Limit {
    /// The number that must not be exceeded.
    pub(super) fn most(self) -> f64 {
        match self {
            Self::Ratio(_, most) | Self::Typical(most) | Self::Worst(most) => most,
        }
    }
}

impl BarResult {
    /// A figure that was not measured meets no bar.
    pub(super) fn is_met(&self) -> bool {
        self.measured.is_some_and(|measured| measured <= self.bar.limit.most())
    }

    /// Whether this is a failure.
    pub(super) fn is_missed(&self) -> bool {
        match self.measured {
            None => !self.is_excused,
            Some(_) => !self.is_met(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static RATIO: Bar =
        Bar { table: "t", case: "u2m", figure: "ms", limit: Limit::Ratio("floor", 1.25) };
    static WORST: Bar = Bar { table: "t", case: "u2m", figure: "lost", limit: Limit::Worst(0.0) };

    fn samples(text: &str) -> Samples {
        let mut samples = Samples::default();
        samples.take(text).unwrap();
        samples
    }

    #[test]
    fn a_ratio_is_judged_by_its_median() {
        let fast = samples("t\tfloor\tms\t1\t1\t1\nt\tu2m\tms\t1.2\t9\t1.1\n");
        assert!(RATIO.judge("b", &fast, false).is_met());
        let slow = samples("t\tfloor\tms\t1\t1\t1\nt\tu2m\tms\t1.3\t9\t1.1\n");
        assert!(!RATIO.judge("b", &slow, false).is_met());
    }

    #[test]
    fn one_bad_round_misses_a_bar_on_the_worst() {
        assert!(WORST.judge("b", &samples("t\tu2m\tlost\t0\t0\n"), false).is_met());
        assert!(!WORST.judge("b", &samples("t\tu2m\tlost\t0\t1\n"), false).is_met());
    }

    #[test]
    fn what_was_not_measured_meets_no_bar_and_is_missed_unless_it_is_excused() {
        assert!(!WORST.judge("b", &Samples::default(), false).is_met());
        assert!(!RATIO.judge("b", &samples("t\tu2m\tms\t1\n"), false).is_met());
        let nothing = |is_excused| WORST.judge("b", &Samples::default(), is_excused);
        assert!(nothing(false).is_missed() && !nothing(true).is_missed());
        assert!(!nothing(true).is_met());
        // What was measured is judged all the same.
        assert!(WORST.judge("b", &samples("t\tu2m\tlost\t1\n"), true).is_missed());
    }
}
