//! Combines several stores: each login is read from where it was saved, and a new one goes to the chosen store.
//!
//! | requested | an existing login is read from | a new login goes to |
//! |---|---|---|
//! | a store for this run only ([`NamedStore::Alone`]) | that store only | that store only |
//! | a store by a setting ([`NamedStore::First`]) | where the side file says it was saved; if there is no record, or no login there, that store | that store |
//! | nothing | where the side file says it was saved; if there is no record, the first of keyring, encrypted file and shared file that has it | the keyring; if there is no keyring at all, the shared file, with a notice |
//!
//! A store that is locked, broken or does not answer is an error, and never a reason to look elsewhere (FALL-3, FALL-4): the
//! login may be in it.

mod hold;
mod landing;
mod lock;
mod moves;
mod naming;
mod search;
mod snapshot;
mod strays;

pub use hold::HeldLogin;
pub use naming::NamedStore;
pub use snapshot::Snapshot;

use crate::error::StoreError;
use crate::file::FileStore;
use crate::mode::StorageMode;
use crate::store::{EntryLock, Notice, StoreAddress, TokenStore};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, FirstUse, RefreshFailure, Session};

/// The usual choice for a program: the stores of a user, with the rules for where each login is looked up and saved. Clones
/// share everything.
///
/// ```
/// use std::sync::Arc;
/// use u2m_cache::{AutoStore, FileStore, MemoryStore, StorageMode, TokenStore};
/// use u2m_core::{AccessToken, CacheKey, Session};
/// let folder = tempfile::tempdir().unwrap();
/// let file = FileStore::at(folder.path().join("token-cache.json"));
/// let store = AutoStore::new(file).with_keyring(Arc::new(MemoryStore::new()));
/// let key = CacheKey::new("dev");
/// store.save(&key, &Session::new(AccessToken::new("a")))?;
/// assert_eq!(store.home(&key), Some(StorageMode::Secure));
/// # Ok::<(), u2m_cache::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AutoStore(Arc<AutoStoreInner>);

#[derive(Debug)]
struct AutoStoreInner {
    file: FileStore,
    keyring: Option<Arc<dyn TokenStore>>,
    encrypted: Option<Arc<dyn TokenStore>>,
    /// The store that was requested by name.
    naming: NamedStore,
    /// Where prepared logins go.
    landings: Mutex<BTreeMap<CacheKey, LoginPlacement>>,
    /// The logins that were in the shared file when last read.
    in_the_file: Mutex<BTreeSet<CacheKey>>,
    notices: Mutex<Vec<Notice>>,
}

/// Where a login goes, or went.
#[derive(Clone, Copy, Debug)]
struct LoginPlacement {
    mode: StorageMode,
    /// Whether the login is not saved yet. The decision made for it does not apply to later saves.
    is_open: bool,
}

impl AutoStore {
    /// Creates a store with the file that other programs share. Next to that file it records where each login was saved.
    ///
    /// ```
    /// use u2m_cache::{AutoStore, FileStore, TokenStore};
    /// let store = AutoStore::new(FileStore::at("/nonexistent/token-cache.json"));
    /// assert!(store.keys().unwrap().is_empty());
    /// ```
    pub fn new(file: FileStore) -> Self {
        Self(Arc::new(AutoStoreInner {
            file,
            keyring: None,
            encrypted: None,
            naming: NamedStore::Nothing,
            landings: Mutex::default(),
            in_the_file: Mutex::default(),
            notices: Mutex::default(),
        }))
    }

    /// Adds the keyring.
    #[must_use]
    pub fn with_keyring(self, store: Arc<dyn TokenStore>) -> Self {
        self.changed(|inner| inner.keyring = Some(store))
    }

    /// Adds the encrypted file.
    #[must_use]
    pub fn with_encrypted(self, store: Arc<dyn TokenStore>) -> Self {
        self.changed(|inner| inner.encrypted = Some(store))
    }

    /// Uses only this store, because it was requested by name for this run.
    #[must_use]
    pub fn with_mode(self, mode: StorageMode) -> Self {
        self.with_naming(NamedStore::Alone(mode))
    }

