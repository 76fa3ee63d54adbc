//! Token stores for u2m: where logins (access and refresh tokens) are kept between program runs.
//!
//! Every store implements [`TokenStore`]. Choose one of these:
//!
//! * [`FileStore`]: the file `token-cache.json`, which Databricks' CLI and Go SDK also read and write.
//! * [`MemoryStore`]: this process only, nothing on disk.
//! * `KeyringStore` (feature `keyring`): the operating system's keyring, in the same items as Databricks' CLI.
//! * `EncryptedFileStore` (feature `encrypted`): a file that only u2m reads, encrypted with a key.
//! * `RedisStore` (feature `redis`): a Redis server, for programs on several machines.
//! * [`AutoStore`]: combines the file, the keyring and the encrypted file, and finds each login where it was saved.
//! * [`CustomStore`]: your own storage. Implement [`RecordStore`], which keeps each login as the text of a
//!   [`SessionRecord`](u2m_core::SessionRecord), and add [`EntryLocks`]. `u2m_testkit::conformance` tests whether your store
//!   follows the rules.
//!
//! [`ForeignLogins`] finds the logins of other SDKs, and [`PythonCache`] reads and writes those of the Python SDK.
//!
//! Stores are synchronous, so that a plain `fn main` can read a valid token.
//!
//! Their locks are operating system locks: a lock ends with the process that holds it.
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

// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod auto;
mod entry;
mod error;
mod fault;
mod file;
mod foreign;
#[cfg(any(feature = "encrypted", feature = "keyring", feature = "redis"))]
mod hex;
#[cfg(feature = "encrypted")]
mod key_source;
#[cfg(feature = "keyring")]
mod keyring;
mod memory;
mod mode;
mod named_mutex;
mod own;
#[cfg(feature = "encrypted")]
mod payload;
#[cfg(feature = "redis")]
mod redis;
mod rfc3339;
#[cfg(any(feature = "encrypted", feature = "redis"))]
mod seal;
mod sidecar;
mod store;
mod zone;

pub use auto::{AutoStore, HeldLogin, NamedStore, Snapshot};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use file::fuzzing;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use foreign::fuzzing as foreign_fuzzing;
#[cfg(all(fuzzing, feature = "redis"))]
#[doc(hidden)]
pub use redis::fuzzing as redis_fuzzing;

#[cfg(feature = "redis")]
pub use crate::redis::{RedisSettings, RedisStore};
pub use error::{DisplayPath, StoreError};
#[cfg(feature = "encrypted")]
pub use file::EncryptedFileStore;
pub use file::{FileStore, Mirror};
pub use foreign::{
    ForeignLogins, FoundLogin, IMPORT_WARNING, ImportError, ImportLogin, ImportSource, Imported,
    JavaCache, JavaLogin, PythonCache, PythonLogin, RefusedLogin, python_host, python_scopes,
};
#[cfg(feature = "encrypted")]
pub use key_source::SealKeySource;
#[cfg(feature = "keyring")]
pub use keyring::{Keyring, KeyringError, KeyringStore, SystemKeyring, TimeoutKeyring};
pub use memory::MemoryStore;
pub use mode::StorageMode;
pub use own::{CustomStore, EntryLocks, RecordStore, ReplaceCheck};
#[cfg(any(feature = "encrypted", feature = "redis"))]
pub use seal::{Cipher, SealError, SealKey};
pub use store::{Claim, EntryLock, Notice, StoreAddress, TokenStore};
pub use zone::format_local;
