//! The folder in which Python's SDK keeps the logins of its `external-browser`.

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

/// The login files of Databricks' Python SDK: one file a login, in a folder of the user's home.
///
/// Reading leaves a file's bytes and times alone. Writing replaces a file in one step, under a lock that programs with
/// u2m share; Python takes none, and a Python process that runs keeps its own copy of what it has read.
///
/// | what for | use |
/// |---|---|
/// | take a login over once | [`ForeignLogins`](crate::ForeignLogins) |
/// | a login with u2m serves Python too | [`PythonCache::write`] after the login |
/// | both use one file | [`PythonCache::read`], refresh under a lock of one's own, [`PythonCache::write`]; never while a Python process may refresh |
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

/// What u2m's own files in Python's folder begin with.
const OWN: &str = "u2m";

impl PythonCache {
    /// Uses a folder. Nothing is read, created or checked yet.
    ///
    /// ```
    /// let cache = u2m_cache::PythonCache::at("/nonexistent/oauth");
    /// assert!(cache.folder().ends_with("oauth"));
    /// ```
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { beside: Arc::new(SidecarFiles::new(folder.join(OWN))), folder }
    }

    /// Uses the SDK's own folder, `~/.config/databricks-sdk-py/oauth`, where the home folder comes from `HOME`
    /// (`USERPROFILE` on Windows).
    ///
    /// # Errors
    /// It is not set.
    ///
    /// ```
    /// if let Ok(cache) = u2m_cache::PythonCache::for_user() {
    ///     println!("{}", cache.folder().display());
    /// }
    /// ```
    pub fn for_user() -> Result<Self, StoreError> {
        Self::from_env(&|name| env::var_os(name))
    }

    /// As [`PythonCache::for_user`], with an environment of the caller's own.
    ///
    /// # Errors
    /// The variable is not set.
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

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where today's SDK keeps this login, whether the file is there or not; `None` where Python refuses the host.
    pub fn path(&self, login: &PythonLogin) -> Option<PathBuf> {
        login.file_name().map(|name| self.folder.join(name))
    }

    /// The file of this login, if it is there: today's, else the newest of those that older versions left.
    pub fn find(&self, login: &PythonLogin) -> Option<PathBuf> {
        self.candidates(login).into_iter().find(|path| fs::symlink_metadata(path).is_ok())
    }

    /// Reads a login; an absent file, or one without any token, is `None`.
    ///
    /// Local times are read so that no token looks alive when it is dead: the earlier reading counts where clocks are
    /// changed, an `exp` in the token makes the expiry earlier, and one that says nothing is believed for an hour after the
    /// file was written at most, because the file may come from another zone. A token that can be renewed and of which nobody
    /// knows the end counts as expired. The binding is there only if u2m wrote it beside these very tokens.
    ///
    /// # Errors
    /// There is a file and it cannot be read: somebody else's, a link, or not a login.
    pub fn read(&self, login: &PythonLogin) -> Result<Option<Session>, StoreError> {
        match self.find(login) {
            Some(path) => self.read_file(&path, login),
            None => Ok(None),
        }
    }

    /// Writes a login where today's SDK looks for it, with its expiry in local time, which every version of the SDK
    /// reads. Returns the path.
    ///
    /// # Errors
    /// Nothing was changed then. A login that can be renewed is not replaced by one that cannot; tokens that belong to
    /// another host or client are not written; a link or somebody else's file is not replaced.
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

    /// The login files in the folder, sorted. Their names are hashes, and do not tell whose they are: that takes
    /// [`PythonCache::matches`].
    ///
    /// # Errors
    /// The folder cannot be read; an absent one is empty.
    pub fn list(&self) -> Result<Vec<PathBuf>, StoreError> {
        read::list(&self.folder, |name| name.strip_suffix(".json").is_some_and(read::is_hash))
    }

    /// The login files in the folder, each with the login that it is of, if that is one of `logins`.
    ///
    /// # Errors
    /// As [`PythonCache::list`].
    pub fn matches<'a>(
        &self,
        logins: &'a [PythonLogin],
    ) -> Result<Vec<(PathBuf, Option<&'a PythonLogin>)>, StoreError> {
        let paths: Vec<_> = logins.iter().map(|login| (self.candidates(login), login)).collect();
        // Older names leave the profile out: today's name of any login counts before an older one of another.
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

    /// Takes the notices that have gathered: modes that were tightened.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.beside.take_notices()
    }

    /// Where this login may be: today's path first.
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

    /// Makes the folder, for its owner alone; Python leaves it open to others' eyes.
    fn prepare(&self) -> Result<(), StoreError> {
        disk::create_folder(&self.folder)?;
        if disk::tighten_folder(&self.folder)? {
            let shown = DisplayPath::from(self.folder.as_path());
            self.beside.notice(format!("{shown} was open to other users; it is now private"));
        }
        Ok(())
    }

    /// Refuses to replace what is not this user's file, and a login that lives longer than the new one.
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
            // What Python could not read either is no loss.
            Ok(_) | Err(StoreError::BadForeign { .. }) => disk::check_replaceable(path),
            Err(error) => Err(error),
        }
    }
}

/// The host of a login, if it is one that u2m signs in to.
fn host(login: &PythonLogin) -> Option<Host> {
    Host::parse(&python_host(&login.host)?).ok()
}
