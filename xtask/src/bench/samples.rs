//! Samples as the programs print them, and what is read from them: medians, ranges and ratios.

use crate::run::Failure;

/// All samples of a block, in the order in which they were printed.
#[derive(Default)]
pub(super) struct Samples(Vec<Series>);

/// The samples of one figure of one case, one a round.
pub(super) struct Series {
    table: String,
    pub(super) case: String,
    pub(super) figure: String,
    pub(super) rounds: Vec<f64>,
}

/// Median, least and greatest of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Samples {
    /// Takes up the lines that a program has printed: `table TAB case TAB figure TAB sample …`.
    pub(super) fn take(&mut self, text: &str) -> Result<(), Failure> {
        for line in text.lines() {
            let mut fields = line.split('\t');
            let (Some(table), Some(case), Some(figure)) =
                (fields.next(), fields.next(), fields.next())
            else {
                return Err(format!("not a line of samples: {line}").into());
            };
            let rounds = fields.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
            self.0.push(Series {
                table: table.into(),
                case: case.into(),
                figure: figure.into(),
                rounds,
            });
        }
        Ok(())
    }

    /// All series of `table`.
    pub(super) fn of(&self, table: &str) -> impl Iterator<Item = &Series> {
        self.0.iter().filter(move |series| series.table == table)
    }

    /// The samples of one figure of one case.
    pub(super) fn find(&self, table: &str, case: &str, figure: &str) -> Option<&Series> {
        self.of(table).find(|series| series.case == case && series.figure == figure)
    }
}

impl Series {
    pub(super) fn spread(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().copied())
    }

    /// How many times the anchor's figure this one is, taken round by round.
    pub(super) fn ratio_to(&self, anchor: &Self) -> Option<Spread> {
        Spread::of(self.rounds.iter().zip(&anchor.rounds).map(|(mine, its)| mine / its))
    }
}

impl Spread {
    /// `None` when there are no numbers.
    fn of(numbers: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted[sorted.len() / 2];
        let lower = sorted[(sorted.len() - 1) / 2];
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        let mut samples = Samples::default();
        samples.take("t\tfloor\tms\t1\t2\t4\nt\tmine\tms\t2\t2\t2\n").unwrap();
        let floor = samples.find("t", "floor", "ms").unwrap();
        let mine = samples.find("t", "mine", "ms").unwrap();
        assert_eq!(mine.ratio_to(floor), Some(Spread { median: 1.0, min: 0.5, max: 2.0 }));
    }

    #[test]
    fn an_even_number_of_samples_has_its_median_in_between() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0].into_iter());
        assert_eq!(spread, Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of(std::iter::empty()), None);
    }

    #[test]
    fn a_line_of_anything_else_is_refused() {
        assert!(Samples::default().take("thread 'main' panicked").is_err());
        assert!(Samples::default().take("t\tcase\tms\tsoon").is_err());
    }
}
