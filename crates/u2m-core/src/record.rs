//! The stored form of a login: one form for every place that keeps one, and one rule for what is believed of it when
//! it is read (T20). `text` writes it as a text that states its format.

mod text;

pub use text::RecordError;

use crate::databricks::Host;
use crate::issuer::{IssuerTrust, TrustDecision};
use crate::login::DATABRICKS_CLI;
use crate::oauth::Scopes;
use crate::secret::{AccessToken, RefreshToken};
use crate::session::{Binding, Session};
use crate::time::{Lifetime, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;
use zeroize::Zeroizing;

/// A [`Binding`] in text form, as side files, sealed entries, Redis and other processes hold it. It contains no
/// secret.
///
/// ```
/// use u2m_core::BindingRecord;
/// let text = r#"{"issuer": "https://a.example/oidc", "token_endpoint": "https://a.example/oidc/v1/token",
///     "client_id": "databricks-cli", "host": "https://a.example"}"#;
/// let record: BindingRecord = serde_json::from_str(text)?;
/// let binding = record.bind().expect("it stays on its host");
/// assert_eq!(BindingRecord::of(&binding), record);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BindingRecord {
    /// The issuer that was asked for. The issuer may call itself otherwise.
    pub issuer: String,
    /// The token endpoint, where the refresh token is redeemed.
    pub token_endpoint: String,
    /// The id of the client that the tokens were issued to.
    pub client_id: String,
    /// The host that was signed in to.
    pub host: String,
    /// The account's id, if the login was to an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The granted scopes, if the server stated them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
    /// The other hosts that were allowed at the login. Versions that kept no such list ignore it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Whether a person named the issuer itself, if client and host suggest otherwise. `None` means that the issuer
    /// was named exactly if neither the client nor the host is Databricks'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_named: Option<bool>,
}

impl BindingRecord {
    /// Takes what every login has, as texts that were read from somewhere.
    ///
    /// ```
    /// use u2m_core::BindingRecord;
    /// let (issuer, endpoint) = ("https://a.example", "https://evil.example/token");
    /// assert!(BindingRecord::new(issuer, endpoint, "my-cli", "https://a.example").bind().is_none());
    /// ```
    pub fn new(
        issuer: impl Into<String>,
        token_endpoint: impl Into<String>,
        client_id: impl Into<String>,
        host: impl Into<String>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            token_endpoint: token_endpoint.into(),
            client_id: client_id.into(),
            host: host.into(),
            account_id: None,
            scopes: None,
            allowed: Vec::new(),
            issuer_named: None,
        }
    }

    /// Converts a binding to its record.
    ///
    /// ```
    /// use u2m_core::{Binding, BindingRecord, Host};
    /// let host = Host::parse("https://a.example").unwrap();
    /// let endpoint = url::Url::parse("https://a.example/token").unwrap();
    /// let record = BindingRecord::of(&Binding::new("https://a.example", endpoint, "my-cli", host));
    /// assert_eq!(record.host, "https://a.example");
    /// ```
    pub fn of(binding: &Binding) -> Self {
        Self {
            issuer: binding.issuer.clone(),
            token_endpoint: binding.token_endpoint.to_string(),
            client_id: binding.client_id.clone(),
            host: binding.host.to_string(),
            account_id: binding.account_id.clone(),
            scopes: binding.scopes.as_ref().map(ToString::to_string),
            allowed: binding.allowed.iter().map(ToString::to_string).collect(),
            issuer_named: Some(binding.is_issuer_named)
                .filter(|named| *named != looks_named(&binding.client_id, &binding.host)),
        }
    }

    /// Converts the record to a binding. Returns `None` if the record is damaged, or if its token endpoint is neither
    /// on the login's own host nor on one that the record allows. What a profile says plays no part.
    pub fn bind(&self) -> Option<Binding> {
        let host = Host::parse(&self.host).ok()?;
        let endpoint = Url::parse(&self.token_endpoint).ok()?;
        // An entry that is not a host allows nothing.
        let allowed = self.allowed.iter().filter_map(|text| Host::parse(text).ok());
        let is_named = self.issuer_named.unwrap_or_else(|| looks_named(&self.client_id, &host));
        let binding = Binding::new(self.issuer.as_str(), endpoint, self.client_id.as_str(), host)
            .with_account_id(self.account_id.clone())
            .with_scopes(self.scopes.as_deref().map(Scopes::split))
            .with_allowed(allowed)
            .with_issuer_named(is_named);
        binding.allows(&binding.token_endpoint).then_some(binding)
    }

    /// Accepts a record from a version that kept no list of allowed hosts: the token endpoint's host counts as
    /// allowed, because those versions checked it when the login was made. Call this only for records that nobody but
    /// u2m can have written, such as sealed ones.
    ///
    /// ```
    /// use u2m_core::BindingRecord;
    /// let record = BindingRecord::new("https://a.example", "https://b.example/t", "my-cli", "https://a.example");
    /// assert_eq!(record.vouched().bind().unwrap().allowed[0].as_str(), "https://b.example");
    /// ```
    #[must_use]
    pub fn vouched(mut self) -> Self {
        let endpoint = Url::parse(&self.token_endpoint).ok().and_then(|url| Host::of(&url).ok());
        if let Some(host) = endpoint.filter(|host| host.as_str() != self.host)
            && self.allowed.is_empty()
        {
            self.allowed.push(host.to_string());
        }
        self
    }
}

