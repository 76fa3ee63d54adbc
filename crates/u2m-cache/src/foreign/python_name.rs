//! The name of the file in which the Python SDK keeps a login: a hash of the properties of the login.

use super::python_host::python_host;
use sha2::{Digest, Sha256};
use u2m_core::{DATABRICKS_CLI, SecretText, push_json_string};

/// The scope that requests a refresh token.
const OFFLINE: &str = "offline_access";

/// The scope that is used if none is configured.
const DEFAULT_SCOPE: &str = "all-apis";

/// A login as Databricks' Python SDK identifies it: by host, client, profile and scopes. A login that assumes the role of a
/// group is in a file of another name and is not covered.
///
/// ```
/// use u2m_cache::PythonLogin;
/// let login = PythonLogin::new("my-workspace.cloud.databricks.com");
/// assert_eq!(login.file_name().unwrap(), "51bfe8f28881aa101c93f5284884380cda9842a36961a0b81c3f99a63f16b75a.json");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PythonLogin {
    /// The host, as configured. [`python_host`] is applied to it.
    pub host: String,
    /// The OAuth client ID.
    pub client_id: String,
    /// The profile that was requested by name, even if that is `DEFAULT`. `None` if no profile was requested, even if values
    /// came from the section `DEFAULT`.
    pub profile: Option<String>,
    /// The scopes, in the order in which they were requested. The order is part of the file name.
    pub scopes: Vec<String>,
}

impl PythonLogin {
    /// Describes the SDK's default login: the client `databricks-cli`, no profile, the scopes `all-apis` and
    /// `offline_access`.
    ///
    /// ```
    /// assert_eq!(u2m_cache::PythonLogin::new("a.example").scopes, ["all-apis", "offline_access"]);
    /// ```
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            client_id: DATABRICKS_CLI.to_owned(),
            profile: None,
            scopes: python_scopes(None, true),
        }
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

    /// Sets the scopes, in the order of the request. [`python_scopes`] computes them from a configuration.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Vec<String>) -> Self {
        self.scopes = scopes;
        self
    }

    /// Returns the file name that the SDK uses since version 0.95, or `None` if the Python SDK rejects the host.
    pub fn file_name(&self) -> Option<String> {
        self.key().map(|key| format!("{}.json", sha256(&key)))
    }

    /// Returns the file names that versions before 0.95 used, newest first. They do not depend on the profile.
    pub fn legacy_file_names(&self) -> Vec<String> {
        let Some(host) = python_host(&self.host) else { return Vec::new() };
        let joined = self.scopes.join(",");
        let mut parts = vec![joined.as_str()];
        // From 0.36 to 0.78 the scopes were not part of the name, and before that they could not be configured. Such a login
        // has all scopes and must not be returned to a caller that asked for fewer.
        if self.scopes.iter().any(|scope| scope == DEFAULT_SCOPE) {
            let old = ["", DEFAULT_SCOPE, "offline_access,clusters,sql"];
            parts.extend(old.into_iter().filter(|part| *part != joined));
        }
        let name = |part: &&str| format!("{}.json", concatenated(&[&host, &self.client_id, part]));
        parts.iter().map(name).collect()
    }

    /// Returns the text that is hashed: JSON with sorted keys, with Python's spacing and escapes.
    fn key(&self) -> Option<String> {
        let mut out = SecretText::new();
        out.push_str("{\"client_id\": ");
        push_ascii(&mut out, &self.client_id);
        out.push_str(", \"host\": ");
        push_ascii(&mut out, &python_host(&self.host)?);
        out.push_str(", \"profile\": ");
        push_ascii(&mut out, self.profile.as_deref().unwrap_or_default());
        out.push_str(", \"scopes\": [");
        for (at, scope) in self.scopes.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { ", " });
            push_ascii(&mut out, scope);
        }
        out.push_str("]}");
        Some(out.as_str().to_owned())
    }
}

/// Returns the scopes that Databricks' Python SDK requests for the setting `configured`, which is separated by commas or
/// spaces. They are sorted and without duplicates. If none is configured, the scope is `all-apis`. `offline_access` is added
/// last unless it was configured, and is not added if `refreshable` is false.
///
/// ```
/// use u2m_cache::python_scopes;
/// assert_eq!(python_scopes(Some("sql, clusters"), true), ["clusters", "sql", "offline_access"]);
/// assert_eq!(python_scopes(None, false), ["all-apis"]);
/// ```
pub fn python_scopes(configured: Option<&str>, refreshable: bool) -> Vec<String> {
    let mut scopes = sorted(configured.unwrap_or_default().split([',', ' ']));
    if refreshable && !scopes.iter().any(|scope| scope == OFFLINE) {
        scopes.push(OFFLINE.to_owned());
    }
    scopes
}

/// Sorts the scopes and removes duplicates and empty ones. Returns `all-apis` if nothing is left.
pub(crate) fn sorted<'a>(scopes: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut scopes: Vec<String> =
        scopes.filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        scopes.push(DEFAULT_SCOPE.to_owned());
    }
    scopes
}

/// Writes a JSON string as Python's `json.dumps` does: pure ASCII, lower-case hexadecimal, and U+007F escaped too.
pub(crate) fn push_ascii(out: &mut SecretText, text: &str) {
    push_json_string(out, text, |c| !(' '..='~').contains(&c));
}

/// Returns the hash of parts without separators, as older versions of the Python SDK and the Java SDK compute it (INT-2).
/// Different logins may get the same name, so the contents of such a file must be checked.
pub(crate) fn concatenated(parts: &[&str]) -> String {
    sha256(&parts.concat())
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "python_name_tests.rs"]
mod tests;
