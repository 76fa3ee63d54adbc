//! What every store can do.

use crate::error::StoreError;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, FirstUse, RefreshFailure, Session};

/// A place where logins are kept. Synchronous: reading one must be possible from a plain `fn main`.
///
/// Where it is called: for refreshes, logins and their saves on threads of their own, outside any runtime, so that it may wait for
/// files, locks and networks, within its bounds; by plain code on the caller's own thread; never from within an async function of
/// ours on that function's runtime. Many threads may be in it at once. A panic in it is told as one, and is no failure that may pass.
///
/// The counterpart of `cache.TokenCache` of Databricks' Go package, with what that one lacks: a lock for each entry, a
/// proof that a save will work, and a list.
///
/// A store of one's own need not implement all of it: [`CustomStore`](crate::CustomStore) makes one of three functions.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// Reads an entry, without a lock and without writing. An absent entry, or one without any token, is `None`.
    ///
    /// # Errors
    /// The store, or this entry, cannot be read.
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError>;

    /// Inserts or replaces an entry; never one that has a refresh token by one that has none.
    ///
    /// # Errors
    /// Nothing was changed then.
    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError>;

    /// Puts a login back where a state of it stands that it has replaced: where the entry holds one of the tokens `spent`, or
    /// one that is known to have been spent on the way to it. Whether it did; an entry that is gone, or a newer one, stays as it is. It waits
    /// for no refresh, and is for programs that write without a lock, which may put an old copy of a whole file back.
    ///
    /// A store in which nobody else writes has nothing to put back.
    ///
    /// # Errors
    /// Nothing was changed then.
    fn put_back(
        &self,
        _key: &CacheKey,
        _session: &Session,
        _spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Removes an entry; an absent one is no error.
    ///
    /// # Errors
    /// Nothing was changed then.
    fn delete(&self, key: &CacheKey) -> Result<(), StoreError>;

    /// The keys of all entries, sorted.
    ///
    /// # Errors
    /// The store cannot be read.
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError>;

    /// As [`TokenStore::load`], of several entries at once; one answer each, in their order.
    fn load_all(&self, keys: &[CacheKey]) -> Vec<Result<Option<Session>, StoreError>> {
        keys.iter().map(|key| self.load(key)).collect()
    }

    /// As [`TokenStore::save`], of several entries, by as few writes as the store can make of it; one outcome each, in their
    /// order.
    fn save_all(&self, logins: &[(CacheKey, Session)]) -> Vec<Result<(), StoreError>> {
        logins.iter().map(|(key, session)| self.save(key, session)).collect()
    }

    /// Removes entries that are still in the state named, by as few writes as the store can make of it; one outcome each, in
    /// their order: whether that state is gone. An entry in another state stays, and is `false`.
    ///
    /// What this offers by itself looks and then removes: a store that others write to does both under one lock.
    fn delete_states(&self, states: &[(CacheKey, Fingerprint)]) -> Vec<Result<bool, StoreError>> {
        let delete = |(key, state): &(CacheKey, Fingerprint)| match self.load(key)? {
            Some(session) if session.fingerprint() == *state => self.delete(key).map(|()| true),
            found => Ok(found.is_none()),
        };
        states.iter().map(delete).collect()
    }

    /// The token cache beside which this store's locks of entries stand; stores of one place share them. `None` for locks
    /// that are this store's alone.
    fn locks_beside(&self) -> Option<&Path> {
        None
    }

    /// Takes the lock of an entry, which the operating system releases should this process die. Waits for at most
    /// `patience`, zero meaning not at all; `None` means that somebody else has it.
    ///
    /// Hold it from re-reading the entry to saving it, and never while a person is asked.
    ///
    /// # Errors
    /// There can be no lock: the folder cannot be written, say.
    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError>;

    /// As [`TokenStore::lock`], for a caller that means to hand the lock on ([`EntryLock::hand_over`]): what whoever goes on with it
    /// does at first anyway may be left to that one, and to the claim of a caller that keeps it after all.
    ///
    /// # Errors
    /// As there.
    fn lock_to_hand_over(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.lock(key, patience)
    }

    /// Goes on with a lock that another process of this user took and handed over as an open file.
    ///
    /// # Errors
    /// This store's locks are not handed over, or the file is not that lock.
    fn adopt(&self, key: &CacheKey, file: File) -> Result<Box<dyn EntryLock>, StoreError> {
        let _ = (key, file);
        Err(StoreError::NotHandedOver)
    }

    /// Records which host a login that another program saved is used with, under its name, so that other tokens under that
    /// name change nothing about it; whether that was done. A name that is tied to a host already stays tied to that one.
    /// `config` is the profile file that named the host. Stores that nobody else writes to need none of it.
    ///
    /// # Errors
    /// It cannot be recorded, or not within `patience`.
    fn tie(
        &self,
        _key: &CacheKey,
        _first: &FirstUse,
        _config: Option<&str>,
        _patience: Duration,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// How another process of this user opens the same store; `None` if only this process can.
    fn address(&self) -> Option<StoreAddress> {
        None
    }

    /// Shows that a login can be kept here, before anybody is asked to sign in.
    ///
    /// # Errors
    /// Saving would fail too.
    fn prepare_login(&self, _key: &CacheKey) -> Result<(), StoreError> {
        Ok(())
    }

    /// What is remembered of the last refresh that failed, read without the lock: of the state that is there, or of one before. Nothing
    /// is remembered by stores that have no place for it.
    fn remembered(&self, _key: &CacheKey) -> Option<RefreshFailure> {
        None
    }

    /// Whether a look into it may take long: it asks another program or another machine. An asynchronous caller then asks
    /// on a thread of its own.
    fn is_slow(&self) -> bool {
        false
    }

    /// Takes the notices that have gathered: a file set aside, a mode tightened.
    fn take_notices(&self) -> Vec<Notice> {
        vec![]
    }
}

/// An entry's lock; dropping it gives it back.
pub trait EntryLock: Send {
    /// Reads the entry under this lock. `load` does so as one reads it without ([`TokenStore::load`]), which is enough; a store that
    /// hands on what it reads here, to the claim, the proof and the save, reads it itself.
    ///
    /// # Errors
    /// The store, or this entry, cannot be read.
    fn reload(
        &mut self,
        load: &dyn Fn() -> Result<Option<Session>, StoreError>,
    ) -> Result<Option<Session>, StoreError> {
        load()
    }

    /// What is remembered of the last refresh that failed.
    fn verdict(&mut self) -> Option<RefreshFailure>;

    /// Remembers that a refresh failed.
    ///
    /// # Errors
    /// It is not remembered then, which costs somebody a request.
    fn note(&mut self, verdict: &RefreshFailure) -> Result<(), StoreError>;

    /// What is remembered of a pause at a token endpoint, whichever login met it: by the name of a
    /// [door](u2m_core::RefreshingToken::doors). A store whose logins share nothing remembers none.
    fn pause(&mut self, _door: &Fingerprint) -> Option<RefreshFailure> {
        None
    }

    /// Remembers a pause for all that come to the door that it is about.
    ///
    /// # Errors
    /// It is not remembered then, which costs others a request.
    fn note_pause(&mut self, _pause: &RefreshFailure) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes the lock of the refresh token that is about to be spent, named by the entry's fingerprint, so that a login
    /// which is reached under another name, path or store is not refreshed at the same time. From then on
    /// [`EntryLock::save`] replaces this very state of the entry and no other. It is given back with this lock; claiming
    /// another token gives the last one back.
    ///
    /// # Errors
    /// There can be no such lock: its folder cannot be written, say.
    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        let _ = (of, patience);
        Ok(Claim::Taken)
    }

    /// Shows that the next [`EntryLock::save`] will find room and permission: what it needs is set aside now.
    ///
    /// # Errors
    /// Saving would fail too.
    fn prove_writable(&mut self) -> Result<(), StoreError>;

    /// Saves the entry: in the place of the state that was claimed, else in the place of whatever is there, as a login does.
    ///
    /// # Errors
    /// Nothing was changed then. [`StoreError::Superseded`]: since the claim another program has stored a newer login, or
    /// has removed this one.
    fn save(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Gives the lock up in favour of another process, which goes on with this open file ([`TokenStore::adopt`]); it is
    /// not free in between. `None` where locks cannot go from process to process: it is free then, for the other to take.
    fn hand_over(self: Box<Self>) -> Option<File> {
        None
    }
}

/// What came of claiming a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// Somebody else is spending it at this moment.
    Busy,
    /// It was spent, and what it bought is stored elsewhere: words that name the place.
    Spent(String),
    /// It is held, and nobody is known to have spent it.
    Taken,
    /// It is held, after somebody else has held it: the entry has to be read again.
    Waited,
}

