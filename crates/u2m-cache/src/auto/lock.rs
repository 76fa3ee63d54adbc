//! The lock of a login in one of several stores.

use super::search::{ROUNDS, is_settled_here};
use super::{AutoStore, NamedStore};
use crate::error::StoreError;
use crate::file::FileLock;
use crate::mode::StorageMode;
use crate::named_mutex::end_of;
use crate::sidecar::record_file::Sidecar;
use crate::store::{Claim, EntryLock};
use std::fs::File;
use std::time::{Duration, Instant};
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session};

/// The lock of the store that a login is in.
pub(super) struct AutoLock {
    store: AutoStore,
    key: CacheKey,
    mode: StorageMode,
    lock: StoreLock,
    /// What was read under this lock when it was taken, for the first reader.
    read: Option<Session>,
    /// The side file as last read.
    sidecar: Option<Sidecar>,
}

/// The store's own lock.
enum StoreLock {
    /// The shared file's lock, which also reads the side file.
    File(Box<FileLock>),
    Other(Box<dyn EntryLock>),
}

impl StoreLock {
    fn lock(&mut self) -> &mut dyn EntryLock {
        match self {
            Self::File(lock) => lock.as_mut(),
            Self::Other(lock) => lock.as_mut(),
        }
    }
}

impl AutoStore {
    /// Takes the lock of a login in the store that it is in. `is_to_finish` is as in [`FileStore::hold`](crate::FileStore).
    pub(super) fn take(
        &self,
        key: &CacheKey,
        patience: Duration,
        is_to_finish: bool,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let end = end_of(patience);
        let mut mode = self.guess(key)?;
        for _ in 0..ROUNDS {
            let left = end.saturating_duration_since(Instant::now());
            let Some(part) = self.part_lock(key, mode, left, is_to_finish)? else {
                return Ok(None);
            };
            let mut lock = self.locked(key, mode, part);
            // The login may have been moved while its lock was waited for. Then it is saved elsewhere, and this may not be
            // the lock that others wait for.
            let still = if lock.look() { mode } else { self.keep(key)? };
            if still == mode {
                // Nobody waits for what a dead process left. If it cannot be removed now, it is left for the next.
                let is_clean = |known: &Sidecar| known.strays(key.as_str()).is_empty();
                if !lock.sidecar.as_ref().is_some_and(is_clean) {
                    let _ = self.clear_strays(key, &[mode]);
                    (lock.read, lock.sidecar) = (None, None);
                }
                return Ok(Some(Box::new(lock)));
            }
            mode = still;
        }
        Ok(None)
    }

    fn part_lock(
        &self,
        key: &CacheKey,
        mode: StorageMode,
        patience: Duration,
        is_to_finish: bool,
    ) -> Result<Option<StoreLock>, StoreError> {
        Ok(match mode {
            StorageMode::Plaintext => self
                .0
                .file
                .hold(key, patience, is_to_finish)?
                .map(|lock| StoreLock::File(Box::new(lock))),
            mode => self.part(mode)?.lock(key, patience)?.map(StoreLock::Other),
        })
    }

    /// Takes over the lock of a login that another process took.
    pub(super) fn go_on(
        &self,
        key: &CacheKey,
        file: File,
    ) -> Result<Box<dyn EntryLock>, StoreError> {
        let (found, writers) = self.0.file.finished(key)?;
        if let Some((session, sidecar)) = found
            && self.open_landing(key).is_none()
            && is_settled_here(self.naming(), key, &sidecar)
        {
            let part = StoreLock::File(Box::new(self.0.file.held(key, file, writers)?));
            let lock = self.locked(key, StorageMode::Plaintext, part);
            return Ok(Box::new(AutoLock { read: Some(session), sidecar: Some(sidecar), ..lock }));
        }
        let mode = self.keep(key)?;
        let part = self.part(mode)?.adopt(key, file)?;
        Ok(Box::new(self.locked(key, mode, StoreLock::Other(part))))
    }

    /// Returns the store in which to lock a login: where it was last found, else where it is. It is read again under the
    /// lock.
    fn guess(&self, key: &CacheKey) -> Result<StorageMode, StoreError> {
        let is_open = self.open_landing(key).is_some();
        match !is_open
            && !matches!(self.naming(), NamedStore::Alone(_))
            && self.was_in_the_file(key)
        {
            true => Ok(StorageMode::Plaintext),
            false => self.keep(key),
        }
    }

    fn locked(&self, key: &CacheKey, mode: StorageMode, lock: StoreLock) -> AutoLock {
        let (store, key) = (self.clone(), key.clone());
        AutoLock { store, key, mode, lock, read: None, sidecar: None }
    }
}

