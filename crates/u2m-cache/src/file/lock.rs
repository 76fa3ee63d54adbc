//! The lock of one entry of the file.

use super::Inner;
use crate::beside::lock::KeyLock;
use crate::beside::room::Reserve;
use crate::error::StoreError;
use crate::store::EntryLock;
use std::fs::File;
use std::sync::Arc;
use u2m_core::{CacheKey, Session, Verdict};

pub(super) struct FileLock {
    pub(super) store: Arc<Inner>,
    pub(super) key: CacheKey,
    pub(super) lock: KeyLock,
    pub(super) reserve: Reserve,
}

impl EntryLock for FileLock {
    fn verdict(&mut self) -> Option<Verdict> {
        self.lock.verdict()
    }

    fn note(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        self.lock.note(verdict)
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.reserve = self.store.reserve()?;
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        self.store.update(&self.key, Some(session), &mut self.reserve)?;
        self.reserve = Reserve::default();
        Ok(())
    }

    fn hand_over(self: Box<Self>) -> Option<File> {
        self.lock.hand_over()
    }
}
