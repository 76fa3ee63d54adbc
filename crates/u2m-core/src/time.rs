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

    /// Reads the value of a `Date` header in the form that servers have to send (RFC 9110 section 5.6.7).
    ///
    /// ```
    /// let date = u2m_core::Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
    /// assert_eq!(date.map(|date| date.unix()), Some(784_111_777));
    /// ```
    pub fn from_http_date(text: &str) -> Option<Self> {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (_, date) = text.trim().split_once(", ")?;
        let words: Vec<&str> = date.split(' ').collect();
        let [day, month, year, time, "GMT"] = words.as_slice() else { return None };
        let number = |text: &str| text.parse::<u32>().ok().map(i64::from);
        let parts: Option<Vec<i64>> = time.split(':').map(number).collect();
        let [hour, minute, second] = parts?.as_slice().try_into().ok()?;
        let (day, year) = (number(day)?, number(year)?);
        let month = i64::try_from(MONTHS.iter().position(|known| known == month)?).ok()?;
        let is_real = (1..=31).contains(&day)
            && (1601..=9999).contains(&year)
            && (hour < 24 && minute < 60 && second <= 60);
        // Years begin in March, so that the odd day is their last.
        let (year, month) = if month >= 2 { (year, month - 2) } else { (year - 1, month + 10) };
        let days =
            year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
        is_real.then(|| Self(days * 86_400 + hour * 3_600 + minute * 60 + second))
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
    fn dates_of_servers_are_read_and_what_is_none_is_not() {
        for (text, unix) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Wed, 31 Dec 2098 12:00:00 GMT", 4_070_865_600),
        ] {
            assert_eq!(Timestamp::from_http_date(text).map(Timestamp::unix), Some(unix), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 +0100",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 99999999999 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
        ] {
            assert_eq!(Timestamp::from_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn sums_stay_at_the_ends_of_time() {
        let end = Timestamp::from_unix(i64::MAX);
        assert_eq!(end.plus(Lifetime::from_seconds(1)), end);
        let start = Timestamp::from_unix(i64::MIN);
        assert_eq!(start.minus(Lifetime::from_seconds(1)), start);
        assert_eq!(start.until(end), Lifetime::from_seconds(i64::MAX));
    }
}
