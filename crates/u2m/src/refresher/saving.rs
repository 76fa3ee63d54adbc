//! Saves what was obtained with a secret that can be spent once. Whoever obtained it keeps trying for a minute or until its
//! process ends, and never replaces anything newer.

use super::fly::RefreshContext;
use super::{Refresher, failure};
use crate::bounds::{LOOK, SAVING, SIGN_IN_WAIT, pauses};
use crate::trying::RetryTime;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use u2m_cache::{EntryLock, StoreError};
use u2m_core::{
    Fingerprint, RefreshFailure, RefreshFailureKind, Session, StoreFailure, TokenError,
};
use u2m_http::{FetchedFrom, SharedToken, Spending};

/// A session that could not be saved, and the state of the entry that it replaces.
#[derive(Debug)]
pub(super) struct UnsavedSession {
    pub(super) replaces: Option<Fingerprint>,
    pub(super) session: Session,
}

/// The longest that one attempt to save can take: it may wait for another writer.
pub(super) const TRY: Duration = Duration::from_secs(30);

/// How long to try to revoke a login that nobody has any more.
pub(super) const REVOKING: Duration = Duration::from_secs(5);

impl Refresher {
    /// Returns what the store holds, or what was last fetched if that could not be saved.
    pub(super) fn load(&self) -> Result<Option<Session>, TokenError> {
        self.or_unsaved(self.store.load(&self.key))
    }

    /// The same, read under the entry's lock.
    pub(super) fn reload(&self, lock: &mut dyn EntryLock) -> Result<Option<Session>, TokenError> {
        self.or_unsaved(lock.reload(&|| self.store.load(&self.key)))
    }

    fn or_unsaved(
        &self,
        stored: Result<Option<Session>, StoreError>,
    ) -> Result<Option<Session>, TokenError> {
        let stored = stored.map_err(|error| TokenError::Store(failure(error)));
        let mut unsaved = self.unsaved();
        let Some(pending) = unsaved.as_ref() else { return stored };
        let is_replaced = match &stored {
            Ok(entry) => entry.as_ref().map(Session::fingerprint) != pending.replaces,
            Err(_) => false,
        };
        if is_replaced {
            // Somebody has signed in again or saved something else: that login is newer.
            *unsaved = None;
            return stored;
        }
        let session = pending.session.clone();
        if self.store.save(&self.key, &session).is_ok() {
            *unsaved = None;
        }
        Ok(Some(session))
    }

    /// The state that a save will replace, after this entry was loaded.
    pub(super) fn replaced_by_a_save(&self, entry: Option<&Session>) -> Option<Fingerprint> {
        match self.unsaved().as_ref() {
            Some(pending) => pending.replaces.clone(),
            None => entry.map(Session::fingerprint),
        }
    }

    /// Saves under the lock that is held. What cannot be saved within the flight's time is kept for later.
    pub(super) fn save(
        &self,
        session: &Session,
        ground: &mut RefreshContext,
    ) -> Result<(), StoreError> {
        let outcome = self.try_to_save(self.saves_for, || match ground.lock.as_mut() {
            Some(lock) => self.replace(lock.as_mut(), session),
            None => self.store.save(&self.key, session),
        });
        *self.unsaved() = match &outcome {
            // The login that it was obtained for is gone, and another one is stored by now.
            Ok(()) | Err(StoreError::Superseded { .. }) => None,
            Err(error) => {
                self.notice(unsaved_text(error));
                Some(self.pending(session, ground))
            }
        };
        outcome
    }

    /// Saves in place of what was claimed. An earlier attempt may have succeeded although it returned an error; the next attempt
    /// then finds its result.
    fn replace(&self, lock: &mut dyn EntryLock, session: &Session) -> Result<(), StoreError> {
        match lock.save(session) {
            Err(StoreError::Superseded { key }) => match self.store.load(&key) {
                Ok(Some(stored))
                    if stored.refresh_token == session.refresh_token
                        && stored.access_token == session.access_token =>
                {
                    Ok(())
                }
                _ => Err(StoreError::Superseded { key }),
            },
            saved => saved,
        }
    }

