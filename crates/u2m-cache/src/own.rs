//! What a store of one's own is made with: the locks of its entries, and the rules of what may replace what.

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

/// What a store of one's own is made of: a place that keeps a login under a name, each as the text of a
/// [`SessionRecord`](u2m_core::SessionRecord), say. [`CustomStore`] makes a store of it.
///
/// That text holds tokens as they are: it belongs where nobody but its owner can read it ([`EntryLocks::private_file`]), or is sealed
/// (`Cipher`, of the features `encrypted` and `redis`).
pub trait RecordStore: fmt::Debug + Send + Sync + 'static {
    /// Reads an entry; an absent one is `None`.
    ///
    /// # Errors
    /// [`StoreError::unreadable`] for what is no login; else the place cannot be read: [`StoreError::other`], or
    /// [`StoreError::passing`].
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError>;

    /// The names of all entries, sorted by their bytes.
    ///
    /// # Errors
    /// The place cannot be read.
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError>;

    /// Puts `login` in the place of what stands under `key`, or removes that for `None`, if `check` agrees to it; all in one
    /// step, so that nobody else's change comes in between. `check` is told what [`RecordStore::load`] would say at that moment,
    /// errors included, and may be asked more than once.
    ///
    /// # Errors
    /// What `check` says, or the place. Nothing was changed then.
    fn replace(
        &self,
        key: &CacheKey,
        login: Option<&Session>,
        check: ReplaceCheck<'_>,
    ) -> Result<(), StoreError>;

    /// Shows that an entry can be written at this moment, before a refresh token is spent or a person is asked. What this offers
    /// by itself writes the present login once more, or removes what is not there.
    ///
    /// # Errors
    /// Saving would fail too.
    fn prove(&self, key: &CacheKey) -> Result<(), StoreError> {
        match self.load(key) {
            Ok(Some(present)) => {
                self.replace(key, Some(&present), &expecting(key, &present.fingerprint()))
            }
            Ok(None) => was_done(self.replace(key, None, &expecting_nothing(key))).map(drop),
            // A login replaces it.
            Err(StoreError::BadEntry { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a look into it may take long: [`TokenStore::is_slow`](crate::TokenStore::is_slow).
    fn is_slow(&self) -> bool {
        false
    }
}

/// The locks of a store of one's own, as files that all processes of a user on one machine share: for each login, and for
/// each refresh token that is being spent, whichever store holds it. The operating system gives them back when their holder
/// dies, whoever waits is woken by it, and the threads of a process stand in line as one. Beside them is remembered how the last
/// refresh failed, for how long a server wants to be left alone, and which refresh tokens are spent; no secret.
///
/// They do not reach other machines: a store that several machines write to needs locks of its own, as `RedisStore` has them.
///
/// [`CustomStore`] uses them; a store that does without it has them in one line of its [`TokenStore`](crate::TokenStore):
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
    /// What kind of store it is, in words.
    what: String,
    beside: SidecarFiles,
}

impl EntryLocks {
    /// Locks that stand beside a file which is the store, or which belongs to it: in `<path>.locks`. `what` says in words what
    /// kind of store it is, for those who are told that a login is kept there.
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

    /// Locks of a store that has no file: in the user's runtime folder, under a name that is the store's. What is remembered there
    /// ends with the session of the user, or when the machine starts again.
    ///
    /// # Errors
    /// The name is not that of a file, or there is no folder that is this user's alone (outside of Unix there is none: use
    /// [`EntryLocks::beside`]).
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

    /// Takes the lock of an entry: what [`TokenStore::lock`](crate::TokenStore::lock) does.
    ///
    /// # Errors
    /// There can be no lock: its folder cannot be written, say.
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

    /// What is remembered of the last refresh of an entry that failed: what
    /// [`TokenStore::remembered`](crate::TokenStore::remembered) does.
    pub fn remembered(&self, key: &CacheKey) -> Option<RefreshFailure> {
        entry_lock::remembered(&self.0.beside, key)
    }

    /// Saves a login in the place of whatever is there, unless that can be renewed and the new one cannot: what
    /// [`TokenStore::save`](crate::TokenStore::save) does.
    ///
    /// # Errors
    /// It would lose a refresh token, or the store failed. Nothing was changed then.
    pub fn save<S: RecordStore + Clone>(
        &self,
        shelf: &S,
        key: &CacheKey,
        session: &Session,
    ) -> Result<(), StoreError> {
        shelf.replace(key, Some(session), &signing_in(&self.0.beside, key, session))
    }

    /// Puts a login back where a state of it stands that was spent: what
    /// [`TokenStore::put_back`](crate::TokenStore::put_back) does, where others write who do not know of these locks.
    ///
    /// # Errors
    /// Nothing was changed then.
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

    /// Removes entries that are still in the state named: what
    /// [`TokenStore::delete_states`](crate::TokenStore::delete_states) does, in one step each.
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

    /// Shows that there can be locks, before anybody is asked to sign in: a part of what
    /// [`TokenStore::prepare_login`](crate::TokenStore::prepare_login) does.
    ///
    /// # Errors
    /// Their folder cannot be written.
    pub fn prove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.beside.prove_notes(key)
    }

    /// The file that they stand beside, made for its owner alone if it is not there; where others have rights to it, these are
    /// taken. For a database that would be made by itself, and for all to read. Its content stays, and one that is there is not
    /// opened: closing it would give back the locks that the database has on it.
    ///
    /// # Errors
    /// It cannot be made, is no regular file, or belongs to somebody else.
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

    /// Takes the notices that have gathered: that these locks do not reach other machines, say.
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

/// Whether a change was made that newer entries stay out of.
fn was_done(changed: Result<(), StoreError>) -> Result<bool, StoreError> {
    match changed {
        Ok(()) => Ok(true),
        Err(StoreError::Superseded { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
