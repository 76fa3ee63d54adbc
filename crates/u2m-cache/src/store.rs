//! The trait that every store implements, and the types that it uses.

use crate::error::StoreError;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, FirstUse, RefreshFailure, Session};

/// Loads, saves and locks logins. Synchronous, so that a plain `fn main` can read one.
///
/// When u2m refreshes, logs in or saves, it calls the store on dedicated threads outside any async runtime, so an
/// implementation may wait for files, locks and networks within its time limits. Synchronous code calls the store on its own
/// thread. u2m's async functions never call it on their own runtime. Several threads may call it at once. A panic in a store
/// is reported as a panic, never as a transient failure.
///
/// It corresponds to `cache.TokenCache` in Databricks' Go SDK, and adds what that interface lacks: a lock for each entry, a
/// check that a save will succeed, and a list of entries.
///
/// To write your own store you rarely need to implement this whole trait: [`CustomStore`](crate::CustomStore) builds it from
/// three functions.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// Reads an entry without locking or writing. Returns `None` if the entry is absent or holds no token.
    ///
    /// # Errors
    /// Fails if the store or this entry cannot be read.
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError>;

    /// Inserts or replaces an entry. Never replaces an entry that has a refresh token with a session that has none, unless it
    /// is remembered that the authorization server rejected that refresh token for good.
    ///
    /// # Errors
    /// If this fails, nothing was changed.
    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError>;

    /// Restores a login where the store has fallen back to an older, already used state of it. Writes `session` only if the
    /// entry holds one of the tokens `spent`, or a token known to have been spent on the way to `session`. Returns whether it
    /// did. A missing entry or a newer one is left as it is. This does not wait for a running refresh. It exists because
    /// programs that write the whole file without a lock may overwrite it with an old copy.
    ///
    /// A store that nothing else writes to has nothing to restore: the default returns `false`.
    ///
    /// # Errors
    /// If this fails, nothing was changed.
    fn put_back(
        &self,
        _key: &CacheKey,
        _session: &Session,
        _spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Removes an entry. Removing an absent entry is not an error.
    ///
    /// # Errors
    /// If this fails, nothing was changed.
    fn delete(&self, key: &CacheKey) -> Result<(), StoreError>;

    /// Returns the keys of all entries, sorted.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError>;

    /// Like [`TokenStore::load`] for several entries at once. Returns one result for each key, in the same order.
    fn load_all(&self, keys: &[CacheKey]) -> Vec<Result<Option<Session>, StoreError>> {
        keys.iter().map(|key| self.load(key)).collect()
    }

    /// Like [`TokenStore::save`] for several entries, with as few writes as the store can manage. Returns one result for each
    /// login, in the same order.
    fn save_all(&self, logins: &[(CacheKey, Session)]) -> Vec<Result<(), StoreError>> {
        logins.iter().map(|(key, session)| self.save(key, session)).collect()
    }

    /// Removes entries that are still in the given state, with as few writes as the store can manage. Returns one result for
    /// each, in the same order: `true` if that state is gone, `false` if the entry is in another state and was kept.
    ///
    /// The default reads and then removes, in two steps. A store that others write to must do both under one lock.
    fn delete_states(&self, states: &[(CacheKey, Fingerprint)]) -> Vec<Result<bool, StoreError>> {
        let delete = |(key, state): &(CacheKey, Fingerprint)| match self.load(key)? {
            Some(session) if session.fingerprint() == *state => self.delete(key).map(|()| true),
            found => Ok(found.is_none()),
        };
        states.iter().map(delete).collect()
    }

    /// Returns the path of the token cache next to which this store keeps its entry locks. Stores that return the same path
    /// share their locks. Returns `None` if the locks belong to this store alone.
    fn locks_beside(&self) -> Option<&Path> {
        None
    }

    /// Takes the lock of an entry. The operating system releases it if this process dies. Waits for at most `patience`; zero
    /// means not at all. Returns `None` if another holder still has it.
    ///
    /// Hold it from re-reading the entry until the entry is saved, and never while waiting for the user.
    ///
    /// # Errors
    /// Fails if the lock cannot be created, for example because the folder is not writable.
    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError>;

    /// Like [`TokenStore::lock`], for a caller that intends to pass the lock to another process ([`EntryLock::hand_over`]).
    /// The store may skip work that the receiving process does first anyway. If the caller keeps the lock after all, its
    /// claim does that work.
    ///
    /// # Errors
    /// As for [`TokenStore::lock`].
    fn lock_to_hand_over(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.lock(key, patience)
    }

    /// Takes over a lock that another process of the same user took and handed over as an open file.
    ///
    /// # Errors
    /// Fails if this store's locks cannot be handed over, or if the file is not that lock.
    fn adopt(&self, key: &CacheKey, file: File) -> Result<Box<dyn EntryLock>, StoreError> {
        let _ = (key, file);
        Err(StoreError::NotHandedOver)
    }

    /// Records the host that a login saved by another program is used with, so that other tokens that later appear under that
    /// name do not change it. Returns whether this call recorded it. A name that already has a host keeps it. `config` is the
    /// path of the profile file that named the host. Stores that nothing else writes to do not need this.
    ///
    /// # Errors
    /// Fails if it cannot be recorded, or not within `patience`.
    fn tie(
        &self,
        _key: &CacheKey,
        _first: &FirstUse,
        _config: Option<&str>,
        _patience: Duration,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Returns how another process of the same user can open this store, or `None` if only this process can.
    fn address(&self) -> Option<StoreAddress> {
        None
    }

    /// Checks that a login can be stored here. Called before the user is asked to sign in.
    ///
    /// # Errors
    /// Fails if saving would fail too.
    fn prepare_login(&self, _key: &CacheKey) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns what is remembered of the last failed refresh, read without the lock. It may be about the current state of the
    /// entry or an earlier one. A store need not support this: the default returns `None`.
    fn remembered(&self, _key: &CacheKey) -> Option<RefreshFailure> {
        None
    }

    /// Returns whether reading may take long because the store asks another program or another machine. Asynchronous callers
    /// then read on a separate thread.
    fn is_slow(&self) -> bool {
        false
    }

    /// Returns and clears the notices collected so far, for example that a damaged file was set aside or that file
    /// permissions were tightened.
    fn take_notices(&self) -> Vec<Notice> {
        vec![]
    }
}

/// The lock of one entry. Dropping it releases the lock.
pub trait EntryLock: Send {
    /// Reads the entry under this lock. `load` reads it the way [`TokenStore::load`] does, which is enough for the default. A
    /// store that reuses what it reads here in the claim, the writability check and the save reads the entry itself instead.
    ///
    /// # Errors
    /// Fails if the store or this entry cannot be read.
    fn reload(
        &mut self,
        load: &dyn Fn() -> Result<Option<Session>, StoreError>,
    ) -> Result<Option<Session>, StoreError> {
        load()
    }

    /// Returns what is remembered of the last failed refresh of this entry.
    fn refresh_failure(&mut self) -> Option<RefreshFailure>;

    /// Records that a refresh failed.
    ///
    /// # Errors
    /// Fails if it cannot be recorded. The only cost is that another process sends a request that may fail too.
    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError>;

    /// Returns the remembered pause at a token endpoint, whichever login caused it. `door` names what the pause applies to:
    /// one [door](u2m_core::RefreshingToken::doors) of the refresh request. A store whose logins share nothing returns
    /// `None`.
    fn pause(&mut self, _door: &Fingerprint) -> Option<RefreshFailure> {
        None
    }

    /// Records a pause for every login that uses the same door.
    ///
    /// # Errors
    /// Fails if it cannot be recorded. The only cost is that others send a request too early.
    fn note_pause(&mut self, _pause: &RefreshFailure) -> Result<(), StoreError> {
        Ok(())
    }

    /// Locks the refresh token that is going to be used, named by the entry's fingerprint. This prevents the same login from
    /// being refreshed at the same time under another name, path or store. From then on [`EntryLock::save`] replaces this
    /// state of the entry and nothing newer. The claim is released with this lock; claiming another token releases the
    /// previous claim.
    ///
    /// # Errors
    /// Fails if that lock cannot be created, for example because its folder is not writable.
    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        let _ = (of, patience);
        Ok(Claim::Taken)
    }

    /// Checks that the next [`EntryLock::save`] will have disk space and permission, by reserving what it needs now.
    ///
    /// # Errors
    /// Fails if saving would fail too.
    fn prove_writable(&mut self) -> Result<(), StoreError>;

    /// Saves the entry. After a claim it replaces the claimed state, or an older state of this login that another program has
    /// restored, but never a newer login. Without a claim, as in a login, it replaces whatever is there.
    ///
    /// # Errors
    /// If this fails, nothing was changed. [`StoreError::Superseded`] means that another program stored a newer login, or
    /// removed this one, after the claim.
    fn save(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Passes the lock to another process, which continues with the returned open file ([`TokenStore::adopt`]). The lock is
    /// not free in between. Returns `None` if locks cannot move between processes; the lock is then released, and the other
    /// process must take it.
    fn hand_over(self: Box<Self>) -> Option<File> {
        None
    }
}

/// The result of [`EntryLock::claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// Another holder is using the refresh token at this moment.
    Busy,
    /// The refresh token was already used, and the new tokens are not in this entry. The text says where they are, as far as
    /// that is known.
    Spent(String),
    /// The claim is held, and the refresh token is not known to have been used.
    Taken,
    /// Another holder had the claim first, or the entry has changed since it was read: read the entry again.
    Waited,
}

