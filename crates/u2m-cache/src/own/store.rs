//! A complete store, made of a record store and its locks.

use super::{EntryLocks, RecordStore};
use crate::error::StoreError;
use crate::store::{EntryLock, Notice, TokenStore};
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session};

/// Your own store: a [`RecordStore`] that keeps logins, together with locks that all processes of a user share and the rules
/// for what may replace what. `u2m_testkit::conformance` tests whether the record store follows the rules.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex, PoisonError};
/// use u2m_cache::{ReplaceCheck, EntryLocks, CustomStore, RecordStore, StoreError, TokenStore};
/// use u2m_core::{AccessToken, CacheKey, Session, SessionRecord, SessionText};
///
/// #[derive(Clone, Debug, Default)]
/// struct Drawer(Arc<Mutex<BTreeMap<CacheKey, SessionText>>>);
///
/// fn read(all: &BTreeMap<CacheKey, SessionText>, key: &CacheKey) -> Result<Option<Session>, StoreError> {
///     let Some(text) = all.get(key) else { return Ok(None) };
///     let record = SessionRecord::parse(text.expose());
///     record.map(|record| Some(record.session())).map_err(|why| StoreError::unreadable(key, why))
/// }
///
/// impl RecordStore for Drawer {
///     fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
///         read(&self.0.lock().unwrap_or_else(PoisonError::into_inner), key)
///     }
///     fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
///         Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect())
///     }
///     fn replace(&self, key: &CacheKey, login: Option<&Session>, check: ReplaceCheck<'_>) -> Result<(), StoreError> {
///         let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         check(read(&all, key))?;
///         match login {
///             Some(login) => drop(all.insert(key.clone(), SessionRecord::of(login).text())),
///             None => drop(all.remove(key)),
///         }
///         Ok(())
///     }
/// }
///
/// # let folder = tempfile::tempdir().unwrap();
/// let locks = EntryLocks::beside("drawer", folder.path().join("drawer"));
/// let (store, key) = (CustomStore::new(Drawer::default(), locks), CacheKey::new("dev"));
/// store.save(&key, &Session::new(AccessToken::new("a")))?;
/// assert_eq!(store.keys()?, [key]);
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CustomStore<S> {
    shelf: S,
    locks: EntryLocks,
}

impl<S: RecordStore + Clone> CustomStore<S> {
    /// Builds a store from a record store and its locks. Clones of `shelf` must refer to the same storage.
    ///
    /// ```
    /// use u2m_cache::{EntryLocks, CustomStore, RecordStore};
    /// fn store<S: RecordStore + Clone>(shelf: S) -> CustomStore<S> {
    ///     CustomStore::new(shelf, EntryLocks::beside("database", "/home/me/.my-program/logins.db"))
    /// }
    /// ```
    pub fn new(shelf: S, locks: EntryLocks) -> Self {
        Self { shelf, locks }
    }

    /// Returns the record store.
    pub fn shelf(&self) -> &S {
        &self.shelf
    }
}

impl<S: RecordStore + Clone> TokenStore for CustomStore<S> {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.shelf.load(key)
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.locks.save(&self.shelf, key, session)
    }

    fn put_back(
        &self,
        key: &CacheKey,
        session: &Session,
        spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        self.locks.put_back(&self.shelf, key, session, spent)
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.shelf.replace(key, None, &|_| Ok(()))
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.shelf.keys()
    }

    fn delete_states(&self, states: &[(CacheKey, Fingerprint)]) -> Vec<Result<bool, StoreError>> {
        self.locks.delete_states(&self.shelf, states)
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.locks.lock(&self.shelf, key, patience)
    }

    fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.locks.prove(key)?;
        self.shelf.prove(key)
    }

    fn remembered(&self, key: &CacheKey) -> Option<RefreshFailure> {
        self.locks.remembered(key)
    }

    fn is_slow(&self) -> bool {
        self.shelf.is_slow()
    }

    fn take_notices(&self) -> Vec<Notice> {
        self.locks.take_notices()
    }
}
