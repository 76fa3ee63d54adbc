//! The metadata of a Databricks host: `/.well-known/databricks-config`.

use crate::call::{AwaitsResponse, HttpCall, HttpRequest, Replay, TransportFailure, sealed};
use crate::databricks::Host;
use crate::names::AccountId;
use crate::reply::Reply;
use crate::target::Target;
use crate::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::Url;

/// A host's metadata. All of it is optional; a host without any is a plain workspace or account console.
///
/// ```
/// use u2m_core::{HttpResponse, Host, HostMetadata, Timestamp};
/// let host = Host::parse("https://unified.example")?;
/// let call = HostMetadata::lookup(&host);
/// assert_eq!(call.request().url().path(), "/.well-known/databricks-config");
/// let answer = HttpResponse::new(200, br#"{"oidc_endpoint": "https://unified.example/oidc/accounts/{account_id}"}"#.to_vec());
/// let metadata = call.answered(Ok(answer), Timestamp::from_unix(0)).unwrap();
/// assert!(metadata.serves_accounts());
/// # Ok::<(), u2m_core::HostError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HostMetadata {
    /// The root of its OpenID endpoints; may contain the placeholder `{account_id}`.
    pub oidc_endpoint: Option<String>,
    /// The account that the host belongs to; plain workspaces state theirs too.
    pub account_id: Option<String>,
    /// The id of the workspace that the host is.
    pub workspace_id: Option<String>,
    /// `workspace`, `account` or `unified`, in any case.
    pub host_type: Option<String>,
    /// `AWS`, `Azure` or `GCP`, in any case.
    pub cloud: Option<String>,
    /// The audiences for tokens that are exchanged for the host's own, the default first.
    #[serde(
        rename = "token_federation_default_oidc_audiences",
        deserialize_with = "texts",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub audiences: Vec<String>,
}

/// The strings in a list. Other values are ignored.
fn texts<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    let value = Value::deserialize(source)?;
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

impl HostMetadata {
    /// Fetches the metadata of `host`, without credentials.
    ///
    /// ```
    /// let host = u2m_core::Host::parse("https://a.example").unwrap();
    /// assert!(u2m_core::HostMetadata::lookup(&host).request().form().is_none());
    /// ```
    pub fn lookup(host: &Host) -> HttpCall<HostMetadataLookup> {
        // A host is a parsed origin, and the path is a literal.
        let url = Url::parse(&host.join("/.well-known/databricks-config"))
            .expect("an origin with a path is a URL");
        HttpCall::new(HttpRequest::get(url), Replay::Safe, HostMetadataLookup(()))
    }

    /// Whether people sign in to accounts here, rather than to one workspace.
    pub fn serves_accounts(&self) -> bool {
        self.oidc_endpoint.as_deref().is_some_and(|root| root.contains("/oidc/accounts/"))
    }

    /// What to sign in to on `host`. These rules are tested in order: a classic account console is an account; a host that
    /// serves accounts is unified, if the caller named an account; anything else is a workspace. The caller must give the
    /// account, because plain workspaces state theirs too.
    pub fn target(&self, host: Host, account: Option<AccountId>) -> Target {
        match account {
            Some(account) if host.is_account_console() => Target::account(host, account),
            Some(account) if self.serves_accounts() => Target::unified(host, account),
            _ => Target::workspace(host),
        }
    }
}

/// Waits for a host's metadata.
#[derive(Debug)]
pub struct HostMetadataLookup(());

impl sealed::Sealed for HostMetadataLookup {}

impl AwaitsResponse for HostMetadataLookup {
    type Next = HostMetadata;
    type Error = TransportFailure;

    /// Anything but metadata counts as empty: metadata only adds what the caller does not know.
    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<HostMetadata, TransportFailure> {
        let answer = outcome?;
        if !answer.is_success() || crate::oauth::is_too_deep(answer.body()) {
            return Ok(HostMetadata::default());
        }
        Ok(serde_json::from_slice(answer.body()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(metadata: &str, host: &str, account: Option<&str>) -> Target {
        let metadata: HostMetadata = serde_json::from_str(metadata).unwrap();
        metadata.target(Host::parse(host).unwrap(), account.map(|id| AccountId::parse(id).unwrap()))
    }

    #[test]
    fn a_list_of_audiences_that_is_none_takes_nothing_from_the_rest() {
        let read = |audiences: &str| -> HostMetadata {
            let member = r#""cloud":"AWS","token_federation_default_oidc_audiences""#;
            serde_json::from_str(&format!("{{{member}:{audiences}}}")).unwrap()
        };
        assert_eq!(read(r#"["a","b"]"#).audiences, ["a", "b"]);
        for odd in ["null", "7", r#""a""#, "{}", "[7]"] {
            let found = read(odd);
            assert_eq!((found.cloud.as_deref(), found.audiences.len()), (Some("AWS"), 0), "{odd}");
        }
    }

    #[test]
    fn host_2_one_rule_says_what_a_host_is() {
        let unified = r#"{"oidc_endpoint":"https://u.example/oidc/accounts/{account_id}"}"#;
        let workspace = r#"{"oidc_endpoint":"https://u.example/oidc","account_id":"back-filled"}"#;
        let key = |target: Target| target.cache_key().as_str().to_owned();
        assert_eq!(
            key(target(unified, "https://u.example", Some("a"))),
            "https://u.example/oidc/accounts/a"
        );
        assert_eq!(key(target(unified, "https://u.example", None)), "https://u.example");
        assert_eq!(key(target(workspace, "https://u.example", Some("a"))), "https://u.example");
        let console = "https://accounts.cloud.databricks.com";
        assert_eq!(key(target("{}", console, Some("a"))), format!("{console}/oidc/accounts/a"));
    }
}
