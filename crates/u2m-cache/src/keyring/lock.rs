//! The lock of one keyring entry: the same file that locks the entry of that name in the token cache.

use super::store::KeyringStoreInner;
use super::{entries, parts, probe};
use crate::error::StoreError;
use crate::file::ReplaceRule;
use crate::sidecar::claim::{EntryAddress, EntryClaim};
use crate::sidecar::disk;
use crate::sidecar::lock::KeyLock;
use crate::sidecar::pause;
use crate::sidecar::temp_file::{SPARE, TempFile, UpdateReserve};
use crate::store::{Claim, EntryLock};
use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session};

/// How much longer than the previous login a new one may be, in bytes.
const GROWTH: usize = 4 << 10;

pub(super) struct KeyringLock {
    store: Arc<KeyringStoreInner>,
    key: CacheKey,
    /// `None` once they were passed on.
    lock: Option<(KeyLock, EntryClaim)>,
    reserve: UpdateReserve,
}

impl KeyringLock {
    pub(super) fn new(store: Arc<KeyringStoreInner>, key: CacheKey, lock: KeyLock) -> Self {
        let claims = EntryClaim::new(store.keyring.describe(), &store.beside, &key);
        Self { store, key, lock: Some((lock, claims)), reserve: UpdateReserve::default() }
    }

    fn claims(&mut self) -> Option<&mut EntryClaim> {
        self.lock.as_mut().map(|(_, claims)| claims)
    }
}

impl EntryLock for KeyringLock {
    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.lock.as_ref().and_then(|(lock, _)| lock.refresh_failure())
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.as_mut().map_or(Ok(()), |(lock, _)| lock.note(refresh_failure))
    }

    fn pause(&mut self, door: &Fingerprint) -> Option<RefreshFailure> {
        pause::read(&self.store.beside, door)
    }

    fn note_pause(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        pause::note(&self.store.beside, refresh_failure)
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let here = EntryAddress::new(store.keyring.describe(), &store.beside, &key);
        let look = |spot: &EntryAddress| {
            let found = entries::read(&store, &key).and_then(|found| found.into_session(&key));
            let found = (*spot == here).then_some(found)?.ok()?;
            Some(found.map(|session| session.fingerprint()))
        };
        let claims = self.claims();
        claims.map_or(Ok(Claim::Busy), |claims| claims.claim(&store.beside, of, patience, look))
    }

    /// Checks with a secret of a realistic size, before a refresh token is used (KEY-1).
    fn prove_writable(&mut self) -> Result<(), StoreError> {
        let store = &*self.store;
        store.account("save", &self.key)?;
        let len = entries::read(store, &self.key)?.len + GROWTH;
        let keyring = &*store.keyring;
        parts::fits(keyring, len)
            .and_then(|()| probe::run(keyring, len.min(keyring.limit().unwrap_or(len))))
            .and_then(|()| probe::overwrite(keyring, self.key.as_str()))
            .map_err(store.failed("save", &self.key))?;
        let side = store.beside.sibling(".u2m.json");
        disk::create_folder(store.beside.folder())?;
        let _writer = store.beside.writer()?;
        let room = fs::metadata(&side).map_or(0, |meta| meta.len()) + SPARE;
        let side = TempFile::new(&side, store.beside.prefix(), room, false)?;
        self.reserve = UpdateReserve { side: Some(side), ..UpdateReserve::default() };
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        let (store, next) = (Arc::clone(&self.store), session.fingerprint());
        if let Some(claims) = self.claims() {
            claims.saving(&next);
        }
        let claimed = self.claims().and_then(|claims| claims.of()).cloned();
        let over = claimed.as_ref().map_or(ReplaceRule::Whatever, ReplaceRule::Claimed);
        let reserve = std::mem::take(&mut self.reserve);
        let saved = entries::save(&store, &self.key, session, over, reserve);
        // The keyring was there when the token was claimed, so whatever keeps it from answering now may be temporary.
        saved.map_err(|error| if claimed.is_some() { transient(error) } else { error })?;
        if let Some(claims) = self.claims() {
            claims.saved(&store.beside, &next);
        }
        Ok(())
    }

    fn hand_over(mut self: Box<Self>) -> Option<File> {
        self.lock.take().and_then(|(lock, _)| lock.hand_over())
    }
}

/// Treats a keyring that was there a moment ago but cannot be reached now, because it was restarted or locked, as a temporary
/// failure: a reason to retry, and not to keep the login elsewhere.
fn transient(error: StoreError) -> StoreError {
    match error {
        StoreError::Keyring { keyring, source, .. } if source.is_out_of_reach() => {
            let why = source.to_string();
            let why = why.split(';').next().unwrap_or_default().to_owned();
            StoreError::Unavailable { server: format!("the {keyring}"), why }
        }
        error => error,
    }
}

impl Drop for KeyringLock {
    /// A write that may still take effect keeps the entry's lock until the write or this process has ended.
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            self.store.keyring.keep_until_idle(Box::new(lock));
        }
    }
}
