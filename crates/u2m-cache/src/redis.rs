//! A store that keeps logins in a Redis server, for programs on several machines that share them.
//!
//! # How one login is refreshed once
//!
//! 1. Of the threads of a process that want an entry, one goes on and the others wait for its result (`entry_queues.rs`).
//!    Once there is a change they all go on together, without the lease: each reads the entry itself, and most find a valid
//!    token. Threads that read the same entry at the same moment share one request (`queue.rs`).
//! 2. That thread takes the entry's **lease**: a key with a random owner that the server deletes after 45 seconds. It also
//!    gets a **fence**, a number that is larger than every one given out before. Others retry every 5 to 120 milliseconds, at
//!    random moments, and stop when the entry has changed.
//! 3. Under the lease it reads the entry again. If there is a valid token now, it is done.
//! 4. Just before the refresh token is sent ([`EntryLock::claim`]), it takes the **claim** to the refresh token. The record
//!    of the claim is named by a keyed hash of the token, so that it is the same for all entries that hold the token. The
//!    order is always entry first, token second. In the same round trip, one script renews the lease, checks that fence,
//!    **generation** and **grant** are those that were read, and records which refresh token is going to be sent, in as much
//!    space as the response will need. A holder that was paused until after its lease ended, while another was there, stops
//!    here, before it sends anything.
//! 5. It sends one request to the authorization server. Meanwhile a thread renews lease and claim.
//! 6. One script saves the response, unless something newer was saved since the claim, which is [`StoreError::Superseded`].
//!    Another script records that the refresh token is used up, and for which entry.
//! 7. Lease and claim are released, by their owner only.
//!
//! **A response is saved unless something newer was saved.** A lease that ended, a later fence, or a replica that took over
//! and knows neither, does not prevent that: the response is saved as long as the entry holds the claimed state or an older
//! one, or is gone without a logout. Fences decide between two responses to one refresh token: the later holder's response
//! counts, until the refresh token of the other response is being used.
//!
//! **A refresh token that may have been sent is not sent again without need.** If the owner of a claim no longer renews it,
//! the claim still stands for as long as a response may take: 90 seconds from when it was made. Callers that want the token
//! wait for the response to be saved, within their own patience. Only then is the token sent again, and if it is rejected, a
//! notice says why.
//!
//! **A refresh token that is used up is not sent.** If another entry of the store holds the resulting tokens, the claim
//! copies that login to its own entry. If that other entry has a different login by now, nothing is sent, and the error names
//! the entry for which the token was used. The record of a used refresh token is kept for a day, or as long as an entry lives
//! if two entries have held the token.
//!
//! A login in the meantime takes the next fence and a grant of its own: the refresh of the previous login loses. A logout
//! also takes the next fence and leaves a tombstone in place of the entry for a day, so a refresh that ends after it does not
//! bring the login back. If the server lost its data during a refresh there is no tombstone, and the response is saved.
//!
//! If a save fails because the server is unreachable, the lease is not released. Until it ends nobody else sends the refresh
//! token, which is already used, and the program that has the response retries the save.

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

/// Keeps logins in a Redis server, shared by programs on several machines and encrypted with a key that only they have.
/// Clones share their connections, as do all stores of a process that were opened with the same URL.
///
/// The store is slow in the sense of [`TokenStore::is_slow`]: each read sends a request to the server. A program should keep
/// the access token that it has and read again only when that is about to expire.
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
/// Entries are encrypted with a key of the application ([`SealKey`]), and each can be decrypted only in its own place. The
/// names of entries and of refresh tokens are keyed hashes. The server sees when which entry is refreshed, which entries hold
/// the same refresh token, how long the values are, and which clients' clocks are wrong. It can remove entries, and restore
/// older values of the same entry, which costs a login and reveals nothing. Without the key, or with another one, the store
/// is empty: changing the key means signing in again.
///
/// # What holds, and what does not
///
/// - **Clocks.** The lifetimes of leases, fences and entries depend on the server's clock only. Each login records how far
///   its writer's clock was ahead of the server's clock, so that a machine with a wrong clock cannot make an expired token
///   look valid to another machine.
/// - **Lost writes.** A save succeeds when the server has it in memory. If the server then fails before the write reaches its
///   disk or the replica that takes over, the previous entry comes back, whose refresh token is already used. A store that
///   has saved the newer state writes it again at the next access and gives a notice. If no such program is running any more,
///   a user must sign in again. `appendfsync always` or `min-replicas-to-write` make this unlikely; nothing in Redis rules it
///   out.
/// - **Eviction.** `maxmemory-policy` must be `noeviction`. Other policies drop logins, which is harmless, and leases, which
///   is not.
/// - **A pause at the worst moment.** Nothing is checked between the last check of the lease and the request. A machine that
///   is suspended exactly there, for longer than a response may take, sends a refresh token that another may have used. Its
///   response is saved only if the other has saved nothing.
/// - **A crash at the worst moment.** If a program dies while it has claimed a refresh token, nobody knows whether it sent
///   the token. The others wait for as long as a response may take ([`RedisSettings::with_token_answer_limit`]) before they send it
///   again.
/// - **DNS.** Looking up the server's name takes as long as the system's resolver allows. Everything else is limited by the
///   timeout, and responses are limited in size.
/// - **Versions.** Redis 5 or later, or Valkey, with one primary server. In a cluster each entry uses one slot, but
///   redirections to other nodes are not followed.
#[derive(Clone)]
pub struct RedisStore(Arc<RedisStoreInner>);

impl RedisStore {
    /// Creates a store on the server at `url`, which is `redis://[user:password@]host[:port][/database]` or `unix://path`,
    /// with the settings of [`RedisSettings::new`]. It does not connect yet.
    ///
    /// # Errors
    /// Fails if the URL is invalid.
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

    /// Like [`RedisStore::open`], with the given settings.
    ///
    /// # Errors
    /// Fails if the URL or the settings are invalid.
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

    /// Takes the lease of the entry and releases it, which is a write. If another holder has the lease, that also shows that
    /// the server accepts writes.
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