    /// Sets which store was requested by name, and how binding that is.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use u2m_cache::{AutoStore, FileStore, MemoryStore, NamedStore, StorageMode, TokenStore};
    /// use u2m_core::{AccessToken, CacheKey, Session};
    /// let folder = tempfile::tempdir().unwrap();
    /// let file = FileStore::at(folder.path().join("token-cache.json"));
    /// let store = AutoStore::new(file).with_keyring(Arc::new(MemoryStore::new()));
    /// let key = CacheKey::new("dev");
    /// store.save(&key, &Session::new(AccessToken::new("a")))?;
    /// // It is recorded that it went to the keyring.
    /// let named = |naming| store.clone().with_naming(naming).load(&key);
    /// assert!(named(NamedStore::First(StorageMode::Plaintext))?.is_some());
    /// assert!(named(NamedStore::Alone(StorageMode::Plaintext))?.is_none());
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    #[must_use]
    pub fn with_naming(self, naming: NamedStore) -> Self {
        self.changed(|inner| inner.naming = naming)
    }

    /// Returns the same stores without copies of logins under a host's key ([`FileStore::without_mirrors`]).
    ///
    /// ```
    /// let folder = tempfile::tempdir().unwrap();
    /// let file = u2m_cache::FileStore::at(folder.path().join("token-cache.json"));
    /// let store = u2m_cache::AutoStore::new(file).without_mirrors();
    /// ```
    #[must_use]
    pub fn without_mirrors(self) -> Self {
        self.changed(|inner| inner.file = inner.file.clone().without_mirrors())
    }

    /// Returns a changed copy. The builder methods use it before the store is shared.
    fn changed(self, change: impl FnOnce(&mut AutoStoreInner)) -> Self {
        let mut inner = AutoStoreInner {
            file: self.0.file.clone(),
            keyring: self.0.keyring.clone(),
            encrypted: self.0.encrypted.clone(),
            naming: self.0.naming,
            landings: Mutex::default(),
            in_the_file: Mutex::default(),
            notices: Mutex::default(),
        };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Returns which store was requested by name, and how binding that is.
    pub fn naming(&self) -> NamedStore {
        self.0.naming
    }

    /// Returns the store in which a login was last saved, if that is recorded.
    pub fn home(&self, key: &CacheKey) -> Option<StorageMode> {
        self.0.file.home(key).as_deref().and_then(StorageMode::parse)
    }

    /// Records which store a login is in from now on. `None` means that it is in no store; everything recorded about it is
    /// then removed.
    ///
    /// # Errors
    /// Fails if the record cannot be written.
    pub fn set_home(&self, key: &CacheKey, home: Option<StorageMode>) -> Result<(), StoreError> {
        let (name, home) = (key.as_str(), home.map(StorageMode::as_str));
        self.0.file.note(|sidecar| match home {
            Some(at) => {
                [sidecar.set_home(name, home), sidecar.drop_stray(name, at)].contains(&true)
            }
            None => {
                let forgot = sidecar.forget(name) | sidecar.set_home(name, None);
                let drop = |forgot, at: StorageMode| sidecar.drop_stray(name, at.as_str()) | forgot;
                StorageMode::ALL.into_iter().fold(forgot, drop)
            }
        })
    }

    /// Removes the record of which host another program's login was first used with ([`TokenStore::tie`]). A logout calls
    /// this.
    ///
    /// # Errors
    /// Fails if the record cannot be written.
    pub fn untie(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.file.untie(key)
    }

    /// Returns where a prepared login goes or went ([`TokenStore::prepare_login`]).
    pub fn landing(&self, key: &CacheKey) -> Option<StorageMode> {
        self.landings().get(key).map(|landing| landing.mode)
    }

    /// Returns where a prepared login that is not saved yet goes.
    fn open_landing(&self, key: &CacheKey) -> Option<StorageMode> {
        self.landings().get(key).filter(|landing| landing.is_open).map(|landing| landing.mode)
    }

    fn landings(&self) -> MutexGuard<'_, BTreeMap<CacheKey, LoginPlacement>> {
        self.0.landings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes leftover files that may hold tokens of a login: see [`FileStore::clear_leftovers`].
    ///
    /// # Errors
    /// As for [`FileStore::clear_leftovers`].
    pub fn clear_leftovers(&self, key: &CacheKey) -> Result<usize, StoreError> {
        self.0.file.clear_leftovers(key)
    }

    /// Removes leftover files that may hold tokens of any login: see [`FileStore::clear_all_leftovers`].
    ///
    /// # Errors
    /// As for [`FileStore::clear_all_leftovers`].
    pub fn clear_all_leftovers(&self) -> Result<usize, StoreError> {
        self.0.file.clear_all_leftovers()
    }

    /// Returns one of the stores.
    ///
    /// # Errors
    /// Fails if this program or this machine does not have it.
    pub fn part(&self, mode: StorageMode) -> Result<&dyn TokenStore, StoreError> {
        let (store, is_built, feature, why) = match mode {
            StorageMode::Plaintext => return Ok(&self.0.file),
            StorageMode::Secure => (
                &self.0.keyring,
                cfg!(feature = "keyring"),
                "keyring",
                "there is no keyring for this program",
            ),
            StorageMode::Encrypted => (
                &self.0.encrypted,
                cfg!(feature = "encrypted"),
                "encrypted",
                "there is no encrypted file for this program",
            ),
        };
        store.as_deref().ok_or(match is_built {
            true => StoreError::NoStore { why },
            false => StoreError::NotBuilt { mode, feature },
        })
    }

    fn notice(&self, text: String) {
        self.0.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice { text });
    }
}

