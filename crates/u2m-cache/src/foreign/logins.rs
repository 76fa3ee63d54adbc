//! Imports logins from other SDKs. They are found by what a profile says, read once, and left where they are.

use super::java::{JavaCache, JavaLogin};
use super::python::PythonCache;
use super::python_host::python_host;
use super::python_name::{PythonLogin, python_scopes};
use crate::error::StoreError;
use crate::store::Notice;
use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use u2m_core::{DATABRICKS_CLI, Sanitized, Session, UnverifiedClaims, derive_host_from_issuer};
use url::Url;

/// The warning to show before u2m refreshes an imported login: its refresh token can be used only once.
pub const IMPORT_WARNING: &str = "this login was taken over from another SDK, which keeps a copy of its own. Once u2m has refreshed it, that copy is \
     dead: the other SDK will ask for a new login, and if it tries the old refresh token first, the server may end this \
     login too. Do not use both; log in anew with u2m, or delete the other SDK's file";

/// What to look for: the properties of a login that another SDK may have, as a profile states them.
///
/// ```
/// use u2m_cache::ImportLogin;
/// let login = ImportLogin::new("https://a.example").with_profile("dev").with_scopes("sql, jobs");
/// assert_eq!(login.client_id, "databricks-cli");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportLogin {
    /// The host, as configured.
    pub host: String,
    /// The OAuth client ID.
    pub client_id: String,
    /// The profile, if the other program uses one. To find a login that the Python SDK made without a profile, leave this
    /// empty.
    pub profile: Option<String>,
    /// The scopes, as configured. `None` means the default.
    pub scopes: Option<String>,
    /// The Databricks account, if known. Tokens of another account are refused on hosts that serve several.
    pub account_id: Option<String>,
}

impl ImportLogin {
    /// Describes a login to `host` with the client `databricks-cli`, no profile and the default scopes.
    ///
    /// ```
    /// assert!(u2m_cache::ImportLogin::new("https://a.example").profile.is_none());
    /// ```
    pub fn new(host: impl Into<String>) -> Self {
        let (host, client_id) = (host.into(), DATABRICKS_CLI.to_owned());
        Self { host, client_id, profile: None, scopes: None, account_id: None }
    }

    /// Sets the OAuth client ID.
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// Sets the profile.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Sets the scopes, as configured.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl Into<String>) -> Self {
        self.scopes = Some(scopes.into());
        self
    }

    /// Sets the Databricks account.
    #[must_use]
    pub fn with_account_id(mut self, account_id: impl Into<String>) -> Self {
        self.account_id = Some(account_id.into());
        self
    }

    /// Returns the login as the Python SDK identifies it. If `refreshable` is false, `offline_access` is not added to the
    /// scopes.
    fn python(&self, refreshable: bool) -> PythonLogin {
        let mut login = PythonLogin::new(&self.host).with_client_id(&self.client_id);
        login.profile.clone_from(&self.profile);
        login.with_scopes(python_scopes(self.scopes.as_deref(), refreshable))
    }

    fn java(&self) -> JavaLogin {
        let login = JavaLogin::new(&self.host).with_client_id(&self.client_id);
        login.with_scopes(self.scopes.as_deref().unwrap_or_default())
    }

    /// Refuses tokens whose own claims name another host or account. A token without claims is accepted: this prevents
    /// mix-ups and proves nothing (A44).
    fn check(&self, session: &Session) -> Result<(), ImportError> {
        let Some(claims) = UnverifiedClaims::read(session.access_token.expose()) else {
            return Ok(());
        };
        if let Some(issuer) = &claims.iss {
            let own = python_host(&self.host).and_then(|host| Url::parse(&host).ok());
            let own = own.and_then(|url| u2m_core::Host::of(&url).ok());
            if own.is_none() || derive_host_from_issuer(issuer).ok() != own {
                return Err(ImportError::OtherHost(Sanitized::new(issuer)));
            }
        }
        match (&self.account_id, claims.account_id()) {
            (Some(own), Some(theirs)) if *own != theirs => {
                Err(ImportError::OtherAccount(Sanitized::new(&theirs)))
            }
            _ => Ok(()),
        }
    }
}

/// The program that made a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportSource {
    /// Databricks' Java SDK.
    Java,
    /// Databricks' Python SDK.
    Python,
}

impl fmt::Display for ImportSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Java => "Databricks SDK for Java",
            Self::Python => "Databricks SDK for Python",
        })
    }
}

/// A login of another SDK that can be imported.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundLogin {
    /// The SDK that made it.
    pub source: ImportSource,
    /// The path of its file, which is not changed.
    pub path: PathBuf,
    /// The login that was searched for.
    pub login: ImportLogin,
    /// The tokens in the file. The binding is set only if u2m itself wrote the file.
    pub session: Session,
}

/// A login that was found but cannot be imported.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefusedLogin {
    /// The SDK that made it.
    pub source: ImportSource,
    /// The path of its file, which is not changed.
    pub path: PathBuf,
    /// The login that was searched for.
    pub login: ImportLogin,
    /// Why it cannot be imported.
    pub why: ImportError,
}

/// The reason why a login cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The token belongs to another account. On a host that serves several accounts, one file may be the same for all of
    /// them.
    #[error("its token belongs to another account: {0}")]
    OtherAccount(Sanitized),
    /// The token was issued by another host.
    #[error("its token was issued by another host: {0}")]
    OtherHost(Sanitized),
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] StoreError),
}

