//! The lock of one entry of the file.

use super::Inner;
use super::over::Over;
use crate::beside::claim::Claims;
use crate::beside::lock::KeyLock;
use crate::beside::pause;
use crate::beside::room::Reserve;
use crate::error::StoreError;
use crate::store::{Claim, EntryLock};
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, Session, Verdict};

pub(super) struct FileLock {
    pub(super) store: Arc<Inner>,
    pub(super) key: CacheKey,
    pub(super) lock: KeyLock,
    pub(super) reserve: Reserve,
    pub(super) claims: Claims,
    /// The state of the entry that a save replaces: what was claimed, and then what was saved.
    pub(super) replaces: Option<Fingerprint>,
}

impl EntryLock for FileLock {
    fn verdict(&mut self) -> Option<Verdict> {
        self.lock.verdict()
    }

    fn note(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        self.lock.note(verdict)
    }

    fn pause(&mut self, door: &Fingerprint) -> Option<Verdict> {
        pause::read(&self.store.beside, door)
    }

    fn note_pause(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        pause::note(&self.store.beside, verdict)
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        let store = &self.store;
        let claim = self.claims.claim(&store.beside, of, patience, |spot| store.look(spot))?;
        self.replaces = self.claims.of().cloned();
        Ok(claim)
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.reserve = self.store.reserve()?;
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        let (over, next) =
            (self.replaces.as_ref().map_or(Over::Whatever, Over::Claimed), session.fingerprint());
        self.claims.saving(&next);
        self.store.update(&self.key, Some(session), over, &mut self.reserve)?;
        self.claims.saved(&self.store.beside, &next);
        self.replaces = self.replaces.take().map(|_| next);
        self.reserve = Reserve::default();
        Ok(())
    }

    fn hand_over(self: Box<Self>) -> Option<File> {
        self.lock.hand_over()
    }
}
