//! What every store can do.

use crate::error::StoreError;
use crate::mode::StorageMode;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;
use u2m_core::{CacheKey, Session, Verdict};

/// A place where logins are kept. Synchronous: reading one must be possible from a plain `fn main`.
///
/// The counterpart of `cache.TokenCache` of Databricks' Go package, with what that one lacks: a lock for each entry, a
/// proof that a save will work, and a list.
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

    /// Goes on with a lock that another process of this user took and handed over as an open file.
    ///
    /// # Errors
    /// This store's locks are not handed over, or the file is not that lock.
    fn adopt(&self, key: &CacheKey, file: File) -> Result<Box<dyn EntryLock>, StoreError> {
        let _ = (key, file);
        Err(StoreError::NotHandedOver)
    }

    /// How another process of this user opens the same store; `None` if only this process can.
    fn address(&self) -> Option<StoreAddress> {
        None
    }

    /// Shows that a login can be kept here, before anybody is asked to sign in.
    ///
    /// # Errors
    /// Saving would fail too.
    fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        let _ = key;
        Ok(())
    }

    /// Whether a look into it may take long: it asks another program or another machine. An asynchronous caller then asks
    /// on a thread of its own.
    fn is_slow(&self) -> bool {
        false
    }

    /// Takes the notices that have gathered: a file set aside, a mode tightened.
    fn take_notices(&self) -> Vec<Notice> {
        Vec::new()
    }
}

/// An entry's lock; dropping it gives it back.
pub trait EntryLock: Send {
    /// What is remembered of the last refresh that failed.
    fn verdict(&mut self) -> Option<Verdict>;

    /// Remembers that a refresh failed.
    ///
    /// # Errors
    /// It is not remembered then, which costs somebody a request.
    fn note(&mut self, verdict: &Verdict) -> Result<(), StoreError>;

    /// Shows that the next [`EntryLock::save`] will find room and permission: what it needs is set aside now.
    ///
    /// # Errors
    /// Saving would fail too.
    fn prove_writable(&mut self) -> Result<(), StoreError>;

    /// Saves the entry.
    ///
    /// # Errors
    /// Nothing was changed then.
    fn save(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Gives the lock up in favour of another process, which goes on with this open file ([`TokenStore::adopt`]); it is
    /// not free in between. `None` where locks cannot go from process to process: it is free then, for the other to take.
    fn hand_over(self: Box<Self>) -> Option<File> {
        None
    }
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
    },
    /// [`AutoStore`](crate::AutoStore).
    Auto {
        /// Where the shared file is.
        file: PathBuf,
        /// The keyring, if there is one.
        keyring: Option<Box<StoreAddress>>,
        /// The encrypted file, if there is one.
        encrypted: Option<Box<StoreAddress>>,
        /// The one that was asked for by name.
        mode: Option<StorageMode>,
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
}
