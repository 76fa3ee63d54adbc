//! Redeeming the code, and what there is at the end.

use super::{Attempt, LoginError, LoginRequest, LoginStep};
use crate::call::{Answer, Awaits, HttpCall, HttpRequest, Replay, TransportFailure, sealed};
use crate::host::Host;
use crate::names::AccountId;
use crate::scopes::Scopes;
use crate::secret::AuthorizationCode;
use crate::session::{Binding, Session, Token};
use crate::target::{CacheKey, Target};
use crate::time::Timestamp;
use crate::wire::{AuthorizationServer, Grant, TOKEN_LIMIT, exchange_form};

/// Awaits the token endpoint's answer to the code.
#[derive(Debug)]
pub struct Exchanging {
    attempt: Attempt,
    server: AuthorizationServer,
    host: Host,
}

impl Exchanging {
    pub(super) fn call(
        attempt: Attempt,
        server: AuthorizationServer,
        host: Host,
        code: AuthorizationCode,
        redirect_uri: String,
    ) -> LoginStep {
        let form = exchange_form(
            &attempt.request.client_id,
            &code,
            attempt.pkce.verifier(),
            &redirect_uri,
        );
        let request = HttpRequest::post(server.token_endpoint.clone(), form, TOKEN_LIMIT);
        LoginStep::Exchange(HttpCall::new(request, Replay::Unsafe, Self { attempt, server, host }))
    }
}

impl sealed::Sealed for Exchanging {}

impl Awaits for Exchanging {
    type Next = LoginStep;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Answer, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<LoginStep, LoginError> {
        let grant = Grant::parse(outcome).map_err(LoginError::Exchange)?;
        let Attempt { request, .. } = self.attempt;
        Ok(LoginStep::Store(Store::of(request, self.server, self.host, grant, sent_at)))
    }
}

impl Store {
    /// What a grant makes of a login.
    pub(crate) fn of(
        request: LoginRequest,
        server: AuthorizationServer,
        host: Host,
        grant: Grant,
        sent_at: Timestamp,
    ) -> Self {
        let account = match request.target.account_id() {
            Some(id) => Some(id.clone()),
            None if request.target.is_discovery() => account_of(&server.issuer, &host),
            None => None,
        };
        let granted = grant.scopes.clone();
        // What was asked for, rather than what the caller named: no scope at all asks for `all-apis`.
        let asked = Scopes::split(&request.scope());
        let missing =
            granted.as_ref().map(|granted| asked.missing_from(granted)).unwrap_or_default();
        let missing = match request.target.issuer_id() {
            Some(_) => missing.of_apis(),
            None => missing,
        };
        let binding = Binding::new(server.issuer, server.token_endpoint, request.client_id, host)
            .with_account_id(account.as_ref().map(ToString::to_string))
            .with_scopes(granted);
        let session =
            Session::renewed(grant, None, sent_at, request.assumed_lifetime).with_binding(binding);
        Self { target: request.target, session, account, missing }
    }
}

/// The account that an issuer of Databricks' layout stands for.
fn account_of(issuer: &str, host: &Host) -> Option<AccountId> {
    let path = issuer.strip_prefix(host.as_str())?.strip_prefix("/oidc/accounts/")?;
    AccountId::parse(path.trim_end_matches('/')).ok()
}

/// Awaits that the session is saved.
#[derive(Debug)]
#[must_use]
pub struct Store {
    target: Target,
    session: Session,
    account: Option<AccountId>,
    missing: Scopes,
}

impl Store {
    /// The key to save it under.
    pub fn key(&self) -> CacheKey {
        self.target.cache_key()
    }

    /// What to save.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Ends the login, whether saving worked or not: a token that could not be saved is still a token, and the driver
    /// reports the failure beside it.
    pub fn stored(self) -> LoginStep {
        LoginStep::Done(LoggedIn {
            target: self.target,
            session: self.session,
            account: self.account,
            missing: self.missing,
        })
    }
}

/// A login that is over.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    target: Target,
    session: Session,
    account: Option<AccountId>,
    missing: Scopes,
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

    /// Scopes that were asked for and, by the server's own word, not granted.
    pub fn missing_scopes(&self) -> &Scopes {
        &self.missing
    }

    /// What was signed in to, with a discovered host filled in: the target to ask for tokens with from now on.
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
