//! The store that Databricks' own programs share: `token-cache.json`.
//!
//! Readers take no lock. Writers lock a sibling file, read, change one entry, fill a temporary file, make it last, and put
//! it in place in one step. A refresh holds a lock of its entry besides, so that logins in one file are refreshed side by
//! side. Beside the cache stand `<name>.lock`, the folder `<name>.locks`, and `<name>.u2m.json`.

mod codec;
pub(crate) mod document;
#[cfg(feature = "encrypted")]
mod encrypted;
#[cfg(fuzzing)]
pub mod fuzzing;
mod leftovers;
mod lock;
mod mirror;
#[cfg(feature = "encrypted")]
mod sealed;
mod update;

#[cfg(feature = "encrypted")]
pub use encrypted::EncryptedFileStore;
pub use mirror::Mirror;

use crate::beside::Beside;
use crate::beside::disk::{self, Privacy};
use crate::beside::lock::KeyLock;
use crate::beside::room::Reserve;
use crate::beside::sidecar::Sidecar;
use crate::error::{Shown, StoreError};
use crate::store::{EntryLock, Notice, StoreAddress, TokenStore};
use codec::Codec;
use document::parse;
use mirror::Mirrors;
use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
    codec: Codec,
    mirrors: Mirrors,
    /// What was said already, and is true for longer than one operation.
    told: Mutex<BTreeSet<String>>,
}

impl FileStore {
    /// Uses the file at `path`. Nothing is read, created or checked yet.
    ///
    /// ```
    /// let store = u2m_cache::FileStore::at("/nonexistent/token-cache.json");
    /// assert!(store.path().ends_with("token-cache.json"));
    /// ```
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner::new(path.into(), Codec::Plain)))
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
        Ok(Self::at(path_from(env, "U2M_TOKEN_CACHE", "token-cache.json")?))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.beside.path
    }

    /// The kind of store in which `key` was last saved.
    pub(crate) fn home(&self, key: &CacheKey) -> Option<String> {
        self.0.beside.sidecar().home(key.as_str()).map(str::to_owned)
    }

    /// Records the kind of store in which `key` is.
    pub(crate) fn set_home(&self, key: &CacheKey, home: Option<&str>) -> Result<(), StoreError> {
        self.0.beside.change_sidecar(|sidecar| sidecar.set_home(key.as_str(), home))
    }

    /// What is known of the logins beside their tokens.
    pub(crate) fn sidecar(&self) -> Sidecar {
        self.0.beside.sidecar()
    }

    /// As `load`, with a side file that was read already.
    pub(crate) fn load_with(
        &self,
        key: &CacheKey,
        sidecar: &Sidecar,
    ) -> Result<Option<Session>, StoreError> {
        let Some(session) = self.0.stored(key)? else { return Ok(None) };
        let session = sidecar.complete(key.as_str(), session);
        if session.binding.is_some() {
            return Ok(Some(session));
        }
        // A writer puts the side file in place before the tokens: these may be newer than what was read of it.
        Ok(Some(self.0.beside.sidecar().complete(key.as_str(), session)))
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
        self.0.clear_leftovers(Some(key))
    }

    /// As [`FileStore::clear_leftovers`], for all logins at once: every damaged cache that was set aside goes.
    ///
    /// # Errors
    /// As there.
    pub fn clear_all_leftovers(&self) -> Result<usize, StoreError> {
        self.0.clear_leftovers(None)
    }
}

/// What `variable` says, else `name` in Databricks' folder below the home folder.
fn path_from(
    env: &dyn Fn(&str) -> Option<std::ffi::OsString>,
    variable: &str,
    name: &str,
) -> Result<PathBuf, StoreError> {
    let set = |name| env(name).filter(|value| !value.is_empty());
    if let Some(path) = set(variable) {
        return Ok(PathBuf::from(path));
    }
    let home = set(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).ok_or(StoreError::NoHome)?;
    Ok(Path::new(&home).join(".databricks").join(name))
}

