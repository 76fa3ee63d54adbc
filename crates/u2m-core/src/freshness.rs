//! When a token may be used, and when to refresh it.

use crate::databricks::Host;
use crate::session::Session;
use crate::time::{Lifetime, Timestamp};

/// How much life a token must have left on Azure: workspaces there refuse a token in its last 30 seconds, and requests take
/// time.
const ON_AZURE: Lifetime = Lifetime::from_seconds(40);

/// Thresholds that decide when a token is fresh, stale or expired. The defaults are those of Databricks' Go package, except
/// that the lead of a short-lived token is a quarter of its life.
///
/// | preset | expired with less left than | refreshed ahead of time with less left than |
/// |---|---|---|
/// | [`login`](Self::login), the default | 10 s | 300 s, or a quarter of its life |
/// | [`machine`](Self::machine), [`web`](Self::web) | 40 s, or a quarter of its life | 20 min, or half of its life |
/// | [`azure`](Self::azure) | 40 s | 20 min, or half of its life |
///
/// [`on`](Self::on) adapts any of them to a host on Azure.
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
    /// A token with less than this left is expired. Default: 10 seconds, for clocks that disagree and requests under way.
    pub skew: Lifetime,
    /// Limits `skew` to a token's lifetime divided by this number, so that a short-lived token is usable at all. Default: 0,
    /// which means no limit.
    pub skew_share: u32,
    /// A token with less than this left is refreshed ahead of time. Default: 300 seconds, or a quarter of a shorter lifetime.
    pub lead: Lifetime,
    /// Limits `lead` to a token's lifetime divided by this number. Default: 4.
    pub lead_share: u32,
    /// The assumed lifetime of a token if the server does not state one. Default: 900 seconds.
    pub assumed: Lifetime,
    /// How long to wait after a failed refresh before the next one ahead of time. Default: 60 seconds.
    pub pause: Lifetime,
    /// A token issued no longer ago than this satisfies a forced refresh that names no earlier token. Default: 5 seconds.
    pub coalesce: Lifetime,
}

impl Default for FreshnessRules {
    fn default() -> Self {
        Self::login()
    }
}

/// Whether a token can be used, and whether to refresh it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Must not be used any more.
    Expired,
    /// Valid, with time to spare.
    Fresh,
    /// Valid, but due for a refresh.
    Stale,
}

/// The time span in which a token is fresh, to the second.
struct FreshWindow {
    from: Option<Timestamp>,
    until: Timestamp,
}

impl FreshnessRules {
    /// The default: for the logins of people, where each refresh spends a refresh token.
    ///
    /// ```
    /// use u2m_core::FreshnessRules;
    /// assert_eq!(FreshnessRules::login().skew.seconds(), 10);
    /// ```
    pub fn login() -> Self {
        Self {
            skew: Lifetime::from_seconds(10),
            skew_share: 0,
            lead: Lifetime::from_seconds(300),
            lead_share: 4,
            assumed: Lifetime::from_seconds(900),
            pause: Lifetime::from_seconds(60),
            coalesce: Lifetime::from_seconds(5),
        }
    }

    /// For tokens that cost only a request: those of machines, and those obtained by token exchange. They are refreshed 20
    /// minutes ahead, which is about what a service may be down for in a month, or after half of a shorter life.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Freshness, FreshnessRules, Lifetime, Session, Timestamp};
    /// let (now, rules) = (Timestamp::from_unix(1_000), FreshnessRules::machine());
    /// let of_90_seconds = |left| {
    ///     let session = Session::new(AccessToken::new("a")).with_lifetime(Lifetime::from_seconds(90));
    ///     rules.of(&session.with_expiry(now.plus(Lifetime::from_seconds(left))), now)
    /// };
    /// assert_eq!(of_90_seconds(45), Freshness::Fresh);
    /// assert_eq!(of_90_seconds(44), Freshness::Stale);
    /// assert_eq!(of_90_seconds(21), Freshness::Expired);
    /// ```
    pub fn machine() -> Self {
        Self {
            skew: ON_AZURE,
            skew_share: 4,
            lead: Lifetime::from_seconds(1_200),
            lead_share: 2,
            ..Self::default()
        }
    }

    /// Like [`machine`](Self::machine), for tokens that are used on a host on Azure or that Microsoft Entra issued.
    ///
    /// ```
    /// use u2m_core::FreshnessRules;
    /// assert_eq!((FreshnessRules::azure().skew.seconds(), FreshnessRules::azure().skew_share), (40, 0));
    /// ```
    pub fn azure() -> Self {
        Self { skew_share: 0, ..Self::machine() }
    }

    /// For the logins of a web application's visitors: like [`machine`](Self::machine), so that no visitor's request has to
    /// wait for a refresh.
    ///
    /// ```
    /// use u2m_core::FreshnessRules;
    /// assert_eq!(FreshnessRules::web().lead.seconds(), 1_200);
    /// ```
    pub fn web() -> Self {
        Self::machine()
    }

