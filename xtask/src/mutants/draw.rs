//! Drawing some of many, so that a number tells which.

use std::hash::{BuildHasher, RandomState};

/// SplitMix64: small, and the same on every machine.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`. That small ones are more likely by `end` in 2^64 does not matter.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }
}

/// `count` of `all`, in their order.
pub(super) fn some<T: Clone>(all: &[T], count: usize, seed: u64) -> Vec<T> {
    let mut draw = Draw(seed);
    let mut places: Vec<usize> = (0..all.len()).collect();
    let count = count.min(places.len());
    for drawn in 0..count {
        let other = drawn + draw.below(places.len() - drawn);
        places.swap(drawn, other);
    }
    places.truncate(count);
    places.sort_unstable();
    places.into_iter().map(|place| all[place].clone()).collect()
}

/// Another one each time, short enough to be typed again.
pub(super) fn any_seed() -> u64 {
    RandomState::new().hash_one(()) % 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The first numbers of SplitMix64 from the seed 1234567, as its author's C program prints them.
        let mut draw = Draw(1_234_567);
        assert_eq!(draw.next(), 6_457_827_717_110_365_317);
        assert_eq!(draw.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_same_seed_draws_the_same_ones() {
        let all: Vec<u32> = (0..1000).collect();
        let drawn = some(&all, 30, 5);
        assert_eq!(drawn, some(&all, 30, 5));
        assert_ne!(drawn, some(&all, 30, 6));
        assert_eq!(drawn.len(), 30);
        assert!(drawn.is_sorted_by(|one, next| one < next), "each once, in their order: {drawn:?}");
    }

    #[test]
    fn each_is_as_likely_as_any_other() {
        let all: Vec<usize> = (0..10).collect();
        let mut counts = [0; 10];
        for seed in 0..10_000 {
            some(&all, 3, seed).into_iter().for_each(|drawn| counts[drawn] += 1);
        }
        assert!(counts.iter().all(|count| (2_700..3_300).contains(count)), "{counts:?}");
    }

    #[test]
    fn of_few_all_are_drawn() {
        assert_eq!(some(&['a', 'b'], 30, 1), ['a', 'b']);
        assert_eq!(some::<u8>(&[], 30, 1), [0; 0]);
    }
}
