//! The lock of one entry of the file.

use super::FileStoreInner;
use super::over::ReplaceRule;
use crate::error::StoreError;
use crate::sidecar::claim::EntryClaim;
use crate::sidecar::lock::KeyLock;
use crate::sidecar::pause;
use crate::sidecar::record_file::Sidecar;
use crate::sidecar::temp_file::UpdateReserve;
use crate::store::{Claim, EntryLock};
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session};

pub(crate) struct FileLock {
    store: Arc<FileStoreInner>,
    key: CacheKey,
    lock: KeyLock,
    reserve: UpdateReserve,
    claims: EntryClaim,
    /// The state of the entry that a save replaces: what was claimed, and then what was saved.
    replaces: Option<Fingerprint>,
    /// The writers' lock file, open between the times at which it is locked.
    writers: Option<File>,
    /// Whether what a dead writer had finished is finished; else whoever goes on with this lock does it.
    is_finished: bool,
    /// Whether the cache was read under this lock, and is one.
    is_sound: bool,
}

impl FileLock {
    /// Nothing is finished yet.
    pub(super) fn new(store: &Arc<FileStoreInner>, key: &CacheKey, lock: KeyLock) -> Self {
        let claims = EntryClaim::new(store.codec.words(), &store.beside, key);
        Self {
            store: Arc::clone(store),
            key: key.clone(),
            lock,
            reserve: UpdateReserve::default(),
            claims,
            replaces: None,
            writers: None,
            is_finished: false,
            is_sound: false,
        }
    }

    /// As of a lock whose taker has finished that before, and has read the login then. With the writers' lock file.
    pub(super) fn finished(self, writers: Option<File>) -> Self {
        Self { writers, is_finished: true, is_sound: true, ..self }
    }

    /// Whether it is remembered that a refresh failed. That is not to be told of a state which a dead writer had replaced.
    pub(super) fn has_verdict(&self) -> bool {
        self.lock.verdict().is_some()
    }

    /// Finishes what a dead writer had finished, if that is not done yet; whether there was anything.
    pub(super) fn finish(&mut self) -> Result<bool, StoreError> {
        if self.is_finished {
            return Ok(false);
        }
        let (was_due, writers) = self.store.finish_for_the_dead()?;
        (self.is_finished, self.writers) = (true, writers);
        Ok(was_due)
    }

    /// The entry, and what is known of all logins beside their tokens, read once and after them; of a store that has both.
    pub(crate) fn look(&mut self) -> Result<Option<(Session, Sidecar)>, StoreError> {
        self.is_sound = false;
        let Some(session) = self.store.stored(&self.key)? else { return Ok(None) };
        let sidecar = self.store.beside.sidecar_to_change()?;
        self.is_sound = true;
        Ok(Some((self.store.complete_by(&sidecar, &self.key, session), sidecar)))
    }
}

impl EntryLock for FileLock {
    fn reload(
        &mut self,
        load: &dyn Fn() -> Result<Option<Session>, StoreError>,
    ) -> Result<Option<Session>, StoreError> {
        match self.store.codec.has_sidecar() {
            true => Ok(self.look()?.map(|(session, _)| session)),
            false => load(),
        }
    }

    fn verdict(&mut self) -> Option<RefreshFailure> {
        self.lock.verdict()
    }

    fn note(&mut self, verdict: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.note(verdict)
    }

    fn pause(&mut self, door: &Fingerprint) -> Option<RefreshFailure> {
        pause::read(&self.store.beside, door)
    }

    fn note_pause(&mut self, verdict: &RefreshFailure) -> Result<(), StoreError> {
        pause::note(&self.store.beside, verdict)
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        if self.finish()? {
            return Ok(Claim::Waited);
        }
        let store = &self.store;
        let claim = self.claims.claim(&store.beside, of, patience, |spot| store.look(spot))?;
        self.replaces = self.claims.of().cloned();
        Ok(claim)
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.reserve = self.store.reserve(&mut self.writers, self.is_sound)?;
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        let (over, next) = (
            self.replaces.as_ref().map_or(ReplaceRule::Whatever, ReplaceRule::Claimed),
            session.fingerprint(),
        );
        self.claims.saving(&next);
        let means = (&mut self.writers, &mut self.reserve);
        self.store.update(&self.key, Some(session), over, means)?;
        self.claims.saved(&self.store.beside, &next);
        self.replaces = self.replaces.take().map(|_| next);
        self.reserve = UpdateReserve::default();
        Ok(())
    }

    fn hand_over(self: Box<Self>) -> Option<File> {
        self.lock.hand_over()
    }
}