    /// Adapts these rules to `host`. Azure refuses a token in its last 30 seconds, so on such a host a token with less than 40
    /// seconds left counts as expired, whatever the rules say.
    ///
    /// ```
    /// use u2m_core::{FreshnessRules, Host};
    /// let skew_on = |host| FreshnessRules::login().on(&Host::parse(host).unwrap()).skew.seconds();
    /// assert_eq!(skew_on("https://adb-1.2.azuredatabricks.net"), 40);
    /// assert_eq!(skew_on("https://a.cloud.databricks.com"), 10);
    /// ```
    #[must_use]
    pub fn on(self, host: &Host) -> Self {
        if host.is_on_azure() {
            return Self { skew: self.skew.max(ON_AZURE), skew_share: 0, ..self };
        }
        self
    }

    /// Judges the access token of `session`. A token without a known expiry is always fresh, as in the Go SDK. A token that no
    /// request can carry is expired. A token whose expiry was set by a clock that ran ahead is [not
    /// fresh](FreshnessRules::fresh_from), because its real expiry is unknown.
    pub fn of(&self, session: &Session, now: Timestamp) -> Freshness {
        if !session.access_token.is_sendable() {
            return Freshness::Expired;
        }
        let Some(expiry) = session.known_expiry() else { return Freshness::Fresh };
        if now.until(expiry) < self.least(session) {
            return Freshness::Expired;
        }
        let FreshWindow { from, until } = self.window(session, expiry);
        match from.is_none_or(|from| now >= from) && now <= until {
            true => Freshness::Fresh,
            false => Freshness::Stale,
        }
    }

    /// The access token of `session` is expired when it has less than this left.
    pub fn least(&self, session: &Session) -> Lifetime {
        match self.skew_share {
            0 => self.skew,
            _ => self.floor(Lifetime::ZERO, granted(session)),
        }
    }

    /// How much life a token must have left for a caller who needs `at_least`: that much, but at least the skew, and at most
    /// three quarters of what tokens are `granted`, if that is known. If a server issues shorter-lived tokens, this refreshes
    /// once a quarter of the token's life is over, rather than on every call.
    ///
    /// ```
    /// use u2m_core::{FreshnessRules, Lifetime};
    /// let (rules, seconds) = (FreshnessRules::login(), Lifetime::from_seconds);
    /// assert_eq!(rules.floor(seconds(600), Some(seconds(3_600))), seconds(600));
    /// assert_eq!(rules.floor(seconds(600), Some(seconds(60))), seconds(45));
    /// assert_eq!(rules.floor(seconds(0), Some(seconds(3_600))), seconds(10));
    /// ```
    pub fn floor(&self, at_least: Lifetime, granted: Option<Lifetime>) -> Lifetime {
        let granted = granted.filter(|life| *life > Lifetime::ZERO);
        let most = granted.map(|life| Lifetime::from_seconds(life.seconds() / 4 * 3));
        let least = match self.skew_share {
            0 => self.skew,
            share => part(self.skew, share, granted),
        };
        most.map_or(at_least, |most| at_least.min(most)).max(least)
    }

    /// The same rules for a caller who needs `at_least`: a token with less left than that takes counts as expired.
    pub(crate) fn needing(self, at_least: Lifetime, session: &Session) -> Self {
        if at_least <= Lifetime::ZERO {
            return self;
        }
        let skew = self.floor(at_least, granted(session));
        Self { skew, skew_share: 0, ..self }
    }

    /// The time until which a fresh token stays fresh; `None` means forever.
    pub fn fresh_until(&self, session: &Session) -> Option<Timestamp> {
        session.known_expiry().map(|expiry| self.window(session, expiry).until)
    }

    /// The time from which a token is fresh, if it can be told; `None` means that there is no such limit. Before this time, the
    /// token would have been issued in the future, or have more life left than it was granted. In that case its expiry comes
    /// from a clock that was ahead and has since been corrected. An error smaller than the lead does no harm, since the token
    /// is refreshed before it expires.
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

    /// The time span in which a token with this `expiry` is fresh. The recorded lifetime decides. If only the expiry is
    /// recorded, the token's own unverified claims decide, and where they disagree with it, they end the span earlier.
    fn window(&self, session: &Session, expiry: Timestamp) -> FreshWindow {
        let granted = session.lifetime.filter(|life| *life > Lifetime::ZERO);
        let claimed = if granted.is_none() { session.claimed() } else { None };
        let lead = part(self.lead, self.lead_share, granted).max(self.least(session));
        let begin = |begun: Option<Timestamp>| {
            begun.into_iter().chain(session.issued_at).max().map(|begun| begun.minus(lead))
        };
        match claimed {
            Some((iat, exp)) if exp.plus(lead) < expiry => {
                FreshWindow { from: begin(Some(iat)), until: exp.minus(lead) }
            }
            _ => {
                let granted = granted.or(claimed.map(|(iat, exp)| iat.until(exp)));
                let begun = granted.map(|granted| expiry.minus(granted));
                FreshWindow { from: begin(begun), until: expiry.minus(lead) }
            }
        }
    }
}

