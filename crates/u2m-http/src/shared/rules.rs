//! How one token is shared: when the next is fetched, and how long callers wait for it.

use super::program_clock::Clock;
use std::time::Duration;
use u2m_core::FreshnessRules;

/// When the next token is fetched while the one in hand is still good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// Behind the callers: whoever asks has the old token at once, and one fetch runs meanwhile. For a program that lives long,
    /// and waits before it ends for what is under way ([`settle`](crate::wait_for_saves)).
    Behind,
    /// The first who asks waits for it; others have the old token meanwhile. For a program that may end with its answer.
    #[default]
    Wait,
}

/// How one token is shared.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ShareRules {
    /// When a token counts as good, and for how long a failed renewal is left alone.
    pub freshness: FreshnessRules,
    /// When the next one is fetched.
    pub renewal: Renewal,
    /// How long a caller waits, if not until the outcome is known. The fetch goes on without it.
    pub wait: Option<Duration>,
    /// Whether it is one of many, as the logins of a web application's visitors are. A thread keeps copies of 8 tokens, which it reads
    /// without a lock; one of many is read under a lock of its own instead of taking another's place there.
    pub is_one_of_many: bool,
    /// What time it is.
    pub clock: Clock,
}

impl ShareRules {
    /// Sets when the next token is fetched.
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

    /// Sets when a token counts as good.
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

    /// Goes by a clock of the program's own.
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

    /// Says that it is one of many.
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
