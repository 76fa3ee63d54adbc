//! A login as it is stored, and the token that callers get of it. Two types, so that a refresh token never leaves by
//! accident.

use crate::databricks::Host;
use crate::host_pin::HostPin;
use crate::jwt::UnverifiedClaims;
use crate::oauth::Scopes;
use crate::oauth::{ExpectedIssuer, TokenResponse, expiry_hint};
use crate::secret::{AccessToken, Authorization, Fingerprint, RefreshToken};
use crate::time::{Lifetime, Timestamp};
use url::Url;

/// What callers get: an access token, and when it ends. It never holds a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    access_token: AccessToken,
    expiry: Option<Timestamp>,
}

impl Token {
    /// Takes an access token and its end; `None` where nobody knows it.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Token};
    /// let token = Token::new(AccessToken::new("abc"), None);
    /// assert_eq!(token.authorization().expose(), "Bearer abc");
    /// ```
    pub fn new(access_token: AccessToken, expiry: Option<Timestamp>) -> Self {
        Self { access_token, expiry }
    }

    /// The access token.
    pub fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// When the access token ends, as far as it is known.
    pub fn expiry(&self) -> Option<Timestamp> {
        self.expiry
    }

    /// The value of the `Authorization` header (RFC 6750 section 2.1).
    pub fn authorization(&self) -> Authorization {
        Authorization::bearer(&self.access_token)
    }
}

/// A login as a store keeps it.
///
/// ```
/// use u2m_core::{AccessToken, RefreshToken, Session, Timestamp};
/// let session = Session::new(AccessToken::new("a"))
///     .with_refresh_token(RefreshToken::new("r"))
///     .with_expiry(Timestamp::from_unix(1_800_000_000));
/// assert!(session.refresh_token.is_some());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The access token.
    pub access_token: AccessToken,
    /// What buys the next one; absent when `offline_access` was not asked for or not granted.
    pub refresh_token: Option<RefreshToken>,
    /// When the access token ends; `None` means that nobody knows, and it is used until a server objects.
    pub expiry: Option<Timestamp>,
    /// How long the access token was good for when it was issued.
    pub lifetime: Option<Lifetime>,
    /// When it was issued, if u2m itself saw that.
    pub issued_at: Option<Timestamp>,
    /// Whom the tokens belong to; absent when another program wrote the entry.
    pub binding: Option<Binding>,
    /// The hosts that an entry without a binding is tied to otherwise, as its store knows them. They are no part of what is
    /// saved.
    pub ties: Vec<HostPin>,
}

impl Session {
    /// Starts from an access token alone.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Session};
    /// assert!(Session::new(AccessToken::new("a")).expiry.is_none());
    /// ```
    pub fn new(access_token: AccessToken) -> Self {
        Self {
            access_token,
            refresh_token: None,
            expiry: None,
            lifetime: None,
            issued_at: None,
            binding: None,
            ties: Vec::new(),
        }
    }

    /// Adds a refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, token: RefreshToken) -> Self {
        self.refresh_token = Some(token);
        self
    }

    /// Adds the end of the access token.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Timestamp) -> Self {
        self.expiry = Some(expiry);
        self
    }

    /// Adds the lifetime at issue.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Adds the time of issue.
    #[must_use]
    pub fn with_issued_at(mut self, issued_at: Timestamp) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// Adds whom the tokens belong to.
    #[must_use]
    pub fn with_binding(mut self, binding: Binding) -> Self {
        self.binding = Some(binding);
        self
    }

    /// Adds a host that an entry without a binding is tied to.
    #[must_use]
    pub fn with_tie(mut self, tie: HostPin) -> Self {
        self.ties.push(tie);
        self
    }

    /// When the access token ends: as stored, else as an unverified hint in the token itself.
    pub fn known_expiry(&self) -> Option<Timestamp> {
        self.expiry.or_else(|| expiry_hint(&self.access_token).map(Timestamp::from_unix))
    }

    /// When the access token was issued and when it ends, by its own unverified claims.
    pub(crate) fn claimed(&self) -> Option<(Timestamp, Timestamp)> {
        let claims = UnverifiedClaims::read(self.access_token.expose())?;
        claims.iat.zip(claims.exp).filter(|(iat, exp)| iat < exp)
    }

    /// What callers get of it.
    pub fn token(&self) -> Token {
        Token::new(self.access_token.clone(), self.known_expiry())
    }

    /// Names the login's present state: the refresh token, or the access token where there is none.
    pub fn fingerprint(&self) -> Fingerprint {
        match &self.refresh_token {
            Some(token) => Fingerprint::of_refresh(token),
            None => Fingerprint::of_access(&self.access_token),
        }
    }

    /// What `grant` makes of this login. A refresh token that was not sent anew stays (RFC 6749 section 6); the time
    /// counts from before the request. Without a lifetime, the token's own hint counts, unless a clock that is ahead makes
    /// it look past; else `assumed`.
    pub(crate) fn renewed(
        grant: TokenResponse,
        old: Option<&Self>,
        sent_at: Timestamp,
        assumed: Lifetime,
    ) -> Self {
        let hint = || {
            expiry_hint(&grant.access_token)
                .map(Timestamp::from_unix)
                .filter(|hint| *hint > sent_at)
        };
        let stated = grant.lifetime.map(|lifetime| sent_at.plus(lifetime));
        let expiry = stated.or_else(hint).unwrap_or_else(|| sent_at.plus(assumed));
        let binding = old
            .and_then(|old| old.binding.clone())
            .map(|binding| Binding { scopes: grant.scopes.or(binding.scopes), ..binding });
        Self {
            access_token: grant.access_token,
            refresh_token: grant
                .refresh_token
                .or_else(|| old.and_then(|old| old.refresh_token.clone())),
            expiry: Some(expiry),
            lifetime: Some(sent_at.until(expiry)),
            issued_at: Some(sent_at),
            binding,
            ties: Vec::new(),
        }
    }
}

