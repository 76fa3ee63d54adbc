//! The folder in which Databricks' Java SDK keeps the logins of its auth type `external-browser`. It is only read: the hash
//! that names a file is made without separators, so that two logins can have the same file name (INT-2).

use super::python_file::{SecretJson, TokenMembers};
use super::python_name::concatenated;
use super::python_time::Zone;
use super::read::{self, home};
use crate::error::StoreError;
use crate::sidecar::SidecarFiles;
use crate::store::Notice;
use crate::zone::offset_at;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use u2m_core::{DATABRICKS_CLI, Session, Timestamp};

/// A login as the Java SDK identifies it: by host, client and configured scopes. The Java SDK has no profiles here.
///
/// ```
/// let login = u2m_cache::JavaLogin::new("https://a.example");
/// assert_eq!(login.file_name().len(), 64, "no extension");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JavaLogin {
    /// The host, as configured.
    pub host: String,
    /// The OAuth client ID.
    pub client_id: String,
    /// The configured scopes, sorted, without the `offline_access` that is also requested.
    pub scopes: Vec<String>,
}

impl JavaLogin {
    /// Describes the SDK's default login: the client `databricks-cli` and the scope `all-apis`.
    ///
    /// ```
    /// assert_eq!(u2m_cache::JavaLogin::new("a.example").scopes, ["all-apis"]);
    /// ```
    pub fn new(host: impl Into<String>) -> Self {
        let client_id = DATABRICKS_CLI.to_owned();
        Self { host: host.into(), client_id, scopes: java_scopes(None) }
    }

    /// Sets the OAuth client ID.
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// Sets the scopes, as configured: separated by commas.
    #[must_use]
    pub fn with_scopes(mut self, configured: &str) -> Self {
        self.scopes = java_scopes(Some(configured));
        self
    }

    /// Returns the file name: 64 hexadecimal digits.
    pub fn file_name(&self) -> String {
        concatenated(&[&java_host(&self.host), &self.client_id, &self.scopes.join(",")])
    }
}

/// Splits at commas only, and keeps duplicates.
fn java_scopes(configured: Option<&str>) -> Vec<String> {
    let parts = configured.unwrap_or_default().split(',').map(str::trim);
    let mut scopes: Vec<String> =
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    scopes.sort_unstable();
    if scopes.is_empty() {
        scopes.push("all-apis".to_owned());
    }
    scopes
}

/// Returns the host as the Java SDK stores it: the scheme and authority of a URL. Anything else gets a scheme and is
/// otherwise unchanged.
fn java_host(host: &str) -> String {
    let (scheme, rest) = host.trim().split_once("://").unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return format!("https://{host}");
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    format!("{scheme}://{}", &rest[..end])
}

/// Reads the login files of Databricks' Java SDK, so that logins can be imported. Nothing is ever written there.
///
/// ```
/// use u2m_cache::{JavaCache, JavaLogin};
/// let cache = JavaCache::at("/nonexistent/oauth");
/// assert!(cache.read(&JavaLogin::new("https://a.example"))?.is_none());
/// # Ok::<(), u2m_cache::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct JavaCache {
    folder: PathBuf,
    beside: Arc<SidecarFiles>,
}

impl JavaCache {
    /// Uses the given folder. Nothing is read yet.
    ///
    /// ```
    /// let cache = u2m_cache::JavaCache::at("/nonexistent/oauth");
    /// assert!(cache.list().unwrap().is_empty());
    /// ```
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { beside: Arc::new(SidecarFiles::new(folder.join("u2m"))), folder }
    }

    /// Uses the SDK's own folder, `~/.config/databricks-sdk-java/oauth`. The home folder comes from `HOME` (`USERPROFILE` on
    /// Windows).
    ///
    /// # Errors
    /// Fails if that variable is not set.
    ///
    /// ```
    /// if let Ok(cache) = u2m_cache::JavaCache::for_user() {
    ///     println!("{}", cache.folder().display());
    /// }
    /// ```
    pub fn for_user() -> Result<Self, StoreError> {
        Self::from_env(&|name| env::var_os(name))
    }

    /// Like [`JavaCache::for_user`], but reads the environment variable through `env`.
    ///
    /// # Errors
    /// Fails if the variable is not set.
    ///
    /// ```
    /// let cache = u2m_cache::JavaCache::from_env(&|_| Some("/home/me".into()))?;
    /// assert!(cache.folder().ends_with(".config/databricks-sdk-java/oauth"));
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn from_env(env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, StoreError> {
        Ok(Self::at(home(env)?.join(".config").join("databricks-sdk-java").join("oauth")))
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file of this login, if it exists.
    pub fn find(&self, login: &JavaLogin) -> Option<PathBuf> {
        let path = self.folder.join(login.file_name());
        fs::symlink_metadata(&path).is_ok().then_some(path)
    }

    /// Reads a login. Returns `None` if the file is absent or holds no token. The session has no binding.
    ///
    /// # Errors
    /// Fails if the file exists and cannot be read: it belongs to another user, is a link, or is not a login.
    pub fn read(&self, login: &JavaLogin) -> Result<Option<Session>, StoreError> {
        self.find(login).map_or(Ok(None), |path| self.read_file(&path))
    }

    /// Returns the login files in the folder, sorted. Their names are hashes and do not show which login they hold.
    ///
    /// # Errors
    /// Fails if the folder cannot be read. An absent folder counts as empty.
    pub fn list(&self) -> Result<Vec<PathBuf>, StoreError> {
        read::list(&self.folder, read::is_hash)
    }

    /// Returns and clears the notices collected so far: that file permissions were tightened.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.beside.take_notices()
    }

    pub(crate) fn read_file(&self, path: &Path) -> Result<Option<Session>, StoreError> {
        let Some(file) = read::text(path, &self.beside)? else { return Ok(None) };
        parse(&file.text, Some(file.saved), &offset_at)
            .map_err(|why| StoreError::BadForeign { path: path.into(), why })
    }
}

