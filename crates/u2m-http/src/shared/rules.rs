//! The rules for sharing a token: when the next one is fetched, and how long callers wait for it.

use super::program_clock::Clock;
use std::time::Duration;
use u2m_core::FreshnessRules;

/// How the next token is fetched while the current one is still valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// In the background: callers get the old token at once while one fetch runs. For a
    /// long-running program that waits for work in progress before it ends
    /// ([`wait_for_saves`](crate::wait_for_saves)).
    Behind,
    /// The first caller waits for the next token; others get the old token meanwhile. For a program
    /// that may end right after it has its result.
    #[default]
    Wait,
}

/// The rules for sharing a token: when it is fresh, how it is renewed, and how long callers wait.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ShareRules {
    /// When a token counts as valid, and how long to wait after a failed renewal before the next one.
    pub freshness: FreshnessRules,
    /// How the next token is fetched.
    pub renewal: Renewal,
    /// How long a caller waits. `None` means until the outcome is known. The fetch goes on without the caller.
    pub wait: Option<Duration>,
    /// Whether this is one of many tokens, such as the logins of a web application's visitors. Each
    /// thread keeps copies of 8 tokens, which it reads without a lock. One of many tokens is read
    /// under a lock of its own instead, so that it does not displace another there.
    pub is_one_of_many: bool,
    /// The clock to use.
    pub clock: Clock,
}

impl ShareRules {
    /// Sets how the next token is fetched while the current one is still valid.
    ///
    /// ```
    /// use u2m_http::{Renewal, ShareRules};
    /// assert_eq!(ShareRules::default().with_renewal(Renewal::Behind).renewal, Renewal::Behind);
    /// ```
    #[must_use]
    pub fn with_renewal(mut self, renewal: Renewal) -> Self {
        self.renewal = renewal;
        self
    }

    /// Sets when a token counts as valid.
    ///
    /// ```
    /// use u2m_core::FreshnessRules;
    /// use u2m_http::ShareRules;
    /// let rules = ShareRules::default().with_freshness(FreshnessRules::default());
    /// assert_eq!(rules.freshness.skew.seconds(), 10);
    /// ```
    #[must_use]
    pub fn with_freshness(mut self, freshness: FreshnessRules) -> Self {
        self.freshness = freshness;
        self
    }

    /// Sets a clock of the program.
    ///
    /// ```
    /// use u2m_http::{Clock, ShareRules};
    /// let rules = ShareRules::default().with_clock(Clock::new(|| std::time::SystemTime::UNIX_EPOCH));
    /// assert!(rules.clock.is_of_program());
    /// ```
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Marks the token as one of many; see [`is_one_of_many`](Self::is_one_of_many).
    ///
    /// ```
    /// assert!(u2m_http::ShareRules::default().one_of_many().is_one_of_many);
    /// ```
    #[must_use]
    pub fn one_of_many(mut self) -> Self {
        self.is_one_of_many = true;
        self
    }

    /// Sets how long a caller waits.
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_http::ShareRules;
    /// let rules = ShareRules::default().with_wait(Some(Duration::from_secs(5)));
    /// assert_eq!(rules.wait, Some(Duration::from_secs(5)));
    /// ```
    #[must_use]
    pub fn with_wait(mut self, wait: Option<Duration>) -> Self {
        self.wait = wait;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_set_by_itself() {
        let wait = Some(Duration::from_secs(5));
        let freshness = FreshnessRules::azure();
        let rules = ShareRules::default().with_wait(wait).with_renewal(Renewal::Behind);
        let rules = rules.with_freshness(freshness.clone());
        assert_eq!(
            (rules.wait, rules.renewal, rules.freshness),
            (wait, Renewal::Behind, freshness)
        );
    }
}
