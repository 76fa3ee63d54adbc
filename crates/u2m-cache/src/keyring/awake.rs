//! Measures the time in which this process ran. Time in which the process was stopped or the machine slept does not count as
//! waiting.

use std::time::Duration;

/// The maximum length of one wait while the process runs. If it took longer, the process was suspended, or the machine is so
/// busy that the whole wait may last longer as well.
const SLICE: Duration = Duration::from_millis(250);

/// The remaining time of a wait that is made in slices.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlicedWait(Duration);

impl SlicedWait {
    pub(super) fn new(limit: Duration) -> Self {
        Self(limit)
    }

    pub(super) fn is_over(self) -> bool {
        self.0.is_zero()
    }

    /// Returns how long the next slice may be.
    pub(super) fn slice(self) -> Duration {
        self.0.min(SLICE)
    }

    /// Subtracts the time of a slice, but no more than it can have taken.
    pub(super) fn took(&mut self, took: Duration) {
        self.0 = self.0.saturating_sub(took.min(SLICE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_takes_no_more_than_one_wait() {
        let mut left = SlicedWait::new(Duration::from_secs(1));
        assert_eq!(left.slice(), SLICE);
        left.took(Duration::from_secs(3600));
        assert_eq!(left.0, Duration::from_millis(750));
        left.took(Duration::from_millis(700));
        assert_eq!(left.0, Duration::from_millis(500));
        left.took(SLICE);
        left.took(Duration::from_millis(200));
        assert_eq!(left.slice(), Duration::from_millis(50));
        assert!(!left.is_over());
        left.took(SLICE);
        assert!(left.is_over());
    }
}
