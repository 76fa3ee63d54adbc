//! Redeeming the code, and the result of a login.

use super::{AfterCallback, LoginAttempt, LoginError, LoginRequest};
use crate::call::{AwaitsResponse, HttpCall, Replay, TransportFailure, sealed};
use crate::databricks::Host;
use crate::issuer::derive_host_from_issuer;
use crate::names::AccountId;
use crate::oauth::Scopes;
use crate::oauth::{ServerMetadata, TOKEN_LIMIT, TokenResponse, UnusableResponse, exchange_form};
use crate::reply::Reply;
use crate::secret::AuthorizationCode;
use crate::session::{Binding, Session, Token};
use crate::target::{CacheKey, Target};
use crate::time::{Lifetime, Timestamp};

/// Waits for the token endpoint's response to the code.
#[derive(Debug)]
pub struct ExchangingCode {
    attempt: LoginAttempt,
    server: Box<ServerMetadata>,
    host: Host,
}

impl ExchangingCode {
    pub(super) fn call(
        attempt: LoginAttempt,
        server: ServerMetadata,
        host: Host,
        code: AuthorizationCode,
        redirect_uri: String,
    ) -> AfterCallback {
        let form = exchange_form(
            &attempt.request.client_id,
            &code,
            attempt.pkce.verifier(),
            &redirect_uri,
        );
        let LoginRequest { client_id, client_auth, .. } = &attempt.request;
        let request = client_auth
            .request(client_id, server.token_endpoint.clone(), form)
            .with_limit(TOKEN_LIMIT)
            .with_secret(attempt.state.expose());
        AfterCallback::Exchange(HttpCall::new(
            request,
            Replay::Unsafe,
            Self { attempt, server: Box::new(server), host },
        ))
    }
}

impl sealed::Sealed for ExchangingCode {}

impl AwaitsResponse for ExchangingCode {
    type Next = SaveLogin;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<SaveLogin, LoginError> {
        let skew = outcome.as_ref().ok().and_then(|reply| reply.skew(sent_at));
        let grant = TokenResponse::parse(outcome)
            .or_else(UnusableResponse::at_login)
            .map_err(LoginError::Exchange)?;
        let LoginAttempt { request, .. } = self.attempt;
        Ok(SaveLogin::of(request, *self.server, self.host, grant, sent_at).with_skew(skew))
    }
}

impl SaveLogin {
    /// The login that a grant results in.
    pub(crate) fn of(
        request: LoginRequest,
        server: ServerMetadata,
        host: Host,
        grant: TokenResponse,
        sent_at: Timestamp,
    ) -> Self {
        let account = match request.target.account_id() {
            Some(id) => Some(id.clone()),
            None if request.target.is_discovery() => account_of(&server.issuer, &host),
            None => None,
        };
        let is_exact = request.target.issuer_id().is_some();
        let allowed = allowed(&server, &host, request.trust.named(), is_exact);
        let told = RequestedLogin::of(&request, &server, &grant);
        let binding = Binding::new(server.issuer, server.token_endpoint, request.client_id, host)
            .with_account_id(account.as_ref().map(ToString::to_string))
            .with_scopes(grant.scopes.clone())
            .with_allowed(allowed)
            .with_issuer_named(is_exact);
        let session =
            Session::renewed(grant, None, sent_at, request.assumed_lifetime).with_binding(binding);
        let target = request.target;
        Self(Box::new(LoggedIn { target, session, account, told, skew: None }))
    }
}

/// What was requested, compared with what was granted.
#[derive(Clone, Debug)]
struct RequestedLogin {
    asked: Scopes,
    missing: Scopes,
    differs: bool,
}

impl RequestedLogin {
    fn of(request: &LoginRequest, server: &ServerMetadata, grant: &TokenResponse) -> Self {
        let of_issuer = request.target.issuer_id().is_some();
        // What was actually requested, not what the caller named: an empty set requests `all-apis`.
        let asked = Scopes::split(&request.scope(Some(server)));
        let beyond = |these: &Scopes, those: &Scopes| match of_issuer {
            true => these.missing_from(those).of_apis(),
            false => these.missing_from(those),
        };
        let granted = grant.scopes.as_ref();
        let missing = granted.map(|granted| beyond(&asked, granted)).unwrap_or_default();
        // An issuer that was asked for nothing in particular grants what it thinks fit.
        let is_left_open = of_issuer && request.scopes.is_empty();
        let more = granted.filter(|_| !is_left_open).map(|granted| beyond(granted, &asked));
        let is_short = asked.has_offline_access() && grant.refresh_token.is_none();
        let differs = is_short || !missing.is_empty() || more.is_some_and(|more| !more.is_empty());
        Self { asked, missing, differs }
    }
}