/// The result of [`ForeignLogins::find`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Imported {
    /// The logins that can be imported, in the order of the logins searched for, the Python SDK's before the Java SDK's.
    pub found: Vec<FoundLogin>,
    /// The logins that were found but cannot be imported.
    pub refused: Vec<RefusedLogin>,
}

/// Finds the logins of other SDKs so that they can be imported. No refresh token is used and nothing is written: the files
/// keep their contents and times. A file that other users can read is made private.
///
/// The caller decides what to do with them:
///
/// | mode | what it does | if refresh tokens can be used only once |
/// |---|---|---|
/// | import, the default | reads once, copies into u2m's own store | after a refresh by u2m the other copy is dead: show [`IMPORT_WARNING`], and prefer to use the access token until it expires |
/// | shared | reads, refreshes, and writes back with [`PythonCache::write`] | safe only while no Python process refreshes |
/// | export | also writes each login of u2m with [`PythonCache::write`] | as for shared |
/// | off | reads nothing | safe |
///
/// ```
/// use u2m_cache::{ForeignLogins, ImportLogin, JavaCache, PythonCache};
/// let home = tempfile::tempdir().unwrap();
/// let logins = ForeignLogins::new(PythonCache::at(home.path()), JavaCache::at(home.path()));
/// let imported = logins.find(&[ImportLogin::new("https://a.example").with_profile("dev")]);
/// assert!(imported.found.is_empty() && imported.refused.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct ForeignLogins {
    python: PythonCache,
    java: JavaCache,
}

impl ForeignLogins {
    /// Creates a search in these folders.
    ///
    /// ```
    /// use u2m_cache::{ForeignLogins, JavaCache, PythonCache};
    /// let logins = ForeignLogins::new(PythonCache::at("/nonexistent/a"), JavaCache::at("/nonexistent/b"));
    /// assert!(logins.find(&[]).found.is_empty());
    /// ```
    pub fn new(python: PythonCache, java: JavaCache) -> Self {
        Self { python, java }
    }

    /// Creates a search in the folders of the current user.
    ///
    /// # Errors
    /// Fails if the home folder is not known.
    ///
    /// ```
    /// use u2m_cache::{ForeignLogins, ImportLogin};
    /// if let Ok(logins) = ForeignLogins::for_user() {
    ///     println!("{}", logins.find(&[ImportLogin::new("https://a.example")]).found.len());
    /// }
    /// ```
    pub fn for_user() -> Result<Self, StoreError> {
        Self::from_env(&|name| env::var_os(name))
    }

    /// Like [`ForeignLogins::for_user`], but reads the environment variables through `env`.
    ///
    /// # Errors
    /// Fails if the home folder is not known.
    ///
    /// ```
    /// assert!(u2m_cache::ForeignLogins::from_env(&|_| None).is_err());
    /// ```
    pub fn from_env(env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, StoreError> {
        Ok(Self::new(PythonCache::from_env(env)?, JavaCache::from_env(env)?))
    }

    /// Searches for each of `logins`. A file that matches several of them is returned only for the first.
    pub fn find(&self, logins: &[ImportLogin]) -> Imported {
        let mut search = ImportSearch::default();
        for login in logins {
            for (path, python) in self.in_python(login) {
                search.look(ImportSource::Python, path, login, |path| {
                    self.python.read_file(path, &python)
                });
            }
            if let Some(path) = self.java.find(&login.java()) {
                search.look(ImportSource::Java, path, login, |path| self.java.read_file(path));
            }
        }
        search.imported
    }

    /// Returns and clears the notices collected so far: that file permissions were tightened.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.python.take_notices().into_iter().chain(self.java.take_notices()).collect()
    }

    /// Returns the files that may hold `login`, current names first. Only the first usable one counts.
    fn in_python(&self, login: &ImportLogin) -> Vec<(PathBuf, PythonLogin)> {
        let logins = [true, false].map(|refreshable| login.python(refreshable));
        let paths = |login: PythonLogin| {
            let paths = self.python.candidates(&login).into_iter();
            paths.map(move |path| (path, login.clone())).enumerate()
        };
        let mut paths: Vec<_> = logins.into_iter().flat_map(paths).collect();
        // A stable sort: the login with a refresh token stays first among the current names, and among the older ones.
        paths.sort_by_key(|(age, _)| *age > 0);
        let there = |(_, (path, _)): &(usize, (PathBuf, _))| fs::symlink_metadata(path).is_ok();
        paths.into_iter().filter(there).map(|(_, found)| found).collect()
    }
}

#[derive(Default)]
struct ImportSearch {
    imported: Imported,
    taken: HashSet<PathBuf>,
}

impl ImportSearch {
    fn look(
        &mut self,
        source: ImportSource,
        path: PathBuf,
        login: &ImportLogin,
        read: impl Fn(&PathBuf) -> Result<Option<Session>, StoreError>,
    ) {
        let is_found = |found: &FoundLogin| found.source == source && found.login == *login;
        if self.imported.found.iter().any(is_found) || self.taken.contains(&path) {
            return;
        }
        let login = login.clone();
        match read(&path) {
            Ok(None) => {}
            Ok(Some(session)) => match login.check(&session) {
                Ok(()) => {
                    self.taken.insert(path.clone());
                    self.imported.found.push(FoundLogin { source, path, login, session });
                }
                Err(why) => self.imported.refused.push(RefusedLogin { source, path, login, why }),
            },
            Err(error) => {
                let why = error.into();
                self.imported.refused.push(RefusedLogin { source, path, login, why });
            }
        }
    }
}
