//! The folder in which Databricks' Python SDK keeps the logins of its auth type `external-browser`.

use super::python_file::{self, ParsedPythonFile};
use super::python_host::python_host;
use super::python_name::PythonLogin;
use super::read::{self, home};
use crate::error::{DisplayPath, StoreError};
use crate::sidecar::temp_file::{self, UpdateReserve};
use crate::sidecar::{SidecarFiles, disk};
use crate::store::Notice;
use crate::zone::offset_at;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use u2m_core::{CacheKey, Host, Session};

/// Reads and writes the login files of Databricks' Python SDK: one file for each login, in a folder below the user's home.
///
/// Reading does not change a file's contents or times. Writing replaces a file in one step, under a lock that only u2m takes.
/// The Python SDK takes no lock, and a running Python process keeps its own copy of what it has read.
///
/// | to | use |
/// |---|---|
/// | import a login once | [`ForeignLogins`](crate::ForeignLogins) |
/// | let a login made with u2m serve Python too | [`PythonCache::write`] after the login |
/// | use one file from both | [`PythonCache::read`], refresh under your own lock, [`PythonCache::write`]; never while a Python process may refresh |
///
/// ```
/// use u2m_cache::{PythonCache, PythonLogin};
/// use u2m_core::{AccessToken, Session, Timestamp};
/// let home = tempfile::tempdir().unwrap();
/// let cache = PythonCache::at(home.path().join("oauth"));
/// let login = PythonLogin::new("https://my-workspace.cloud.databricks.com").with_profile("dev");
/// let session = Session::new(AccessToken::new("a")).with_expiry(Timestamp::from_unix(1_800_000_000));
/// let path = cache.write(&login, &session)?;
/// assert_eq!(cache.find(&login), Some(path));
/// assert_eq!(cache.read(&login)?, Some(session));
/// # Ok::<(), u2m_cache::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PythonCache {
    folder: PathBuf,
    beside: Arc<SidecarFiles>,
}

/// The prefix of u2m's own files in the Python SDK's folder.
const OWN: &str = "u2m";

