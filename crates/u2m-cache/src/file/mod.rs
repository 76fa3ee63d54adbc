//! The store that Databricks' own programs share: `token-cache.json`.
//!
//! Readers take no lock. Writers lock a sibling file, read, change one entry, fill a temporary file, make it last, and put
//! it in place in one step. A refresh holds a lock of its entry besides, so that logins in one file are refreshed side by
//! side. Beside the cache stand `<name>.lock`, the folder `<name>.locks`, and `<name>.u2m.json`.

pub(crate) mod document;
mod leftovers;
mod lock;
mod update;

use crate::beside::Beside;
use crate::beside::disk::{self, Privacy};
use crate::beside::lock::KeyLock;
use crate::beside::room::Reserve;
use crate::entry::Entry;
use crate::error::{Shown, StoreError};
use crate::store::{EntryLock, Notice, StoreAddress, TokenStore};
use document::parse;
use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{CacheKey, Session};

/// Logins in a file of the form that Databricks' CLI and Go SDK read and write.
///
/// ```
/// use u2m_cache::{FileStore, TokenStore};
/// use u2m_core::{AccessToken, CacheKey, Session};
/// let folder = tempfile::tempdir().unwrap();
/// let store = FileStore::at(folder.path().join("token-cache.json"));
/// let key = CacheKey::new("dev");
/// assert!(store.load(&key)?.is_none(), "a missing file is an empty store");
/// store.save(&key, &Session::new(AccessToken::new("a")))?;
/// assert_eq!(store.keys()?, [key]);
/// # Ok::<(), u2m_cache::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    beside: Beside,
}

impl FileStore {
    /// Uses the file at `path`. Nothing is read, created or checked yet.
    ///
    /// ```
    /// let store = u2m_cache::FileStore::at("/nonexistent/token-cache.json");
    /// assert!(store.path().ends_with("token-cache.json"));
    /// ```
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { beside: Beside::new(path.into()) }))
    }

    /// Uses `U2M_TOKEN_CACHE` if it is set, else `~/.databricks/token-cache.json`, where the home folder comes from `HOME`
    /// (`USERPROFILE` on Windows).
    ///
    /// # Errors
    /// Neither is set.
    ///
    /// ```
    /// if let Ok(store) = u2m_cache::FileStore::for_user() {
    ///     println!("{}", store.path().display());
    /// }
    /// ```
    pub fn for_user() -> Result<Self, StoreError> {
        Self::from_env(&|name| env::var_os(name))
    }

    /// As [`FileStore::for_user`], with an environment of the caller's own.
    ///
    /// # Errors
    /// Neither variable is set.
    ///
    /// ```
    /// let store = u2m_cache::FileStore::from_env(&|name| (name == "HOME").then(|| "/home/me".into()))?;
    /// # if cfg!(unix) {
    /// assert_eq!(store.path(), std::path::Path::new("/home/me/.databricks/token-cache.json"));
    /// # }
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn from_env(env: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, StoreError> {
        let set = |name| env(name).filter(|value| !value.is_empty());
        if let Some(path) = set("U2M_TOKEN_CACHE") {
            return Ok(Self::at(PathBuf::from(path)));
        }
        let home =
            set(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).ok_or(StoreError::NoHome)?;
        Ok(Self::at(Path::new(&home).join(".databricks").join("token-cache.json")))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.beside.path
    }

    /// Removes what stands beside the cache in which tokens of `key` may still be found: damaged caches that were set aside
    /// and temporary files of programs that died. A logout calls it after deleting the entry. How many files were removed.
    ///
    /// A damaged cache goes if it names `key`, if nothing of it can be read, or if text stands behind the damage that may be
    /// anybody's; one that is plainly about other logins stays, for whoever wants to mend it. Files of other users are left
    /// alone, as are temporary files whose owner lives; those of Go programs go when they are an hour old.
    ///
    /// # Errors
    /// The folder cannot be looked into, a file in it not be read or removed, or another process has been writing for too
    /// long. What was removed until then is gone.
    ///
    /// ```
    /// use u2m_cache::{FileStore, TokenStore};
    /// use u2m_core::{AccessToken, CacheKey, Session};
    /// let folder = tempfile::tempdir().unwrap();
    /// let store = FileStore::at(folder.path().join("token-cache.json"));
    /// let key = CacheKey::new("dev");
    /// std::fs::write(store.path(), "damaged").unwrap();
    /// store.save(&key, &Session::new(AccessToken::new("a")))?;
    /// store.delete(&key)?;
    /// assert_eq!(store.clear_leftovers(&key)?, 1, "the damaged file was set aside by the login");
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn clear_leftovers(&self, key: &CacheKey) -> Result<usize, StoreError> {
        self.0.clear_leftovers(key)
    }

    fn locked(&self, key: &CacheKey, lock: KeyLock) -> Box<dyn EntryLock> {
        Box::new(lock::FileLock {
            store: Arc::clone(&self.0),
            key: key.clone(),
            lock,
            reserve: Reserve::default(),
        })
    }
}

