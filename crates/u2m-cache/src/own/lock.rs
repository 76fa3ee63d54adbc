//! The lock of one entry in a custom store.

use super::check::{over, signing_in};
use super::{EntryLocks, RecordStore};
use crate::error::StoreError;
use crate::file::ReplaceRule;
use crate::sidecar::claim::{EntryAddress, EntryClaim};
use crate::sidecar::lock::KeyLock;
use crate::sidecar::pause;
use crate::store::{Claim, EntryLock};
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session};

pub(super) struct OwnLock<S> {
    shelf: S,
    locks: EntryLocks,
    key: CacheKey,
    lock: KeyLock,
    claims: EntryClaim,
    /// The state that a save may replace: the claimed one at first, then the last saved one.
    replaces: Option<Fingerprint>,
}

impl<S: RecordStore> OwnLock<S> {
    pub(super) fn new(shelf: S, locks: EntryLocks, key: CacheKey, lock: KeyLock) -> Self {
        let claims = EntryClaim::new(&locks.0.what, &locks.0.beside, &key);
        Self { shelf, locks, key, lock, claims, replaces: None }
    }
}

impl<S: RecordStore> EntryLock for OwnLock<S> {
    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.lock.refresh_failure()
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.note(refresh_failure)
    }

    fn pause(&mut self, door: &Fingerprint) -> Option<RefreshFailure> {
        pause::read(&self.locks.0.beside, door)
    }

    fn note_pause(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        pause::note(&self.locks.0.beside, refresh_failure)
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        let (shelf, locks) = (&self.shelf, &self.locks);
        let look = |spot: &EntryAddress| {
            // Entries of other stores cannot be read here.
            let found = (*spot == locks.spot(&spot.key())).then(|| shelf.load(&spot.key()))?;
            found.ok().map(|found| found.map(|session| session.fingerprint()))
        };
        let claim = self.claims.claim(&locks.0.beside, of, patience, look)?;
        self.replaces = self.claims.of().cloned();
        Ok(claim)
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.shelf.prove(&self.key)
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        let (beside, next) = (&self.locks.0.beside, session.fingerprint());
        self.claims.saving(&next);
        match &self.replaces {
            Some(claimed) => {
                let check = over(beside, &self.key, session, ReplaceRule::Claimed(claimed));
                self.shelf.replace(&self.key, Some(session), &check)?;
            }
            None => {
                let check = signing_in(beside, &self.key, session);
                self.shelf.replace(&self.key, Some(session), &check)?;
            }
        }
        self.claims.saved(beside, &next);
        self.replaces = self.replaces.take().map(|_| next);
        Ok(())
    }
}
