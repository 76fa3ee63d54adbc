//! The lock of a login in one store of several.

use super::AutoStore;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::store::EntryLock;
use std::fs::File;
use u2m_core::{CacheKey, Session, Verdict};

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
