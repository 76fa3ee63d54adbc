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

/// When a token is fresh, to the last second.
struct Window {
    from: Option<Timestamp>,
    until: Timestamp,
}

impl FreshnessRules {
    /// Judges the access token of `session`. Without a known end it is fresh for ever, as the reference holds it. One that
    /// no request can carry, whoever stored it, is as good as expired; and one whose end was counted by a clock that was ahead is
    /// [not fresh](FreshnessRules::fresh_from): nobody knows when it ends.
    pub fn of(&self, session: &Session, now: Timestamp) -> Freshness {
        if !session.access_token.is_sendable() {
            return Freshness::Expired;
        }
        let Some(expiry) = session.known_expiry() else { return Freshness::Fresh };
        if now.until(expiry) < self.skew {
            return Freshness::Expired;
        }
        let Window { from, until } = self.window(session, expiry);
        match from.is_none_or(|from| now >= from) && now <= until {
            true => Freshness::Fresh,
            false => Freshness::Stale,
        }
    }

    /// Until when a fresh token stays fresh; `None` means for ever.
    pub fn fresh_until(&self, session: &Session) -> Option<Timestamp> {
        session.known_expiry().map(|expiry| self.window(session, expiry).until)
    }

    /// From when on a token is fresh, if anything tells; `None` means from ever. At an earlier time it would have been issued in the
    /// future, or have more life left than it was granted: the clock that its end was counted by was ahead, and has been put
    /// right. What is off by less than the lead does no harm, since the token is renewed before it ends.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Freshness, FreshnessRules, Lifetime, Session, Timestamp};
    /// let (now, hour) = (Timestamp::from_unix(1_000_000), Lifetime::from_seconds(3_600));
    /// let by_a_clock_of_tomorrow = now.plus(Lifetime::from_seconds(86_400));
    /// let session = Session::new(AccessToken::new("a"))
    ///     .with_expiry(by_a_clock_of_tomorrow.plus(hour))
    ///     .with_lifetime(hour);
    /// assert_eq!(FreshnessRules::default().of(&session, now), Freshness::Stale);
    /// ```
    pub fn fresh_from(&self, session: &Session) -> Option<Timestamp> {
        session.known_expiry().and_then(|expiry| self.window(session, expiry).from)
    }

