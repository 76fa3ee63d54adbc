//! The file store: `token-cache.json`, which is shared with Databricks' CLI and Go SDK.
//!
//! Readers take no lock. A writer locks a sibling file, reads the cache, changes one entry, writes a temporary file, syncs it
//! to disk and renames it into place in one step. A refresh also holds a lock of its entry, so that different logins in one
//! file can be refreshed in parallel. Before it uses a refresh token it takes the lock of that token too, so that one login
//! is refreshed only once, whatever name or path leads to it. Next to the cache are `<name>.lock`, the folder `<name>.locks`,
//! and `<name>.u2m.json`.

mod aside;
mod codec;
pub(crate) mod document;
#[cfg(feature = "encrypted")]
mod encrypted;
mod finish;
#[cfg(fuzzing)]
pub mod fuzzing;
mod leftovers;
mod lock;
mod mirror;
mod over;
mod proof;
mod reading;
#[cfg(feature = "encrypted")]
mod sealed;
mod update;

#[cfg(feature = "encrypted")]
pub use encrypted::EncryptedFileStore;
pub(crate) use lock::FileLock;
pub use mirror::Mirror;
pub(crate) use over::ReplaceRule;

use crate::error::StoreError;
use crate::sidecar::SidecarFiles;
use crate::sidecar::lock::{self as entry_lock, KeyLock};
use crate::sidecar::record_file::Sidecar;
use crate::store::{EntryLock, Notice, StoreAddress, TokenStore};
use codec::EntryCodec;
use mirror::MirrorRules;
use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, FirstUse, RefreshFailure, Session};

/// Keeps logins in a file that Databricks' CLI and Go SDK read and write too.
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
pub struct FileStore(Arc<FileStoreInner>);

#[derive(Debug)]
struct FileStoreInner {
    beside: SidecarFiles,
    codec: EntryCodec,
    mirrors: MirrorRules,
}

impl FileStore {
    /// Creates a store for the file at `path`. Nothing is read, created or checked yet.
    ///
    /// ```
    /// let store = u2m_cache::FileStore::at("/nonexistent/token-cache.json");
    /// assert!(store.path().ends_with("token-cache.json"));
    /// ```
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(FileStoreInner::new(path.into(), EntryCodec::Plain)))
    }

    /// Creates a store for the user's token cache: the path in `U2M_TOKEN_CACHE` if that is set, else
    /// `~/.databricks/token-cache.json`. The home folder comes from `HOME` (`USERPROFILE` on Windows).
    ///
    /// # Errors
    /// Fails with [`StoreError::NoHome`] if neither variable is set.
    ///
    /// ```
    /// if let Ok(store) = u2m_cache::FileStore::for_user() {
    ///     println!("{}", store.path().display());
    /// }
    /// ```
    pub fn for_user() -> Result<Self, StoreError> {
        Self::from_env(&|name| env::var_os(name))
    }

    /// Like [`FileStore::for_user`], but reads the environment variables through `env`.
    ///
    /// # Errors
    /// Fails with [`StoreError::NoHome`] if neither variable is set.
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

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.0.beside.path
    }

    /// Returns the kind of store in which `key` was last saved.
    pub(crate) fn home(&self, key: &CacheKey) -> Option<String> {
        self.0.beside.sidecar().home(key.as_str()).map(str::to_owned)
    }

    /// Changes the side file and syncs the change to disk.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Sidecar) -> bool) -> Result<(), StoreError> {
        self.0.beside.change_sidecar_for_good(change)
    }

    /// Removes the record of which host `key` was first used with.
    pub(crate) fn untie(&self, key: &CacheKey) -> Result<(), StoreError> {
        match self.0.beside.sidecar().is_tied(key.as_str()) {
            true => self.0.beside.change_sidecar(|sidecar| sidecar.untie(key.as_str())),
            false => Ok(()),
        }
    }

    /// Reads the side file, which holds what is known about the logins apart from their tokens. A damaged side file counts as
    /// empty. One that cannot be read now is an error, because it says which store each login is in.
    ///
    /// # Errors
    /// Fails if it cannot be read now.
    pub(crate) fn sidecar(&self) -> Result<Sidecar, StoreError> {
        self.0.beside.sidecar_to_change()
    }

    /// Reads a login and then the side file, which is read once, after the tokens.
    pub(crate) fn load_and_sidecar(
        &self,
        key: &CacheKey,
    ) -> Result<Option<(Session, Sidecar)>, StoreError> {
        let Some(session) = self.0.stored(key)? else { return Ok(None) };
        let sidecar = self.sidecar()?;
        Ok(Some((self.0.complete_by(&sidecar, key, session), sidecar)))
    }

    /// Like `lock`. Unless `is_to_finish` is set, it leaves for later what a dead writer had prepared but not put in place.
    pub(crate) fn hold(
        &self,
        key: &CacheKey,
        patience: Duration,
        is_to_finish: bool,
    ) -> Result<Option<FileLock>, StoreError> {
        self.0.hold(key, patience, is_to_finish)
    }

    /// Completes what a dead writer had prepared, and then reads the login. Also returns the writers' lock file, for
    /// [`FileStore::held`].
    #[allow(clippy::type_complexity)]
    pub(crate) fn finished(
        &self,
        key: &CacheKey,
    ) -> Result<(Option<(Session, Sidecar)>, Option<File>), StoreError> {
        let (_, writers) = self.0.finish_for_the_dead()?;
        // An entry that cannot be read now is read again under the lock.
        Ok((self.load_and_sidecar(key).unwrap_or_default(), writers))
    }

    /// Like `adopt`, after [`FileStore::finished`].
    pub(crate) fn held(
        &self,
        key: &CacheKey,
        file: File,
        writers: Option<File>,
    ) -> Result<FileLock, StoreError> {
        Ok(self.0.adopted(key, file)?.finished(writers))
    }

    /// Like `load`, with a side file that was already read.
    pub(crate) fn load_with(
        &self,
        key: &CacheKey,
        sidecar: &Sidecar,
    ) -> Result<Option<Session>, StoreError> {
        let Some(session) = self.0.stored(key)? else { return Ok(None) };
        let known = sidecar.complete(key.as_str(), session.clone());
        if known.binding.is_some() {
            return Ok(Some(known));
        }
        // A writer puts the side file in place before the tokens: these may be newer than the side file that was read.
        Ok(Some(self.0.complete(key, session)))
    }

    /// Removes files next to the cache in which tokens of `key` may still be found: damaged caches that were set aside, and
    /// temporary files of programs that died. A logout calls this after it has deleted the entry. Returns the number of files
    /// removed.
    ///
    /// A damaged cache is removed if it names `key`, if nothing in it can be parsed, or if the text after the damage could
    /// belong to any login. A damaged cache that is clearly about other logins is kept so that it can be repaired. Files of
    /// other users are left alone, and so are temporary files whose owner is still running. Temporary files of Go programs
    /// are removed when they are an hour old.
    ///
    /// # Errors
    /// Fails if the folder cannot be read, if a file in it cannot be read or removed, or if another process has been writing
    /// for too long. Files removed before the error stay removed.
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

    /// Like [`FileStore::clear_leftovers`], for all logins at once: removes every damaged cache that was set aside.
    ///
    /// # Errors
    /// As for [`FileStore::clear_leftovers`].
    pub fn clear_all_leftovers(&self) -> Result<usize, StoreError> {
        self.0.clear_leftovers(None)
    }
}

