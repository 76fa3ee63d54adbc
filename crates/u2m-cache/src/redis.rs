//! Logins in a Redis server, for programs on several machines that share them.
//!
//! # How one login is refreshed once
//!
//! 1. Of the threads of a process that want an entry one goes on, and the others wait for what it brings (`waves.rs`). Once
//!    there is news they all go on together, without the lease: each looks for itself, and most find a fresh token. Who
//!    reads the same entry at the same moment shares one question (`room.rs`).
//! 2. The one takes the entry's **lease**: a key with a random owner that the server drops after 45 seconds. With it comes a
//!    **fence**, a number that is larger than every one given out before. Others ask again every 5 to 120 milliseconds, at
//!    moments of their own, and stop asking when the entry has changed.
//! 3. Under the lease it reads the entry again. A fresh token ends it here.
//! 4. Just before the refresh token is sent ([`EntryLock::claim`]), it takes the **claim** to the refresh token, whose record
//!    is named by a keyed hash of it, whichever entries hold it: entry first, token second. With it, one script renews the
//!    lease, checks that fence, **generation** and **grant** are those that were read, and writes down which refresh token is
//!    about to be spent, in as much room as the answer will need. A holder that was paused past its lease while somebody
//!    else was there ends here, before sending.
//! 5. One request to the authorization server. Meanwhile a thread renews lease and claim.
//! 6. One script saves: unless something newer was saved since the claim, which is [`StoreError::Superseded`]. Another writes
//!    down that the refresh token is spent, and for which entry.
//! 7. Lease and claim are given back, by their owner only.
//!
//! **An answer is saved unless something newer was.** A lease that ran out, a later fence, or a server that took over and
//! has never heard of either do not count against it: while the entry holds what was claimed, or an older state, or is gone
//! without a logout, it is saved. Fences decide between two answers to one refresh token: that of the later holder counts,
//! until the other one's own refresh token is being spent.
//!
//! **A token that may have been sent is not sent again without need.** A claim whose owner is not heard of any more is left
//! alone for as long as an answer may take, 90 seconds from when it was made; who wants it waits for the answer to be saved,
//! as far as its patience goes. Only then is the token sent again, and if it is refused, a notice says why.
//!
//! **A token that is spent is not sent.** Where another entry of the store has what it bought, the claim copies that login
//! to its own entry; where that one has another login by now, nothing is sent, and the error says for which entry it was
//! spent. The record of a spent token is kept for a day, and for as long as an entry lives where two have held it.
//!
//! A login that comes meanwhile takes the next fence, and a grant of its own: the refresh of the login before it loses. A
//! logout takes the next fence too, and leaves a tombstone in the place of the entry for a day: a refresh that ends after
//! it does not bring the login back. Where the server lost its data while a refresh was under way there is no tombstone:
//! what was bought is saved all the same.
//!
//! If a save fails because the server is away, the lease is not given back: until it has run out nobody else sends the
//! refresh token that is already spent, and the program that has the answer tries again to save it.

mod address;
mod claim;
mod entry;
mod entry_queues;
mod fault;
#[cfg(fuzzing)]
pub mod fuzzing;
mod lease;
mod pool;
mod queue;
mod record;
mod renew;
mod reply;
mod script;
mod sealer;
mod settings;
mod turn;
mod wire;

pub use settings::RedisSettings;

use crate::error::StoreError;
use crate::seal::SealKey;
use crate::store::{EntryLock, Notice, TokenStore};
use entry::RedisStoreInner;
use pool::Pool;
use sealer::EntrySealer;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use u2m_core::{CacheKey, Session};

/// Logins in a Redis server, shared by programs on several machines, sealed with a key that only they have. Clones share
/// their connections, and so do all stores of a process that were opened with one URL.
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
/// keyed hashes, and so are those of refresh tokens. The server sees when which entry is refreshed, which entries hold the
/// same refresh token, how long their texts are, and whose clock is wrong; it can remove entries, and put
/// back older ones of the same entry, which costs a login and gives nothing away. Without the key, or with another one,
/// the store is empty: changing the key means signing in again.
///
/// # What holds, and what does not
///
/// - **Clocks.** Leases, fences and the life of entries are told by the server's clock alone. With each login it is kept by
///   how much the clock of its writer was ahead of the server's, so that a machine whose clock is wrong makes no token that
///   has run out look fresh to another.
/// - **Lost writes.** A save counts when the server has it in memory. If it then fails before the write has reached its
///   disk or a replica that takes over, the entry of before comes back, whose refresh token is spent. A store that has saved
///   the newer state, and is asked again, puts it back, and gives a notice; where no such program is left, somebody has to
///   sign in again. `appendfsync always`, or `min-replicas-to-write`, make that unlikely; nothing in Redis excludes it.
/// - **Forgetting.** `maxmemory-policy` has to be `noeviction`: the others drop logins, which is harmless, and leases.
/// - **A pause in the worst moment.** Between the last check of the lease and the request nothing is checked. A machine that
///   stands still exactly there, for longer than an answer may take, sends a refresh token that another may have spent;
///   what it gets is saved only where the other has saved nothing.
/// - **A death in the worst moment.** Of a program that dies with a refresh token claimed nobody knows whether it sent it.
///   The others wait for as long as an answer may take ([`RedisSettings::with_answer_time`]) before they send it again.
/// - **Names.** Looking up the server's name is bounded by the system's resolver, everything else by the time-out,
///   and answers in their size.
/// - Redis 5 or later, or Valkey; one primary server. Of a cluster, entries use one slot each, but nodes are not followed.
#[derive(Clone)]
pub struct RedisStore(Arc<RedisStoreInner>);

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
        Ok(Self(Arc::new(RedisStoreInner {
            pool: Pool::shared(url, settings.timeout)?,
            vault: EntrySealer::new(key, &settings.prefix),
            settings,
            notices: Mutex::default(),
            saved: Mutex::default(),
            debts: Mutex::default(),
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

    /// Takes the lease of the entry and gives it back: that is a write. One that another has shows that the server takes some.
    fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        lease::lock(&self.0, key, Duration::ZERO).map(drop)
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