impl Inner {
    /// The cache's text; absent is empty.
    fn text(&self) -> Result<String, StoreError> {
        disk::check_folder(self.beside.folder())?;
        let Some(found) = disk::read(&self.beside.path)? else { return Ok(String::new()) };
        let path = Shown::from(self.beside.path.as_path());
        match found.privacy {
            Privacy::Private => {}
            Privacy::Tightened => self.beside.notice(format!(
                "{path} could be read by other users; it is now private. If others may have seen it, log in again"
            )),
            Privacy::Loose => self.beside.notice(format!(
                "{path} can be read by other users, and that cannot be changed; keep it somewhere else, and log in again"
            )),
        }
        // Bytes that are not UTF-8 spoil the string that they stand in, as for Go's reader, and no other entry.
        Ok(String::from_utf8(found.bytes).unwrap_or_else(|error| {
            String::from_utf8_lossy(&zeroize::Zeroizing::new(error.into_bytes())).into_owned()
        }))
    }

    fn corrupt(&self, why: String) -> StoreError {
        StoreError::Corrupt { path: self.beside.path.as_path().into(), why }
    }

    /// The cache as a whole: of version 1, and sound.
    fn sound<'a>(&self, text: &'a str) -> Result<document::Document<'a>, StoreError> {
        let parsed = parse(text);
        self.check_version(&parsed)?;
        match parsed.broken {
            Some(why) => Err(self.corrupt(why)),
            None => Ok(parsed.document),
        }
    }

    /// What a later version wrote may look like damage, and is none.
    fn check_version(&self, parsed: &document::Parsed<'_>) -> Result<(), StoreError> {
        let version = parsed.document.version.as_deref();
        let is_number = version.is_some_and(|version| version.parse::<u64>().is_ok());
        match version {
            Some("1") => Ok(()),
            _ if parsed.broken.is_some() && !is_number => Ok(()),
            other => Err(StoreError::Version {
                path: self.beside.path.as_path().into(),
                version: u2m_core::Foreign::new(other.unwrap_or("0")).to_string(),
            }),
        }
    }
}

impl TokenStore for FileStore {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        let text = zeroize::Zeroizing::new(self.0.text()?);
        let document = self.0.sound(&text)?;
        let Some(raw) = document.entry(key.as_str()) else { return Ok(None) };
        let entry =
            Entry::parse(raw).map_err(|why| StoreError::BadEntry { key: key.clone(), why })?;
        Ok(entry.session().map(|session| self.0.beside.sidecar().complete(key.as_str(), session)))
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.0.update(key, Some(session), &mut Reserve::default())
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.update(key, None, &mut Reserve::default())
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let text = zeroize::Zeroizing::new(self.0.text()?);
        let document = self.0.sound(&text)?;
        Ok(document.keys().into_iter().map(CacheKey::new).collect())
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let lock = KeyLock::take(&self.0.beside, key, patience)?;
        Ok(lock.map(|lock| self.locked(key, lock)))
    }

    fn adopt(&self, key: &CacheKey, file: File) -> Result<Box<dyn EntryLock>, StoreError> {
        Ok(self.locked(key, KeyLock::adopt(&self.0.beside, key, file)?))
    }

    fn address(&self) -> Option<StoreAddress> {
        Some(StoreAddress::File { path: self.path().to_owned() })
    }

    fn take_notices(&self) -> Vec<Notice> {
        self.0.beside.take_notices()
    }
}
