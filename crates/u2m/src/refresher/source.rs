//! A login as a source of tokens: what is returned at once, what is fetched, and for how long a token is handed out.

use super::host_key::lent;
use super::{Refresher, failed_to_start};
use std::sync::Arc;
use u2m_core::{
    IssuedToken, Moment, Session, Timestamp, TokenCriteria, TokenError, TokenOrigin, TokenStep,
};
use u2m_http::{Fetch, FetchAborted, Fetched, FetchedFrom};

impl Fetch for Refresher {
    type Error = TokenError;

    fn stored(&self, question: &TokenCriteria) -> Result<Option<Fetched<TokenError>>, TokenError> {
        self.or_of_host(self.at_once(question), |host| Ok(host.at_once(question)?.map(lent)))
    }

    fn fetch(
        self: Arc<Self>,
        question: &TokenCriteria,
        asked_at: Moment,
    ) -> Result<Fetched<TokenError>, TokenError> {
        let fly = |keeper: &Arc<Self>| {
            let (landed, is_unlocked) = keeper.fly(question, asked_at, None);
            landed.map(|issued| keeper.issued(&issued, is_unlocked))
        };
        self.or_of_host(fly(&self), |host| fly(host).map(lent))
    }

    fn broken(&self, why: FetchAborted) -> TokenError {
        match why {
            FetchAborted::NoThread(error) => failed_to_start(error),
            FetchAborted::Panicked => {
                // The flight could not clear this itself.
                self.set_goes_on(false);
                TokenError::Panicked
            }
            _ => TokenError::Unfinished,
        }
    }

    fn out_of_time(&self, question: &TokenCriteria) -> Result<Fetched<TokenError>, TokenError> {
        let old = |keeper: &Self| keeper.old_while_good(question);
        let of_host = || self.of_host.as_deref().and_then(old).map(lent);
        let old = match question.is_for_any() {
            true => old(self).or_else(of_host),
            false => None,
        };
        old.ok_or_else(|| self.time_is_over())
    }

    fn may_stand_in(&self, error: &TokenError) -> bool {
        matches!(error, TokenError::Store(failure) if failure.is_transient())
    }

    fn is_about_the_question(&self, error: &TokenError) -> bool {
        matches!(error, TokenError::SameTokenAgain)
    }
}

impl Refresher {
    /// Returns a token that is good as it is stored; `None` if a flight is needed.
    fn at_once(&self, question: &TokenCriteria) -> Result<Option<Fetched<TokenError>>, TokenError> {
        if self.was_just_due() {
            return Ok(None);
        }
        match self.first_step(question)? {
            TokenStep::Done(issued) => Ok(Some(self.issued(&issued, true))),
            _ => Ok(None),
        }
    }

    fn first_step(&self, question: &TokenCriteria) -> Result<TokenStep, TokenError> {
        match self.request.clone().start(question.clone(), self.clock.now()) {
            TokenStep::Load(load) => {
                let entry = self.load()?;
                let seen = entry.clone();
                let step = self.loaded(load, entry)?;
                if matches!(step, TokenStep::Lock(_)) {
                    self.found_due(seen);
                }
                Ok(step)
            }
            other => Ok(other),
        }
    }

    /// Returns the old token, if it is still good, for a caller that can wait no longer.
    fn old_while_good(&self, question: &TokenCriteria) -> Option<Fetched<TokenError>> {
        let step = match self.first_step(question).ok()? {
            TokenStep::Lock(lock) => lock.not_locked().ok()?,
            step => step,
        };
        match step {
            TokenStep::Done(issued) => Some(self.issued(&issued, true)),
            _ => None,
        }
    }

    /// Wraps what a flow issued, and until when it is handed out. A token that was read without the lock gives way to one that
    /// was set meanwhile, such as by a login.
    fn issued(&self, issued: &IssuedToken, gives_way: bool) -> Fetched<TokenError> {
        let (session, rules) = (issued.session(), self.request.rules_for(issued.session()));
        let (until, came) = match issued.how() {
            // A renewal has just failed: the old token is handed out for a while before the next attempt.
            TokenOrigin::Kept(why) => {
                let end = session.known_expiry().map(|expiry| expiry.minus(rules.least(session)));
                let pause = self.clock.now().plus(rules.pause);
                (Some(end.map_or(pause, |end| end.min(pause))), FetchedFrom::Kept(why.clone()))
            }
            how => {
                let came = if matches!(how, TokenOrigin::Stored) {
                    FetchedFrom::Stored
                } else {
                    FetchedFrom::Renewed
                };
                // If a token is from the future, its remaining time is unknown, so the next call checks again.
                let is_early =
                    rules.fresh_from(session).is_some_and(|from| self.clock.now() < from);
                let past = Timestamp::from_unix(self.clock.now().unix() - 1);
                (if is_early { Some(past) } else { rules.fresh_until(session) }, came)
            }
        };
        Fetched { gives_way, ..self.fetched(session, until, came) }
    }

