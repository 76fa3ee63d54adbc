//! Points in time and lengths of time, as arguments. Nothing in this crate reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: whole seconds since 1970-01-01T00:00:00Z, negative before it.
///
/// ```
/// use u2m_core::{Lifetime, Timestamp};
/// let now = Timestamp::from_unix(1_800_000_000);
/// assert_eq!(now.plus(Lifetime::from_seconds(3600)).unix(), 1_800_003_600);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes seconds since 1970-01-01T00:00:00Z.
    ///
    /// ```
    /// assert_eq!(u2m_core::Timestamp::from_unix(7).unix(), 7);
    /// ```
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// This time and `lifetime` more, held at the end of time rather than wrapping.
    #[must_use]
    pub const fn plus(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_add(lifetime.0))
    }

    /// This time less `lifetime`, held at the beginning of time rather than wrapping.
    #[must_use]
    pub const fn minus(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_sub(lifetime.0))
    }

    /// How long from `self` until `later`; negative when `later` has passed.
    pub const fn until(self, later: Self) -> Lifetime {
        Lifetime(later.0.saturating_sub(self.0))
    }
}

/// The whole seconds of a clock reading that the caller took; earlier than 1970 counts as 1970.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}

/// A length of time in whole seconds; negative means already over.
///
/// ```
/// assert!(u2m_core::Lifetime::from_seconds(60) > u2m_core::Lifetime::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(i64);

impl Lifetime {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Takes a number of seconds.
    ///
    /// ```
    /// assert_eq!(u2m_core::Lifetime::from_seconds(60).seconds(), 60);
    /// ```
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The number of seconds.
    pub const fn seconds(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_at_the_ends_of_time() {
        let end = Timestamp::from_unix(i64::MAX);
        assert_eq!(end.plus(Lifetime::from_seconds(1)), end);
        let start = Timestamp::from_unix(i64::MIN);
        assert_eq!(start.minus(Lifetime::from_seconds(1)), start);
        assert_eq!(start.until(end), Lifetime::from_seconds(i64::MAX));
    }
}