    /// Tries for `limit`, and once more at the end.
    fn try_to_save(
        &self,
        limit: Duration,
        mut save: impl FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (mut left, mut pauses) = (RetryTime::new(limit), pauses());
        loop {
            let is_last = left.is_over();
            match left.during(TRY, &mut save) {
                Err(StoreError::Superseded { key }) => return Err(StoreError::Superseded { key }),
                Err(error) if is_last => return Err(error),
                Err(_) => left.pause(pauses.next().unwrap_or(LOOK), || false),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Keeps trying on a thread of its own, which holds the lock meanwhile: without it, another process would find the spent
    /// refresh token. The thread gives way to a flight of this process, which knows what is unsaved.
    pub(super) fn keep_saving(self: &Arc<Self>, ground: RefreshContext) {
        let RefreshContext { spending, mut lock, .. } = ground;
        if self.unsaved().is_none() {
            return;
        }
        // A process that exists for one refresh has already tried for its whole time.
        if self.saves_for >= SAVING {
            return self.warn_others(lock.as_deref_mut());
        }
        let spending = spending.unwrap_or_else(Spending::begin);
        let keeper = Arc::clone(self);
        let body = move || {
            let (mut left, mut pauses) = (RetryTime::new(SAVING), pauses());
            let is_wanted = || keeper.wants_lock.load(Ordering::Relaxed);
            while !left.is_over() && !is_wanted() {
                left.pause(pauses.next().unwrap_or(LOOK), is_wanted);
                let is_saved = || match lock.as_mut() {
                    Some(lock) => keeper.is_saved_under(lock.as_mut()),
                    None => keeper.is_saved(),
                };
                if left.during(TRY, is_saved) {
                    break;
                }
            }
            if !is_wanted() {
                keeper.warn_others(lock.as_deref_mut());
            }
            drop(spending);
        };
        // If no thread can be started, the next call or the end of the program tries again.
        let _ = std::thread::Builder::new().name("u2m-save".into()).spawn(body);
    }

    /// Before the lock is released, notes beside it that the token in the store is spent, if it is.
    fn warn_others(&self, lock: Option<&mut (dyn EntryLock + 'static)>) {
        let replaced = self.unsaved().as_ref().and_then(|unsaved| unsaved.replaces.clone());
        if let (Some(lock), Some(of)) = (lock, replaced) {
            let kind = RefreshFailureKind::spent("what it bought could not be saved");
            // Failing to note it is no reason to stop.
            let _ = lock.note(&RefreshFailure::new(of, self.clock.now(), kind));
        }
    }

    /// Tries once more under the lock. Returns whether nothing is unsaved any more.
    fn is_saved_under(&self, lock: &mut dyn EntryLock) -> bool {
        let pending =
            self.unsaved().as_ref().map(|own| (own.session.clone(), own.replaces.clone()));
        let Some((session, replaces)) = pending else { return true };
        let is_overtaken = |entry: &Option<Session>| {
            let stored = entry.as_ref().map(Session::fingerprint);
            stored != replaces && stored != Some(session.fingerprint())
        };
        let saved = match self.store.load(&self.key) {
            Ok(entry) if is_overtaken(&entry) => {
                Err(StoreError::Superseded { key: self.key.clone() })
            }
            _ => self.replace(lock, &session),
        };
        match saved {
            Err(error) if !matches!(error, StoreError::Superseded { .. }) => false,
            outcome => {
                self.unsaved().take_if(|unsaved| unsaved.session == session);
                if outcome.is_err() {
                    self.give_back(&session, replaces.as_ref());
                }
                true
            }
        }
    }

    /// The session to save later, in place of what the store holds now. If the store cannot be read, what was read before the
    /// refresh counts.
    pub(super) fn pending(&self, session: &Session, ground: &RefreshContext) -> UnsavedSession {
        let replaces = match self.store.load(&self.key) {
            Ok(entry) => entry.map(|old| old.fingerprint()),
            Err(_) => ground.replaces.clone(),
        };
        UnsavedSession { replaces, session: session.clone() }
    }

    /// Whether everything that was obtained is saved, after a last attempt if needed.
    pub(crate) fn is_saved(&self) -> bool {
        if self.unsaved().is_some() {
            // Loading also saves.
            let _ = self.load();
        }
        self.unsaved().is_none() && self.of_host.as_deref().is_none_or(Self::is_saved)
    }

    /// Waits up to `patience` until everything that this process has spent is saved. Returns whether that is so.
    pub(crate) fn close(&self, patience: Duration) -> bool {
        u2m_http::wait_for_saves(patience) && self.is_saved()
    }

    pub(super) fn save_login(&self, session: &Session) -> Result<(), StoreError> {
        let lock = self.store.lock(&self.key, self.lock_wait.min(SIGN_IN_WAIT))?;
        match lock.map(|mut lock| lock.save(session)) {
            // Whoever got ahead meanwhile, the latest login counts.
            None | Some(Err(StoreError::Superseded { .. })) => self.store.save(&self.key, session),
            Some(saved) => saved,
        }
    }

    /// Revokes a session that was obtained for a login which somebody has removed meanwhile, so that nobody has it any more.
    /// Best effort. It is not revoked if any entry of the store holds its refresh token or the one it was bought with, because a
    /// server that does not rotate has issued the same one.
    pub(super) fn give_back(&self, bought: &Session, old: Option<&Fingerprint>) {
        let is_held = |of: &Fingerprint| bought.fingerprint() == *of || old == Some(of);
        let is_gone = matches!(self.store.load(&self.key), Ok(None));
        let entries = || {
            let keys = self.store.keys()?;
            keys.iter().map(|key| self.store.load(key)).collect::<Result<Vec<_>, _>>()
        };
        let is_nobodys = is_gone
            && entries().is_ok_and(|entries| {
                entries.iter().flatten().all(|entry| !is_held(&entry.fingerprint()))
            });
        if is_nobodys {
            let transport = Arc::clone(&self.transport);
            crate::revoke::revoke_for(&self.prover, transport, vec![bought.clone()], REVOKING);
        }
    }

    pub(super) fn unsaved(&self) -> MutexGuard<'_, Option<UnsavedSession>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Saves a new login under the entry's lock and puts its token in memory. With the lock, a refresh of the login that it replaces
/// cannot come after it. If the holder hangs, the new login is saved without the lock. A login that cannot be saved is kept in
/// this process and saved later.
pub(crate) fn sign_in(
    shared: &SharedToken<Refresher>,
    session: &Session,
) -> Result<(), StoreFailure> {
    let keeper = shared.source();
    let saved = keeper.try_to_save(keeper.saves_for, || keeper.save_login(session));
    let pending = saved.is_err().then(|| keeper.pending(session, &RefreshContext::default()));
    *keeper.unsaved() = pending;
    let rules = keeper.request.rules_for(session);
    let until = rules.fresh_until(session).map(|until| until.max(keeper.clock.now()));
    shared.put(&keeper.fetched(session, until, FetchedFrom::Renewed));
    keeper.keep_saving(RefreshContext::default());
    saved.map_err(failure)
}

fn unsaved_text(error: &dyn std::fmt::Display) -> String {
    format!(
        "the new token could not be saved ({error}); other programs do not have it, and if this one ends before it can be \
         saved you have to log in again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use u2m_cache::{MemoryStore, TokenStore};
    use u2m_core::{AccessToken, CacheKey, Host, RefreshToken, Target};

    fn session(name: &str) -> Session {
        Session::new(AccessToken::new(format!("at-{name}")))
            .with_refresh_token(RefreshToken::new(format!("rt-{name}")))
    }

    /// A store that holds `stored`, and a login in this process that is still to replace `old` with `new`.
    fn unsaved(stored: &str) -> (MemoryStore, Arc<Refresher>) {
        let target = Target::workspace(Host::parse("https://a.example").unwrap());
        let store = MemoryStore::new();
        store.save(&target.cache_key(), &session(stored)).unwrap();
        let auth = Builder::new(target).with_store(store.clone()).build().unwrap();
        let keeper = Arc::clone(auth.keeper());
        let replaces = Some(session("old").fingerprint());
        *keeper.unsaved() = Some(UnsavedSession { replaces, session: session("new") });
        (store, keeper)
    }

    fn lock(store: &MemoryStore, keeper: &Refresher) -> Box<dyn EntryLock> {
        store.lock(&keeper.key, Duration::ZERO).unwrap().unwrap()
    }

    fn stored(store: &MemoryStore, keeper: &Refresher) -> Session {
        store.load(&keeper.key).unwrap().unwrap()
    }

    #[test]
    fn what_is_unsaved_is_saved_under_the_lock_and_a_newer_login_stays() {
        for (there, remains) in [("old", "new"), ("new", "new"), ("newer", "newer")] {
            let (store, keeper) = unsaved(there);
            let mut lock = lock(&store, &keeper);
            assert!(keeper.is_saved_under(lock.as_mut()), "{there}: nothing is left to be saved");
            assert!(keeper.unsaved().is_none(), "{there}");
            assert_eq!(stored(&store, &keeper), session(remains));
            assert!(keeper.is_saved_under(lock.as_mut()), "{there}: there was nothing");
        }
    }

    #[test]
    fn what_is_unsaved_is_said_beside_the_lock_to_have_been_spent() {
        let (store, keeper) = unsaved("old");
        let mut lock = lock(&store, &keeper);
        keeper.warn_others(Some(lock.as_mut()));
        let refresh_failure = lock.refresh_failure().unwrap();
        assert_eq!(refresh_failure.of, session("old").fingerprint());
        assert!(
            matches!(refresh_failure.kind, RefreshFailureKind::Spent(_)),
            "{refresh_failure:?}"
        );
    }

    #[test]
    fn what_is_unsaved_replaces_what_it_was_bought_for_and_all_else_what_was_loaded() {
        let (_store, keeper) = unsaved("old");
        let (other, of) = (session("other"), |name| Some(session(name).fingerprint()));
        assert_eq!(keeper.replaced_by_a_save(Some(&other)), of("old"));
        *keeper.unsaved() = None;
        assert_eq!(keeper.replaced_by_a_save(Some(&other)), of("other"));
        assert_eq!(keeper.replaced_by_a_save(None), None);
    }

    #[test]
    fn a_process_for_one_refresh_says_so_at_once_and_another_goes_on_trying() {
        for (saves_for, is_told) in [(SAVING, true), (Duration::ZERO, false)] {
            let (store, mut keeper) = unsaved("old");
            Arc::get_mut(&mut keeper).unwrap().saves_for = saves_for;
            let lock = lock(&store, &keeper);
            let mut ground = RefreshContext::default();
            drop(ground.lock.replace(lock));
            keeper.keep_saving(ground);
            if is_told {
                let refresh_failure = self::lock(&store, &keeper).refresh_failure();
                assert!(matches!(refresh_failure.unwrap().kind, RefreshFailureKind::Spent(_)));
            }
            while !is_told && keeper.unsaved().is_some() {
                std::thread::yield_now();
            }
            let there = if is_told { "old" } else { "new" };
            assert_eq!(stored(&store, &keeper), session(there));
        }
    }

    #[test]
    fn a_save_that_fails_is_tried_again_for_as_long_as_there_is_time_and_once_without_any() {
        let (_store, keeper) = unsaved("old");
        for (limit, tries, is_saved) in
            [(Duration::from_secs(60), 3, true), (Duration::ZERO, 1, false)]
        {
            let mut tried = 0;
            let outcome = keeper.try_to_save(limit, || {
                tried += 1;
                if tried < 3 { Err(StoreError::NoHome) } else { Ok(()) }
            });
            assert_eq!((tried, outcome.is_ok()), (tries, is_saved), "{limit:?}");
        }
    }

    #[test]
    fn who_goes_on_trying_gives_way_to_a_flight_of_this_process() {
        let (store, keeper) = unsaved("old");
        keeper.wants_lock.store(true, Ordering::Relaxed);
        let mut ground = RefreshContext::default();
        let held = lock(&store, &keeper);
        drop(ground.lock.replace(held));
        keeper.keep_saving(ground);
        let lock = store.lock(&keeper.key, Duration::from_secs(60)).unwrap();
        assert!(lock.is_some() && keeper.unsaved().is_some());
        assert_eq!(stored(&store, &keeper), session("old"));
    }

    #[test]
    fn who_could_not_save_says_why_and_what_may_follow() {
        let text = unsaved_text(&"the disk is full");
        assert!(text.contains("could not be saved (the disk is full)"), "{text}");
        assert!(text.contains("log in again"), "{text}");
    }

    #[test]
    fn a_save_that_was_done_before_it_failed_counts_as_one() {
        /// Reports that somebody else came first.
        struct Overtaken(CacheKey);
        impl EntryLock for Overtaken {
            fn refresh_failure(&mut self) -> Option<RefreshFailure> {
                None
            }
            fn note(&mut self, _: &RefreshFailure) -> Result<(), StoreError> {
                Ok(())
            }
            fn prove_writable(&mut self) -> Result<(), StoreError> {
                Ok(())
            }
            fn save(&mut self, _: &Session) -> Result<(), StoreError> {
                Err(StoreError::Superseded { key: self.0.clone() })
            }
        }
        let (_store, keeper) = unsaved("new");
        let mut lock = Overtaken(keeper.key.clone());
        assert!(keeper.replace(&mut lock, &session("new")).is_ok());
        let mut others = [session("other"), session("new"), session("new")];
        others[1].access_token = AccessToken::new("at-other");
        others[2].refresh_token = Some(RefreshToken::new("rt-other"));
        for other in others {
            let overtaken = keeper.replace(&mut lock, &other);
            assert!(matches!(overtaken, Err(StoreError::Superseded { .. })), "{other:?}");
        }
    }
}
