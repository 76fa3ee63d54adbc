//! The store over a keyring. What is no secret stands beside the file of the other store: locks, verdicts, bindings.

use super::api::{Keyring, check_account};
use super::bounded::TimeoutKeyring;
use super::error::KeyringError;
use super::lock::KeyringLock;
use super::system::SystemKeyring;
use super::{HOME, entries, parts, probe};
use crate::error::StoreError;
use crate::file::ReplaceRule;
use crate::sidecar::SidecarFiles;
use crate::sidecar::lock::{self, KeyLock};
use crate::sidecar::temp_file::UpdateReserve;
use crate::store::{EntryLock, Notice, StoreAddress, TokenStore};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, FirstUse, RefreshFailure, Session};

/// As long as the tokens of any login that was seen so far, in bytes.
const LOGIN: usize = 8 << 10;

/// Logins in a keyring, in the items that Databricks' CLI reads and writes.
///
/// Locks, and what is known of a login beside its tokens, stand in the folder of the token cache, as for
/// [`FileStore`](crate::FileStore): whoever refreshes a login in one of them keeps others out of both.
///
/// ```no_run
/// use u2m_cache::{KeyringStore, TokenStore};
/// use u2m_core::CacheKey;
/// let store = KeyringStore::system("/home/me/.databricks/token-cache.json");
/// store.probe()?;
/// println!("{:?}", store.load(&CacheKey::new("dev")));
/// # Ok::<(), u2m_cache::KeyringError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyringStore(Arc<KeyringStoreInner>);

#[derive(Debug)]
pub(super) struct KeyringStoreInner {
    pub(super) keyring: Arc<dyn Keyring>,
    pub(super) beside: SidecarFiles,
}

impl KeyringStore {
    /// Uses a keyring, and the folder of the token cache at `path`, which need not exist. Nothing is asked yet.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use u2m_cache::{TimeoutKeyring, KeyringStore, SystemKeyring};
    /// let keyring = TimeoutKeyring::new(SystemKeyring::new("databricks-cli"));
    /// let store = KeyringStore::new(Arc::new(keyring), "/home/me/.databricks/token-cache.json");
    /// assert_eq!(store.keyring().service(), "databricks-cli");
    /// # use u2m_cache::Keyring;
    /// ```
    pub fn new(keyring: Arc<dyn Keyring>, path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(KeyringStoreInner { keyring, beside: SidecarFiles::new(path.into()) }))
    }

    /// Uses the keyring of the operating system with the items of Databricks' CLI, each call bounded to 3 seconds.
    ///
    /// ```
    /// let store = u2m_cache::KeyringStore::system("/home/me/.databricks/token-cache.json");
    /// assert!(store.path().ends_with("token-cache.json"));
    /// ```
    pub fn system(path: impl Into<PathBuf>) -> Self {
        Self::new(Arc::new(TimeoutKeyring::new(SystemKeyring::new("databricks-cli"))), path)
    }

    /// The keyring.
    pub fn keyring(&self) -> &dyn Keyring {
        &*self.0.keyring
    }

    /// The token cache beside which locks and notes stand.
    pub fn path(&self) -> &Path {
        &self.0.beside.path
    }

    /// Shows that the keyring keeps what it is given: an item is written, read back through a new connection, and removed.
    /// It may open a prompt. What killed probes left is removed too.
    ///
    /// # Errors
    /// A login could not be stored. Only [`KeyringError::is_absent_service`] says that there is no keyring at all.
    pub fn probe(&self) -> Result<(), KeyringError> {
        self.probe_room(0)
    }

    /// As [`KeyringStore::probe`], with a login of `len` bytes in mind: its tokens and about 140 bytes more.
    ///
    /// # Errors
    /// A login of that size could not be stored.
    pub fn probe_room(&self, len: usize) -> Result<(), KeyringError> {
        self.fits(len)?;
        let keyring = &*self.0.keyring;
        probe::run(keyring, len.min(keyring.limit().unwrap_or(len)))?;
        probe::sweep(keyring);
        Ok(())
    }

    /// Whether a login of `len` bytes, its tokens and about 140 bytes more, is small enough. Nothing is asked.
    ///
    /// # Errors
    /// It is [`KeyringError::TooBig`].
    ///
    /// ```
    /// let store = u2m_cache::KeyringStore::system("/home/me/.databricks/token-cache.json");
    /// assert!(store.fits(64 << 10).is_ok());
    /// ```
    pub fn fits(&self, len: usize) -> Result<(), KeyringError> {
        parts::fits(&*self.0.keyring, len)
    }

    fn locked(&self, key: &CacheKey, lock: KeyLock) -> Box<dyn EntryLock> {
        Box::new(KeyringLock::new(Arc::clone(&self.0), key.clone(), lock))
    }
}

