//! Authorization server metadata (RFC 8414): parsed, and checked against the issuer that was asked for.

use super::error_members::ErrorMembers;
use super::error_response::may_pass;
use super::expected_issuer::ExpectedIssuer;
use super::is_too_deep;
use super::members::JsonMembers;
use crate::call::TransportFailure;
use crate::databricks::Host;
use crate::issuer::{derive_host_from_issuer, is_of_another_account};
use crate::names::AccountId;
use crate::oauth::Scopes;
use crate::reply::Reply;
use crate::text::Sanitized;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// The endpoints of an authorization server, and the issuer that vouches for them.
///
/// ```
/// use u2m_core::{ServerMetadata, Host};
/// let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
/// let server = ServerMetadata::at(&host, "/oidc/accounts/abc")?;
/// assert_eq!(server.token_endpoint.path(), "/oidc/accounts/abc/v1/token");
/// # Ok::<(), u2m_core::MetadataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MetadataDocument", into = "MetadataDocument")]
#[non_exhaustive]
pub struct ServerMetadata {
    /// The issuer that was asked for. A login is recorded under it, and its metadata is found again by it.
    pub issuer: String,
    /// The issuer as the metadata names it, unchanged; `None` if it names none. A Databricks document with another name than
    /// was asked for, or with none, is valid if everything in it is on the host that was asked.
    pub names_itself: Option<String>,
    /// The authorization endpoint, where the browser is sent.
    pub authorization_endpoint: Url,
    /// The token endpoint, where codes and refresh tokens are redeemed.
    pub token_endpoint: Url,
    /// Whether the server promises that callbacks have `iss` (RFC 9207 section 3).
    pub callback_names_issuer: bool,
    /// The revocation endpoint (RFC 7009), if the server has one. An endpoint that is not https, or on a host that the issuer
    /// does not speak for, is dropped.
    pub revocation_endpoint: Option<Url>,
    /// The device authorization endpoint (RFC 8628), by the same rule.
    pub device_authorization_endpoint: Option<Url>,
    /// The scopes that the server lists, if it lists any.
    pub scopes_supported: Option<Scopes>,
}

impl ServerMetadata {
    /// The endpoints of Databricks' fixed layout below `path` on `host`: `v1/authorize` and `v1/token`.
    ///
    /// ```
    /// use u2m_core::{ServerMetadata, Host};
    /// let host = Host::parse("https://a.example").unwrap();
    /// assert_eq!(ServerMetadata::at(&host, "/oidc")?.issuer, "https://a.example/oidc");
    /// assert!(ServerMetadata::at(&host, ".evil.example/oidc").is_err());
    /// # Ok::<(), u2m_core::MetadataError>(())
    /// ```
    ///
    /// # Errors
    /// Fails if `path` does not begin with a slash, or is not a plain path.
    pub fn at(host: &Host, path: &str) -> Result<Self, MetadataError> {
        let no_path = || MetadataError::NoPath(Sanitized::new(path));
        host.at(path).ok_or_else(no_path)?;
        Ok(Self::below(host, path))
    }

    /// The same for the issuer of a workspace.
    pub(crate) fn of_workspace(host: &Host) -> Self {
        Self::below(host, "/oidc")
    }

    /// The same for the issuer of an account.
    pub(crate) fn of_account(host: &Host, account: &AccountId) -> Self {
        Self::below(host, &format!("/oidc/accounts/{account}"))
    }

    fn below(host: &Host, path: &str) -> Self {
        let issuer = host.join(path);
        let root = issuer.trim_end_matches('/');
        // A host is a parsed origin, and the path was checked or is made of literals and checked ids.
        let url = |tail: &str| {
            Url::parse(&format!("{root}{tail}")).expect("an origin with a plain path is a URL")
        };
        let (authorization_endpoint, token_endpoint) = (url("/v1/authorize"), url("/v1/token"));
        Self::plain(issuer, authorization_endpoint, token_endpoint)
    }

    fn plain(issuer: String, authorization_endpoint: Url, token_endpoint: Url) -> Self {
        Self {
            names_itself: Some(issuer.clone()),
            issuer,
            authorization_endpoint,
            token_endpoint,
            callback_names_issuer: false,
            revocation_endpoint: None,
            device_authorization_endpoint: None,
            scopes_supported: None,
        }
    }

