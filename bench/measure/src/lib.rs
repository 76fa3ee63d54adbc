//! Runs cases in turn and prints every sample; `xtask` turns the samples into tables.
//!
//! A line of output is `table TAB case TAB figure TAB sample TAB sample …`, one sample a round. The
//! cases of a round run one after another, so that a change of the machine's speed meets them all
//! and ratios can be taken round by round.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(20);

/// The samples of one table, gathered round by round.
pub struct Samples {
    table: String,
    rows: Vec<(String, &'static str, Vec<f64>)>,
    places: BTreeMap<(String, &'static str), usize>,
}

impl Samples {
    /// No samples yet for `table`.
    pub fn of(table: impl Into<String>) -> Self {
        Self { table: table.into(), rows: Vec::new(), places: BTreeMap::new() }
    }

    /// Adds this round's sample of `figure` for `case`.
    pub fn add(&mut self, case: &str, figure: &'static str, sample: f64) {
        let place = *self.places.entry((case.to_owned(), figure)).or_insert_with(|| {
            self.rows.push((case.to_owned(), figure, Vec::new()));
            self.rows.len() - 1
        });
        self.rows[place].2.push(sample);
    }

    /// Prints one line for each case and figure, in the order of their first sample.
    pub fn print(&self) {
        for (case, figure, samples) in &self.rows {
            let mut line = format!("{}\t{case}\t{figure}", self.table);
            for sample in samples {
                // Writing to a String cannot fail.
                let _ = write!(line, "\t{sample:.3}");
            }
            println!("{line}");
        }
    }
}

type Batch = Box<dyn Fn(u64) + Sync>;

/// Cases that are called very often: each round gives the nanoseconds of one call.
pub struct Contest {
    table: String,
    threads: usize,
    cases: Vec<(String, Batch)>,
}

impl Contest {
    /// No cases yet for `table`; each case will run on `threads` threads at once.
    pub fn new(table: impl Into<String>, threads: usize) -> Self {
        Self { table: table.into(), threads, cases: Vec::new() }
    }

    /// Enters a case: `batch(n)` makes `n` calls.
    pub fn case(&mut self, name: &str, batch: impl Fn(u64) + Sync + 'static) {
        self.cases.push((name.to_owned(), Box::new(batch)));
    }

    /// Enters a case that is one plain call.
    pub fn call<T>(&mut self, name: &str, call: impl Fn() -> T + Sync + 'static) {
        self.case(name, move |n| {
            for _ in 0..n {
                drop(std::hint::black_box(call()));
            }
        });
    }

    /// Runs all rounds, and prints the samples.
    pub fn run(self) {
        let sized: Vec<_> =
            self.cases.iter().map(|(name, batch)| (name, batch, calls_in_a_round(batch))).collect();
        let mut samples = Samples::of(self.table);
        for _ in 0..ROUNDS {
            for (name, batch, calls) in &sized {
                samples.add(name, "ns", round(self.threads, *calls, batch));
            }
        }
        samples.print();
    }
}

/// How many calls take about as long as a round.
fn calls_in_a_round(batch: &Batch) -> u64 {
    let mut calls = 16;
    loop {
        let start = Instant::now();
        batch(calls);
        let took = start.elapsed();
        if took * 4 >= ROUND || calls >= 1 << 26 {
            return (calls as f64 * ROUND.as_secs_f64() / took.as_secs_f64().max(1e-9)) as u64 + 1;
        }
        calls *= 2;
    }
}

/// Nanoseconds of a call as a caller sees them: the slowest thread's time counts.
fn round(threads: usize, calls: u64, batch: &Batch) -> f64 {
    let barrier = Barrier::new(threads);
    let timed = || {
        barrier.wait();
        let start = Instant::now();
        batch(calls);
        start.elapsed()
    };
    let slowest = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(timed)).collect();
        let mine = timed();
        others
            .into_iter()
            .map(|thread| thread.join().expect("a case panicked"))
            .fold(mine, Duration::max)
    });
    slowest.as_nanos() as f64 / calls as f64
}
