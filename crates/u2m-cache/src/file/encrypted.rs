//! A store that keeps logins in an encrypted file that only u2m reads.

use super::codec::EntryCodec;
use super::sealed::SealedCodec;
use super::{FileStoreInner, path_from};
use crate::error::StoreError;
use crate::key_source::SealKeySource;
use crate::store::{EntryLock, Notice, StoreAddress, TokenStore};
use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session};

/// Keeps logins in a file whose entries are encrypted with a key. Locks, writes and guarantees are those of a
/// [`FileStore`](crate::FileStore), but no other program reads the file. Whoever can read it learns only the names of the
/// logins.
///
/// The issuer, host and client of a login are encrypted together with its tokens, so that nobody can redirect a refresh token
/// by changing a file. An entry that was changed, or put in the place of another, is refused ([`StoreError::BadEntry`]); the
/// other entries still work. Nothing is written with a key that does not fit the existing entries ([`StoreError::WrongKey`]).
/// Encryption does not prevent someone with write access from restoring an older state of the file or of one entry, or from
/// removing an entry.
///
/// ```
/// use u2m_cache::{EncryptedFileStore, SealKeySource, TokenStore};
/// use u2m_core::{AccessToken, CacheKey, Session};
/// let folder = tempfile::tempdir().unwrap();
/// let source = SealKeySource::File(folder.path().join("key"));
/// let store = EncryptedFileStore::at(folder.path().join("token-cache.sealed.json"), source);
/// let key = CacheKey::new("dev");
/// store.save(&key, &Session::new(AccessToken::new("secret")))?;
/// assert_eq!(store.load(&key)?.unwrap().access_token.expose(), "secret");
/// assert!(!std::fs::read_to_string(store.path()).unwrap().contains("secret"));
/// # Ok::<(), u2m_cache::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EncryptedFileStore(Arc<FileStoreInner>);

impl EncryptedFileStore {
    /// Creates a store for the file at `path`, with the key from `source`. Nothing is read or created yet, and the key is not
    /// requested yet.
    ///
    /// ```
    /// use u2m_cache::{EncryptedFileStore, SealKey, SealKeySource};
    /// let source = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
    /// let store = EncryptedFileStore::at("/nonexistent/token-cache.sealed.json", source);
    /// assert!(!format!("{store:?}").contains('7'));
    /// ```
    pub fn at(path: impl Into<PathBuf>, source: SealKeySource) -> Self {
        Self(Arc::new(FileStoreInner::new(
            path.into(),
            EntryCodec::Sealed(SealedCodec::new(source)),
        )))
    }

    /// Creates a store for the user's encrypted file: the path in `U2M_SEALED_TOKEN_CACHE` if that is set, else
    /// `~/.databricks/token-cache.sealed.json`. The home folder comes from `HOME` (`USERPROFILE` on Windows).
    ///
    /// # Errors
    /// Fails with [`StoreError::NoHome`] if neither variable is set.
    ///
    /// ```
    /// use u2m_cache::{EncryptedFileStore, SealKeySource};
    /// let source = SealKeySource::File("/run/keys/u2m.key".into());
    /// if let Ok(store) = EncryptedFileStore::for_user(source) {
    ///     println!("{}", store.path().display());
    /// }
    /// ```
    pub fn for_user(source: SealKeySource) -> Result<Self, StoreError> {
        Self::from_env(&|name| env::var_os(name), source)
    }

    /// Like [`EncryptedFileStore::for_user`], but reads the environment variables through `env`.
    ///
    /// # Errors
    /// Fails with [`StoreError::NoHome`] if neither variable is set.
    ///
    /// ```
    /// use u2m_cache::{EncryptedFileStore, SealKey, SealKeySource};
    /// let source = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
    /// let env = |name: &str| (name == "HOME").then(|| "/home/me".into());
    /// let store = EncryptedFileStore::from_env(&env, source)?;
    /// # if cfg!(unix) {
    /// assert_eq!(store.path(), std::path::Path::new("/home/me/.databricks/token-cache.sealed.json"));
    /// # }
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn from_env(
        env: &dyn Fn(&str) -> Option<OsString>,
        source: SealKeySource,
    ) -> Result<Self, StoreError> {
        let path = path_from(env, "U2M_SEALED_TOKEN_CACHE", "token-cache.sealed.json")?;
        Ok(Self::at(path, source))
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.0.beside.path
    }

    fn sealed(&self) -> Option<&SealedCodec> {
        match &self.0.codec {
            EntryCodec::Sealed(sealed) => Some(sealed),
            EntryCodec::Plain => None,
        }
    }
}

impl TokenStore for EncryptedFileStore {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.0.load(key)
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.0.save(key, session)
    }

    /// Does not need the key.
    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.delete(key)
    }

    /// Does not need the key.
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.0.keys()
    }

    fn load_all(&self, keys: &[CacheKey]) -> Vec<Result<Option<Session>, StoreError>> {
        self.0.load_all(keys)
    }

    fn save_all(&self, logins: &[(CacheKey, Session)]) -> Vec<Result<(), StoreError>> {
        self.0.save_all(logins)
    }

    fn delete_states(&self, states: &[(CacheKey, Fingerprint)]) -> Vec<Result<bool, StoreError>> {
        self.0.delete_states(states)
    }

    fn remembered(&self, key: &CacheKey) -> Option<RefreshFailure> {
        self.0.remembered(key)
    }

    fn locks_beside(&self) -> Option<&Path> {
        Some(self.path())
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.0.lock(key, patience)
    }

    fn adopt(&self, key: &CacheKey, file: File) -> Result<Box<dyn EntryLock>, StoreError> {
        self.0.adopt(key, file)
    }

    fn address(&self) -> Option<StoreAddress> {
        let source = self.sealed()?.source_for_others();
        Some(StoreAddress::EncryptedFile { path: self.path().to_owned(), source })
    }

    fn is_slow(&self) -> bool {
        self.sealed().is_some_and(SealedCodec::is_slow)
    }

    fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.prepare_login(key)
    }

    fn take_notices(&self) -> Vec<Notice> {
        self.0.beside.take_notices()
    }
}