    /// Makes metadata from endpoints that a program knows from elsewhere.
    ///
    /// # Errors
    /// Fails if an endpoint is not https (or loopback http), or has a fragment or user info.
    ///
    /// ```
    /// use u2m_core::ServerMetadata;
    /// let url = |text| url::Url::parse(text).unwrap();
    /// let server = ServerMetadata::new(
    ///     "https://id.example",
    ///     url("https://id.example/authorize?tenant=1"),
    ///     url("https://id.example/token"),
    /// )?;
    /// assert_eq!(server.authorization_endpoint.query(), Some("tenant=1"));
    /// # Ok::<(), u2m_core::MetadataError>(())
    /// ```
    pub fn new(
        issuer: impl Into<String>,
        authorization_endpoint: Url,
        token_endpoint: Url,
    ) -> Result<Self, MetadataError> {
        for (name, url) in [
            ("authorization_endpoint", &authorization_endpoint),
            ("token_endpoint", &token_endpoint),
        ] {
            if url.fragment().is_some() || Host::of(url).is_err() {
                return Err(MetadataError::UnusableEndpoint(name));
            }
        }
        Ok(Self::plain(issuer.into(), authorization_endpoint, token_endpoint))
    }

    /// Whether the `iss` of a callback names this server (RFC 9207 section 2.4): a plain string comparison with the name in the
    /// metadata. If the metadata has none, any name on the issuer's host counts, except another account's.
    pub(crate) fn is_named(&self, iss: &str) -> bool {
        match &self.names_itself {
            Some(name) => name == iss,
            None => {
                let host = derive_host_from_issuer(&self.issuer);
                host.is_ok_and(|host| derive_host_from_issuer(iss) == Ok(host))
                    && !is_of_another_account(&self.issuer, iss)
            }
        }
    }
}

/// The members of the document that are read; all others are ignored.
#[derive(Clone, Serialize, Deserialize)]
struct MetadataDocument {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    /// The issuer that was asked for, if the document names another. Only documents that u2m wrote have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u2m_asked_for: Option<String>,
    #[serde(default)]
    authorization_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: Option<bool>,
    #[serde(default, deserialize_with = "if_it_is", skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<String>,
    #[serde(default, deserialize_with = "if_it_is", skip_serializing_if = "Option::is_none")]
    device_authorization_endpoint: Option<String>,
    #[serde(default, deserialize_with = "if_it_is", skip_serializing_if = "Option::is_none")]
    scopes_supported: Option<Vec<String>>,
}

/// An optional member must not prevent a login: one of the wrong type counts as absent.
fn if_it_is<'de, D: serde::Deserializer<'de>, T: serde::de::DeserializeOwned>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<Value>::deserialize(from)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

impl TryFrom<MetadataDocument> for ServerMetadata {
    type Error = MetadataError;

    fn try_from(document: MetadataDocument) -> Result<Self, MetadataError> {
        if document
            .code_challenge_methods_supported
            .is_some_and(|known| !known.iter().any(|m| m == "S256"))
        {
            return Err(MetadataError::NoS256);
        }
        let endpoint = |name: &'static str, text: Option<String>| {
            let text =
                text.filter(|text| !text.is_empty()).ok_or(MetadataError::MissingMember(name))?;
            Url::parse(&text).map_err(|_| MetadataError::UnusableEndpoint(name))
        };
        let names_itself = document.issuer.filter(|text| !text.is_empty());
        let asked = document.u2m_asked_for.or_else(|| names_itself.clone());
        let server = Self::new(
            asked.ok_or(MetadataError::MissingMember("issuer"))?,
            endpoint("authorization_endpoint", document.authorization_endpoint)?,
            endpoint("token_endpoint", document.token_endpoint)?,
        )?;
        let promised = document.authorization_response_iss_parameter_supported.unwrap_or(false);
        let extra = |text: Option<String>| {
            let url = Url::parse(&text?).ok()?;
            (url.fragment().is_none() && Host::of(&url).is_ok()).then_some(url)
        };
        Ok(Self {
            names_itself,
            callback_names_issuer: promised,
            revocation_endpoint: extra(document.revocation_endpoint),
            device_authorization_endpoint: extra(document.device_authorization_endpoint),
            scopes_supported: document.scopes_supported.map(Scopes::new),
            ..server
        })
    }
}

impl From<ServerMetadata> for MetadataDocument {
    fn from(server: ServerMetadata) -> Self {
        let is_plain = server.names_itself.as_ref() == Some(&server.issuer);
        let scopes = server.scopes_supported;
        Self {
            issuer: server.names_itself,
            u2m_asked_for: (!is_plain).then_some(server.issuer),
            authorization_endpoint: Some(server.authorization_endpoint.into()),
            token_endpoint: Some(server.token_endpoint.into()),
            code_challenge_methods_supported: None,
            authorization_response_iss_parameter_supported: Some(server.callback_names_issuer),
            revocation_endpoint: server.revocation_endpoint.map(Url::into),
            device_authorization_endpoint: server.device_authorization_endpoint.map(Url::into),
            scopes_supported: scopes.map(|scopes| scopes.iter().map(str::to_owned).collect()),
        }
    }
}

