//! The lock of one entry of the keyring: the same file that locks the entry of that name in the token cache.

use super::store::Inner;
use super::{entries, parts, probe};
use crate::beside::disk;
use crate::beside::lock::KeyLock;
use crate::beside::room::{Reserve, SPARE, Temporary};
use crate::error::StoreError;
use crate::store::EntryLock;
use std::fs::{self, File};
use std::sync::Arc;
use u2m_core::{CacheKey, Session, Verdict};

/// By how much a new login may be longer than the one before, in bytes.
const GROWTH: usize = 4 << 10;

pub(super) struct KeyringLock {
    store: Arc<Inner>,
    key: CacheKey,
    /// None once it is given away.
    lock: Option<KeyLock>,
    reserve: Reserve,
}

impl KeyringLock {
    pub(super) fn new(store: Arc<Inner>, key: CacheKey, lock: KeyLock) -> Self {
        Self { store, key, lock: Some(lock), reserve: Reserve::default() }
    }
}

impl EntryLock for KeyringLock {
    fn verdict(&mut self) -> Option<Verdict> {
        self.lock.as_ref().and_then(KeyLock::verdict)
    }

    fn note(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        self.lock.as_mut().map_or(Ok(()), |lock| lock.note(verdict))
    }

    /// With a secret of a realistic size, before a grant is spent (KEY-1).
    fn prove_writable(&mut self) -> Result<(), StoreError> {
        let store = &*self.store;
        store.account("save", &self.key)?;
        let len = entries::read(store, &self.key)?.len + GROWTH;
        let keyring = &*store.keyring;
        parts::fits(keyring, len)
            .and_then(|()| probe::run(keyring, len.min(keyring.limit().unwrap_or(len))))
            .map_err(store.failed("save", &self.key))?;
        let side = store.beside.sibling(".u2m.json");
        disk::create_folder(store.beside.folder())?;
        let _writer = store.beside.writer()?;
        let room = fs::metadata(&side).map_or(0, |meta| meta.len()) + SPARE;
        let side = Temporary::new(&side, store.beside.prefix(), room, false)?;
        self.reserve = Reserve { cache: None, side: Some(side) };
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        entries::save(&self.store, &self.key, session, std::mem::take(&mut self.reserve))
    }

    fn hand_over(mut self: Box<Self>) -> Option<File> {
        self.lock.take().and_then(KeyLock::hand_over)
    }
}

impl Drop for KeyringLock {
    /// A write that may still land keeps the entry's lock until it has ended, or this process has.
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            self.store.keyring.keep_until_idle(Box::new(lock));
        }
    }
}
