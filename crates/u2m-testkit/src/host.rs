//! The metadata that the fake host publishes, and the issuers on it.

use serde_json::{Value, json};

use crate::settings::{Iss, Settings};

/// The host metadata at `/.well-known/databricks-config`.
///
/// ```
/// use u2m_testkit::HostMetadata;
/// let host = HostMetadata::account("acc-1").with("cloud", "AWS");
/// assert_ne!(host, HostMetadata::absent());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HostMetadata(Option<Vec<(String, Field)>>);

#[derive(Clone, Debug, PartialEq)]
enum Field {
    Json(Value),
    /// A path below the server's base URL, which is known only when the server runs.
    Below(String),
}

impl HostMetadata {
    /// The metadata of a workspace's host: its id, and endpoints below `/oidc`.
    ///
    /// ```
    /// use u2m_testkit::{HostMetadata, Settings};
    /// let settings = Settings::new().with_host_metadata(HostMetadata::workspace("900800700600"));
    /// # let _ = settings;
    /// ```
    pub fn workspace(workspace_id: impl Into<String>) -> Self {
        Self(Some(Vec::new()))
            .with("host_type", "workspace")
            .with("workspace_id", workspace_id.into())
            .with_oidc_below("/oidc")
    }

    /// The metadata of the account console: endpoints below `/oidc/accounts/<account id>`.
    ///
    /// ```
    /// let host = u2m_testkit::HostMetadata::account("acc-1");
    /// # let _ = host;
    /// ```
    pub fn account(account_id: impl Into<String>) -> Self {
        Self(Some(Vec::new()))
            .with("host_type", "account")
            .with("account_id", account_id.into())
            .with_oidc_below("/oidc/accounts/{account_id}")
    }

    /// The metadata of one host for an account and its workspaces. The endpoint contains the literal placeholder `{account_id}`,
    /// as real hosts publish it.
    ///
    /// ```
    /// let host = u2m_testkit::HostMetadata::unified("acc-1").with("workspace_id", "7");
    /// # let _ = host;
    /// ```
    pub fn unified(account_id: impl Into<String>) -> Self {
        Self::account(account_id).with("host_type", "unified")
    }

    /// No metadata: an old host, which answers 404.
    ///
    /// ```
    /// let host = u2m_testkit::HostMetadata::absent();
    /// # let _ = host;
    /// ```
    pub const fn absent() -> Self {
        Self(None)
    }

    /// Sets a member of the document to any JSON value.
    ///
    /// ```
    /// use u2m_testkit::HostMetadata;
    /// let host = HostMetadata::workspace("7").with("oidc_endpoint", "https://elsewhere.example/oidc");
    /// # let _ = host;
    /// ```
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, Field::Json(value.into()))
    }

    /// Leaves out a member of the document.
    ///
    /// ```
    /// let host = u2m_testkit::HostMetadata::workspace("7").without("host_type");
    /// # let _ = host;
    /// ```
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.iter_mut().for_each(|fields| fields.retain(|(known, _)| known != name));
        self
    }

    /// Sets `oidc_endpoint` to `path` on the fake server itself.
    ///
    /// ```
    /// let host = u2m_testkit::HostMetadata::workspace("7").with_oidc_below("/oidc/accounts/acc-1");
    /// # let _ = host;
    /// ```
    #[must_use]
    pub fn with_oidc_below(self, path: impl Into<String>) -> Self {
        self.set("oidc_endpoint", Field::Below(path.into()))
    }

    fn set(mut self, name: &str, field: Field) -> Self {
        self = self.without(name);
        self.0.get_or_insert_default().push((name.to_owned(), field));
        self
    }

    /// The document as a server at `base` sends it, if there is one.
    pub(crate) fn document(&self, base: &str) -> Option<Value> {
        let fields = self.0.as_ref()?.iter().map(|(name, field)| {
            let value = match field {
                Field::Json(value) => value.clone(),
                Field::Below(path) => Value::String(format!("{base}{path}")),
            };
            (name.clone(), value)
        });
        Some(Value::Object(fields.collect()))
    }
}

/// Where the authorization server metadata is published besides Databricks' path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WellKnown {
    /// Only at Databricks' path.
    Databricks,
    /// At the path of RFC 8414: `/.well-known/oauth-authorization-server` before the issuer's path.
    OAuth,
    /// At the path of OpenID Connect: `/.well-known/openid-configuration` after the issuer's path.
    OpenId,
}

impl Settings {
    /// Also publishes the metadata at a path that other issuers than Databricks' use.
    #[must_use]
    pub const fn with_well_known(mut self, well_known: WellKnown) -> Self {
        self.well_known = well_known;
        self
    }
}

/// One authorization server on the host: the workspace's or an account's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Issuer {
    Workspace,
    Account(String),
}

impl Issuer {
    /// The issuer identifier on a server at `base`.
    pub(crate) fn url(&self, base: &str) -> String {
        match self {
            Self::Workspace => format!("{base}/oidc"),
            Self::Account(id) => format!("{base}/oidc/accounts/{id}"),
        }
    }

    /// The metadata document of RFC 8414.
    pub(crate) fn document(&self, base: &str, settings: &Settings) -> Value {
        let (issuer, tokens) =
            (self.url(base), self.url(settings.tokens_on.as_deref().unwrap_or(base)));
        let mut document = json!({
            "authorization_endpoint": format!("{issuer}/v1/authorize"),
            "authorization_response_iss_parameter_supported": settings.iss != Iss::Absent,
            "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "issuer": issuer,
            "response_types_supported": ["code"],
            "token_endpoint": format!("{tokens}/v1/token"),
            "token_endpoint_auth_methods_supported":
                ["none", "client_secret_basic", "client_secret_post"],
        });
        if settings.revocation {
            document["revocation_endpoint"] = Value::from(format!("{tokens}/v1/revoke"));
        }
        if settings.device.is_some() {
            document["device_authorization_endpoint"] = Value::from(format!("{tokens}/v1/device"));
        }
        if let Some(members) = document.as_object_mut() {
            for (name, value) in &settings.metadata {
                match value {
                    Some(value) => drop(members.insert(name.clone(), value.clone())),
                    None => drop(members.remove(name)),
                }
            }
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_follow_the_base_address_and_keep_the_placeholder() {
        let document = HostMetadata::unified("acc").document("http://h:1").unwrap();
        assert_eq!(document["oidc_endpoint"], "http://h:1/oidc/accounts/{account_id}");
        assert_eq!(document["host_type"], "unified");
        assert_eq!(document["account_id"], "acc");
    }

    #[test]
    fn an_absent_document_is_no_document() {
        assert_eq!(HostMetadata::absent().document("http://h:1"), None);
        assert_eq!(HostMetadata::absent().without("x"), HostMetadata::absent());
    }
}