/// Whom a login's tokens belong to. They are sent to nobody else (T20).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The issuer that was asked for; what it calls itself may differ.
    pub issuer: String,
    /// Where the refresh token is redeemed.
    pub token_endpoint: Url,
    /// The client that the tokens were issued to.
    pub client_id: String,
    /// The host that was signed in to.
    pub host: Host,
    /// The account, where the login was to one.
    pub account_id: Option<String>,
    /// What was granted, if the server said so.
    pub scopes: Option<Scopes>,
    /// The hosts that a person allowed by name when signing in, and had to: of the login's endpoints, those that are not on
    /// `host` are on one of these, and so is what the issuer calls itself. Nothing but a new login adds to them.
    pub allowed: Vec<Host>,
    /// Whether a person named the issuer itself: then its metadata has to call it so, because one host may serve several. That
    /// of a login of Databricks follows from its host, or was found by the login, and is known by the host.
    pub is_issuer_named: bool,
}

impl Binding {
    /// Takes what every login has.
    ///
    /// ```
    /// use u2m_core::{Binding, Host};
    /// let host = Host::parse("https://a.example").unwrap();
    /// let endpoint = url::Url::parse("https://a.example/oidc/v1/token").unwrap();
    /// let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host);
    /// assert!(binding.scopes.is_none());
    /// ```
    pub fn new(
        issuer: impl Into<String>,
        token_endpoint: Url,
        client_id: impl Into<String>,
        host: Host,
    ) -> Self {
        let (issuer, client_id) = (issuer.into(), client_id.into());
        let (account_id, scopes, allowed) = (None, None, Vec::new());
        let is_issuer_named = false;
        Self {
            issuer,
            token_endpoint,
            client_id,
            host,
            account_id,
            scopes,
            allowed,
            is_issuer_named,
        }
    }

    /// Adds the account.
    #[must_use]
    pub fn with_account_id(mut self, id: Option<String>) -> Self {
        self.account_id = id;
        self
    }

    /// Adds what was granted.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Option<Scopes>) -> Self {
        self.scopes = scopes;
        self
    }

    /// Adds the other hosts that were allowed by name at the login.
    #[must_use]
    pub fn with_allowed(mut self, hosts: impl IntoIterator<Item = Host>) -> Self {
        self.allowed = hosts.into_iter().collect();
        self
    }

    /// Says whether a person named the issuer itself.
    ///
    /// ```
    /// use u2m_core::{Binding, Host};
    /// let host = Host::parse("https://id.example").unwrap();
    /// let endpoint = url::Url::parse("https://id.example/token").unwrap();
    /// let binding = Binding::new("https://id.example/realms/a", endpoint, "my-cli", host);
    /// assert!(binding.with_issuer_named(true).is_issuer_named);
    /// ```
    #[must_use]
    pub fn with_issuer_named(mut self, is_named: bool) -> Self {
        self.is_issuer_named = is_named;
        self
    }

    /// Whether the login's secrets may go to `url`: it is on the host that was signed in to, or on one that was allowed then.
    pub fn allows(&self, url: &Url) -> bool {
        let is_its = |host: Host| host == self.host || self.allowed.contains(&host);
        url.fragment().is_none() && Host::of(url).is_ok_and(is_its)
    }

    /// The other hosts that may have endpoints of this login, or what its issuer calls itself.
    pub(crate) fn others(&self) -> Vec<Host> {
        // The one that the tokens came from has had them before.
        let from = Host::of(&self.token_endpoint).ok().filter(|from| *from != self.host);
        self.allowed.iter().cloned().chain(from).collect()
    }

    /// What metadata of the login's issuer has to say to be believed.
    pub(crate) fn expected(&self) -> ExpectedIssuer {
        let (issuer, host, others) = (self.issuer.as_str(), self.host.clone(), self.others());
        match self.is_issuer_named {
            true => ExpectedIssuer::exactly(issuer, host, others),
            false => ExpectedIssuer::of_host(issuer, host, others),
        }
    }
}
