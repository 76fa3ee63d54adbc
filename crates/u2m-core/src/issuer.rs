//! Issuers, and which of them a discovery login may follow.

use crate::databricks::{Host, HostError};
use crate::oauth::ExpectedIssuer;
use crate::sent::SentSecrets;
use crate::text::Sanitized;
use url::Url;

/// The domains from which Databricks serves workspaces and accounts.
const ZONES: [&str; 6] = [
    "cloud.databricks.com",
    "cloud.databricks.us",
    "azuredatabricks.net",
    "databricks.azure.us",
    "databricks.azure.cn",
    "gcp.databricks.com",
];

/// The domain of unified hosts: one label below it, and only if a person agrees.
const UNIFIED_ZONE: &str = "databricks.com";

/// The host of an issuer.
///
/// # Errors
/// Fails if the issuer is empty, not https (except to loopback), without a host, or has user info, a query or a
/// fragment, which an issuer must not have (RFC 9207 section 2).
///
/// ```
/// use u2m_core::derive_host_from_issuer;
/// let host = derive_host_from_issuer("https://nike.databricks.com/oidc/accounts/xxx")?;
/// assert_eq!(host.as_str(), "https://nike.databricks.com");
/// # Ok::<(), u2m_core::IssuerError>(())
/// ```
pub fn derive_host_from_issuer(issuer: &str) -> Result<Host, IssuerError> {
    parse(issuer).map(|(host, _)| host)
}

/// The token endpoint of an issuer with Databricks' layout: the issuer without trailing slashes, and `/v1/token`.
/// Prefer what the metadata says.
///
/// # Errors
/// As for [`derive_host_from_issuer`].
///
/// ```
/// use u2m_core::derive_token_endpoint;
/// let url = derive_token_endpoint("https://adb-1.azuredatabricks.net/oidc/")?;
/// assert_eq!(url.as_str(), "https://adb-1.azuredatabricks.net/oidc/v1/token");
/// # Ok::<(), u2m_core::IssuerError>(())
/// ```
pub fn derive_token_endpoint(issuer: &str) -> Result<Url, IssuerError> {
    let (_, url) = parse(issuer)?;
    Url::parse(&format!("{}/v1/token", url.as_str().trim_end_matches('/')))
        .map_err(|_| IssuerError::Unparsable(Sanitized::new(issuer)))
}

/// The URL of the issuer's metadata in Databricks' layout.
pub(crate) fn metadata_url(issuer: &str) -> Result<Url, IssuerError> {
    let (_, url) = parse(issuer)?;
    Url::parse(&format!(
        "{}/.well-known/oauth-authorization-server",
        url.as_str().trim_end_matches('/')
    ))
    .map_err(|_| IssuerError::Unparsable(Sanitized::new(issuer)))
}

/// The URLs where any issuer's metadata may be: OAuth's, with the well-known name inserted before the path (RFC 8414
/// section 3.1), and OpenID Connect's, with it appended (OpenID Connect Discovery section 4.1).
///
/// ```
/// let [oauth, openid] = u2m_core::well_known_urls("https://id.example/realm")?;
/// assert_eq!(oauth.path(), "/.well-known/oauth-authorization-server/realm");
/// assert_eq!(openid.path(), "/realm/.well-known/openid-configuration");
/// # Ok::<(), u2m_core::IssuerError>(())
/// ```
///
/// # Errors
/// Fails if `issuer` is not a valid issuer.
pub fn well_known_urls(issuer: &str) -> Result<[Url; 2], IssuerError> {
    let (host, url) = parse(issuer)?;
    let path = url.path().trim_end_matches('/');
    let read = |text: String| {
        Url::parse(&text).map_err(|_| IssuerError::Unparsable(Sanitized::new(issuer)))
    };
    Ok([
        read(host.join(&format!("/.well-known/oauth-authorization-server{path}")))?,
        read(host.join(&format!("{path}/.well-known/openid-configuration")))?,
    ])
}

