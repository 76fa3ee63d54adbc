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
    /// The state that a save may replace: the claimed one at first, then the last saved one.
    replaces: Option<Fingerprint>,
    /// The writers' lock file, kept open while it is not locked.
    writers: Option<File>,
    /// Whether a dead writer's commitment was completed. If not, whoever continues with this lock does it.
    is_finished: bool,
    /// Whether the cache was read under this lock and is valid.
    is_sound: bool,
}

impl FileLock {
    /// Creates a lock for which no dead writer's commitment was completed yet.
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

    /// Marks that the taker of the lock has completed that and then read the login. Stores the writers' lock file.
    pub(super) fn finished(self, writers: Option<File>) -> Self {
        Self { writers, is_finished: true, is_sound: true, ..self }
    }

    /// Returns whether a failed refresh is remembered. It must not be reported for a state that a dead writer had replaced.
    pub(super) fn has_verdict(&self) -> bool {
        self.lock.refresh_failure().is_some()
    }

    /// Completes a dead writer's commitment if that was not done yet. Returns whether there was one.
    pub(super) fn finish(&mut self) -> Result<bool, StoreError> {
        if self.is_finished {
            return Ok(false);
        }
        let (was_due, writers) = self.store.finish_for_the_dead()?;
        (self.is_finished, self.writers) = (true, writers);
        Ok(was_due)
    }

    /// Reads the entry and then the side file, each once, for a store that has both.
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

    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.lock.refresh_failure()
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.note(refresh_failure)
    }

    fn pause(&mut self, door: &Fingerprint) -> Option<RefreshFailure> {
        pause::read(&self.store.beside, door)
    }

    fn note_pause(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        pause::note(&self.store.beside, refresh_failure)
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