/// Whether a login of this client at this host looks like one to an issuer that a person named. The path does not
/// matter: any issuer may end in `/oidc`.
fn looks_named(client_id: &str, host: &Host) -> bool {
    client_id != DATABRICKS_CLI && IssuerTrust::databricks().of(host) == TrustDecision::No
}

/// A whole login, secrets included, for places that keep it in one piece. Times are seconds since 1970, UTC. The
/// secrets are cleared on drop and do not appear in `Debug`.
///
/// ```
/// use u2m_core::{AccessToken, Session, SessionRecord};
/// let session = Session::new(AccessToken::new("a"));
/// let text = serde_json::to_string(&SessionRecord::of(&session))?;
/// assert_eq!(text, r#"{"access_token":"a"}"#);
/// assert_eq!(serde_json::from_str::<SessionRecord>(&text)?.session(), session);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionRecord {
    access_token: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<i64>,
    /// Whom the tokens belong to, as recorded. [`BindingRecord::bind`] decides whether it is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingRecord>,
}

impl SessionRecord {
    /// Converts a session to its record.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Session, SessionRecord};
    /// assert!(SessionRecord::of(&Session::new(AccessToken::new("a"))).binding.is_none());
    /// ```
    pub fn of(session: &Session) -> Self {
        Self { refresh_token: renewing(session), ..Self::without_refresh_token(session) }
    }

    /// Converts a session to a record for readers that must not refresh the login: it has no refresh token.
    ///
    /// ```
    /// use u2m_core::{AccessToken, RefreshToken, Session, SessionRecord};
    /// let session = Session::new(AccessToken::new("a")).with_refresh_token(RefreshToken::new("r"));
    /// assert!(SessionRecord::without_refresh_token(&session).session().refresh_token.is_none());
    /// ```
    pub fn without_refresh_token(session: &Session) -> Self {
        Self {
            access_token: Zeroizing::new(session.access_token.expose().to_owned()),
            refresh_token: None,
            expiry: session.expiry.map(Timestamp::unix),
            lifetime: session.lifetime.map(Lifetime::seconds),
            issued_at: session.issued_at.map(Timestamp::unix),
            binding: session.binding.as_ref().map(BindingRecord::of),
        }
    }

    /// The session. If its binding is not believed, the session has none.
    pub fn session(&self) -> Session {
        let mut session = Session::new(AccessToken::new(self.access_token.as_str()));
        session.refresh_token =
            self.refresh_token.as_ref().map(|token| RefreshToken::new(token.as_str()));
        session.expiry = self.expiry.map(Timestamp::from_unix);
        session.lifetime = self.lifetime.map(Lifetime::from_seconds);
        session.issued_at = self.issued_at.map(Timestamp::from_unix);
        session.binding = self.binding.as_ref().and_then(BindingRecord::bind);
        session
    }
}