/// Of the hosts that a person named, those that hold endpoints of this server or its name, besides the login's own host. That
/// one is included if the issuer had to be named exactly, and is not.
fn allowed(server: &ServerMetadata, host: &Host, named: &[Host], is_exact: bool) -> Vec<Host> {
    let is_renamed = server.names_itself.as_ref() != Some(&server.issuer);
    let name = server.names_itself.as_deref().and_then(|name| derive_host_from_issuer(name).ok());
    let endpoints = [
        Some(&server.authorization_endpoint),
        Some(&server.token_endpoint),
        server.revocation_endpoint.as_ref(),
        server.device_authorization_endpoint.as_ref(),
    ];
    let endpoints = endpoints.into_iter().flatten().filter_map(|url| Host::of(url).ok());
    let used: Vec<_> = endpoints.chain(name).collect();
    let is_needed = |one: &&Host| match *one == host {
        true => is_exact && is_renamed,
        false => used.contains(one),
    };
    named.iter().filter(is_needed).cloned().collect()
}

/// The account of an issuer in Databricks' layout.
fn account_of(issuer: &str, host: &Host) -> Option<AccountId> {
    let path = issuer.strip_prefix(host.as_str())?.strip_prefix("/oidc/accounts/")?;
    AccountId::parse(path.trim_end_matches('/')).ok()
}

/// Waits until the session is saved.
#[derive(Debug)]
#[must_use]
pub struct SaveLogin(Box<LoggedIn>);

impl SaveLogin {
    /// Sets how far this machine's clock is off.
    pub(crate) fn with_skew(mut self, skew: Option<Lifetime>) -> Self {
        self.0.skew = skew;
        self
    }

    /// The key under which to save it.
    pub fn key(&self) -> CacheKey {
        self.0.target.cache_key()
    }

    /// The session to save.
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    /// Ends the login, whether saving succeeded or not: a token that could not be saved is still a token, and the driver
    /// reports the failure beside it.
    pub fn stored(self) -> LoggedIn {
        *self.0
    }
}

/// A completed login.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    target: Target,
    session: Session,
    account: Option<AccountId>,
    told: RequestedLogin,
    skew: Option<Lifetime>,
}

impl LoggedIn {
    /// The first token.
    pub fn token(&self) -> Token {
        self.session.token()
    }

    /// The session as it was to be saved.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The host that was signed in to.
    pub fn host(&self) -> Option<&Host> {
        self.session.binding.as_ref().map(|binding| &binding.host)
    }

    /// The issuer of the tokens.
    pub fn issuer(&self) -> Option<&str> {
        self.session.binding.as_ref().map(|binding| binding.issuer.as_str())
    }

    /// How far this machine's clock was ahead of the server's when the tokens were issued; negative if it was behind. `None` if
    /// the difference is within the time a request may take, or if the server sent no time.
    pub fn clock_skew(&self) -> Option<Lifetime> {
        self.skew
    }

    /// Scopes that were requested and that the server says it did not grant.
    pub fn missing_scopes(&self) -> &Scopes {
        &self.told.missing
    }

    /// The scopes as they were requested from the server; empty if the choice was left to it.
    pub fn asked_scopes(&self) -> &Scopes {
        &self.told.asked
    }

    /// The scopes that the server says it granted. `None` means that it said nothing, so they are the requested ones (RFC 6749
    /// section 5.1).
    pub fn granted_scopes(&self) -> Option<&Scopes> {
        self.session.binding.as_ref().and_then(|binding| binding.scopes.as_ref())
    }

    /// Whether the grant differs from the request: fewer scopes, more scopes, or `offline_access` without a refresh token.
    /// Scopes about the person (such as `openid`) and `offline_access` itself need not be listed.
    pub fn is_granted_otherwise(&self) -> bool {
        self.told.differs
    }

    /// What was signed in to, with a discovered host filled in. Use this target to get tokens from now on.
    pub fn target(&self) -> Target {
        let Some(host) = self.host().filter(|_| self.target.is_discovery()) else {
            return self.target.clone();
        };
        let found = match &self.account {
            Some(account) if host.is_account_console() => {
                Target::account(host.clone(), account.clone())
            }
            Some(account) => Target::unified(host.clone(), account.clone()),
            None => Target::workspace(host.clone()),
        };
        let found = found.with_key(self.target.cache_key());
        match self.target.profile() {
            Some(profile) => found.with_profile(profile.clone()),
            None => found,
        }
    }
}