    /// When a token that is said to end at `expiry` is fresh. What is recorded of it counts; where that is its end alone, its own
    /// unverified claims do, which end it earlier where they disagree.
    fn window(&self, session: &Session, expiry: Timestamp) -> Window {
        let granted = session.lifetime.filter(|life| *life > Lifetime::ZERO);
        let claimed = if granted.is_none() { session.claimed() } else { None };
        let lead = self.lead_for(granted).max(self.skew);
        let begin = |begun: Option<Timestamp>| {
            begun.into_iter().chain(session.issued_at).max().map(|begun| begun.minus(lead))
        };
        match claimed {
            Some((iat, exp)) if exp.plus(lead) < expiry => {
                Window { from: begin(Some(iat)), until: exp.minus(lead) }
            }
            _ => {
                let granted = granted.or(claimed.map(|(iat, exp)| iat.until(exp)));
                let begun = granted.map(|granted| expiry.minus(granted));
                Window { from: begin(begun), until: expiry.minus(lead) }
            }
        }
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

    fn session_of(token: &str) -> Session {
        Session::new(AccessToken::new(token))
    }

    fn jwt(iat: i64, exp: i64) -> String {
        use base64::Engine;
        let claims = format!(r#"{{"iat":{iat},"exp":{exp}}}"#);
        format!("e30.{}.sig", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_from_the_future_is_not_fresh_and_a_clock_that_is_a_little_off_does_no_harm() {
        let (rules, now) = (FreshnessRules::default(), Timestamp::from_unix(1_800_000_000));
        let hour = Lifetime::from_seconds(3_600);
        // The clock was ahead by so much, and was put right at once.
        for (ahead, is) in [
            (0, Freshness::Fresh),
            (5, Freshness::Fresh),
            (300, Freshness::Fresh),
            (301, Freshness::Stale),
            (86_400, Freshness::Stale),
            (3_000_000_000, Freshness::Stale),
        ] {
            let issued = now.plus(Lifetime::from_seconds(ahead));
            let expiry = issued.plus(hour);
            for (what, session) in [
                ("all", session_of("a").with_lifetime(hour).with_issued_at(issued)),
                ("its lifetime", session_of("a").with_lifetime(hour)),
                ("when it was issued", session_of("a").with_issued_at(issued)),
                ("claims of the same clock", session_of(&jwt(issued.unix(), expiry.unix()))),
            ] {
                let session = session.with_expiry(expiry);
                assert_eq!(rules.of(&session, now), is, "{ahead} s, by {what}");
            }
            // Its claims say that it is good, and for how long.
            let said = session_of(&jwt(now.unix(), now.plus(hour).unix())).with_expiry(expiry);
            assert_eq!(rules.of(&said, now), Freshness::Fresh, "{ahead} s");
            let end = now.plus(hour);
            assert_eq!(
                rules.of(&said, end.minus(Lifetime::from_seconds(1))),
                match ahead {
                    ..=300 => rules.of(
                        &session_of("a").with_expiry(expiry),
                        end.minus(Lifetime::from_seconds(1))
                    ),
                    _ => Freshness::Stale,
                },
                "{ahead} s"
            );
            // Nothing tells.
            let bare = session_of("opaque").with_expiry(expiry);
            assert_eq!(rules.of(&bare, now), Freshness::Fresh);
            let odd = session_of(&jwt(7, 7)).with_expiry(expiry);
            assert_eq!(rules.of(&odd, now), Freshness::Fresh, "claims that make no sense");
        }
        // What a record says counts before the claims: a server may let a token live longer than it says in it.
        let long = session_of(&jwt(now.unix(), now.plus(hour).unix()))
            .with_lifetime(Lifetime::from_seconds(7_200))
            .with_expiry(now.plus(Lifetime::from_seconds(7_200)));
        assert_eq!(rules.of(&long, now), Freshness::Fresh);
    }

    #[test]
    fn refr_8_an_entry_without_an_access_token_that_can_be_sent_is_expired() {
        let rules = FreshnessRules::default();
        for bad in ["", "a\r\nx: y", "a b", "\u{1b}[2J", "a\u{7f}", "\u{e9}"] {
            let session = Session::new(AccessToken::new(bad));
            let is = rules.of(&session, Timestamp::from_unix(0));
            assert_eq!(is, Freshness::Expired, "{bad:?}");
        }
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
            let has_begun = rules.fresh_from(&session).is_none_or(|from| now >= from);
            proptest::prop_assert_eq!(fresh, has_begun && now <= rules.fresh_until(&session).unwrap());
        }

        /// A login by a clock that is off, and looked at by one that is off otherwise, whatever is recorded of it: it is fresh for
        /// no longer than it was granted, and a lead; by a clock that does not change, it is fresh from the first second on.
        #[test]
        fn a_token_is_fresh_for_no_longer_than_it_was_granted_whatever_the_clock_was(
            skew_then in -100_000i64..100_000,
            changes in proptest::option::of(-100_000i64..100_000),
            lifetime in 60i64..20_000,
            passed in 0i64..40_000,
            records in 0u8..4,
        ) {
            let skew_now = changes.unwrap_or(skew_then);
            let rules = FreshnessRules::default();
            let issued = Timestamp::from_unix(1_800_000_000);
            let by = |time: Timestamp, skew| time.plus(Lifetime::from_seconds(skew));
            let life = Lifetime::from_seconds(lifetime);
            // As this program saves it, as other programs do, and with nothing but a token that says it.
            let recorded = by(issued, skew_then);
            let claims = jwt(issued.unix(), issued.plus(life).unix());
            let session = match records {
                0 => session_of("a").with_lifetime(life).with_issued_at(recorded),
                1 => session_of("a").with_lifetime(life),
                2 => session_of("a").with_issued_at(recorded),
                _ => session_of(&claims),
            };
            let session = session.with_expiry(recorded.plus(life));
            let now = by(issued.plus(Lifetime::from_seconds(passed)), skew_now);
            let is_fresh = rules.of(&session, now) == Freshness::Fresh;
            let lead = (lifetime / 4).clamp(10, 300);
            // Another program has saved an end that its token knows better.
            let claims_count = records == 3 && skew_then > 300;
            if is_fresh {
                // By its own record, it has been issued, and has no more left than it was granted, within the lead.
                let by = if claims_count { issued } else { recorded };
                let age = by.until(now).seconds();
                let tolerated = if records < 2 { lead } else { 300 };
                proptest::prop_assert!((-tolerated..=lifetime).contains(&age), "{age}");
            }
            if skew_now == skew_then && !claims_count {
                let lead = if records < 2 { lead } else { 300 };
                proptest::prop_assert_eq!(is_fresh, lifetime - passed >= lead);
            }
        }
    }
}
