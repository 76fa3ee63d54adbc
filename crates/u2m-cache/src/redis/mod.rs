//! Logins in a Redis server, for programs on several machines that share them.
//!
//! # How one login is refreshed once
//!
//! 1. The threads of a process queue at a gate; one of them goes on.
//! 2. It takes the entry's **lease**: a key with a random owner that the server drops after 45 seconds. With it comes a
//!    **fence**, a number that is larger than every one given out before. Others ask again every 10 to 240 milliseconds, at
//!    moments of their own.
//! 3. Under the lease it reads the entry again. A fresh token ends it here.
//! 4. Just before the refresh token is sent ([`EntryLock::prove_writable`]), one script renews the lease, checks that fence,
//!    **generation** and **grant** are those that were read, and writes down which refresh token is about to be spent, in as
//!    much room as the answer will need. A holder that was paused past its lease ends here, before sending.
//! 5. One request to the authorization server.
//! 6. One script saves: only if no later fence was given out, and generation and grant have not moved on. Otherwise
//!    [`StoreError::Superseded`]: the newer entry stays, and the caller reads that one.
//! 7. The lease is given back, by its owner only.
//!
//! A login that comes meanwhile takes the next fence, and a grant of its own: the refresh of the login before it loses. A
//! logout takes the next fence too, and leaves a tombstone in the place of the entry for a day: a refresh that ends after
//! it does not bring the login back. Where the server lost its data while a refresh was under way there is no tombstone:
//! what was bought is saved all the same.
//!
//! If a save fails because the server is away, the lease is not given back: until it has run out nobody else sends the
//! refresh token that is already spent, and the program that has the answer tries again to save it.

mod entry;
mod fault;
mod lease;
mod pool;
mod record;
mod scripts;
mod settings;
mod vault;

pub use settings::RedisSettings;

use crate::error::StoreError;
use crate::seal::SealKey;
use crate::store::{EntryLock, Notice, TokenStore};
use entry::Inner;
use pool::Pool;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use u2m_core::{CacheKey, Session};
use vault::Vault;

/// Logins in a Redis server, shared by programs on several machines, sealed with a key that only they have. Clones share
/// their connections.
///
/// It is slow in the sense of [`TokenStore::is_slow`]: each look asks the server. A program keeps the token that it has in
/// hand, and asks when that is no longer fresh.
///
/// ```no_run
/// use u2m_cache::{RedisStore, SealKey, TokenStore};
/// let key = SealKey::parse(&std::env::var("MY_APP_SEAL_KEY")?)?;
/// let store = RedisStore::open("redis://:password@redis.internal:6379/0", &key)?;
/// println!("{} logins", store.keys()?.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What the server sees
///
/// Entries are sealed with a key of the application ([`SealKey`]), and each opens in its own place only. Their names are
/// keyed hashes. The server sees when which entry is refreshed, and how long its text is; it can remove entries, and put
/// back older ones of the same entry, which costs a login and gives nothing away. Without the key, or with another one,
/// the store is empty: changing the key means signing in again.
///
/// # What holds, and what does not
///
/// - **Clocks.** Leases, fences and the life of entries are told by the server's clock alone. The clocks of the machines
///   matter for one thing, whether an access token is still good.
/// - **Lost writes.** A save counts when the server has it in memory. If it then fails before the write has reached its
///   disk or a replica that takes over, the entry of before comes back, whose refresh token is spent, and somebody has to
///   sign in again. `appendfsync always`, or `min-replicas-to-write`, make that unlikely; nothing in Redis excludes it.
/// - **Forgetting.** `maxmemory-policy` has to be `noeviction`: the others drop logins, which is harmless, and leases.
/// - **A pause in the worst moment.** Between the last check of the lease and the request
///   nothing is checked. A machine that stands still exactly
///   there, for longer than a lease, sends a refresh token that another may have spent; what it gets is not saved.
/// - **Names.** Looking up the server's name is bounded by the system's resolver, everything else by the time-out.
/// - Redis 5 or later, or Valkey; one primary server. Of a cluster, entries use one slot each, but nodes are not followed.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

impl RedisStore {
    /// Uses the server at `url`, `redis://[user:password@]host[:port][/database]` or `unix://path`, with the settings of
    /// [`RedisSettings::new`]. Nothing is connected yet.
    ///
    /// # Errors
    /// The URL cannot be used.
    ///
    /// ```
    /// use u2m_cache::{RedisStore, SealKey};
    /// let store = RedisStore::open("redis://:canary@localhost/1", &SealKey::generate()?)?;
    /// assert_eq!(format!("{store:?}"), "RedisStore { server: \"Redis at localhost:6379/1\", prefix: \"u2m\" }");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(url: &str, key: &SealKey) -> Result<Self, StoreError> {
        Self::open_with(url, key, RedisSettings::new())
    }

    /// As [`RedisStore::open`], with settings of the caller's own.
    ///
    /// # Errors
    /// The URL or the settings cannot be used.
    ///
    /// ```
    /// use u2m_cache::{RedisSettings, RedisStore, SealKey};
    /// let settings = RedisSettings::new().with_prefix("any thing");
    /// assert!(RedisStore::open_with("redis://localhost", &SealKey::generate()?, settings).is_err());
    /// # Ok::<(), u2m_cache::SealError>(())
    /// ```
    pub fn open_with(
        url: &str,
        key: &SealKey,
        settings: RedisSettings,
    ) -> Result<Self, StoreError> {
        settings.check().map_err(|why| StoreError::CannotOpen { why })?;
        Ok(Self(Arc::new(Inner {
            pool: Pool::new(url, settings.timeout)?,
            vault: Vault::new(key, &settings.prefix),
            settings,
            notices: Mutex::default(),
        })))
    }
}

impl TokenStore for RedisStore {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.0.read(key, &self.0.vault.place(key))?.session
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.0.sign_in(key, session)
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.delete(key)
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.0.keys()
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let lock = lease::lock(&self.0, key, patience)?;
        Ok(lock.map(|lock| -> Box<dyn EntryLock> { Box::new(lock) }))
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.0.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("server", &self.0.pool.server())
            .field("prefix", &self.0.settings.prefix)
            .finish()
    }
}
