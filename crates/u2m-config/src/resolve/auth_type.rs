//! Which way of authenticating a configuration leads to, as far as that can be told without trying.

use super::Resolved;
use crate::attributes::truth;

/// The values of `auth_type`, in the order in which they are tried where none is set.
pub const AUTH_TYPES: &[&str] = &[
    "pat",
    "basic",
    "oauth-m2m",
    "databricks-cli",
    "metadata-service",
    "github-oidc",
    "azure-devops-oidc",
    "env-oidc",
    "file-oidc",
    "github-oidc-azure",
    "azure-msi",
    "azure-client-secret",
    "azure-cli",
    "google-credentials",
    "google-id",
];

impl Resolved {
    /// The way of authenticating: what `auth_type` says, else the first of [`AUTH_TYPES`] for which everything is there.
    ///
    /// `has_login` says whether a person's login is stored for this profile or host: only the caller knows. Where nothing
    /// else is configured, `databricks-cli` is what remains to be tried, login or not, if there is a host.
    ///
    /// ```
    /// use u2m_config::{ConfigFile, Given, resolve};
    /// let file = ConfigFile::parse("[az]\nhost = a.example\nazure_use_msi = true\n")?;
    /// let given = Given { profile: Some("az"), ..Given::default() };
    /// let found = resolve(&given, &|_| None, &file, "cfg".as_ref())?;
    /// assert_eq!(found.auth_type(false), Some("azure-msi"));
    /// assert_eq!(found.auth_type(true), Some("databricks-cli"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auth_type(&self, has_login: bool) -> Option<&str> {
        let first = || AUTH_TYPES.iter().find(|name| self.is_ready(name, has_login)).copied();
        let last = || self.host().map(|_| "databricks-cli");
        self.get("auth_type").or_else(first).or_else(last)
    }

    /// Whether all that this method needs is configured.
    fn is_ready(&self, auth_type: &str, has_login: bool) -> bool {
        let has = |keys: &[&str]| keys.iter().all(|key| self.get(key).is_some());
        let actions = ["actions_id_token_request_url", "actions_id_token_request_token"];
        match auth_type {
            "pat" => has(&["host", "token"]),
            "basic" => has(&["host", "username", "password"]),
            "oauth-m2m" => has(&["host", "client_id", "client_secret"]),
            "databricks-cli" => has_login && has(&["host"]),
            "metadata-service" => has(&["host", "metadata_service_url"]),
            "github-oidc" => has(&["host", "client_id"]) && has(&actions),
            "env-oidc" => has(&["host", "oidc_token_env"]),
            "file-oidc" => has(&["host", "databricks_id_token_filepath"]),
            "github-oidc-azure" => has(&["azure_client_id", "azure_tenant_id"]) && has(&actions),
            "azure-msi" => self.get("azure_use_msi").and_then(truth) == Some(true),
            "azure-client-secret" => {
                has(&["azure_client_id", "azure_client_secret", "azure_tenant_id"])
            }
            "azure-cli" => has(&["azure_workspace_resource_id"]),
            "google-credentials" => has(&["host", "google_credentials"]),
            "google-id" => has(&["host", "google_service_account"]),
            // Its parts are variables of a build server, which are no configuration of ours.
            _ => false,
        }
    }
}