fn renewing(session: &Session) -> Option<Zeroizing<String>> {
    session.refresh_token.as_ref().map(|token| Zeroizing::new(token.expose().to_owned()))
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord").field("binding", &self.binding).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere() -> Binding {
        let host = Host::parse("https://id.example").unwrap();
        let endpoint = Url::parse("https://tokens.example/token").unwrap();
        Binding::new("https://id.example/pool", endpoint, "my-cli", host)
    }

    fn tokens() -> Host {
        Host::parse("https://tokens.example").unwrap()
    }

    #[test]
    fn what_was_allowed_at_the_login_comes_back_with_it() {
        let binding = elsewhere()
            .with_allowed([tokens()])
            .with_account_id(Some("7".to_owned()))
            .with_scopes(Some(Scopes::split("openid api.read")));
        assert_eq!(BindingRecord::of(&binding).bind(), Some(binding));
    }

    #[test]
    fn t20_a_record_that_points_off_its_host_without_consent_is_not_believed() {
        let record = BindingRecord::of(&elsewhere());
        assert_eq!(record.bind(), None);
        for allowed in ["https://other.example", "https://tokens.example:444", "tokens.example", ""]
        {
            let record = BindingRecord { allowed: vec![allowed.to_owned()], ..record.clone() };
            assert_eq!(record.bind(), None, "{allowed}");
        }
        let named = vec!["nonsense".to_owned(), "https://tokens.example".to_owned()];
        assert!(BindingRecord { allowed: named, ..record.clone() }.bind().is_some());
        for endpoint in ["https://id.example/t#x", "http://id.example/t", "nonsense", ""] {
            let record = BindingRecord { token_endpoint: endpoint.to_owned(), ..record.clone() };
            assert_eq!(record.clone().bind(), None, "{endpoint}");
            assert_eq!(record.vouched().bind(), None, "{endpoint}");
        }
    }

    #[test]
    fn that_an_issuer_was_named_comes_back_with_the_login_and_is_written_where_it_would_be_guessed_wrong()
     {
        for (host, client, is_plain_if_named) in [
            ("https://id.example", "my-cli", true),
            ("https://id.example", "databricks-cli", false),
            ("https://adb-1.azuredatabricks.net", "my-cli", false),
        ] {
            let endpoint = Url::parse(&format!("{host}/oidc/v1/token")).unwrap();
            let parsed = Host::parse(host).unwrap();
            let binding = Binding::new(format!("{host}/oidc"), endpoint, client, parsed);
            for is_named in [true, false] {
                let binding = binding.clone().with_issuer_named(is_named);
                let record = BindingRecord::of(&binding);
                assert_eq!(record.bind(), Some(binding), "{host} {client}");
                let plain = is_named == is_plain_if_named;
                assert_eq!(record.issuer_named, Some(is_named).filter(|_| !plain));
            }
        }
    }

    #[test]
    fn what_is_allowed_adds_a_host_and_replaces_none() {
        let record = BindingRecord::of(&elsewhere().with_allowed([tokens()]));
        let record = BindingRecord { token_endpoint: "https://id.example/t".to_owned(), ..record };
        assert!(record.bind().is_some());
    }

    #[test]
    fn a_login_on_one_host_is_written_as_versions_wrote_it_that_kept_no_list() {
        let host = Host::parse("https://a.example").unwrap();
        let endpoint = Url::parse("https://a.example/oidc/v1/token").unwrap();
        let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host)
            .with_account_id(Some("7".to_owned()))
            .with_scopes(Some(Scopes::split("a b")));
        let session = Session::new(AccessToken::new("at"))
            .with_refresh_token(RefreshToken::new("rt"))
            .with_expiry(Timestamp::from_unix(9))
            .with_lifetime(Lifetime::from_seconds(3))
            .with_issued_at(Timestamp::from_unix(6))
            .with_binding(binding);
        let text = concat!(
            r#"{"access_token":"at","refresh_token":"rt","expiry":9,"lifetime":3,"issued_at":6,"#,
            r#""binding":{"issuer":"https://a.example/oidc","token_endpoint":"https://a.example/oidc/v1/token","#,
            r#""client_id":"databricks-cli","host":"https://a.example","account_id":"7","scopes":"a b"}}"#
        );
        assert_eq!(serde_json::to_string(&SessionRecord::of(&session)).unwrap(), text);
        assert_eq!(serde_json::from_str::<SessionRecord>(text).unwrap().session(), session);
    }

    #[test]
    fn t14_no_token_shows_in_a_record() {
        let session = Session::new(AccessToken::new("canary"))
            .with_refresh_token(RefreshToken::new("canary"));
        assert!(!format!("{:?}", SessionRecord::of(&session)).contains("canary"));
    }

    #[test]
    fn a_host_of_its_own_is_vouched_for_without_a_word() {
        let of = |endpoint: &str| {
            let record =
                BindingRecord::new("https://a.example", endpoint, "cli", "https://a.example");
            record.vouched().bind().unwrap().allowed
        };
        assert!(of("https://a.example/token").is_empty());
        assert_eq!(of("https://b.example/token"), [Host::parse("https://b.example").unwrap()]);
    }

    #[test]
    fn a_record_is_shown_by_whom_it_belongs_to_and_without_tokens() {
        let session = Session::new(AccessToken::new("canary")).with_binding(elsewhere());
        let shown = format!("{:?}", SessionRecord::of(&session));
        assert!(shown.starts_with("SessionRecord { binding: "), "{shown}");
        assert!(shown.contains("id.example") && !shown.contains("canary"), "{shown}");
    }
}
