//! Taking logins over from other SDKs: found by what a profile says, read once, and left where they are.

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

/// What to tell a person before u2m refreshes a login that it took over: a refresh token is good for one use.
pub const IMPORT_WARNING: &str = "this login was taken over from another SDK, which keeps a copy of its own. Once u2m has refreshed it, that copy is \
     dead: the other SDK will ask for a new login, and if it tries the old refresh token first, the server may end this \
     login too. Do not use both; log in anew with u2m, or delete the other SDK's file";

/// A login that another SDK may have: what a profile says of it.
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
    /// The OAuth client.
    pub client_id: String,
    /// The profile, if the other program names it; a login that Python made without a profile takes an
    /// `ImportLogin` without one.
    pub profile: Option<String>,
    /// The scopes, as configured; `None` for the default.
    pub scopes: Option<String>,
    /// The Databricks account, if it is known: on hosts that serve several, tokens of another are refused.
    pub account_id: Option<String>,
}

impl ImportLogin {
    /// A login to `host` with the client `databricks-cli`, no profile and the default scopes.
    ///
    /// ```
    /// assert!(u2m_cache::ImportLogin::new("https://a.example").profile.is_none());
    /// ```
    pub fn new(host: impl Into<String>) -> Self {
        let (host, client_id) = (host.into(), DATABRICKS_CLI.to_owned());
        Self { host, client_id, profile: None, scopes: None, account_id: None }
    }

    /// Names another client.
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// Names the profile.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Takes the scopes as they are configured.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl Into<String>) -> Self {
        self.scopes = Some(scopes.into());
        self
    }

    /// Names the account.
    #[must_use]
    pub fn with_account_id(mut self, account_id: impl Into<String>) -> Self {
        self.account_id = Some(account_id.into());
        self
    }

    /// As Python's SDK tells it from others; without `offline_access` where refresh tokens were turned off.
    fn python(&self, refreshable: bool) -> PythonLogin {
        let mut login = PythonLogin::new(&self.host).with_client_id(&self.client_id);
        login.profile.clone_from(&self.profile);
        login.with_scopes(python_scopes(self.scopes.as_deref(), refreshable))
    }

    fn java(&self) -> JavaLogin {
        let login = JavaLogin::new(&self.host).with_client_id(&self.client_id);
        login.with_scopes(self.scopes.as_deref().unwrap_or_default())
    }

    /// Refuses tokens that say themselves that they are of another host or account. A token that says nothing is taken:
    /// this protects from mix-ups, and is no proof of anything (A44).
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

/// Which program made a login.
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

/// A login that another SDK has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundLogin {
    /// Who made it.
    pub source: ImportSource,
    /// Its file, which stays as it is.
    pub path: PathBuf,
    /// The login that was looked for.
    pub login: ImportLogin,
    /// What is in the file. Its binding is known only where u2m itself wrote it.
    pub session: Session,
}

/// A login that was looked for and cannot be taken over.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefusedLogin {
    /// Who made it.
    pub source: ImportSource,
    /// Its file, which stays as it is.
    pub path: PathBuf,
    /// The login that was looked for.
    pub login: ImportLogin,
    /// Why not.
    pub why: ImportError,
}

/// Why a login cannot be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// On a host that serves several accounts, one file may stand for all of them.
    #[error("its token belongs to another account: {0}")]
    OtherAccount(Sanitized),
    /// The token names another issuer.
    #[error("its token was issued by another host: {0}")]
    OtherHost(Sanitized),
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] StoreError),
}

/// What a search found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Imported {
    /// What can be taken over, in the order of the logins that were looked for; Python's before Java's.
    pub found: Vec<FoundLogin>,
    /// What cannot.
    pub refused: Vec<RefusedLogin>,
}

/// The logins of other SDKs, to take over. Nothing is spent: no refresh token is used. Nothing is written: the files keep
/// their bytes and their times; one that other users can read is made private.
///
/// What to do with it is the caller's choice:
///
/// | mode | what it does | with refresh tokens that are good for one use |
/// |---|---|---|
/// | import, the default | reads once, copies into u2m's own store | after a refresh by u2m the other copy is dead: show [`IMPORT_WARNING`], and prefer to use the access token until it ends |
/// | shared | reads, refreshes, and writes back with [`PythonCache::write`] | safe only while no Python process refreshes |
/// | export | writes each login of u2m with [`PythonCache::write`] too | as shared |
/// | off | looks at nothing | safe |
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
    /// Looks into these folders.
    ///
    /// ```
    /// use u2m_cache::{ForeignLogins, JavaCache, PythonCache};
    /// let logins = ForeignLogins::new(PythonCache::at("/nonexistent/a"), JavaCache::at("/nonexistent/b"));
    /// assert!(logins.find(&[]).found.is_empty());
    /// ```
    pub fn new(python: PythonCache, java: JavaCache) -> Self {
        Self { python, java }
    }

    /// Looks into the folders of this user.
    ///
    /// # Errors
    /// The home folder is not known.
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

    /// As [`ForeignLogins::for_user`], with an environment of the caller's own.
    ///
    /// # Errors
    /// The home folder is not known.
    ///
    /// ```
    /// assert!(u2m_cache::ForeignLogins::from_env(&|_| None).is_err());
    /// ```
    pub fn from_env(env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, StoreError> {
        Ok(Self::new(PythonCache::from_env(env)?, JavaCache::from_env(env)?))
    }

    /// Looks for each of `logins`. A file that stands for several of them is given to the first alone.
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

    /// Takes the notices that have gathered: modes that were tightened.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.python.take_notices().into_iter().chain(self.java.take_notices()).collect()
    }

    /// The files that may hold `login`, today's names first; only the first of them that can be used counts.
    fn in_python(&self, login: &ImportLogin) -> Vec<(PathBuf, PythonLogin)> {
        let logins = [true, false].map(|refreshable| login.python(refreshable));
        let paths = |login: PythonLogin| {
            let paths = self.python.candidates(&login).into_iter();
            paths.map(move |path| (path, login.clone())).enumerate()
        };
        let mut paths: Vec<_> = logins.into_iter().flat_map(paths).collect();
        // Stable: the login that can be refreshed stays ahead within today's names, and within those of before.
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
