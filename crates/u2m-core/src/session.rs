//! A login as it is stored, and the token that callers get from it. They are two types, so that a refresh token is
//! never handed out by accident.

use crate::databricks::Host;
use crate::host_pin::HostPin;
use crate::jwt::UnverifiedClaims;
use crate::oauth::Scopes;
use crate::oauth::{ExpectedIssuer, TokenResponse, expiry_hint};
use crate::secret::{AccessToken, Authorization, Fingerprint, RefreshToken};
use crate::time::{Lifetime, Timestamp};
use url::Url;

/// What callers get: an access token and its expiry. It never holds a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    access_token: AccessToken,
    expiry: Option<Timestamp>,
}

impl Token {
    /// Takes an access token and its expiry; `None` if the expiry is unknown.
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

    /// When the access token expires, if known.
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
    /// The refresh token; absent if `offline_access` was not requested or not granted.
    pub refresh_token: Option<RefreshToken>,
    /// When the access token expires. `None` means unknown: the token is used until a server rejects it.
    pub expiry: Option<Timestamp>,
    /// How long the access token was valid when it was issued.
    pub lifetime: Option<Lifetime>,
    /// When it was issued, if u2m itself observed that.
    pub issued_at: Option<Timestamp>,
    /// Whom the tokens belong to; absent if another program wrote the entry.
    pub binding: Option<Binding>,
    /// For an entry without a binding: the hosts that its store ties it to in other ways. They are not saved.
    pub ties: Vec<HostPin>,
}

impl Session {
    /// Makes a session from an access token alone.
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

    /// Sets the refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, token: RefreshToken) -> Self {
        self.refresh_token = Some(token);
        self
    }

    /// Sets when the access token expires.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Timestamp) -> Self {
        self.expiry = Some(expiry);
        self
    }

    /// Sets the lifetime at issue.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets the time of issue.
    #[must_use]
    pub fn with_issued_at(mut self, issued_at: Timestamp) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// Sets whom the tokens belong to.
    #[must_use]
    pub fn with_binding(mut self, binding: Binding) -> Self {
        self.binding = Some(binding);
        self
    }

    /// Adds a host to which an entry without a binding is tied.
    #[must_use]
    pub fn with_tie(mut self, tie: HostPin) -> Self {
        self.ties.push(tie);
        self
    }

    /// When the access token expires: as stored, else from the token's own unverified claim.
    pub fn known_expiry(&self) -> Option<Timestamp> {
        self.expiry.or_else(|| expiry_hint(&self.access_token).map(Timestamp::from_unix))
    }

    /// When the access token was issued and when it expires, by its own unverified claims.
    pub(crate) fn claimed(&self) -> Option<(Timestamp, Timestamp)> {
        let claims = UnverifiedClaims::read(self.access_token.expose())?;
        claims.iat.zip(claims.exp).filter(|(iat, exp)| iat < exp)
    }

    /// The token for callers.
    pub fn token(&self) -> Token {
        Token::new(self.access_token.clone(), self.known_expiry())
    }

    /// The fingerprint of the login's present state: of the refresh token, or of the access token if there is none.
    pub fn fingerprint(&self) -> Fingerprint {
        match &self.refresh_token {
            Some(token) => Fingerprint::of_refresh(token),
            None => Fingerprint::of_access(&self.access_token),
        }
    }

    /// The session after `grant`. If the server sends no new refresh token, the old one stays (RFC 6749 section 6).
    /// The lifetime counts from before the request. Without a stated lifetime, the token's own claim decides, unless
    /// it looks past because a clock is ahead; else `assumed`.
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

/// Whom a login's tokens belong to. They are sent nowhere else (T20).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The issuer that was asked for. The issuer may call itself otherwise.
    pub issuer: String,
    /// The token endpoint, where the refresh token is redeemed.
    pub token_endpoint: Url,
    /// The id of the client that the tokens were issued to.
    pub client_id: String,
    /// The host that was signed in to.
    pub host: Host,
    /// The account's id, if the login was to an account.
    pub account_id: Option<String>,
    /// The granted scopes, if the server stated them.
    pub scopes: Option<Scopes>,
    /// The hosts that a person allowed by name when signing in, because the login needed them. Every endpoint of the login that
    /// is not on `host` is on one of these, and so is the issuer's own name if it is elsewhere. Only a new login adds to them.
    pub allowed: Vec<Host>,
    /// Whether a person named the issuer itself. If so, its metadata must give exactly that name, because one host
    /// may serve several issuers. The issuer of a Databricks login follows from its host, or was found by the login,
    /// and is identified by the host.
    pub is_issuer_named: bool,
}

impl Binding {
    /// Takes the parts that every login has.
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

    /// Sets the account.
    #[must_use]
    pub fn with_account_id(mut self, id: Option<String>) -> Self {
        self.account_id = id;
        self
    }

    /// Sets the granted scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Option<Scopes>) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the other hosts that were allowed by name at the login.
    #[must_use]
    pub fn with_allowed(mut self, hosts: impl IntoIterator<Item = Host>) -> Self {
        self.allowed = hosts.into_iter().collect();
        self
    }

    /// Sets whether a person named the issuer itself.
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

    /// Whether the login's secrets may be sent to `url`: it is on the host that was signed in to, or on one that was
    /// allowed then.
    pub fn allows(&self, url: &Url) -> bool {
        let is_its = |host: Host| host == self.host || self.allowed.contains(&host);
        url.fragment().is_none() && Host::of(url).is_ok_and(is_its)
    }

    /// The other hosts that may have endpoints of this login, or the issuer's name.
    pub(crate) fn others(&self) -> Vec<Host> {
        // The token endpoint's host had the tokens before.
        let from = Host::of(&self.token_endpoint).ok().filter(|from| *from != self.host);
        self.allowed.iter().cloned().chain(from).collect()
    }

    /// What metadata of the login's issuer must say to be believed.
    pub(crate) fn expected(&self) -> ExpectedIssuer {
        let (issuer, host, others) = (self.issuer.as_str(), self.host.clone(), self.others());
        match self.is_issuer_named {
            true => ExpectedIssuer::exactly(issuer, host, others),
            false => ExpectedIssuer::of_host(issuer, host, others),
        }
    }
}