impl TokenStore for AutoStore {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        let (mode, session) = self.find(key)?;
        Ok(match session {
            // An encrypted entry has no side file of its own, and another program's login may have been moved there.
            Some(session) if mode == StorageMode::Encrypted && session.binding.is_none() => {
                Some(self.0.file.sidecar()?.tied(key.as_str(), session))
            }
            session => session,
        })
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        let mode = self.keep(key)?;
        self.part(mode)?.save(key, session)?;
        self.record(key, mode)
    }

    /// Removes a login from every store that can be reached.
    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        let (home, mut outcome) = (self.home(key), Ok(()));
        for mode in StorageMode::ALL {
            match self.part(mode).and_then(|store| store.delete(key)) {
                // An absent store holds no login, unless this one was saved there.
                Err(error) if !error.is_absent_store() || home == Some(mode) => {
                    outcome = outcome.and(Err(error));
                }
                _ => {}
            }
        }
        if outcome.is_ok() && self.home(key).is_some() {
            self.set_home(key, None)?;
        }
        outcome.and_then(|()| self.untie(key))
    }

    fn put_back(
        &self,
        key: &CacheKey,
        session: &Session,
        spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        // An encrypted login is not decrypted for this, because that may run a program to get the key.
        let mode = match self.0.naming {
            NamedStore::Alone(mode) => Some(mode),
            naming => self.home(key).or(naming.mode()),
        };
        let mode = match mode {
            Some(mode) => mode,
            None => match self.find(key)? {
                (mode, Some(_)) => mode,
                (_, None) => return Ok(false),
            },
        };
        self.part(mode)?.put_back(key, session, spent)
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let mut keys = match self.0.naming {
            NamedStore::Alone(mode) => return self.part(mode)?.keys(),
            NamedStore::First(mode) => self.keys_first_in(mode)?,
            NamedStore::Nothing => self.keys_everywhere()?,
        };
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.take(key, patience, true)
    }

    fn lock_to_hand_over(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.take(key, patience, false)
    }

    fn adopt(&self, key: &CacheKey, file: File) -> Result<Box<dyn EntryLock>, StoreError> {
        self.go_on(key, file)
    }

    fn tie(
        &self,
        key: &CacheKey,
        first: &FirstUse,
        config: Option<&str>,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        self.0.file.tie(key, first, config, patience)
    }

    fn address(&self) -> Option<StoreAddress> {
        let address = |part: &Option<Arc<dyn TokenStore>>| match part {
            Some(store) => store.address().map(|address| Some(Box::new(address))),
            None => Some(None),
        };
        Some(StoreAddress::Auto {
            file: Box::new(self.0.file.address()?),
            keyring: address(&self.0.keyring)?,
            encrypted: address(&self.0.encrypted)?,
            naming: self.0.naming,
        })
    }

    fn remembered(&self, key: &CacheKey) -> Option<RefreshFailure> {
        self.part(self.place(key)?).ok()?.remembered(key)
    }

    fn is_slow(&self) -> bool {
        let is_slow = |mode| self.part(mode).is_ok_and(TokenStore::is_slow);
        match self.0.naming {
            NamedStore::Alone(mode) => is_slow(mode),
            NamedStore::First(_) | NamedStore::Nothing => StorageMode::ALL.into_iter().any(is_slow),
        }
    }

    fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        let mode = self.decide(key)?;
        self.landings().insert(key.clone(), LoginPlacement { mode, is_open: true });
        Ok(())
    }

    fn take_notices(&self) -> Vec<Notice> {
        let own =
            std::mem::take(&mut *self.0.notices.lock().unwrap_or_else(PoisonError::into_inner));
        let parts = StorageMode::ALL.into_iter().filter_map(|mode| self.part(mode).ok());
        let mut notices: Vec<Notice> = Vec::new();
        for notice in own.into_iter().chain(parts.flat_map(TokenStore::take_notices)) {
            // The stores share a folder, and each reports the same problems with it.
            if !notices.contains(&notice) {
                notices.push(notice);
            }
        }
        notices
    }
}
