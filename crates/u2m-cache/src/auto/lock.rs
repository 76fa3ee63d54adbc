//! The lock of a login in one store of several.

use super::AutoStore;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::store::{Claim, EntryLock};
use std::fs::File;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, Session, Verdict};

impl AutoStore {
    pub(super) fn locked(
        &self,
        key: &CacheKey,
        mode: StorageMode,
        lock: Box<dyn EntryLock>,
    ) -> Box<dyn EntryLock> {
        Box::new(AutoLock { store: self.clone(), key: key.clone(), mode, lock })
    }
}

/// The lock of the store that a login is in.
struct AutoLock {
    store: AutoStore,
    key: CacheKey,
    mode: StorageMode,
    lock: Box<dyn EntryLock>,
}

impl EntryLock for AutoLock {
    fn verdict(&mut self) -> Option<Verdict> {
        self.lock.verdict()
    }

    fn note(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        self.lock.note(verdict)
    }

    fn pause(&mut self, door: &Fingerprint) -> Option<Verdict> {
        self.lock.pause(door)
    }

    fn note_pause(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        self.lock.note_pause(verdict)
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        // Asked for by name, a store may hold a copy of a login that was saved elsewhere since.
        if self.store.naming().mode().is_some()
            && let Some(place) = self.store.counts_elsewhere(&self.key, self.mode)?
        {
            return Ok(Claim::Spent(place));
        }
        self.lock.claim(of, patience)
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.lock.prove_writable()
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        self.lock.save(session)?;
        self.store.record(&self.key, self.mode)
    }

    fn hand_over(self: Box<Self>) -> Option<File> {
        self.lock.hand_over()
    }
}