/// Parses a file's text. Early versions wrote local times, which are read like those of the Python SDK. Returns `None` if
/// there is no token.
pub(crate) fn parse(
    text: &str,
    saved: Option<Timestamp>,
    zone: Zone<'_>,
) -> Result<Option<Session>, &'static str> {
    let token = SecretJson::parse(text)?;
    let names = ["accessToken", "tokenType", "refreshToken", "expiry"];
    TokenMembers::of(token.value(), names)?.session(saved, zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utc(_: Timestamp) -> i32 {
        0
    }

    #[test]
    fn int_1_names_are_javas() {
        let w = "https://my-workspace.cloud.databricks.com";
        // The same hash as that of old Python versions.
        let name = "3802525b7144430b5a6bf6b01c673a1caab3d0354e938db122f1c120430d3f42";
        assert_eq!(JavaLogin::new(w).file_name(), name);
        assert_eq!(JavaLogin::new(format!("{w}/?o=1")).file_name(), name);
        assert_eq!(JavaLogin::new("my-workspace.cloud.databricks.com").file_name(), name);
        assert_ne!(JavaLogin::new(w).with_client_id("other").file_name(), name);
        assert_eq!(
            JavaLogin::new(w).with_scopes("sql, a,,sql ,b c").scopes,
            ["a", "b c", "sql", "sql"]
        );
        assert_eq!(JavaLogin::new(w).with_scopes(" ,").scopes, ["all-apis"]);
    }

    #[test]
    fn hosts_come_out_as_java_writes_them() {
        for (typed, java) in [
            ("HTTPS://My.Host:443/a", "https://My.Host:443"),
            ("http://x?o=1", "http://x"),
            ("localhost:1234", "https://localhost:1234"),
            ("my.host/", "https://my.host/"),
        ] {
            assert_eq!(java_host(typed), java);
        }
    }

    #[test]
    fn int_1_a_token_is_read_with_its_instant() {
        let text = r#"{"accessToken":"a","tokenType":"Bearer","refreshToken":"r","expiry":"2026-01-01T12:00:00.123456789Z"}"#;
        let session = parse(text, None, &utc).unwrap().unwrap();
        assert_eq!(session.access_token.expose(), "a");
        assert_eq!(session.refresh_token.unwrap().expose(), "r");
        assert_eq!(session.expiry, Some(Timestamp::from_unix(1_767_268_800)));
        assert!(session.binding.is_none());
        let local = r#"{"accessToken":"a","tokenType":"Bearer","expiry":"2026-01-01T12:00:00.5"}"#;
        let session = parse(local, None, &|_| 3600).unwrap().unwrap();
        assert_eq!(session.expiry, Some(Timestamp::from_unix(1_767_265_200)));
    }

    #[test]
    fn a_login_is_read_from_the_file_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, login) = (JavaCache::at(folder.path()), JavaLogin::new("https://a.example"));
        assert_eq!(cache.read(&login).unwrap(), None, "it is not there");
        let text = r#"{"accessToken":"a","expiry":"2026-01-01T12:00:00Z"}"#;
        fs::write(folder.path().join(login.file_name()), text).unwrap();
        let session = cache.read(&login).unwrap().unwrap();
        assert_eq!(session.access_token.expose(), "a");
        assert_eq!(cache.read(&JavaLogin::new("https://b.example")).unwrap(), None);
    }

    #[test]
    fn what_is_no_token_is_an_error_and_nothing_is_none() {
        for bad in ["", "[]", r#"{"accessToken":7}"#, r#"{"accessToken":"a","expiry":1767268800}"#]
        {
            assert!(parse(bad, None, &utc).is_err(), "{bad}");
        }
        for empty in ["{}", r#"{"accessToken":null}"#] {
            assert!(parse(empty, None, &utc).unwrap().is_none(), "{empty}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_an_error(text in "(?s).{0,200}") {
            let _ = parse(&text, None, &utc);
        }
    }
}
