//! How long what lives, and where it stands.

use std::time::Duration;

/// How a [`RedisStore`](crate::RedisStore) behaves: prefix, time-outs, and how long entries live.
///
/// All programs that share logins have to agree on the prefix; the rest may differ.
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
    /// Prefix `u2m`, two seconds for each answer, leases of 45 seconds, 90 for an answer of the authorization server, entries that live for 90 days after their last
    /// change, tombstones of a day.
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

    /// What the names of all entries begin with: letters, digits, `.`, `_`, `-` and `:`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long connecting and answering may take, however many pieces the answer comes in.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an entry stays locked after its holder died or lost its connection; one that lives renews it. At least the
    /// longest save and some slack: a refresh is begun only where seven ninths of it are left, which are 35 seconds of 45.
    /// Who waits for less than a lease (`u2m` waits for 15 seconds unless told otherwise) fails for the moment while a dead
    /// holder's lease runs out; a good token is served meanwhile.
    #[must_use]
    pub const fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long an answer of the authorization server may take: as long as the program with the greatest patience waits for
    /// one. A refresh token that somebody has begun to spend, and of whom nothing is heard any more, is not sent again
    /// before that is over: the answer may still come, and the token be worth nothing.
    #[must_use]
    pub const fn with_answer_time(mut self, answer: Duration) -> Self {
        self.answer = answer;
        self
    }

    /// How long an entry lives after its last change: the lifetime of the server's refresh tokens, or the longest session
    /// that you allow, whichever is shorter.
    #[must_use]
    pub const fn with_life(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// How long it is remembered that there was a logout: longer than any refresh may take, so that one that is under way
    /// does not bring the login back.
    #[must_use]
    pub const fn with_tombstone_life(mut self, tombstone: Duration) -> Self {
        self.tombstone = tombstone;
        self
    }

    /// What has to be left of a lease when a refresh token is sent.
    pub(super) fn needed(&self) -> Duration {
        self.lease * 7 / 9
    }

    /// What is wrong with it.
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

/// A time as the server takes it; never zero, which it refuses.
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
