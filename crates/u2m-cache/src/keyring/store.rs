//! The keyring store. Data that is not secret (locks, remembered failures, bindings) is kept next to the token cache file.

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

/// At least as long as the tokens of any login seen so far, in bytes.
const LOGIN: usize = 8 << 10;

/// Keeps logins in a keyring, in the same items that Databricks' CLI reads and writes.
///
/// Locks, and what is known about a login apart from its tokens, are kept in the folder of the token cache, as for
/// [`FileStore`](crate::FileStore). A refresh of a login in one of the two stores therefore locks it in both.
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
    /// Creates a store for a keyring, and for the folder of the token cache at `path`, which need not exist. The keyring is
    /// not accessed yet.
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

    /// Creates a store for the operating system's keyring with the items of Databricks' CLI. Each call is limited to 3
    /// seconds.
    ///
    /// ```
    /// let store = u2m_cache::KeyringStore::system("/home/me/.databricks/token-cache.json");
    /// assert!(store.path().ends_with("token-cache.json"));
    /// ```
    pub fn system(path: impl Into<PathBuf>) -> Self {
        Self::new(Arc::new(TimeoutKeyring::new(SystemKeyring::new("databricks-cli"))), path)
    }

    /// Returns the keyring.
    pub fn keyring(&self) -> &dyn Keyring {
        &*self.0.keyring
    }

    /// Returns the path of the token cache next to which locks and notes are kept.
    pub fn path(&self) -> &Path {
        &self.0.beside.path
    }

    /// Checks that the keyring really stores items: writes one, reads it back through a new connection, and removes it. This
    /// may open a prompt. It also removes what interrupted checks left behind.
    ///
    /// # Errors
    /// Fails if a login could not be stored. Only [`KeyringError::is_absent_service`] means that there is no keyring at all.
    pub fn probe(&self) -> Result<(), KeyringError> {
        self.probe_room(0)
    }

    /// Like [`KeyringStore::probe`], for a login of `len` bytes: its tokens plus about 140 bytes.
    ///
    /// # Errors
    /// Fails if a login of that size could not be stored.
    pub fn probe_room(&self, len: usize) -> Result<(), KeyringError> {
        self.fits(len)?;
        let keyring = &*self.0.keyring;
        probe::run(keyring, len.min(keyring.limit().unwrap_or(len)))?;
        probe::sweep(keyring);
        Ok(())
    }

    /// Checks whether a login of `len` bytes, which are its tokens plus about 140 bytes, is small enough. The keyring is not
    /// accessed.
    ///
    /// # Errors
    /// Fails with [`KeyringError::TooBig`] if it is not.
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

    /// Returns the account name of a login. Refuses names that are reserved for parts or that other tools would misread
    /// (KEY-13).
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
        // First, so that no lock file is left behind if there is no keyring.
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