/// The path of an issuer, without trailing slashes.
pub(crate) fn path_of_issuer(issuer: &str) -> &str {
    let behind = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    behind.find('/').map_or("", |at| behind[at..].trim_end_matches('/'))
}

/// Whether both are account issuers in Databricks' layout, and of different accounts.
pub(crate) fn is_of_another_account(asked: &str, named: &str) -> bool {
    let account = |issuer| path_of_issuer(issuer).strip_prefix("/oidc/accounts/");
    matches!((account(asked), account(named)), (Some(asked), Some(named)) if asked != named)
}

fn parse(issuer: &str) -> Result<(Host, Url), IssuerError> {
    if issuer.is_empty() {
        return Err(IssuerError::Empty);
    }
    let shown = || Sanitized::new(issuer);
    let trimmed = issuer.trim_end_matches('/');
    if !trimmed.contains("://") {
        return Err(IssuerError::NotHttps(shown()));
    }
    // The URL parser would skip the slashes of `https:///oidc` and take the path for a host.
    let authority = trimmed.split_once("://").map_or("", |(_, rest)| rest);
    if authority.starts_with('/') {
        return Err(IssuerError::NoHost(shown()));
    }
    let url = Url::parse(trimmed).map_err(|error| match error {
        url::ParseError::EmptyHost => IssuerError::NoHost(shown()),
        _ => IssuerError::Unparsable(shown()),
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(IssuerError::MoreThanAnIssuer(shown()));
    }
    let host = Host::of(&url).map_err(|error| match error {
        HostError::NotHttps(_) => IssuerError::NotHttps(shown()),
        HostError::UserInfo => {
            IssuerError::MoreThanAnIssuer(Sanitized::new(url.host_str().unwrap_or_default()))
        }
        _ => IssuerError::NoHost(shown()),
    })?;
    Ok((host, url))
}

/// Why a text is not an issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// It is empty.
    #[error("issuer must not be empty")]
    Empty,
    /// It has user info, a query or a fragment.
    #[error("issuer must have neither user info, query nor fragment: {0}")]
    MoreThanAnIssuer(Sanitized),
    /// It has no host.
    #[error("issuer must have a non-empty host: {0}")]
    NoHost(Sanitized),
    /// It is neither https nor loopback.
    #[error("issuer must use https scheme: {0}")]
    NotHttps(Sanitized),
    /// It is not a URL.
    #[error("issuer is not a URL: {0}")]
    Unparsable(Sanitized),
}

impl IssuerError {
    /// The same error without the secrets that whoever named the issuer may have put into it.
    pub(crate) fn without(self, sent: &SentSecrets) -> Self {
        let cut = |shown: Sanitized| Sanitized::without(shown.as_str(), sent);
        match self {
            Self::Empty => Self::Empty,
            Self::MoreThanAnIssuer(shown) => Self::MoreThanAnIssuer(cut(shown)),
            Self::NoHost(shown) => Self::NoHost(cut(shown)),
            Self::NotHttps(shown) => Self::NotHttps(cut(shown)),
            Self::Unparsable(shown) => Self::Unparsable(cut(shown)),
        }
    }
}

/// Which issuers a discovery login may follow. Whoever calls back chooses the callback's `iss`, so the code and its
/// verifier must not be sent wherever it points (T6).
///
/// ```
/// use u2m_core::{Host, IssuerTrust, TrustDecision};
/// let trust = IssuerTrust::databricks();
/// let host = |text| Host::parse(text).unwrap();
/// assert_eq!(trust.of(&host("https://adb-1.azuredatabricks.net")), TrustDecision::Yes);
/// assert_eq!(trust.of(&host("https://nike.databricks.com")), TrustDecision::AfterConfirmation);
/// assert_eq!(trust.of(&host("https://cloud.databricks.com.evil.example")), TrustDecision::No);
/// ```
#[derive(Clone, Debug)]
pub struct IssuerTrust {
    zones: Vec<String>,
    hosts: Vec<Host>,
}

