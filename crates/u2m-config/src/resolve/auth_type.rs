//! Which authentication method a configuration uses, as far as that is known without trying it.

use super::Resolved;
use crate::attributes::truth;
use crate::{Attribute, ValueKind};

/// The attribute that names the variable with the ID token. If the default variable is set, the
/// attribute is not needed.
const ID_TOKEN: &str = "oidc_token_env";

/// An authentication method: its `auth_type` name and the keys that it needs.
///
/// ```
/// use u2m_config::AuthType;
/// let pat = AuthType::named("pat").expect("it is one of them");
/// assert_eq!(pat.needs(), ["host", "token"]);
/// assert!(AuthType::named("nope").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthType {
    name: &'static str,
    needs: &'static [&'static str],
    is_tried: bool,
    takes_id_token: bool,
}

impl AuthType {
    /// All methods: first those that are tried when no `auth_type` is set, in that order, then
    /// those that must be named.
    pub const ALL: &'static [Self] = &[
        tried("pat", &["host", "token"]),
        tried("basic", &["host", "username", "password"]),
        tried("oauth-m2m", &["host", "client_id", "client_secret"]),
        tried("databricks-cli", &["host"]),
        tried("metadata-service", &["host", "metadata_service_url"]),
        tried(
            "github-oidc",
            &[
                "host",
                "client_id",
                "actions_id_token_request_url",
                "actions_id_token_request_token",
            ],
        )
        .of_id_token(),
        // Its inputs are variables of the build server, which are not attributes of a
        // configuration.
        named("azure-devops-oidc").of_id_token(),
        tried("env-oidc", &["host", ID_TOKEN]).of_id_token(),
        tried("file-oidc", &["host", "databricks_id_token_filepath"]).of_id_token(),
        tried(
            "github-oidc-azure",
            &[
                "azure_client_id",
                "azure_tenant_id",
                "actions_id_token_request_url",
                "actions_id_token_request_token",
            ],
        ),
        tried("azure-msi", &["azure_use_msi"]),
        tried(
            "azure-client-secret",
            &["azure_client_id", "azure_client_secret", "azure_tenant_id"],
        ),
        tried("azure-cli", &["azure_workspace_resource_id"]),
        tried("google-credentials", &["host", "google_credentials"]),
        tried("google-id", &["host", "google_service_account"]),
        // Only Python's SDK supports these.
        named("external-browser"),
        named("runtime-oauth"),
        named("runtime"),
        named("model-serving"),
    ];

    /// Returns the method with that name.
    ///
    /// ```
    /// assert_eq!(u2m_config::AuthType::named("azure-cli").map(|found| found.name()), Some("azure-cli"));
    /// ```
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|known| known.name == name)
    }

    /// Returns the name that `auth_type` uses for it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the keys that must have a value. A switch must be on. Instead of `oidc_token_env`,
    /// an ID token in `DATABRICKS_OIDC_TOKEN` is enough.
    pub fn needs(&self) -> &'static [&'static str] {
        self.needs
    }

    /// Returns whether it exchanges an ID token of another issuer. With a `client_id` and no secret, the token is
    /// exchanged for that client; without a `client_id`, for the whole account.
    ///
    /// ```
    /// use u2m_config::AuthType;
    /// assert!(AuthType::named("file-oidc").is_some_and(|found| found.takes_id_token()));
    /// ```
    pub fn takes_id_token(&self) -> bool {
        self.takes_id_token
    }

    const fn of_id_token(mut self) -> Self {
        self.takes_id_token = true;
        self
    }
}

const fn tried(name: &'static str, needs: &'static [&'static str]) -> AuthType {
    AuthType { name, needs, is_tried: true, takes_id_token: false }
}

const fn named(name: &'static str) -> AuthType {
    AuthType { name, needs: &[], is_tried: false, takes_id_token: false }
}

/// The names that `auth_type` accepts, in the order of [`AuthType::ALL`].
pub const AUTH_TYPES: &[&str] = &names();

const fn names() -> [&'static str; AuthType::ALL.len()] {
    let mut names = [""; AuthType::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = AuthType::ALL[at].name;
        at += 1;
    }
    names
}

impl Resolved {
    /// Returns the authentication method: the configured `auth_type`, else the first method of
    /// [`AuthType::ALL`] whose needs are all met.
    ///
    /// `has_login` says whether a user login is stored for this profile or host, which only the
    /// caller knows. If nothing else is configured and there is a host, the method is
    /// `databricks-cli`, even without a login.
    ///
    /// ```
    /// use u2m_config::{ConfigFile, SelectionArgs, resolve};
    /// let file = ConfigFile::parse("[az]\nhost = a.example\nazure_use_msi = true\n")?;
    /// let given = SelectionArgs { profile: Some("az"), ..SelectionArgs::default() };
    /// let found = resolve(&given, &|_| None, &file, "cfg".as_ref())?;
    /// assert_eq!(found.auth_type(false), Some("azure-msi"));
    /// assert_eq!(found.auth_type(true), Some("databricks-cli"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auth_type(&self, has_login: bool) -> Option<&str> {
        let may_be = |known: &&AuthType| known.name != "databricks-cli" || has_login;
        let is_ready = |known: &&AuthType| known.is_tried && self.has_all(known.needs);
        let first = || AuthType::ALL.iter().filter(may_be).find(is_ready).map(AuthType::name);
        let last = || self.host().map(|_| "databricks-cli");
        self.get("auth_type").or_else(first).or_else(last)
    }

    /// Returns whether each of these keys has a value, and switches are on.
    fn has_all(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| match (*key, self.get(key)) {
            (ID_TOKEN, None) => self.holds_id_token,
            (key, Some(text)) => !is_switched_off(key, text),
            (_, None) => false,
        })
    }
}

/// Returns whether a key is a switch that is off.
pub(super) fn is_switched_off(key: &str, text: &str) -> bool {
    let is_switch = Attribute::named(key).is_some_and(|known| known.kind() == ValueKind::Bool);
    is_switch && truth(text) == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_way_needs_is_configurable_and_its_credentials_say_that_it_uses_them() {
        for known in AuthType::ALL {
            for key in known.needs() {
                let attribute = Attribute::named(key).unwrap();
                let is_used = attribute.method().is_none() || attribute.is_for(known.name());
                // GitHub's token is exchanged at Azure, for a client of Azure.
                assert!(is_used || known.name() == "github-oidc-azure", "{} {key}", known.name());
            }
        }
    }

    #[test]
    fn every_way_that_a_credential_is_for_is_one() {
        for attribute in Attribute::ALL {
            let unknown = |name: &&&str| AuthType::named(name).is_none() && **name != "azure";
            let unknown: Vec<_> = attribute.auth_types().iter().filter(unknown).collect();
            assert!(unknown.is_empty(), "{attribute:?} {unknown:?}");
        }
    }
}
