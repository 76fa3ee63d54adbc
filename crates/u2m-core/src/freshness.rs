//! When a token is good enough to hand out, and when to fetch the next one.

use crate::session::Session;
use crate::time::{Lifetime, Timestamp};

/// The lengths of time that decide; the defaults are those of Databricks' Go package, except that the lead of a
/// short-lived token is a quarter of its life.
///
/// ```
/// use u2m_core::{AccessToken, Freshness, FreshnessRules, Session, Timestamp};
/// let now = Timestamp::from_unix(1_000);
/// let session = Session::new(AccessToken::new("a")).with_expiry(Timestamp::from_unix(1_200));
/// assert_eq!(FreshnessRules::default().of(&session, now), Freshness::Stale);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreshnessRules {
    /// A token with less than this left is expired: 10 seconds, for clocks that disagree and requests under way.
    pub skew: Lifetime,
    /// A token with less than this left is renewed ahead of time: 300 seconds, or a quarter of its lifetime if that is
    /// less.
    pub lead: Lifetime,
    /// What a token is taken to live when the server does not say: 900 seconds.
    pub assumed: Lifetime,
    /// For how long a renewal ahead of time is left alone after one has failed: 60 seconds.
    pub pause: Lifetime,
    /// A token that another process fetched no longer ago than this satisfies a forced refresh: 5 seconds.
    pub coalesce: Lifetime,
}

impl Default for FreshnessRules {
    fn default() -> Self {
        Self {
            skew: Lifetime::from_seconds(10),
            lead: Lifetime::from_seconds(300),
            assumed: Lifetime::from_seconds(900),
            pause: Lifetime::from_seconds(60),
            coalesce: Lifetime::from_seconds(5),
        }
    }
}

/// How good a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Not to be used any more.
    Expired,
    /// Good, with time to spare.
    Fresh,
    /// Good, but it is time for the next one.
    Stale,
}

impl FreshnessRules {
    /// Judges the access token of `session`. Without a known end it is fresh for ever, as the reference holds it.
    pub fn of(&self, session: &Session, now: Timestamp) -> Freshness {
        if session.access_token.expose().is_empty() {
            return Freshness::Expired;
        }
        let Some(expiry) = session.known_expiry() else { return Freshness::Fresh };
        match now.until(expiry) {
            left if left < self.skew => Freshness::Expired,
            left if left < self.lead_for(session.lifetime) => Freshness::Stale,
            _ => Freshness::Fresh,
        }
    }

    /// Until when a fresh token stays fresh; `None` means for ever.
    pub fn fresh_until(&self, session: &Session) -> Option<Timestamp> {
        let lead = self.lead_for(session.lifetime).max(self.skew);
        session.known_expiry().map(|expiry| expiry.minus(lead))
    }

    fn lead_for(&self, lifetime: Option<Lifetime>) -> Lifetime {
        let quarter = lifetime
            .filter(|life| *life > Lifetime::ZERO)
            .map(|life| Lifetime::from_seconds(life.seconds() / 4));
        quarter.map_or(self.lead, |quarter| quarter.min(self.lead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::AccessToken;

    fn judge(seconds_left: i64, lifetime: Option<i64>) -> Freshness {
        let now = Timestamp::from_unix(1_000_000);
        let mut session = Session::new(AccessToken::new("a"))
            .with_expiry(now.plus(Lifetime::from_seconds(seconds_left)));
        session.lifetime = lifetime.map(Lifetime::from_seconds);
        FreshnessRules::default().of(&session, now)
    }

    #[test]
    fn decisions_are_those_of_the_reference_for_tokens_of_an_hour() {
        for lifetime in [None, Some(3600)] {
            assert_eq!(judge(360, lifetime), Freshness::Fresh);
            assert_eq!(judge(300, lifetime), Freshness::Fresh);
            assert_eq!(judge(299, lifetime), Freshness::Stale);
            assert_eq!(judge(10, lifetime), Freshness::Stale);
            assert_eq!(judge(9, lifetime), Freshness::Expired);
            assert_eq!(judge(-5, lifetime), Freshness::Expired);
        }
    }

    #[test]
    fn refr_7_a_short_lived_token_is_not_renewed_on_every_call() {
        assert_eq!(judge(239, Some(240)), Freshness::Fresh);
        assert_eq!(judge(59, Some(240)), Freshness::Stale);
    }

    #[test]
    fn a_token_without_a_known_end_is_fresh_for_ever() {
        let session = Session::new(AccessToken::new("opaque"));
        let rules = FreshnessRules::default();
        assert_eq!(rules.of(&session, Timestamp::from_unix(i64::MAX)), Freshness::Fresh);
        assert_eq!(rules.fresh_until(&session), None);
    }

    #[test]
    fn refr_8_an_entry_without_an_access_token_is_expired() {
        let rules = FreshnessRules::default();
        assert_eq!(
            rules.of(&Session::new(AccessToken::new("")), Timestamp::from_unix(0)),
            Freshness::Expired
        );
    }

    proptest::proptest! {
        #[test]
        fn a_token_is_fresh_exactly_until_its_fresh_until(left in -10i64..5_000, lifetime in 0i64..5_000, at in 0i64..9_000) {
            let now = Timestamp::from_unix(at);
            let session = Session::new(AccessToken::new("a"))
                .with_expiry(now.plus(Lifetime::from_seconds(left)))
                .with_lifetime(Lifetime::from_seconds(lifetime));
            let rules = FreshnessRules::default();
            let fresh = rules.of(&session, now) == Freshness::Fresh;
            proptest::prop_assert_eq!(fresh, now <= rules.fresh_until(&session).unwrap());
        }
    }
}