impl KeyringStoreInner {
    pub(super) fn failed(
        &self,
        what: &'static str,
        key: &CacheKey,
    ) -> impl FnOnce(KeyringError) -> StoreError {
        let (key, keyring) = (key.clone(), self.keyring.describe());
        move |source| StoreError::Keyring { what, key, keyring, source }
    }

    /// An account that is neither of a part nor misread by anyone (KEY-13).
    pub(super) fn account<'k>(
        &self,
        what: &'static str,
        key: &'k CacheKey,
    ) -> Result<&'k str, StoreError> {
        let account = key.as_str();
        let checked = match parts::is_part(account) {
            true => Err(KeyringError::InvalidAccount),
            false => check_account(account),
        };
        checked.map(|()| account).map_err(self.failed(what, key))
    }
}

impl TokenStore for KeyringStore {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        let session = entries::read(&self.0, key)?.into_session(key)?;
        Ok(session.map(|session| self.0.beside.sidecar().complete(key.as_str(), session)))
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        entries::save(&self.0, key, session, ReplaceRule::Whatever, UpdateReserve::default())
    }

    fn put_back(
        &self,
        key: &CacheKey,
        session: &Session,
        spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        entries::put_back(&self.0, key, session, spent)
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        entries::delete(&self.0, key, None).map(drop)
    }

    fn delete_states(&self, states: &[(CacheKey, Fingerprint)]) -> Vec<Result<bool, StoreError>> {
        states.iter().map(|(key, state)| entries::delete(&self.0, key, Some(state))).collect()
    }

    fn locks_beside(&self) -> Option<&Path> {
        Some(self.path())
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let listed = self.0.keyring.accounts();
        let listed = listed.map_err(self.0.failed("list", &CacheKey::new("*")))?;
        let mut keys = listed.unwrap_or_else(|| self.0.beside.sidecar().keys_at(HOME));
        keys.retain(|account| !parts::is_part(account) && !probe::is_probe(account));
        keys.sort_unstable();
        keys.dedup();
        Ok(keys.into_iter().map(CacheKey::new).collect())
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let lock = KeyLock::take(&self.0.beside, key, patience)?;
        Ok(lock.map(|lock| self.locked(key, lock)))
    }

    fn adopt(&self, key: &CacheKey, file: File) -> Result<Box<dyn EntryLock>, StoreError> {
        Ok(self.locked(key, KeyLock::adopt(&self.0.beside, key, file)?))
    }

    fn tie(
        &self,
        key: &CacheKey,
        first: &FirstUse,
        config: Option<&str>,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        self.0.beside.tie(key, first, config, patience)
    }

    fn address(&self) -> Option<StoreAddress> {
        let service = self.0.keyring.service().to_owned();
        Some(StoreAddress::Keyring { path: self.path().to_owned(), service })
    }

    fn remembered(&self, key: &CacheKey) -> Option<RefreshFailure> {
        lock::remembered(&self.0.beside, key)
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.account("keep", key)?;
        // First, so that where there is no keyring no lock of one is left behind.
        probe::is_alive(&*self.0.keyring).map_err(self.0.failed("keep", key))?;
        self.0.beside.prove_notes(key)?;
        if self.0.beside.folder().is_dir() {
            drop(entries::writer(&self.0)?);
        }
        self.probe_room(LOGIN).map_err(self.0.failed("keep", key))
    }

    fn take_notices(&self) -> Vec<Notice> {
        self.0.beside.take_notices()
    }
}
