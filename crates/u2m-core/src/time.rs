//! Points in time and durations, as arguments. Nothing in this crate reads a clock.

mod rfc3339;

pub use rfc3339::BadTime;

use std::borrow::Cow;
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

    /// This time plus `lifetime`. Saturates instead of overflowing.
    #[must_use]
    pub const fn plus(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_add(lifetime.0))
    }

    /// This time minus `lifetime`. Saturates instead of overflowing.
    #[must_use]
    pub const fn minus(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_sub(lifetime.0))
    }

    /// Reads the value of a `Date` header in each of the forms that a recipient must accept (RFC 9110 section 5.6.7). A
    /// two-digit year is between 1970 and 2069.
    ///
    /// ```
    /// let date = u2m_core::Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
    /// assert_eq!(date.map(|date| date.unix()), Some(784_111_777));
    /// ```
    pub fn from_http_date(text: &str) -> Option<Self> {
        // A leap second, which is allowed here, begins when the second before it ends.
        let (text, leap) = match text.split_once(":60 ") {
            Some((before, after)) => (Cow::Owned(format!("{before}:59 {after}")), 1),
            None => (Cow::Borrowed(text), 0),
        };
        let date = httpdate::parse_http_date(&text).ok()?;
        Some(Self::from(date).plus(Lifetime::from_seconds(leap)))
    }

    /// Reads the value of a `Retry-After` header (RFC 9110 section 10.2.3): a number of seconds, or a date. A date is
    /// relative to the server's own `date` if the response has one, otherwise to `now`. Returns `None` for anything
    /// else.
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_core::Timestamp;
    /// let (server, here) = (Timestamp::from_unix(784_111_717), Timestamp::from_unix(7));
    /// let at = "Sun, 06 Nov 1994 08:49:37 GMT";
    /// assert_eq!(Timestamp::read_retry_after(at, Some(server), here), Some(Duration::from_secs(60)));
    /// assert_eq!(Timestamp::read_retry_after("120", None, here), Some(Duration::from_secs(120)));
    /// ```
    pub fn read_retry_after(text: &str, date: Option<Self>, now: Self) -> Option<Duration> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number too large for `u64` is a very long time.
            return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
        }
        let left = date.unwrap_or(now).until(Self::from_http_date(text)?).seconds();
        Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
    }

    /// Converts to `SystemTime`; `None` if that type cannot represent it.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// let time = u2m_core::Timestamp::from_unix(7).to_system_time();
    /// assert_eq!(time, Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(7)));
    /// ```
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_secs(self.0.unsigned_abs());
        match self.0 < 0 {
            true => UNIX_EPOCH.checked_sub(distance),
            false => UNIX_EPOCH.checked_add(distance),
        }
    }

    /// The duration from `self` until `later`; negative if `later` is earlier.
    pub const fn until(self, later: Self) -> Lifetime {
        Lifetime(later.0.saturating_sub(self.0))
    }
}

/// Takes a clock reading in whole seconds. A time before 1970 counts as 1970.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}

/// A point in time to the nanosecond, for events that need an order within one second.
///
/// ```
/// use u2m_core::{Moment, Timestamp};
/// let at = Timestamp::from_unix(7);
/// assert!(Moment::from(at) < Moment::new(at, 1) && Moment::new(at, 1) < Moment::from(Timestamp::from_unix(8)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    second: Timestamp,
    nanos: u32,
}

impl Moment {
    /// The last nanosecond of a second.
    pub const LAST_NANO: u32 = 999_999_999;

    /// Takes a second, and how many nanoseconds of it have passed. More than [`Moment::LAST_NANO`] counts as that.
    ///
    /// ```
    /// use u2m_core::{Moment, Timestamp};
    /// assert_eq!(Moment::new(Timestamp::from_unix(7), u32::MAX).nanos(), Moment::LAST_NANO);
    /// ```
    pub const fn new(second: Timestamp, nanos: u32) -> Self {
        let nanos = if nanos > Self::LAST_NANO { Self::LAST_NANO } else { nanos };
        Self { second, nanos }
    }

    /// The second that contains it.
    pub const fn second(self) -> Timestamp {
        self.second
    }

    /// How many nanoseconds of its second have passed.
    pub const fn nanos(self) -> u32 {
        self.nanos
    }
}

/// The beginning of a second.
impl From<Timestamp> for Moment {
    fn from(second: Timestamp) -> Self {
        Self { second, nanos: 0 }
    }
}

/// Takes a clock reading. A time before 1970 counts as 1970.
impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { second: Timestamp::from(time), nanos: since.subsec_nanos() }
    }
}

/// A duration in whole seconds; negative means that it is already over.
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
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Friday, 01-Mar-24 00:00:00 GMT", 1_709_251_200),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Thu Feb 29 23:59:60 2024", 1_709_251_200),
        ] {
            assert_eq!(Timestamp::from_http_date(text).map(Timestamp::unix), Some(unix), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "Sunday, 06-Nov-1994x 08:49:37 GMT",
            "Sun Nov 6 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 +0100",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 99999999999 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
        ] {
            assert_eq!(Timestamp::from_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_server_asks_for_counts_from_its_own_clock() {
        let (now, wait) = (Timestamp::from_unix(784_111_777), |text, date| {
            let read = Timestamp::read_retry_after(text, date, Timestamp::from_unix(784_111_777));
            read.map(|wait| wait.as_secs())
        });
        let at = "Sun, 06 Nov 1994 08:49:57 GMT";
        assert_eq!(
            wait(at, None),
            Some(20),
            "by this clock, where the server says nothing of its own"
        );
        for skew in [-86_400, -3, 0, 3, 86_400] {
            let server = now.plus(Lifetime::from_seconds(skew));
            let left = server.until(now).seconds() + 20;
            assert_eq!(wait(at, Some(server)), Some(u64::try_from(left).unwrap_or(0)), "{skew}");
            assert_eq!(wait("20", Some(server)), Some(20), "{skew}");
        }
        assert_eq!(wait(" 0 ", None), Some(0));
        assert_eq!(wait("9999999999999999999999999999999999999999", None), Some(u64::MAX));
        for odd in ["", "soon", "-1", "+1", "1.5", "1s", "0x10", "Sun, 06 Nov", "\u{661}"] {
            assert_eq!(wait(odd, Some(now)), None, "{odd}");
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