impl AutoLock {
    /// Reads the login and the side file in the shared file. Returns whether they show that the login is there.
    fn look(&mut self) -> bool {
        (self.read, self.sidecar) = (None, None);
        let StoreLock::File(lock) = &mut self.lock else { return false };
        let Ok(Some((session, sidecar))) = lock.look() else { return false };
        let is_here = self.store.open_landing(&self.key).is_none()
            && is_settled_here(self.store.naming(), &self.key, &sidecar);
        if is_here {
            (self.read, self.sidecar) = (Some(session), Some(sidecar));
        }
        is_here
    }
}

impl EntryLock for AutoLock {
    fn reload(
        &mut self,
        load: &dyn Fn() -> Result<Option<Session>, StoreError>,
    ) -> Result<Option<Session>, StoreError> {
        if self.read.is_some() || self.look() {
            return Ok(self.read.take());
        }
        load()
    }

    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.lock.lock().refresh_failure()
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.lock().note(refresh_failure)
    }

    fn pause(&mut self, door: &Fingerprint) -> Option<RefreshFailure> {
        self.lock.lock().pause(door)
    }

    fn note_pause(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.lock().note_pause(refresh_failure)
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        // A store that was requested by name may hold a copy of a login that was saved elsewhere since.
        if self.store.naming().mode().is_some()
            && let Some(place) =
                self.store.counts_elsewhere(&self.key, self.mode, self.sidecar.as_ref())?
        {
            return Ok(Claim::Spent(place));
        }
        self.lock.lock().claim(of, patience)
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.lock.lock().prove_writable()
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        self.lock.lock().save(session)?;
        let home = |known: &Sidecar| known.home(self.key.as_str()) == Some(self.mode.as_str());
        let is_recorded = self.sidecar.as_ref().is_some_and(home);
        match is_recorded && self.store.open_landing(&self.key).is_none() {
            true => Ok(()),
            false => self.store.record(&self.key, self.mode),
        }
    }

    fn hand_over(self: Box<Self>) -> Option<File> {
        match self.lock {
            StoreLock::File(lock) => lock.hand_over(),
            StoreLock::Other(lock) => lock.hand_over(),
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fault::opened_under;
    use crate::file::FileStore;
    use crate::store::TokenStore;
    use u2m_core::{AccessToken, Binding, Host, RefreshToken};

    fn bound(name: &str) -> Session {
        let host = Host::parse("https://a.example").unwrap();
        let endpoint = "https://a.example/oidc/v1/token".parse().unwrap();
        let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host);
        let token = format!("{name}-{}", std::process::id());
        let session = Session::new(AccessToken::new(name));
        session.with_refresh_token(RefreshToken::new(token)).with_binding(binding)
    }

    /// A refresh of which the first half is one process's and the second another's; each half opens the store for itself.
    fn refresh(open: &dyn Fn() -> AutoStore, key: &CacheKey, next: &Session) {
        let caller = open();
        caller.load(key).unwrap().unwrap();
        let mut lock = caller.lock_to_hand_over(key, Duration::ZERO).unwrap().unwrap();
        let due = lock.reload(&|| caller.load(key)).unwrap().unwrap();
        let file = lock.hand_over().unwrap();
        let other = open();
        let mut lock = other.adopt(key, file).unwrap();
        assert_eq!(lock.reload(&|| other.load(key)).unwrap().unwrap(), due);
        assert_eq!(lock.claim(&due.fingerprint(), Duration::ZERO).unwrap(), Claim::Taken);
        lock.prove_writable().unwrap();
        lock.save(next).unwrap();
    }

    #[test]
    fn a_refresh_opens_the_two_files_four_times_each_and_the_writers_lock_once() {
        let plain = StorageMode::Plaintext;
        for naming in [NamedStore::Nothing, NamedStore::Alone(plain), NamedStore::First(plain)] {
            let (folder, runtime) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let path = folder.path().join("token-cache.json");
            let open = || AutoStore::new(FileStore::at(&path)).with_naming(naming);
            let (key, [old, next]) = (CacheKey::new("dev"), ["old", "next"].map(bound));
            AutoStore::new(FileStore::at(&path)).with_mode(plain).save(&key, &old).unwrap();
            let runtime = Some(runtime.path().to_owned());
            let ((), opened) = opened_under(runtime, || refresh(&open, &key, &next));
            assert_eq!(open().load(&key).unwrap(), Some(next));
            let times = |name: &str| opened.iter().filter(|path| path.ends_with(name)).count();
            let files = ["token-cache.json", "token-cache.u2m.json", "token-cache.lock"];
            assert_eq!(files.map(times), [4, 4, 1], "{naming:?}: {opened:?}");
        }
    }
}
