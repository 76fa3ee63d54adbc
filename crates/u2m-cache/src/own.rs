//! Building blocks for custom stores: the locks of the entries, and the rules for what may replace what.

mod check;
mod lock;
mod private;
mod store;

pub use check::ReplaceCheck;
pub use store::CustomStore;

use crate::error::StoreError;
use crate::file::ReplaceRule;
use crate::sidecar::claim::{self, EntryAddress};
use crate::sidecar::lock::{self as entry_lock, KeyLock};
use crate::sidecar::{SidecarFiles, runtime_lock};
use crate::store::{EntryLock, Notice};
use check::{expecting, expecting_nothing, over, signing_in};
use lock::OwnLock;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session};

/// The storage behind a custom store: it keeps logins under names, for example each as the text of a
/// [`SessionRecord`](u2m_core::SessionRecord). [`CustomStore`] turns it into a complete store.
///
/// That text contains the tokens unencrypted. Keep it where only its owner can read it ([`EntryLocks::private_file`]), or
/// encrypt it (`Cipher`, features `encrypted` and `redis`).
pub trait RecordStore: fmt::Debug + Send + Sync + 'static {
    /// Reads an entry. Returns `None` if it is absent.
    ///
    /// # Errors
    /// Fails with [`StoreError::unreadable`] if the entry is not a usable login, and with [`StoreError::other`] or
    /// [`StoreError::transient`] if the storage cannot be read.
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError>;

    /// Returns the names of all entries, sorted by their bytes.
    ///
    /// # Errors
    /// Fails if the storage cannot be read.
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError>;

    /// Replaces the entry `key` with `login`, or removes it for `None`, if `check` returns `Ok`. Read, check and write must
    /// be one atomic step, so that no other change comes in between. Pass `check` what [`RecordStore::load`] would return at
    /// that moment, errors included. `check` may be called more than once.
    ///
    /// # Errors
    /// Fails with the error of `check`, or if the storage fails. Nothing was changed then.
    fn replace(
        &self,
        key: &CacheKey,
        login: Option<&Session>,
        check: ReplaceCheck<'_>,
    ) -> Result<(), StoreError>;

    /// Checks that an entry can be written now, before a refresh token is used or the user is asked to sign in. The default
    /// writes the current login once more, or removes an absent entry.
    ///
    /// # Errors
    /// Fails if saving would fail too.
    fn prove(&self, key: &CacheKey) -> Result<(), StoreError> {
        match self.load(key) {
            Ok(Some(present)) => {
                self.replace(key, Some(&present), &expecting(key, &present.fingerprint()))
            }
            Ok(None) => was_done(self.replace(key, None, &expecting_nothing(key))).map(drop),
            // A login replaces an entry that cannot be read.
            Err(StoreError::BadEntry { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns whether reading may take long: see [`TokenStore::is_slow`](crate::TokenStore::is_slow).
    fn is_slow(&self) -> bool {
        false
    }
}

/// The locks of a custom store, as files shared by all processes of one user on one machine. There is one lock for each
/// login, and one for each refresh token that is being used, whichever store holds it. The operating system releases a lock
/// when its holder dies and wakes those that wait for it. The threads of a process queue as one waiter. Next to the locks it
/// is recorded how the last refresh failed, how long a server asked to be left alone, and which refresh tokens are used up.
/// None of this is secret.
///
/// The locks do not reach other machines. A store that several machines write to needs its own locks, as `RedisStore` has.
///
/// [`CustomStore`] uses them. A store without `CustomStore` takes them with one line in its [`TokenStore`](crate::TokenStore)
/// implementation:
///
/// ```
/// use std::time::Duration;
/// use u2m_cache::{EntryLock, EntryLocks, RecordStore, StoreError};
/// use u2m_core::CacheKey;
/// fn lock<S: RecordStore + Clone>(
///     shelf: &S, locks: &EntryLocks, key: &CacheKey, patience: Duration,
/// ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
///     locks.lock(shelf, key, patience)
/// }
/// ```
#[derive(Clone)]
pub struct EntryLocks(Arc<EntryLocksInner>);

struct EntryLocksInner {
    /// The kind of store, in words.
    what: String,
    beside: SidecarFiles,
}

impl EntryLocks {
    /// Keeps the locks next to a file that is the store or belongs to it, in `<path>.locks`. `what` describes the kind of
    /// store in messages about where a login is kept.
    ///
    /// ```
    /// use u2m_cache::EntryLocks;
    /// let locks = EntryLocks::beside("SQLite database", "/home/me/.my-program/logins.db");
    /// assert_eq!(format!("{locks:?}"), "EntryLocks(\"/home/me/.my-program/logins.db\")");
    /// ```
    pub fn beside(what: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(EntryLocksInner {
            what: what.into(),
            beside: SidecarFiles::new(path.into()),
        }))
    }

    /// Keeps the locks of a store that has no file in the user's runtime folder, under the given name of the store. What is
    /// recorded there is lost when the user's session ends or the machine restarts.
    ///
    /// # Errors
    /// Fails if the name is not a plain file name, or if there is no folder that only this user can access. Outside Unix
    /// there is none: use [`EntryLocks::beside`].
    ///
    /// ```
    /// use u2m_cache::EntryLocks;
    /// assert!(EntryLocks::for_user("vault", "../my-program").is_err());
    /// # #[cfg(unix)]
    /// EntryLocks::for_user("vault", "my-program")?;
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn for_user(what: impl Into<String>, name: &str) -> Result<Self, StoreError> {
        let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if name.starts_with('.') || name.is_empty() || !name.chars().all(is_plain) {
            return Err(StoreError::CannotOpen {
                why: "the name of its locks is not that of a file",
            });
        }
        Ok(Self::beside(what, runtime_lock::folder()?.join(name)))
    }

    /// Takes the lock of an entry. Implements [`TokenStore::lock`](crate::TokenStore::lock).
    ///
    /// # Errors
    /// Fails if the lock cannot be created, for example because its folder is not writable.
    pub fn lock<S: RecordStore + Clone>(
        &self,
        shelf: &S,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let lock = KeyLock::take(&self.0.beside, key, patience)?;
        Ok(lock.map(|lock| -> Box<dyn EntryLock> {
            Box::new(OwnLock::new(shelf.clone(), self.clone(), key.clone(), lock))
        }))
    }

    /// Returns what is remembered of the last failed refresh of an entry. Implements
    /// [`TokenStore::remembered`](crate::TokenStore::remembered).
    pub fn remembered(&self, key: &CacheKey) -> Option<RefreshFailure> {
        entry_lock::remembered(&self.0.beside, key)
    }

    /// Saves a login and replaces whatever is there. A login with a refresh token is not replaced by one without, unless it
    /// is remembered that the server rejected that refresh token for good. Implements
    /// [`TokenStore::save`](crate::TokenStore::save).
    ///
    /// # Errors
    /// Fails if a refresh token would be lost, or if the store fails. Nothing was changed then.
    pub fn save<S: RecordStore + Clone>(
        &self,
        shelf: &S,
        key: &CacheKey,
        session: &Session,
    ) -> Result<(), StoreError> {
        shelf.replace(key, Some(session), &signing_in(&self.0.beside, key, session))
    }

    /// Restores a login where the store holds an older, already used state of it. Implements
    /// [`TokenStore::put_back`](crate::TokenStore::put_back), for stores that are also written by programs that do not use
    /// these locks.
    ///
    /// # Errors
    /// If this fails, nothing was changed.
    pub fn put_back<S: RecordStore + Clone>(
        &self,
        shelf: &S,
        key: &CacheKey,
        session: &Session,
        spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        let beside = &self.0.beside;
        if claim::is_spent(beside, &session.fingerprint(), true) {
            return Ok(false);
        }
        let check = over(beside, key, session, ReplaceRule::Spent(spent));
        was_done(shelf.replace(key, Some(session), &check))
    }

    /// Removes entries that are still in the given state, each in one atomic step. Implements
    /// [`TokenStore::delete_states`](crate::TokenStore::delete_states).
    pub fn delete_states<S: RecordStore + Clone>(
        &self,
        shelf: &S,
        states: &[(CacheKey, Fingerprint)],
    ) -> Vec<Result<bool, StoreError>> {
        let delete = |(key, state): &(CacheKey, Fingerprint)| {
            let (is_its, is_gone) = (expecting(key, state), expecting_nothing(key));
            let check = |found| match found {
                Ok(None) => is_gone(found),
                found => is_its(found),
            };
            was_done(shelf.replace(key, None, &check))
        };
        states.iter().map(delete).collect()
    }

    /// Checks that locks can be created, before the user is asked to sign in. Part of
    /// [`TokenStore::prepare_login`](crate::TokenStore::prepare_login).
    ///
    /// # Errors
    /// Fails if their folder is not writable.
    pub fn prove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.beside.prove_notes(key)
    }

    /// Returns the path of the file next to the locks. Creates the file if it is absent, readable by its owner only, and
    /// removes the rights of others to an existing one. Use it for a database that would otherwise create its file readable
    /// for all. The content of an existing file is kept, and the file is not opened: closing it would release the locks that
    /// the database holds on it.
    ///
    /// # Errors
    /// Fails if the file cannot be created, is not a regular file, or belongs to another user.
    ///
    /// ```
    /// use u2m_cache::EntryLocks;
    /// let folder = tempfile::tempdir().unwrap();
    /// let locks = EntryLocks::beside("SQLite database", folder.path().join("logins.db"));
    /// assert_eq!(std::fs::read(locks.private_file()?).unwrap(), b"");
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn private_file(&self) -> Result<&Path, StoreError> {
        private::make(&self.0.beside.path)?;
        Ok(&self.0.beside.path)
    }

    /// Returns and clears the notices collected so far, for example that these locks do not reach other machines.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.0.beside.take_notices()
    }

    fn spot(&self, key: &CacheKey) -> EntryAddress {
        EntryAddress::new(&self.0.what, &self.0.beside, key)
    }
}

impl fmt::Debug for EntryLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EntryLocks").field(&self.0.beside.path).finish()
    }
}

/// Turns [`StoreError::Superseded`] into `false`: the change was not made, because a newer entry is there.
fn was_done(changed: Result<(), StoreError>) -> Result<bool, StoreError> {
    match changed {
        Ok(()) => Ok(true),
        Err(StoreError::Superseded { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
