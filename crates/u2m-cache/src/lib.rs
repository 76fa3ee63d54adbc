//! Where u2m keeps logins.
//!
//! [`TokenStore`] is what every store can do. [`FileStore`] is `token-cache.json`, which Databricks' CLI and Go SDK share;
//! [`MemoryStore`] ends with its process. `RedisStore` (feature `redis`) is for programs on several machines.
//!
//! A store is synchronous, so that a fresh token can be read from a plain `fn main`. Its locks are the operating
//! system's: they end with the process that holds them.
//!
//! ```
//! use std::time::Duration;
//! use u2m_cache::{FileStore, TokenStore};
//! use u2m_core::{AccessToken, CacheKey, RefreshToken, Session};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let store = FileStore::at(folder.path().join("token-cache.json"));
//! let key = CacheKey::new("dev");
//! let session = Session::new(AccessToken::new("a")).with_refresh_token(RefreshToken::new("r"));
//! store.save(&key, &session)?;
//!
//! // A refresh: lock, read again, prove that saving will work, spend the refresh token, save.
//! let mut lock = store.lock(&key, Duration::from_secs(10))?.expect("nobody else is refreshing");
//! let again = store.load(&key)?.unwrap();
//! lock.prove_writable()?;
//! lock.save(&again)?;
//! # Ok::<(), u2m_cache::StoreError>(())
//! ```

mod beside;
mod entry;
mod error;
mod file;
mod gate;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod rfc3339;
#[cfg(any(feature = "encrypted", feature = "redis"))]
mod seal;
mod store;
mod zone;

#[cfg(feature = "redis")]
pub use crate::redis::{RedisSettings, RedisStore};
pub use error::{Shown, StoreError};
pub use file::FileStore;
pub use memory::MemoryStore;
#[cfg(any(feature = "encrypted", feature = "redis"))]
pub use seal::{Cipher, SealError, SealKey};
pub use store::{EntryLock, Notice, StoreAddress, TokenStore};
pub use zone::format_local;
