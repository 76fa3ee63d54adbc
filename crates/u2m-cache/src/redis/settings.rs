//! Settings of the Redis store: prefix, time limits and lifetimes.

use std::time::Duration;

/// Settings of a [`RedisStore`](crate::RedisStore): prefix, timeouts, and how long entries live.
///
/// All programs that share logins must use the same prefix. The other settings may differ.
///
/// ```
/// use std::time::Duration;
/// use u2m_cache::RedisSettings;
/// let settings = RedisSettings::new().with_prefix("billing").with_timeout(Duration::from_secs(1));
/// # let _ = settings;
/// ```
#[derive(Clone, Debug)]
pub struct RedisSettings {
    pub(super) prefix: String,
    pub(super) timeout: Duration,
    pub(super) lease: Duration,
    pub(super) answer: Duration,
    pub(super) keep: Duration,
    pub(super) tombstone: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);

impl RedisSettings {
    /// The defaults: prefix `u2m`, 2 seconds for each response of the Redis server, leases of 45 seconds, 90 seconds for a
    /// response of the authorization server, entries that live for 90 days after their last change, and tombstones that live
    /// for a day.
    ///
    /// ```
    /// let settings = u2m_cache::RedisSettings::new();
    /// assert!(format!("{settings:?}").contains("45s"));
    /// ```
    pub fn new() -> Self {
        Self {
            prefix: "u2m".to_owned(),
            timeout: Duration::from_secs(2),
            lease: Duration::from_secs(45),
            answer: Duration::from_secs(90),
            keep: 90 * DAY,
            tombstone: DAY,
        }
    }

    /// Sets the prefix of the names of all entries: letters, digits, `.`, `_`, `-` and `:`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the time limit for connecting and for each response, even if the response arrives in many pieces.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long an entry stays locked after its holder died or lost its connection. A running holder renews its lease.
    /// Use at least the duration of the longest save plus some margin: a refresh starts only if seven ninths of the lease are
    /// left, which are 35 of 45 seconds. A caller that waits for less than the lease (`u2m` waits for 15 seconds by default)
    /// fails temporarily while a dead holder's lease runs out. A valid access token is still returned meanwhile.
    #[must_use]
    pub const fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long a response of the authorization server may take. Use the longest time for which any of the programs
    /// waits for one. A refresh token that a program started to use before it went silent is not sent again before this time
    /// is over: the response may still arrive, and the refresh token may already be invalid.
    #[must_use]
    pub const fn with_token_answer_limit(mut self, answer: Duration) -> Self {
        self.answer = answer;
        self
    }

    /// Sets how long an entry lives after its last change. Use the lifetime of the authorization server's refresh tokens, or
    /// the longest session that you allow, whichever is shorter.
    #[must_use]
    pub const fn with_life(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// Sets how long a logout is remembered. Use more than any refresh may take, so that a refresh that is already running
    /// does not bring the login back.
    #[must_use]
    pub const fn with_tombstone_life(mut self, tombstone: Duration) -> Self {
        self.tombstone = tombstone;
        self
    }

    /// Returns how much of a lease must be left when a refresh token is sent.
    pub(super) fn needed(&self) -> Duration {
        self.lease * 7 / 9
    }

    /// Returns what is wrong with the settings, if anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        if self.prefix.is_empty() || !self.prefix.bytes().all(fits) {
            return Err("its prefix has to be of letters, digits, '.', '_', '-' and ':'");
        }
        let least = Duration::from_millis(10);
        if [self.timeout, self.lease, self.answer, self.keep].into_iter().any(|time| time < least) {
            return Err("its times have to be at least 10 milliseconds");
        }
        if self.tombstone < self.lease.max(self.answer) {
            return Err("a logout has to be remembered for at least as long as a refresh may take");
        }
        Ok(())
    }
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns a time as the server expects it, in milliseconds. Never zero, which the server rejects.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_lose_or_mix_up_logins_are_refused() {
        assert!(RedisSettings::new().check().is_ok());
        for prefix in ["", "a*", "a{b}", "a b"] {
            assert!(RedisSettings::new().with_prefix(prefix).check().is_err(), "{prefix}");
        }
        let short = RedisSettings::new().with_tombstone_life(Duration::from_secs(89));
        assert!(short.check().is_err());
        assert!(RedisSettings::new().with_lease(Duration::ZERO).check().is_err());
    }

    #[test]
    fn of_45_seconds_35_have_to_be_left() {
        assert_eq!(RedisSettings::new().needed(), Duration::from_secs(35));
        assert_eq!(millis(Duration::ZERO), 1);
    }
}