impl Inner {
    fn new(path: PathBuf, codec: Codec) -> Self {
        let (mirrors, told) = (Mirrors::default(), Mutex::default());
        Self { beside: Beside::new(path), codec, mirrors, told }
    }

    /// Says it, unless it was said already.
    fn notice_once(&self, text: String) {
        let is_news = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone());
        if is_news {
            self.beside.notice(text);
        }
    }

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

    /// The cache as a whole: of version 1, of the right form, and sound.
    fn sound<'a>(&self, text: &'a str) -> Result<document::Document<'a>, StoreError> {
        let parsed = parse(text);
        self.check_form(&parsed)?;
        match parsed.broken {
            Some(why) => Err(self.corrupt(why)),
            None => Ok(parsed.document),
        }
    }

    /// Refuses what another version or another kind of store wrote.
    fn check_form(&self, parsed: &document::Parsed<'_>) -> Result<(), StoreError> {
        self.check_version(parsed)?;
        self.codec.check_form(&self.beside.path, parsed)
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

    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        let complete = |session| self.beside.sidecar().complete(key.as_str(), session);
        Ok(match (self.stored(key)?, self.codec.has_sidecar()) {
            (Some(session), true) => Some(complete(session)),
            (session, _) => session,
        })
    }

    /// An entry by itself.
    fn stored(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        let text = zeroize::Zeroizing::new(self.text()?);
        let document = self.sound(&text)?;
        let Some(raw) = document.entry(key.as_str()) else { return Ok(None) };
        Ok(self.codec.read(&self.beside.path, &document, key.as_str(), raw)?.session())
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let text = zeroize::Zeroizing::new(self.text()?);
        let document = self.sound(&text)?;
        Ok(document.keys().into_iter().map(CacheKey::new).collect())
    }

    fn lock(
        self: &Arc<Self>,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let lock = KeyLock::take(&self.beside, key, patience)?;
        Ok(lock.map(|lock| self.locked(key, lock)))
    }

    fn adopt(
        self: &Arc<Self>,
        key: &CacheKey,
        file: File,
    ) -> Result<Box<dyn EntryLock>, StoreError> {
        Ok(self.locked(key, KeyLock::adopt(&self.beside, key, file)?))
    }

    fn locked(self: &Arc<Self>, key: &CacheKey, lock: KeyLock) -> Box<dyn EntryLock> {
        let (store, reserve) = (Arc::clone(self), Reserve::default());
        Box::new(lock::FileLock { store, key: key.clone(), lock, reserve })
    }
}

impl TokenStore for FileStore {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.0.load(key)
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.0.update(key, Some(session), &mut Reserve::default())
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.update(key, None, &mut Reserve::default())
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.0.keys()
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
        // An address says nothing of copies, and who opens it would make none.
        let is_whole = self.0.mirrors.is_empty();
        is_whole.then(|| StoreAddress::File { path: self.path().to_owned() })
    }

    fn take_notices(&self) -> Vec<Notice> {
        self.0.beside.take_notices()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{AccessToken, Binding, Host, RefreshToken};

    fn bound(name: &str) -> Session {
        let host = Host::parse("https://a.example").unwrap();
        let endpoint = "https://a.example/oidc/v1/token".parse().unwrap();
        let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host);
        let session = Session::new(AccessToken::new(name));
        session.with_refresh_token(RefreshToken::new(name)).with_binding(binding)
    }

    #[test]
    fn a_login_that_is_saved_between_the_two_files_keeps_whom_it_belongs_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::at(folder.path().join("token-cache.json"));
        let key = CacheKey::new("dev");
        store.save(&key, &bound("old")).unwrap();
        let read_before = store.sidecar();
        store.save(&key, &bound("new")).unwrap();
        let found = store.load_with(&key, &read_before).unwrap().unwrap();
        assert_eq!((found.access_token.expose(), found.binding), ("new", bound("new").binding));
    }
}
