//! Ends a login that could not be saved: saving is tried once more for the full time, then the login is revoked.

use super::Refresher;
use super::saving::{REVOKING, TRY};
use crate::bounds::{LOOK, SAVING, pauses};
use crate::revoke::revoke_for;
use crate::trying::RetryTime;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use u2m_cache::StoreError;
use u2m_core::{Revocation, RevokeError, Session, StoreFailure};
use u2m_http::Spending;

/// The outcome of [`PersistentAuth::save_or_give_up`](crate::PersistentAuth::save_or_give_up).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LateSave {
    /// The login could not be saved, and this process has forgotten it.
    GivenUp {
        /// Why it could not be saved.
        why: StoreFailure,
        /// The outcome of revoking it (RFC 7009). `None` means that no request was sent, because a stored login holds the same
        /// refresh token or because the work could not run.
        revoked: Option<Result<Revocation, RevokeError>>,
    },
    /// The login is saved, or there was nothing to save.
    Saved,
}

impl Refresher {
    /// Tries for another minute to save the new login, or until `is_enough` returns true; then revokes it, within 5 seconds.
    /// `forget` is called before that, so that the token is not handed out any more.
    pub(crate) fn save_or_give_up(
        &self,
        is_enough: impl Fn() -> bool,
        forget: impl FnOnce(),
    ) -> LateSave {
        // Makes a process that ends on a signal wait for this.
        let _spending = Spending::begin();
        // Makes the thread that has tried so far give way.
        self.wants_lock.store(true, Ordering::Relaxed);
        let saved = self.save_until(&is_enough);
        self.wants_lock.store(false, Ordering::Relaxed);
        let pending = self.unsaved().take();
        let (Err(error), Some(pending)) = (saved, pending) else { return LateSave::Saved };
        let session = pending.session;
        forget();
        let revoked = (!self.is_stored(&session)).then(|| {
            let asked =
                revoke_for(&self.prover, Arc::clone(&self.transport), vec![session], REVOKING);
            asked.into_iter().next().map_or(Ok(Revocation::NotOffered), |one| one.outcome)
        });
        LateSave::GivenUp { why: super::failure(error), revoked }
    }

    fn save_until(&self, is_enough: impl Fn() -> bool) -> Result<(), StoreError> {
        let (mut left, mut pauses) = (RetryTime::new(SAVING), pauses());
        loop {
            let is_last = left.is_over() || is_enough();
            match left.during(TRY, || self.save_pending()) {
                Err(error @ StoreError::Superseded { .. }) => return Err(error),
                Err(error) if is_last => return Err(error),
                Err(_) => left.pause(pauses.next().unwrap_or(LOOK), &is_enough),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Saves the pending login, unless somebody has signed in again meanwhile: that login is newer.
    fn save_pending(&self) -> Result<(), StoreError> {
        let pending =
            self.unsaved().as_ref().map(|own| (own.session.clone(), own.replaces.clone()));
        let Some((session, replaces)) = pending else { return Ok(()) };
        let stored = self.store.load(&self.key).map(|entry| entry.map(|entry| entry.fingerprint()));
        let is_there = matches!(&stored, Ok(Some(stored)) if *stored == session.fingerprint());
        if !is_there && stored.is_ok_and(|stored| stored != replaces) {
            return Err(StoreError::Superseded { key: self.key.clone() });
        }
        self.save_login(&session)?;
        self.unsaved().take_if(|unsaved| unsaved.session == session);
        Ok(())
    }

    /// Whether the entry holds this refresh token, as far as the store can be read. A server may issue the same one twice.
    fn is_stored(&self, session: &Session) -> bool {
        let keys = self.store.keys().unwrap_or_default();
        let holds = |entry: Option<Session>| {
            entry.is_some_and(|entry| entry.fingerprint() == session.fingerprint())
        };
        keys.iter().any(|key| self.store.load(key).is_ok_and(holds))
    }
}

#[cfg(test)]
mod tests {
    use super::super::saving::UnsavedSession;
    use super::*;
    use crate::builder::Builder;
    use u2m_cache::{MemoryStore, TokenStore};
    use u2m_core::{AccessToken, CacheKey, Host, RefreshToken, Target};

    fn session(name: &str) -> Session {
        Session::new(AccessToken::new(name)).with_refresh_token(RefreshToken::new(name))
    }

    fn keeper(store: &MemoryStore) -> Arc<Refresher> {
        let target = Target::workspace(Host::parse("https://a.example").unwrap());
        let auth = Builder::new(target).with_store(store.clone()).build().unwrap();
        let keeper = Arc::clone(auth.keeper());
        *keeper.unsaved() = Some(UnsavedSession { replaces: None, session: session("new") });
        keeper
    }

    #[test]
    fn what_a_failed_save_has_written_all_the_same_is_saved_and_a_newer_login_is_not_replaced() {
        for (there, is_saved) in [(None, true), (Some("new"), true), (Some("newer"), false)] {
            let store = MemoryStore::new();
            let keeper = keeper(&store);
            if let Some(there) = there {
                store.save(&keeper.key, &session(there)).unwrap();
            }
            let saved = keeper.save_pending();
            assert_eq!((saved.is_ok(), keeper.unsaved().is_none()), (is_saved, is_saved));
            let there = store.load(&keeper.key).unwrap().unwrap();
            assert_eq!(there, session(if is_saved { "new" } else { "newer" }));
        }
    }

    #[test]
    fn a_refresh_token_is_stored_whatever_the_entry_is_called() {
        let store = MemoryStore::new();
        let keeper = keeper(&store);
        store.save(&CacheKey::new("a"), &session("other")).unwrap();
        assert!(!keeper.is_stored(&session("new")));
        store.save(&CacheKey::new("b"), &session("new")).unwrap();
        assert!(keeper.is_stored(&session("new")));
    }
}
