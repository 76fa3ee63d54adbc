//! Chance that can be repeated: a seed, and numbers that follow from it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of numbers (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Somewhere between the two, evenly.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + (most.saturating_sub(least)).mul_f64(self.share())
    }

    /// Somewhere between the two, as often among the short as among the long.
    pub(crate) fn scale(&mut self, least: Duration, most: Duration) -> Duration {
        least.mul_f64((most.as_secs_f64() / least.as_secs_f64()).powf(self.share()))
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How many rounds a story has, and from where its chance starts: of `U2M_SOAK_RUNS` and `U2M_SOAK_SEED`.
pub(crate) struct Rounds {
    pub(crate) count: usize,
    pub(crate) seed: u64,
    /// Whether somebody has asked for more than the few rounds of every test run: then waits are as long as in life.
    pub(crate) is_long: bool,
}

impl Rounds {
    /// `few` unless told otherwise.
    pub(crate) fn or(few: usize) -> Self {
        let told = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let runs = told("U2M_SOAK_RUNS");
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        Self {
            count: runs.map_or(few, |runs| runs as usize),
            seed: told("U2M_SOAK_SEED").unwrap_or_else(clock),
            is_long: runs.is_some(),
        }
    }

    /// Runs each round, up to `lanes` at once; what they brought, in their order.
    pub(crate) fn run<T: Send>(
        &self,
        lanes: usize,
        round: impl Fn(usize, Chance) -> T + Sync,
    ) -> Vec<T> {
        let next = AtomicUsize::new(0);
        let lane = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= self.count {
                    return done;
                }
                let chance = Chance::new(
                    self.seed.wrapping_add((at as u64).wrapping_mul(0x1234_5678_9ABC_DEF1)),
                );
                done.push((at, round(at, chance)));
            }
        };
        let mut all = std::thread::scope(|scope| {
            let lanes: Vec<_> =
                (0..lanes.min(self.count).max(1)).map(|_| scope.spawn(lane)).collect();
            lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect::<Vec<_>>()
        });
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, brought)| brought).collect()
    }
}