/// How another process of the same user opens the same store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreAddress {
    /// [`EncryptedFileStore`](crate::EncryptedFileStore).
    #[cfg(feature = "encrypted")]
    EncryptedFile {
        /// Where the file is.
        path: PathBuf,
        /// Where its key comes from.
        source: crate::SealKeySource,
    },
    /// [`FileStore`](crate::FileStore).
    File {
        /// Where the file is.
        path: PathBuf,
        /// Which logins are copied, and where ([`FileStore::with_mirror`](crate::FileStore::with_mirror)).
        mirrors: Vec<(CacheKey, crate::Mirror)>,
    },
    /// [`AutoStore`](crate::AutoStore).
    Auto {
        /// The shared file: a [`StoreAddress::File`].
        file: Box<StoreAddress>,
        /// The keyring, if there is one.
        keyring: Option<Box<StoreAddress>>,
        /// The encrypted file, if there is one.
        encrypted: Option<Box<StoreAddress>>,
        /// Which one was asked for by name.
        naming: crate::NamedStore,
    },
    /// `KeyringStore`, of the feature `keyring`, in the keyring of the operating system.
    Keyring {
        /// The token cache that its locks and notes stand beside.
        path: PathBuf,
        /// The service under which its items are.
        service: String,
    },
}

/// Something that a person should hear of, although the operation went on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// One sentence, without tokens.
    pub text: String,
}

impl Notice {
    /// Takes the sentence.
    ///
    /// ```
    /// assert_eq!(u2m_cache::Notice::new("a file was set aside").text, "a file was set aside");
    /// ```
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Says that the login under a host's key is used for a profile that has none (DUAL-5).
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