/// Whether a rule trusts a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustDecision {
    /// Follow it only after a person has agreed to this exact host.
    AfterConfirmation,
    /// Do not connect to it.
    No,
    /// Follow it.
    Yes,
}

impl IssuerTrust {
    /// Trusts Databricks' domains, over https on port 443, and one label below `databricks.com` after confirmation.
    /// It trusts no IP address and no development domain.
    ///
    /// ```
    /// use u2m_core::{Host, IssuerTrust, TrustDecision};
    /// let local = Host::parse("http://127.0.0.1:9000").unwrap();
    /// assert_eq!(IssuerTrust::databricks().of(&local), TrustDecision::No);
    /// ```
    pub fn databricks() -> Self {
        Self { zones: ZONES.map(str::to_owned).to_vec(), hosts: Vec::new() }
    }

    /// Also trusts this exact host, port included. This is the only way to trust loopback and IP addresses.
    #[must_use]
    pub fn with_host(mut self, host: Host) -> Self {
        self.hosts.push(host);
        self
    }

    /// Also trusts every host below `zone`, matched at a dot, over https on port 443.
    #[must_use]
    pub fn with_zone(mut self, zone: &str) -> Self {
        self.zones.push(zone.trim_start_matches('.').to_ascii_lowercase());
        self
    }

    /// What supplied endpoints for a login at `host` must satisfy, since no metadata vouches for them. If a person
    /// named the issuer, they must be that issuer's.
    pub(crate) fn supplied(&self, host: Host, issuer: Option<&str>) -> ExpectedIssuer {
        match issuer {
            Some(issuer) => ExpectedIssuer::exactly(issuer, host, self.hosts.clone()),
            None => ExpectedIssuer::unnamed(host, self.hosts.clone()),
        }
    }

    /// The hosts that are trusted by name.
    pub(crate) fn named(&self) -> &[Host] {
        &self.hosts
    }

    /// Returns whether to follow an issuer on `host`.
    pub fn of(&self, host: &Host) -> TrustDecision {
        if self.hosts.contains(host) {
            return TrustDecision::Yes;
        }
        let Some(name) = host.as_str().strip_prefix("https://").filter(|rest| *rest == host.name())
        else {
            return TrustDecision::No;
        };
        let below = |zone: &str| name.strip_suffix(zone).and_then(|head| head.strip_suffix('.'));
        if self.zones.iter().any(|zone| below(zone).is_some_and(|label| !label.is_empty())) {
            return TrustDecision::Yes;
        }
        match below(UNIFIED_ZONE) {
            Some(label)
                if !label.is_empty() && !label.contains('.') && !label.starts_with("xn--") =>
            {
                TrustDecision::AfterConfirmation
            }
            _ => TrustDecision::No,
        }
    }
}