/// Returns the path in `variable`, else `name` in Databricks' folder below the home folder.
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

impl FileStoreInner {
    fn new(path: PathBuf, codec: EntryCodec) -> Self {
        Self { beside: SidecarFiles::new(path), codec, mirrors: MirrorRules::default() }
    }

    fn lock(
        self: &Arc<Self>,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let held = self.hold(key, patience, true)?;
        Ok(held.map(|lock| Box::new(lock) as Box<dyn EntryLock>))
    }

    /// Returns what is remembered of the last failed refresh of an entry.
    fn remembered(&self, key: &CacheKey) -> Option<RefreshFailure> {
        entry_lock::remembered(&self.beside, key)
    }

    fn hold(
        self: &Arc<Self>,
        key: &CacheKey,
        patience: Duration,
        is_to_finish: bool,
    ) -> Result<Option<FileLock>, StoreError> {
        let Some(lock) = KeyLock::take(&self.beside, key, patience)? else { return Ok(None) };
        let mut lock = FileLock::new(self, key, lock);
        if is_to_finish || lock.has_verdict() {
            lock.finish()?;
        }
        Ok(Some(lock))
    }

    fn adopt(
        self: &Arc<Self>,
        key: &CacheKey,
        file: File,
    ) -> Result<Box<dyn EntryLock>, StoreError> {
        let mut lock = self.adopted(key, file)?;
        lock.finish()?;
        Ok(Box::new(lock))
    }

    fn adopted(self: &Arc<Self>, key: &CacheKey, file: File) -> Result<FileLock, StoreError> {
        Ok(FileLock::new(self, key, KeyLock::adopt(&self.beside, key, file)?))
    }
}

impl TokenStore for FileStore {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.0.load(key)
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.0.save(key, session)
    }

    fn put_back(
        &self,
        key: &CacheKey,
        session: &Session,
        spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        self.0.put_back(key, session, spent)
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.delete(key)
    }

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

    fn lock_to_hand_over(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let held = self.0.hold(key, patience, false)?;
        Ok(held.map(|lock| Box::new(lock) as Box<dyn EntryLock>))
    }

    fn adopt(&self, key: &CacheKey, file: File) -> Result<Box<dyn EntryLock>, StoreError> {
        self.0.adopt(key, file)
    }

    fn tie(
        &self,
        key: &CacheKey,
        first: &FirstUse,
        config: Option<&str>,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        self.0.beside.tie(key, first, config, patience)
    }

    fn address(&self) -> Option<StoreAddress> {
        Some(StoreAddress::File { path: self.path().to_owned(), mirrors: self.0.mirrors.all() })
    }

    fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.prepare_login(key)
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
        let read_before = store.sidecar().unwrap();
        store.save(&key, &bound("new")).unwrap();
        let found = store.load_with(&key, &read_before).unwrap().unwrap();
        assert_eq!((found.access_token.expose(), found.binding), ("new", bound("new").binding));
    }
}
