//! Authorization server metadata (RFC 8414): parsed, and held against the issuer that was asked for.

use super::is_too_deep;
use crate::call::{Answer, TransportFailure};
use crate::host::Host;
use serde::{Deserialize, Serialize};
use url::Url;

/// The endpoints of an authorization server, and the issuer that vouches for them.
///
/// ```
/// use u2m_core::{AuthorizationServer, Host};
/// let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
/// let server = AuthorizationServer::at(&host, "/oidc/accounts/abc");
/// assert_eq!(server.token_endpoint.path(), "/oidc/accounts/abc/v1/token");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
#[non_exhaustive]
pub struct AuthorizationServer {
    /// The issuer identifier, kept as written: issuers compare byte for byte (RFC 9207 section 2.4).
    pub issuer: String,
    /// Where the browser is sent.
    pub authorization_endpoint: Url,
    /// Where codes and refresh tokens are redeemed.
    pub token_endpoint: Url,
    /// Whether callbacks are promised to carry `iss` (RFC 9207 section 3).
    pub callback_names_issuer: bool,
    /// Where tokens are revoked (RFC 7009), if the server does that. One that is no https URL, or on a host that the
    /// issuer does not speak for, counts as none.
    pub revocation_endpoint: Option<Url>,
    /// Where a device asks for its codes (RFC 8628), by the same rule.
    pub device_authorization_endpoint: Option<Url>,
}

impl AuthorizationServer {
    /// Databricks' fixed layout below `path` on `host`: `v1/authorize` and `v1/token`.
    ///
    /// ```
    /// use u2m_core::{AuthorizationServer, Host};
    /// let server = AuthorizationServer::at(&Host::parse("https://a.example").unwrap(), "/oidc");
    /// assert_eq!(server.issuer, "https://a.example/oidc");
    /// ```
    pub fn at(host: &Host, path: &str) -> Self {
        let issuer = host.join(path);
        // A host is a parsed origin and the paths are literals and checked ids: what is joined parses again.
        let url = |tail: &str| {
            Url::parse(&format!("{issuer}{tail}")).expect("an origin with a plain path is a URL")
        };
        let (authorization_endpoint, token_endpoint) = (url("/v1/authorize"), url("/v1/token"));
        Self {
            issuer,
            authorization_endpoint,
            token_endpoint,
            callback_names_issuer: false,
            revocation_endpoint: None,
            device_authorization_endpoint: None,
        }
    }

    /// Takes endpoints that a program knows from elsewhere.
    ///
    /// # Errors
    /// Refuses endpoints that are not https (or loopback http), or carry a fragment or user info.
    ///
    /// ```
    /// use u2m_core::AuthorizationServer;
    /// let url = |text| url::Url::parse(text).unwrap();
    /// let server = AuthorizationServer::new(
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
        Ok(Self {
            issuer: issuer.into(),
            authorization_endpoint,
            token_endpoint,
            callback_names_issuer: false,
            revocation_endpoint: None,
            device_authorization_endpoint: None,
        })
    }
}

/// The document's members that are read; all others are ignored.
#[derive(Clone, Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    authorization_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_authorization_endpoint: Option<String>,
}

impl TryFrom<Document> for AuthorizationServer {
    type Error = MetadataError;

    fn try_from(document: Document) -> Result<Self, MetadataError> {
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
        let server = Self::new(
            document
                .issuer
                .filter(|text| !text.is_empty())
                .ok_or(MetadataError::MissingMember("issuer"))?,
            endpoint("authorization_endpoint", document.authorization_endpoint)?,
            endpoint("token_endpoint", document.token_endpoint)?,
        )?;
        let promised = document.authorization_response_iss_parameter_supported.unwrap_or(false);
        // What a login can do without must not keep anybody from signing in.
        let extra = |text: Option<String>| {
            let url = Url::parse(&text?).ok()?;
            (url.fragment().is_none() && Host::of(&url).is_ok()).then_some(url)
        };
        Ok(Self {
            callback_names_issuer: promised,
            revocation_endpoint: extra(document.revocation_endpoint),
            device_authorization_endpoint: extra(document.device_authorization_endpoint),
            ..server
        })
    }
}