impl Default for IssuerTrust {
    fn default() -> Self {
        Self::databricks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_taken_and_refused_as_the_reference_does() {
        for (issuer, host, token) in [
            (
                "https://adb-xxx.azuredatabricks.net/oidc",
                "https://adb-xxx.azuredatabricks.net",
                "/oidc/v1/token",
            ),
            (
                "https://nike.databricks.com/oidc/accounts/xxx",
                "https://nike.databricks.com",
                "/oidc/accounts/xxx/v1/token",
            ),
            ("https://a.example/oidc//", "https://a.example", "/oidc/v1/token"),
            ("http://127.0.0.1:12345/oidc", "http://127.0.0.1:12345", "/oidc/v1/token"),
        ] {
            assert_eq!(derive_host_from_issuer(issuer).unwrap().as_str(), host);
            assert_eq!(derive_token_endpoint(issuer).unwrap().as_str(), format!("{host}{token}"));
        }
        use IssuerError::*;
        assert_eq!(
            derive_host_from_issuer("").unwrap_err().to_string(),
            "issuer must not be empty"
        );
        for bad in [
            "http://insecure.net/oidc",
            "http://127.0.0.1.attacker.tld/oidc",
            "nike.databricks.com/oidc",
        ] {
            assert!(matches!(derive_host_from_issuer(bad), Err(NotHttps(_))), "{bad}");
        }
        assert!(matches!(derive_host_from_issuer("https:///oidc"), Err(NoHost(_))));
        assert!(matches!(derive_host_from_issuer("https://[::1/oidc"), Err(Unparsable(_))));
    }

    #[test]
    fn disc_1_user_info_query_and_fragment_are_refused() {
        for bad in
            ["https://h/oidc?x=1", "https://h/oidc#f", "https://u:p@h/oidc", "https://a@b/oidc"]
        {
            assert!(
                matches!(derive_token_endpoint(bad), Err(IssuerError::MoreThanAnIssuer(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn a30_metadata_stands_where_the_standards_say() {
        for (issuer, oauth, openid) in [
            (
                "https://id.example",
                "https://id.example/.well-known/oauth-authorization-server",
                "https://id.example/.well-known/openid-configuration",
            ),
            (
                "https://id.example/realms/a/",
                "https://id.example/.well-known/oauth-authorization-server/realms/a",
                "https://id.example/realms/a/.well-known/openid-configuration",
            ),
            (
                "http://127.0.0.1:9/x",
                "http://127.0.0.1:9/.well-known/oauth-authorization-server/x",
                "http://127.0.0.1:9/x/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(well_known_urls(issuer).unwrap().map(String::from), [oauth, openid]);
        }
        assert!(well_known_urls("http://id.example").is_err());
        assert!(well_known_urls("https://id.example/?a=b").is_err());
    }

    #[test]
    fn t6_only_databricks_zones_are_followed() {
        let trust = IssuerTrust::databricks();
        let of = |text: &str| trust.of(&Host::parse(text).unwrap());
        for zone in ZONES {
            assert_eq!(of(&format!("https://x.{zone}")), TrustDecision::Yes, "{zone}");
        }
        for evil in [
            "https://evil.com",
            "https://cloud.databricks.com.evil.com",
            "https://xcloud.databricks.com.evil.com",
            "https://evildatabricks.com",
            "http://127.0.0.1:1",
            "https://127.0.0.1",
            "https://[::1]",
            "https://x.cloud.databricks.com:444",
            "https://xn--nke-1ma.databricks.com",
            "https://a.b.databricks.com",
            "https://databricks.com",
            "https://x.dev.databricks.com",
            "https://x.cloud.dаtabricks.com",
        ] {
            assert_eq!(of(evil), TrustDecision::No, "{evil}");
        }
        // One label below databricks.com has the form of a unified host: trusted only after confirmation.
        assert_eq!(of("https://xcloud.databricks.com"), TrustDecision::AfterConfirmation);
        assert_eq!(of("https://cloud.databricks.com"), TrustDecision::AfterConfirmation);
    }

    #[test]
    fn t6_a_caller_widens_the_rule_by_name() {
        let local = Host::parse("http://127.0.0.1:9000").unwrap();
        let other_port = Host::parse("http://127.0.0.1:9001").unwrap();
        let trust = IssuerTrust::databricks().with_host(local.clone()).with_zone("id.example");
        assert_eq!(trust.of(&local), TrustDecision::Yes);
        assert_eq!(trust.of(&other_port), TrustDecision::No);
        assert_eq!(trust.of(&Host::parse("https://a.id.example").unwrap()), TrustDecision::Yes);
        assert_eq!(trust.of(&Host::parse("https://aid.example").unwrap()), TrustDecision::No);
    }

    #[test]
    fn an_issuer_without_a_name_has_no_host() {
        for text in ["https://:443", "https://?a", "https:///oidc"] {
            assert!(matches!(parse(text), Err(IssuerError::NoHost(_))), "{text}");
        }
    }
}