    /// The token of a session, handed out until then. A session that is not saved yet counts for the rest of the second only:
    /// the next call tries to save it again (REFR-4).
    pub(super) fn fetched(
        &self,
        session: &Session,
        until: Option<Timestamp>,
        came: FetchedFrom<TokenError>,
    ) -> Fetched<TokenError> {
        let is_saved = self.unsaved().is_none();
        let at_most_now = |until: Option<Timestamp>| {
            let now = self.clock.now();
            until.map_or(now, |until| until.min(now))
        };
        let fresh_until = if is_saved { until } else { Some(at_most_now(until)) };
        let (token, lifetime) = (session.token(), session.lifetime);
        Fetched { token, fresh_until, lifetime, came, gives_way: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::clock::now;
    use std::time::Duration;
    use u2m_cache::{MemoryStore, TokenStore};
    use u2m_core::{
        AccessToken, Host, Lifetime, RefreshToken, Session, StoreFailure, Target, WhichToken,
    };

    /// A login whose access token has this many seconds left.
    fn keeper(left: i64) -> Arc<Refresher> {
        let target = Target::workspace(Host::parse("https://a.example").unwrap());
        let store = MemoryStore::new();
        let session = Session::new(AccessToken::new("old"))
            .with_refresh_token(RefreshToken::new("r"))
            .with_expiry(now().plus(Lifetime::from_seconds(left)));
        store.save(&target.cache_key(), &session).unwrap();
        let auth = Builder::new(target).with_store(store).build().unwrap();
        Arc::clone(auth.keeper())
    }

    #[test]
    fn whose_time_is_over_has_the_old_token_while_it_is_good_and_nobody_wants_another() {
        for (left, is_good) in [(3000, true), (240, true), (-5, false)] {
            let keeper = keeper(left);
            let token = keeper.out_of_time(&WhichToken::Usable.into()).map(|fetched| fetched.token);
            match token {
                Ok(token) => assert!(is_good && token.access_token().expose() == "old", "{left}"),
                Err(error) => assert!(!is_good && matches!(error, TokenError::OutOfTime), "{left}"),
            }
            for ask in [WhichToken::Newer(None), WhichToken::Other(AccessToken::new("old"))] {
                assert!(
                    matches!(keeper.out_of_time(&ask.into()), Err(TokenError::OutOfTime)),
                    "{left}"
                );
            }
        }
    }

    #[test]
    fn others_are_waited_for_at_once_unless_a_caller_has_a_time_of_its_own() {
        let (none, some) = (Duration::ZERO, Duration::from_millis(1));
        for (wait, patience, takes) in [
            (None, some, vec![some]),
            (None, none, vec![none]),
            (Some(some), none, vec![none]),
            (Some(some), some, vec![none, some]),
        ] {
            let mut keeper = keeper(-5);
            Arc::get_mut(&mut keeper).unwrap().wait = wait;
            let mut taken = Vec::new();
            keeper.waiting_for_others(patience, |patience| taken.push(patience), |()| true);
            assert_eq!(taken, takes, "{wait:?} {patience:?}");
        }
        let mut keeper = keeper(-5);
        Arc::get_mut(&mut keeper).unwrap().wait = Some(some);
        let mut takes = 0;
        keeper.waiting_for_others(some, |_| takes += 1, |()| false);
        assert_eq!(takes, 1, "nobody has it");
    }

    #[test]
    fn whose_time_is_over_is_told_whether_something_goes_on() {
        let keeper = keeper(-5);
        assert!(matches!(keeper.time_is_over(), TokenError::OutOfTime));
        keeper.set_goes_on(true);
        assert!(matches!(keeper.time_is_over(), TokenError::StillWaiting));
        // The flight could not report that nothing is going on any more.
        assert!(matches!(keeper.broken(FetchAborted::Panicked), TokenError::Panicked));
        assert!(matches!(keeper.time_is_over(), TokenError::OutOfTime));
    }

    #[test]
    fn only_a_store_that_may_answer_later_is_stood_in_for() {
        let (keeper, why) = (keeper(-5), || std::io::Error::other("x"));
        let store = |failure| keeper.may_stand_in(&TokenError::Store(failure));
        assert!(store(StoreFailure::transient(why())) && !store(StoreFailure::new(why())));
        assert!(!keeper.may_stand_in(&TokenError::NotFound));
    }

    #[test]
    fn a_token_from_the_future_is_looked_at_again_by_the_next_call() {
        let keeper = keeper(-5);
        let hour = Lifetime::from_seconds(3600);
        let until = |from: Timestamp| {
            let session = Session::new(AccessToken::new("t"))
                .with_issued_at(from)
                .with_lifetime(hour)
                .with_expiry(from.plus(hour));
            keeper
                .issued(&IssuedToken::new(session, TokenOrigin::Stored), false)
                .fresh_until
                .unwrap()
        };
        assert!(until(now().plus(hour)) < now(), "nobody knows how long it is good");
        assert!(until(now().plus(Lifetime::from_seconds(-60))) > now());
    }

    #[test]
    fn what_was_read_without_the_lock_gives_way_to_what_came_meanwhile() {
        let keeper = keeper(-5);
        for gives_way in [true, false] {
            let issued = IssuedToken::new(Session::new(AccessToken::new("t")), TokenOrigin::Stored);
            assert_eq!(keeper.issued(&issued, gives_way).gives_way, gives_way);
        }
    }

    #[test]
    fn what_broke_and_what_was_asked_in_vain_is_told_apart() {
        let keeper = keeper(-5);
        let error = std::io::Error::other("no thread");
        let told = keeper.broken(FetchAborted::NoThread(error));
        assert!(matches!(&told, TokenError::Store(_)), "{told:?}");
        assert!(keeper.is_about_the_question(&TokenError::SameTokenAgain));
        assert!(!keeper.is_about_the_question(&TokenError::NotFound));
    }
}
