//! A file store in which a story does something else where it matters, and the same everywhere else.

use std::time::Duration;
use u2m::store::{CacheKey, EntryLock, FileStore, Notice, Session, StoreError, TokenStore};

/// What an operation of a store ends with.
pub(crate) type Stored<T> = Result<T, StoreError>;

/// What [`TokenStore::lock`] ends with.
pub(crate) type Locked = Stored<Option<Box<dyn EntryLock>>>;

/// A twist in a story: whatever it does not change goes to the file.
pub(crate) trait Twist: std::fmt::Debug + Send + Sync {
    fn load(&self, file: &FileStore, key: &CacheKey) -> Stored<Option<Session>> {
        file.load(key)
    }

    fn save(&self, file: &FileStore, key: &CacheKey, session: &Session) -> Stored<()> {
        file.save(key, session)
    }

    fn lock(&self, file: &FileStore, key: &CacheKey, patience: Duration) -> Locked {
        file.lock(key, patience)
    }
}

/// The store with the twist.
#[derive(Debug)]
pub(crate) struct Twisted<T>(pub(crate) FileStore, pub(crate) T);

impl<T: Twist> TokenStore for Twisted<T> {
    fn load(&self, key: &CacheKey) -> Stored<Option<Session>> {
        self.1.load(&self.0, key)
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Stored<()> {
        self.1.save(&self.0, key, session)
    }

    fn delete(&self, key: &CacheKey) -> Stored<()> {
        self.0.delete(key)
    }

    fn keys(&self) -> Stored<Vec<CacheKey>> {
        self.0.keys()
    }

    fn lock(&self, key: &CacheKey, patience: Duration) -> Locked {
        self.1.lock(&self.0, key, patience)
    }

    fn take_notices(&self) -> Vec<Notice> {
        self.0.take_notices()
    }
}