/// The lifetime that a token was granted: as recorded, else from its own unverified claims.
fn granted(session: &Session) -> Option<Lifetime> {
    let recorded = session.lifetime.filter(|life| *life > Lifetime::ZERO);
    recorded.or_else(|| session.claimed().map(|(iat, exp)| iat.until(exp)))
}

/// `length`, or the granted lifetime divided by `share` if that is less; a share of 0 means no limit.
fn part(length: Lifetime, share: u32, granted: Option<Lifetime>) -> Lifetime {
    let part = granted.filter(|_| share > 0).map(|life| life.seconds() / i64::from(share));
    part.map_or(length, |part| length.min(Lifetime::from_seconds(part)))
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
    fn a_lifetime_of_nothing_says_nothing() {
        for left in [299, 300, 10, 9, 5] {
            assert_eq!(judge(left, Some(0)), judge(left, None), "{left}");
        }
        let session = Session::new(AccessToken::new("a")).with_lifetime(Lifetime::ZERO);
        let rules = FreshnessRules { skew_share: 2, ..FreshnessRules::default() };
        assert_eq!(rules.least(&session), rules.skew);
        assert_eq!(rules.least(&session.with_lifetime(Lifetime::from_seconds(8))).seconds(), 4);
    }

    #[test]
    fn a_share_of_nothing_bounds_nothing() {
        let now = Timestamp::from_unix(1_000_000);
        let session = Session::new(AccessToken::new("a"))
            .with_lifetime(Lifetime::from_seconds(400))
            .with_expiry(now.plus(Lifetime::from_seconds(299)));
        let rules = FreshnessRules { lead_share: 0, ..FreshnessRules::default() };
        assert_eq!(rules.of(&session, now), Freshness::Stale);
        assert_eq!(FreshnessRules::default().of(&session, now), Freshness::Fresh);
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

    /// The table of spec 6.3 for machines, and for Azure: a second before each threshold, and at it.
    #[test]
    fn a_preset_says_when_a_token_of_any_life_is_renewed_and_when_it_is_dead() {
        let now = Timestamp::from_unix(1_000_000);
        let of = |rules: &FreshnessRules, life: i64, age: i64| {
            let session = Session::new(AccessToken::new("a"))
                .with_expiry(now.plus(Lifetime::from_seconds(life - age)))
                .with_lifetime(Lifetime::from_seconds(life));
            rules.of(&session, now)
        };
        for (rules, life, stale_after, dead_after) in [
            (FreshnessRules::machine(), 3_600, 2_400, 3_560),
            (FreshnessRules::machine(), 86_400, 85_200, 86_360),
            (FreshnessRules::machine(), 600, 300, 560),
            (FreshnessRules::web(), 160, 80, 120),
            (FreshnessRules::web(), 100, 50, 75),
            (FreshnessRules::azure(), 90, 45, 50),
            (FreshnessRules::login(), 3_600, 3_300, 3_590),
            (FreshnessRules::login().on(&azure()), 3_600, 3_300, 3_560),
            (FreshnessRules::machine().on(&azure()), 60, 20, 20),
        ] {
            assert_eq!(of(&rules, life, stale_after), Freshness::Fresh, "{life}");
            let after =
                if stale_after < dead_after { Freshness::Stale } else { Freshness::Expired };
            assert_eq!(of(&rules, life, stale_after + 1), after, "{life}");
            assert_eq!(of(&rules, life, dead_after + 1), Freshness::Expired, "{life}");
            let before = if stale_after < dead_after { Freshness::Stale } else { Freshness::Fresh };
            assert_eq!(of(&rules, life, dead_after), before, "{life}");
        }
    }

    fn azure() -> Host {
        Host::parse("https://adb-1.2.azuredatabricks.net").unwrap()
    }

    #[test]
    fn on_azure_nobody_can_ask_for_less_and_anybody_for_more() {
        let mut rules = FreshnessRules::login();
        rules.skew = Lifetime::from_seconds(5);
        assert_eq!(rules.clone().on(&azure()).skew, ON_AZURE);
        rules.skew = Lifetime::from_seconds(120);
        assert_eq!(rules.on(&azure()).skew.seconds(), 120);
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
        // The clock ran ahead by this much and was corrected at once.
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
            // The claims of the token say how long it is valid.
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
            // Without any evidence.
            let bare = session_of("opaque").with_expiry(expiry);
            assert_eq!(rules.of(&bare, now), Freshness::Fresh);
            let odd = session_of(&jwt(7, 7)).with_expiry(expiry);
            assert_eq!(rules.of(&odd, now), Freshness::Fresh, "claims that make no sense");
        }
        // The recorded lifetime counts before the claims: a server may accept a token for longer than its claims say.
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

        /// A login was made by a clock that is off, and is judged by a clock with another error, whatever is recorded: its
        /// token is fresh for no longer than its lifetime plus a lead. If the clock's error does not change, it is fresh from
        /// the first second on.
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
            // As u2m saves it, as other programs save it, and with only the token's claims.
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
            // Another program has saved an expiry that the token's claims correct.
            let claims_count = records == 3 && skew_then > 300;
            if is_fresh {
                // By its own record, it was already issued and has no more life left than it was granted, within the lead.
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