impl From<AuthorizationServer> for Document {
    fn from(server: AuthorizationServer) -> Self {
        Self {
            issuer: Some(server.issuer),
            authorization_endpoint: Some(server.authorization_endpoint.into()),
            token_endpoint: Some(server.token_endpoint.into()),
            code_challenge_methods_supported: None,
            authorization_response_iss_parameter_supported: Some(server.callback_names_issuer),
            revocation_endpoint: server.revocation_endpoint.map(Url::into),
            device_authorization_endpoint: server.device_authorization_endpoint.map(Url::into),
        }
    }
}

/// What a document has to say to be believed.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The issuer whose document was asked for; `None` where a caller named the document's own URL.
    pub(crate) issuer: Option<String>,
    /// The host that the endpoints must be on.
    pub(crate) host: Host,
    /// Other hosts that a person has named for them, or that the login's tokens were sent to before.
    pub(crate) also: Vec<Host>,
}

impl Expected {
    /// Endpoints on `host`, of this very issuer.
    pub(crate) fn of(issuer: impl Into<String>, host: Host) -> Self {
        Self { issuer: Some(issuer.into()), host, also: Vec::new() }
    }

    fn allows(&self, url: &Url) -> bool {
        Host::of(url).is_ok_and(|host| host == self.host || self.also.contains(&host))
    }
}

/// Reads an answer to a metadata request (RFC 8414 sections 3.2 and 3.3).
pub(crate) fn parse_metadata(
    outcome: Result<Answer, TransportFailure>,
    expected: &Expected,
) -> Result<AuthorizationServer, MetadataError> {
    let answer = outcome.map_err(MetadataError::Unreachable)?;
    if answer.status() == 404 {
        return Err(MetadataError::NotSupported);
    }
    if !answer.is_success() {
        return Err(MetadataError::Status(answer.status()));
    }
    let body = answer.body().trim_ascii_start();
    if body.first() == Some(&b'<') {
        return Err(MetadataError::Html);
    }
    if is_too_deep(body) {
        return Err(MetadataError::NotJson);
    }
    let document: Document = serde_json::from_slice(body).map_err(|_| MetadataError::NotJson)?;
    let mut server = AuthorizationServer::try_from(document)?;
    if expected.issuer.as_ref().is_some_and(|issuer| *issuer != server.issuer) {
        return Err(MetadataError::WrongIssuer);
    }
    for (name, url) in [
        ("authorization_endpoint", &server.authorization_endpoint),
        ("token_endpoint", &server.token_endpoint),
    ] {
        if !expected.allows(url) {
            return Err(MetadataError::EndpointElsewhere(name));
        }
    }
    let allows = |url: &Url| expected.allows(url);
    server.revocation_endpoint = server.revocation_endpoint.filter(allows);
    server.device_authorization_endpoint = server.device_authorization_endpoint.filter(allows);
    Ok(server)
}

/// Why a host's OAuth endpoints are not known.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// An endpoint is on another host than the issuer (A32).
    #[error("the metadata's {0} is on another host than its issuer")]
    EndpointElsewhere(&'static str),
    /// A page came instead of JSON: usually a proxy, a private link or a captive portal.
    #[error("received HTML response instead of JSON; is a proxy or a captive portal in the way?")]
    Html,
    /// A required member is absent or empty.
    #[error("the metadata has no {0}")]
    MissingMember(&'static str),
    /// An issuer that publishes nothing, neither by OAuth's nor by OpenID Connect's rule.
    #[error(
        "there is no metadata of this issuer, neither below /.well-known/oauth-authorization-server nor at \
         /.well-known/openid-configuration"
    )]
    NoDocument,
    /// Only methods other than S256 are offered.
    #[error("the server does not offer PKCE with S256")]
    NoS256,
    /// The answer is not a metadata document.
    #[error("the metadata is not valid JSON of the expected shape")]
    NotJson,
    /// There is no such document. The text is one that SDKs look for.
    #[error("databricks OAuth is not supported for this host")]
    NotSupported,
    /// Any status but success and 404.
    #[error("http {0} instead of the metadata")]
    Status(u16),
    /// No answer.
    #[error("the metadata could not be fetched")]
    Unreachable(#[source] TransportFailure),
    /// Not https, or with a fragment or user info.
    #[error("the metadata's {0} is not an https URL without fragment and user info")]
    UnusableEndpoint(&'static str),
    /// The document speaks for another issuer (RFC 8414 section 3.3).
    #[error("the metadata is that of another issuer")]
    WrongIssuer,
}

impl MetadataError {
    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Html => true,
            Self::Status(status) => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}

#[cfg(test)]
#[path = "tests/metadata.rs"]
mod tests;