/// Reads a response to a metadata request (RFC 8414 sections 3.2 and 3.3).
pub(crate) fn parse_metadata(
    outcome: Result<Reply, TransportFailure>,
    expected: &ExpectedIssuer,
) -> Result<ServerMetadata, MetadataError> {
    let answer = outcome.map_err(MetadataError::Unreachable)?;
    if answer.status() == 404 {
        return Err(MetadataError::NotSupported);
    }
    if !answer.is_success() {
        return Err(match said(&answer) {
            Some(words) => MetadataError::Refused(answer.status(), words),
            None => MetadataError::Status(answer.status()),
        });
    }
    let body = answer.body().trim_ascii_start();
    if body.first() == Some(&b'<') {
        return Err(MetadataError::Html);
    }
    if is_too_deep(body) {
        return Err(MetadataError::NotJson);
    }
    // Of a duplicate member the last counts, as everywhere. An array is not a document, whatever is in it.
    let Ok(members @ Value::Object(_)) = serde_json::from_slice(body) else {
        return Err(MetadataError::NotJson);
    };
    let mut document: MetadataDocument =
        serde_json::from_value(members).map_err(|_| MetadataError::NotJson)?;
    let named = document.issuer.as_deref().filter(|text| !text.is_empty());
    document.u2m_asked_for = Some(expected.issuer(named)?);
    expected.hold(ServerMetadata::try_from(document)?)
}

/// What a server says instead of sending a document.
fn said(answer: &Reply) -> Option<Sanitized> {
    let members = JsonMembers::find(answer.body(), false, |_| true)?;
    let ErrorMembers { code, message } = ErrorMembers::of(&members, answer.status(), answer.sent());
    message.or(code)
}

/// Why a host's OAuth endpoints could not be determined.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// An endpoint is on another host than the one that was asked (A32): which endpoint, and where.
    #[error("the metadata's {0} is on another host: {1}")]
    EndpointElsewhere(&'static str, Sanitized),
    /// The response is an HTML page instead of JSON: usually from a proxy, a private link or a captive portal.
    #[error("received HTML response instead of JSON; is a proxy or a captive portal in the way?")]
    Html,
    /// A required member is absent or empty.
    #[error("the metadata has no {0}")]
    MissingMember(&'static str),
    /// The issuer publishes no metadata, neither at OAuth's location nor at OpenID Connect's.
    #[error(
        "there is no metadata of this issuer, neither below /.well-known/oauth-authorization-server nor at \
         /.well-known/openid-configuration"
    )]
    NoDocument,
    /// The text is not a plain path on a host; it might point elsewhere.
    #[error("not a path on a host: '{0}'")]
    NoPath(Sanitized),
    /// The server offers only PKCE methods other than S256.
    #[error("the server does not offer PKCE with S256")]
    NoS256,
    /// The response is not a metadata document.
    #[error("the metadata is not valid JSON of the expected shape")]
    NotJson,
    /// The document does not exist (404). SDKs look for this text.
    #[error("databricks OAuth is not supported for this host")]
    NotSupported,
    /// A status other than success and 404, and what the server said with it.
    #[error("http {0} instead of the metadata: {1}")]
    Refused(u16, Sanitized),
    /// A status other than success and 404, without any text.
    #[error("http {0} instead of the metadata")]
    Status(u16),
    /// No response arrived.
    #[error("the metadata could not be fetched")]
    Unreachable(#[source] TransportFailure),
    /// An endpoint is not https, or has a fragment or user info.
    #[error("the metadata's {0} is not an https URL without fragment and user info")]
    UnusableEndpoint(&'static str),
    /// The document is that of another issuer (RFC 8414 section 3.3): on another host, of another account, or, if an issuer was
    /// named, any but that one.
    #[error("the metadata is that of another issuer: {0}")]
    WrongIssuer(Sanitized),
}

impl MetadataError {
    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Html => true,
            // Access lists depend on the client's network, which changes.
            Self::Refused(403, _) | Self::Status(403) => true,
            Self::Refused(..) | Self::Status(_) => self.is_in_trouble(),
            Self::EndpointElsewhere(..)
            | Self::MissingMember(_)
            | Self::NoDocument
            | Self::NoPath(_)
            | Self::NoS256
            | Self::NotJson
            | Self::NotSupported
            | Self::UnusableEndpoint(_)
            | Self::WrongIssuer(_) => false,
        }
    }

    /// Whether the server was unable to respond properly, rather than having no document.
    pub(crate) fn is_in_trouble(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused(status, _) | Self::Status(status) => may_pass(*status),
            _ => false,
        }
    }

    /// The error for an endpoint on a host where it must not be.
    pub(crate) fn elsewhere(name: &'static str, url: &Url) -> Self {
        Self::EndpointElsewhere(name, Sanitized::new(&url.origin().ascii_serialization()))
    }
}

#[cfg(test)]
#[path = "tests/metadata.rs"]
mod tests;
