//! Time in which this process ran: one that is stopped, or whose machine sleeps, has not waited for anybody meanwhile.

use std::time::Duration;

/// The longest that one wait lasts while the process runs. What took longer was a suspension, or a machine that is so busy
/// that the wait may last longer as well.
const SLICE: Duration = Duration::from_millis(250);

/// What is left of a wait that is made in slices.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlicedWait(Duration);

impl SlicedWait {
    pub(super) fn new(limit: Duration) -> Self {
        Self(limit)
    }

    pub(super) fn is_over(self) -> bool {
        self.0.is_zero()
    }

    /// How long the next wait may be.
    pub(super) fn slice(self) -> Duration {
        self.0.min(SLICE)
    }

    /// Takes off what a wait took, and no more than it can have taken.
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