impl PythonCache {
    /// Uses the given folder. Nothing is read, created or checked yet.
    ///
    /// ```
    /// let cache = u2m_cache::PythonCache::at("/nonexistent/oauth");
    /// assert!(cache.folder().ends_with("oauth"));
    /// ```
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { beside: Arc::new(SidecarFiles::new(folder.join(OWN))), folder }
    }

    /// Uses the SDK's own folder, `~/.config/databricks-sdk-py/oauth`. The home folder comes from `HOME` (`USERPROFILE` on
    /// Windows).
    ///
    /// # Errors
    /// Fails if that variable is not set.
    ///
    /// ```
    /// if let Ok(cache) = u2m_cache::PythonCache::for_user() {
    ///     println!("{}", cache.folder().display());
    /// }
    /// ```
    pub fn for_user() -> Result<Self, StoreError> {
        Self::from_env(&|name| env::var_os(name))
    }

    /// Like [`PythonCache::for_user`], but reads the environment variable through `env`.
    ///
    /// # Errors
    /// Fails if the variable is not set.
    ///
    /// ```
    /// let cache = u2m_cache::PythonCache::from_env(&|_| Some("/home/me".into()))?;
    /// # if cfg!(unix) {
    /// assert_eq!(cache.folder(), std::path::Path::new("/home/me/.config/databricks-sdk-py/oauth"));
    /// # }
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn from_env(env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, StoreError> {
        Ok(Self::at(home(env)?.join(".config").join("databricks-sdk-py").join("oauth")))
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path at which the current SDK keeps this login, whether or not the file exists. Returns `None` if the
    /// Python SDK rejects the host.
    pub fn path(&self, login: &PythonLogin) -> Option<PathBuf> {
        login.file_name().map(|name| self.folder.join(name))
    }

    /// Returns the file of this login if it exists: the one with the current name, else the newest of those left by older
    /// versions.
    pub fn find(&self, login: &PythonLogin) -> Option<PathBuf> {
        self.candidates(login).into_iter().find(|path| fs::symlink_metadata(path).is_ok())
    }

    /// Reads a login. Returns `None` if the file is absent or holds no token.
    ///
    /// The file holds local times without a zone, which are read so that no expired token looks valid. If the clock change
    /// makes a time ambiguous, the earlier reading counts. An `exp` claim in the token can make the expiry earlier. An opaque
    /// token is trusted for at most an hour after the file was written, because the file may come from another time zone. A
    /// token with a refresh token whose expiry is unknown counts as expired. The binding is set only if u2m wrote it next to
    /// these same tokens.
    ///
    /// # Errors
    /// Fails if the file exists and cannot be read: it belongs to another user, is a link, or is not a login.
    pub fn read(&self, login: &PythonLogin) -> Result<Option<Session>, StoreError> {
        match self.find(login) {
            Some(path) => self.read_file(&path, login),
            None => Ok(None),
        }
    }

    /// Writes a login where the current SDK looks for it. The expiry is written in local time, which every version of the SDK
    /// reads. Returns the path.
    ///
    /// # Errors
    /// If this fails, no login was changed. It fails if a login with a refresh token would be replaced by one without, if the
    /// tokens belong to another host or client, or if the existing file is a link or belongs to another user.
    pub fn write(&self, login: &PythonLogin, session: &Session) -> Result<PathBuf, StoreError> {
        let bad = |why| StoreError::BadForeign { path: self.folder.as_path().into(), why };
        let path = self.path(login).ok_or_else(|| bad("python cannot use this host"))?;
        if let Some(binding) = &session.binding {
            let is_its =
                binding.client_id == login.client_id && host(login).as_ref() == Some(&binding.host);
            is_its
                .then_some(())
                .ok_or_else(|| bad("the tokens belong to another host or client"))?;
        }
        self.prepare()?;
        let _writer = self.beside.writer()?;
        temp_file::sweep(&self.folder, &self.beside.prefix());
        self.check_replaced(&path, login, session)?;
        let mut temporary = UpdateReserve::default().cache(&path, self.beside.prefix())?;
        temporary.fill(&python_file::text(session, &offset_at), true)?;
        disk::put(&temporary.path, &path, true)?;
        Ok(path)
    }

    /// Returns the login files in the folder, sorted. Their names are hashes and do not show which login they hold; use
    /// [`PythonCache::matches`] for that.
    ///
    /// # Errors
    /// Fails if the folder cannot be read. An absent folder counts as empty.
    pub fn list(&self) -> Result<Vec<PathBuf>, StoreError> {
        read::list(&self.folder, |name| name.strip_suffix(".json").is_some_and(read::is_hash))
    }

    /// Returns the login files in the folder, each with the matching login of `logins`, if there is one.
    ///
    /// # Errors
    /// As for [`PythonCache::list`].
    pub fn matches<'a>(
        &self,
        logins: &'a [PythonLogin],
    ) -> Result<Vec<(PathBuf, Option<&'a PythonLogin>)>, StoreError> {
        let paths: Vec<_> = logins.iter().map(|login| (self.candidates(login), login)).collect();
        // Older names do not contain the profile: the current name of any login takes precedence over an older name of
        // another.
        let of = |path: &PathBuf| {
            let today = paths.iter().find(|(names, _)| names.first() == Some(path));
            today.or_else(|| paths.iter().find(|(names, _)| names.contains(path)))
        };
        let pair = |path: PathBuf| {
            let login = of(&path).map(|(_, login)| *login);
            (path, login)
        };
        Ok(self.list()?.into_iter().map(pair).collect())
    }

    /// Returns and clears the notices collected so far: that file permissions were tightened.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.beside.take_notices()
    }

    /// Returns the paths at which this login may be, the current one first.
    pub(crate) fn candidates(&self, login: &PythonLogin) -> Vec<PathBuf> {
        let names = login.file_name().into_iter().chain(login.legacy_file_names());
        names.map(|name| self.folder.join(name)).collect()
    }

    pub(crate) fn read_file(
        &self,
        path: &Path,
        login: &PythonLogin,
    ) -> Result<Option<Session>, StoreError> {
        let Some(file) = read::text(path, &self.beside)? else { return Ok(None) };
        let parsed = python_file::parse(&file.text, Some(file.saved), &offset_at)
            .map_err(|why| StoreError::BadForeign { path: path.into(), why })?;
        Ok(parsed.map(|ParsedPythonFile { mut session, about }| {
            let bound = about.zip(host(login));
            session.binding =
                bound.and_then(|(about, host)| about.binding(&login.client_id, &host));
            session
        }))
    }

    /// Creates the folder, accessible by its owner only. The Python SDK leaves it readable for others.
    fn prepare(&self) -> Result<(), StoreError> {
        disk::create_folder(&self.folder)?;
        if disk::tighten_folder(&self.folder)? {
            let shown = DisplayPath::from(self.folder.as_path());
            self.beside.notice(format!("{shown} was open to other users; it is now private"));
        }
        Ok(())
    }

    /// Refuses to replace a file of another user, and a login with a refresh token by one without.
    fn check_replaced(
        &self,
        path: &Path,
        login: &PythonLogin,
        session: &Session,
    ) -> Result<(), StoreError> {
        match self.read_file(path, login) {
            Ok(Some(old)) if old.refresh_token.is_some() && session.refresh_token.is_none() => {
                let name = login.profile.as_deref().unwrap_or(&login.host);
                Err(StoreError::WouldLoseRefreshToken { key: CacheKey::new(name) })
            }
            // A file that the Python SDK cannot read either is no loss.
            Ok(_) | Err(StoreError::BadForeign { .. }) => disk::check_replaceable(path),
            Err(error) => Err(error),
        }
    }
}

/// Returns the host of a login, if u2m can sign in to it.
fn host(login: &PythonLogin) -> Option<Host> {
    Host::parse(&python_host(&login.host)?).ok()
}