/// What another process of the same user needs to open the same store ([`TokenStore::address`]).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreAddress {
    /// An [`EncryptedFileStore`](crate::EncryptedFileStore).
    #[cfg(feature = "encrypted")]
    EncryptedFile {
        /// The path of the file.
        path: PathBuf,
        /// Where the encryption key comes from.
        source: crate::SealKeySource,
    },
    /// A [`FileStore`](crate::FileStore).
    File {
        /// The path of the file.
        path: PathBuf,
        /// The logins that are copied, and where to ([`FileStore::with_mirror`](crate::FileStore::with_mirror)).
        mirrors: Vec<(CacheKey, crate::Mirror)>,
    },
    /// An [`AutoStore`](crate::AutoStore).
    Auto {
        /// The shared file, as a [`StoreAddress::File`].
        file: Box<StoreAddress>,
        /// The keyring, if there is one.
        keyring: Option<Box<StoreAddress>>,
        /// The encrypted file, if there is one.
        encrypted: Option<Box<StoreAddress>>,
        /// Which store was requested by name.
        naming: crate::NamedStore,
    },
    /// A `KeyringStore` (feature `keyring`) in the operating system's keyring.
    Keyring {
        /// The token cache next to which its locks and notes are kept.
        path: PathBuf,
        /// The service name of its keyring items.
        service: String,
    },
}

/// A message for the user about something that did not stop the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// One sentence. It contains no tokens.
    pub text: String,
}

impl Notice {
    /// Creates a notice from a sentence.
    ///
    /// ```
    /// assert_eq!(u2m_cache::Notice::new("a file was set aside").text, "a file was set aside");
    /// ```
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Creates the notice that a profile has no login of its own and the one stored under its host's key is used (DUAL-5).
    ///
    /// ```
    /// use u2m_cache::Notice;
    /// use u2m_core::CacheKey;
    /// let notice = Notice::of_host_fallback(&CacheKey::new("dev"), &CacheKey::new("https://a.example"));
    /// assert!(notice.text.starts_with("the login 'dev' is not stored"));
    /// ```
    pub fn of_host_fallback(profile: &CacheKey, host_key: &CacheKey) -> Self {
        Self::new(format!(
            "the login '{profile}' is not stored; the one that an older program stored for '{host_key}' is used. To keep \
             one of its own, log in with '{profile}'"
        ))
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
