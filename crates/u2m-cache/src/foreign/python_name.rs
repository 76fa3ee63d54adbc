//! The name of the file in which Python's SDK keeps a login: a hash of what the login is.

use super::python_host::python_host;
use sha2::{Digest, Sha256};
use u2m_core::{DATABRICKS_CLI, SecretText, push_json_string};

/// The scope that asks for a refresh token.
const OFFLINE: &str = "offline_access";

/// The scope where none is configured.
const DEFAULT_SCOPE: &str = "all-apis";

/// A login as Python's SDK tells it from others: host, client, profile and scopes. A login that takes on the role of a
/// group stands in a file of another name, and is none of these.
///
/// ```
/// use u2m_cache::PythonLogin;
/// let login = PythonLogin::new("my-workspace.cloud.databricks.com");
/// assert_eq!(login.file_name().unwrap(), "51bfe8f28881aa101c93f5284884380cda9842a36961a0b81c3f99a63f16b75a.json");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PythonLogin {
    /// The host, as configured; [`python_host`] is applied to it.
    pub host: String,
    /// The OAuth client.
    pub client_id: String,
    /// The profile that was asked for by name, be it `DEFAULT`; `None` where it was not, even if values came from the
    /// section `DEFAULT`.
    pub profile: Option<String>,
    /// The scopes in the order in which they were requested; it is part of the name.
    pub scopes: Vec<String>,
}

impl PythonLogin {
    /// What the SDK does by default: the client `databricks-cli`, no profile, the scopes `all-apis` and `offline_access`.
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

    /// Takes the scopes in the order of the request; [`python_scopes`] makes them of a configuration.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Vec<String>) -> Self {
        self.scopes = scopes;
        self
    }

    /// The file's name since version 0.95; `None` where Python refuses the host.
    pub fn file_name(&self) -> Option<String> {
        self.key().map(|key| format!("{}.json", sha256(&key)))
    }

    /// The names that versions before 0.95 gave the file, the newest first; they leave the profile out.
    pub fn legacy_file_names(&self) -> Vec<String> {
        let Some(host) = python_host(&self.host) else { return Vec::new() };
        let joined = self.scopes.join(",");
        let mut parts = vec![joined.as_str()];
        // From 0.36 to 0.78 the scopes were left out of the name, and before they could not be configured: such a login
        // has all of them, and is no answer to who asked for less.
        if self.scopes.iter().any(|scope| scope == DEFAULT_SCOPE) {
            let old = ["", DEFAULT_SCOPE, "offline_access,clusters,sql"];
            parts.extend(old.into_iter().filter(|part| *part != joined));
        }
        let name = |part: &&str| format!("{}.json", concatenated(&[&host, &self.client_id, part]));
        parts.iter().map(name).collect()
    }

    /// What is hashed: JSON with sorted keys, in Python's spacing and escapes.
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

/// The scopes that Python's SDK requests where `configured` is set: separated by commas or spaces, sorted, each once;
/// none means `all-apis`; `offline_access` comes last unless it was configured, and not at all where refresh tokens are
/// turned off.
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

/// Sorted, each once, no empty one; `all-apis` if nothing is left.
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

/// The hash of parts that nothing separates, as older Python versions and Java make it (INT-2). Different logins may
/// meet in one name, so that what such a file holds has to be checked.
pub(crate) fn concatenated(parts: &[&str]) -> String {
    sha256(&parts.concat())
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "python_name_tests.rs"]
mod tests;
