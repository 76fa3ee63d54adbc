//! How long something is retried. Each attempt counts at most its own maximum, however long the process was suspended meanwhile.

use std::time::{Duration, Instant};

/// The time that is left for trying.
#[derive(Debug)]
pub(crate) struct RetryTime(Duration);

impl RetryTime {
    pub(crate) fn new(limit: Duration) -> Self {
        Self(limit)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_zero()
    }

    /// Subtracts the time of an attempt, or `longest` if it took longer because the process was suspended.
    pub(crate) fn during<T>(&mut self, longest: Duration, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.0 = self.0.saturating_sub(start.elapsed().min(longest));
        done
    }

    /// Waits for `pause`, or for what is left of the time, or until `is_enough` returns true.
    pub(crate) fn pause(&mut self, pause: Duration, is_enough: impl Fn() -> bool) {
        let mut left = pause.min(self.0);
        self.0 -= left;
        while !left.is_zero() && !is_enough() {
            let slice = left.min(Duration::from_millis(20));
            std::thread::sleep(slice);
            left -= slice;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_takes_what_is_left_and_ends_early_where_it_may() {
        let mut left = RetryTime::new(Duration::from_millis(30));
        let start = Instant::now();
        left.pause(Duration::from_millis(10), || false);
        assert!(start.elapsed() >= Duration::from_millis(10));
        assert_eq!(left.0, Duration::from_millis(20));
        left.pause(Duration::from_secs(3600), || true);
        assert!(left.is_over());
    }

    #[test]
    fn what_took_longer_than_it_can_take_was_a_suspension() {
        let mut left = RetryTime::new(Duration::from_secs(10));
        left.during(Duration::ZERO, || std::thread::sleep(Duration::from_millis(20)));
        assert_eq!(left.0, Duration::from_secs(10));
    }
}
