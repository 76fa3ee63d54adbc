//! Waiting for the browser: the URL to open, and how to tell the callback from unrelated requests.

use super::exchange::ExchangingCode;
use super::{AfterCallback, LoginAttempt, LoginError};
use crate::call::{AwaitsResponse, HttpCall, HttpRequest, Replay, TransportFailure, sealed};
use crate::databricks::Host;
use crate::issuer::{TrustDecision, derive_host_from_issuer, derive_token_endpoint, metadata_url};
use crate::oauth::{
    ErrorResponse, ExpectedIssuer, MetadataError, ResponseText, ServerMetadata, authorize_query,
    authorize_url, build_discovery_authorize_url, parse_metadata,
};
use crate::reply::Reply;
use crate::secret::{AuthorizationCode, CsrfState};
use crate::sent::SentSecrets;
use crate::text::Sanitized;
use crate::time::Timestamp;
use std::fmt;
use url::{Url, form_urlencoded};

/// Waits for the browser to return: holds the URL to open (RFC 6749 section 4.1.1) and recognises the callback. `Debug` leaves
/// the URL out, because it contains the state.
#[must_use]
pub struct Browse {
    attempt: LoginAttempt,
    server: Option<ServerMetadata>,
    redirect_uri: String,
    url: Url,
}

/// What a request to the listener, or a pasted text, turned out to be.
#[derive(Debug)]
pub enum CallbackMatch {
    /// The callback of this login.
    Callback(Callback),
    /// Anything else: answer it with a 400 or 404 and keep waiting.
    Ignored(IgnoredReason),
}

/// Why a request or text is not the callback of this login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredReason {
    /// The state is right, but there is neither a code nor an error.
    Empty,
    /// A parameter that matters occurs twice (RFC 6749 section 3.1).
    Repeated,
    /// The state is missing or not this login's.
    State,
}

/// The browser's callback, with its state already checked. Pass it to [`Browse::called_back`].
#[derive(Debug)]
pub struct Callback {
    outcome: Result<AuthorizationCode, ErrorResponse>,
    iss: Option<String>,
}

impl Browse {
    pub(super) fn new(
        attempt: LoginAttempt,
        server: Option<ServerMetadata>,
        redirect_uri: String,
    ) -> Self {
        let request = &attempt.request;
        let scope = request.scope(server.as_ref());
        let (client, pkce, state) = (&request.client_id, &attempt.pkce, &attempt.state);
        let url = match &server {
            Some(server) => {
                let query = authorize_query(client, pkce, &redirect_uri, &scope, state);
                authorize_url(&server.authorization_endpoint, &query)
            }
            None => {
                let (host, to_account) = (&request.discovery_host, request.to_account);
                build_discovery_authorize_url(
                    host,
                    client,
                    pkce,
                    &redirect_uri,
                    &scope,
                    state,
                    to_account,
                )
            }
        };
        Self { attempt, server, redirect_uri, url }
    }

    /// The URL to open. It contains the state: show it to the person, and keep it out of logs.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The redirect URI: `http://localhost:<port>`.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The host being signed in to; `None` in a discovery login.
    pub fn host(&self) -> Option<&Host> {
        self.attempt.request.target.host()
    }

    /// Examines the query of a request to the listener. The state is compared first, in constant time; unless it is right,
    /// nothing else in the query counts (T3).
    pub fn hear(&self, query: &str) -> CallbackMatch {
        let Some([state, code, error, iss, description]) = counted(query) else {
            return CallbackMatch::Ignored(IgnoredReason::Repeated);
        };
        if !self.is_own(state.map(CsrfState::new).as_ref()) {
            return CallbackMatch::Ignored(IgnoredReason::State);
        }
        let outcome = match (error, code) {
            (Some(error), code) => {
                // A server that refuses may repeat what it was sent, and what it was about to send.
                let mut sent = self.sent();
                sent.add(code.as_deref().unwrap_or_default());
                let description = description.map(ResponseText::new);
                Err(ErrorResponse::of(
                    0,
                    &ResponseText::new(error),
                    description.as_ref(),
                    None,
                    &sent,
                ))
            }
            (None, Some(code)) => Ok(AuthorizationCode::new(code)),
            (None, None) => return CallbackMatch::Ignored(IgnoredReason::Empty),
        };
        CallbackMatch::Callback(Callback { outcome, iss })
    }

    /// Whether `state` is this attempt's, compared in constant time.
    pub(super) fn is_own(&self, state: Option<&CsrfState>) -> bool {
        state == Some(&self.attempt.state)
    }

    /// The secrets of this attempt.
    pub(super) fn sent(&self) -> SentSecrets {
        [self.attempt.state.expose(), self.attempt.pkce.verifier().expose()].into_iter().collect()
    }

    /// Examines a text that a person pasted: the redirect URL, with or without its scheme, its query, or `code` and `state` in
    /// any such form, alone or among other words. If the state does not match, it undoes the changes that terminals, mail and
    /// chat programs make to a line, and tries again; only the state decides. An address of another host or port is ignored,
    /// whatever its query (T22), unless it contains this login's own.
    ///
    /// ```
    /// use u2m_core::{AccountId, BeforeCallback, Entropy, CallbackMatch, Host, LoginRequest, Target};
    /// let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
    /// let target = Target::account(host, AccountId::parse("abc").unwrap());
    /// let BeforeCallback::Listen(listen) = LoginRequest::new(target).start(Entropy::new([7; 64])) else { unreachable!() };
    /// let browse = listen.bound(8020);
    /// let state = browse.url().query_pairs().find(|(name, _)| name == "state").unwrap().1;
    /// let pasted = format!("it says localhost:8020/?code=c&amp;state={state}.");
    /// assert!(matches!(browse.hear_pasted(&pasted), CallbackMatch::Callback(_)));
    /// assert!(matches!(browse.hear_pasted("localhost:8020/?code=c&state=another"), CallbackMatch::Ignored(_)));
    /// ```
    pub fn hear_pasted(&self, text: &str) -> CallbackMatch {
        let mut told = IgnoredReason::State;
        for query in super::pasted::queries(text, &self.redirect_uri) {
            match self.hear(&query) {
                CallbackMatch::Callback(callback) => return CallbackMatch::Callback(callback),
                // The first reading with the right state gives the best reason.
                CallbackMatch::Ignored(junk) if told == IgnoredReason::State => told = junk,
                CallbackMatch::Ignored(_) => {}
            }
        }
        CallbackMatch::Ignored(told)
    }

    /// Whether the pasted text may continue on a line still to come, as when a terminal has broken an address into lines. That
    /// is so if the text ends in a code or an issuer that may be incomplete. A state is known to be complete when it matches.
    ///
    /// ```
    /// use u2m_core::{AccountId, BeforeCallback, Entropy, Host, LoginRequest, Target};
    /// let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
    /// let target = Target::account(host, AccountId::parse("abc").unwrap());
    /// let BeforeCallback::Listen(listen) = LoginRequest::new(target).start(Entropy::new([7; 64])) else { unreachable!() };
    /// let browse = listen.bound(8020);
    /// let state = browse.url().query_pairs().find(|(name, _)| name == "state").unwrap().1;
    /// assert!(browse.may_go_on(&format!("localhost:8020/?state={state}&code=c")));
    /// assert!(!browse.may_go_on(&format!("localhost:8020/?code=c&state={state}")));
    /// ```
    pub fn may_go_on(&self, text: &str) -> bool {
        let queries = super::pasted::queries(text, &self.redirect_uri);
        let heard = queries.iter().find_map(|query| match self.hear(query) {
            CallbackMatch::Callback(callback) => Some((query, callback)),
            CallbackMatch::Ignored(_) => None,
        });
        let Some((query, callback)) = heard else { return false };
        match super::pasted::last(text, query) {
            Some("code") => callback.outcome.is_ok(),
            Some("iss") => {
                let server = self.server.as_ref();
                !callback.iss.is_some_and(|iss| server.is_some_and(|own| own.is_named(&iss)))
            }
            _ => false,
        }
    }

    /// Continues with the browser's callback.
    ///
    /// # Errors
    /// Fails if the person refused, or if the issuer is missing, the wrong one or not trusted. Nothing has been sent in that
    /// case.
    pub fn called_back(self, callback: Callback) -> Result<AfterCallback, LoginError> {
        match self.server.clone() {
            Some(server) => self.for_known_server(server, callback),
            None => self.for_discovered_issuer(callback),
        }
    }

    fn for_known_server(
        self,
        server: ServerMetadata,
        callback: Callback,
    ) -> Result<AfterCallback, LoginError> {
        // RFC 9207 section 2.4: plain string comparison, for success and error responses alike.
        match &callback.iss {
            Some(iss) if !server.is_named(iss) => return Err(LoginError::WrongIssuer),
            None if server.callback_names_issuer => return Err(LoginError::NoIssuer),
            _ => {}
        }
        let code = callback.outcome.map_err(LoginError::Denied)?;
        let host = match self.host() {
            Some(host) => host.clone(),
            None => derive_host_from_issuer(&server.issuer).map_err(LoginError::Issuer)?,
        };
        Ok(ExchangingCode::call(self.attempt, server, host, code, self.redirect_uri))
    }

    fn for_discovered_issuer(self, callback: Callback) -> Result<AfterCallback, LoginError> {
        let code = callback.outcome.map_err(LoginError::Denied)?;
        let issuer = callback.iss.ok_or(LoginError::NoIssuer)?;
        let mut sent = self.sent();
        sent.add(code.expose());
        let host = derive_host_from_issuer(&issuer)
            .map_err(|error| LoginError::Issuer(error.without(&sent)))?;
        let trusted = self.attempt.request.trust.of(&host);
        let verifying = VerifyingIssuer {
            attempt: self.attempt,
            redirect_uri: self.redirect_uri,
            issuer,
            host,
            code,
        };
        match trusted {
            TrustDecision::Yes => verifying.call(),
            TrustDecision::AfterConfirmation => Ok(AfterCallback::Confirm(ConfirmHost(verifying))),
            TrustDecision::No => {
                let host = Sanitized::without(verifying.host.as_str(), &sent);
                Err(LoginError::UntrustedIssuer(host))
            }
        }
    }
}

impl fmt::Debug for Browse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browse")
            .field("attempt", &self.attempt)
            .field("server", &self.server)
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// The parameters that matter in a callback, in the order in which they are returned.
const COUNTED: [&str; 5] = ["state", "code", "error", "iss", "error_description"];

/// Their values; `None` if one of them occurs twice.
pub(super) fn counted(query: &str) -> Option<[Option<String>; 5]> {
    let mut seen = [const { None }; 5];
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(at) = COUNTED.iter().position(|name| *name == key) else { continue };
        // An empty parameter counts as absent (RFC 6749 section 3.1).
        if !value.is_empty() && seen[at].replace(value.into_owned()).is_some() {
            return None;
        }
    }
    Some(seen)
}

/// Waits for a person to confirm the host that a discovery login found.
#[derive(Debug)]
#[must_use]
pub struct ConfirmHost(VerifyingIssuer);

impl ConfirmHost {
    /// The host to ask about.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// Takes the person's answer.
    ///
    /// # Errors
    /// Fails if the person did not agree, or if nobody could be asked.
    pub fn answered(self, agreed: bool) -> Result<AfterCallback, LoginError> {
        if agreed {
            self.0.call()
        } else {
            Err(LoginError::NotConfirmed(Sanitized::new(self.0.host.as_str())))
        }
    }
}

/// Waits for the metadata of the issuer that the callback of a discovery login named.
#[derive(Debug)]
pub struct VerifyingIssuer {
    attempt: LoginAttempt,
    redirect_uri: String,
    issuer: String,
    host: Host,
    code: AuthorizationCode,
}

impl VerifyingIssuer {
    fn call(self) -> Result<AfterCallback, LoginError> {
        let url = metadata_url(&self.issuer).map_err(LoginError::Issuer)?;
        Ok(AfterCallback::Verify(HttpCall::new(HttpRequest::get(url), Replay::Safe, self)))
    }

    /// The host that was discovered.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl sealed::Sealed for VerifyingIssuer {}

impl AwaitsResponse for VerifyingIssuer {
    type Next = AfterCallback;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<AfterCallback, LoginError> {
        let also = self.attempt.request.trust.named().to_vec();
        let expected = ExpectedIssuer::called(self.issuer.clone(), self.host.clone(), also);
        let server = match parse_metadata(outcome, &expected) {
            Ok(server) => server,
            // A trusted host without metadata has Databricks' layout.
            Err(MetadataError::NotSupported) => {
                let token_endpoint =
                    derive_token_endpoint(&self.issuer).map_err(LoginError::Issuer)?;
                let authorize = self.attempt.request.discovery_host.clone();
                ServerMetadata::new(self.issuer, authorize, token_endpoint)
                    .map_err(LoginError::Endpoints)?
            }
            Err(error) => return Err(LoginError::Endpoints(error)),
        };
        Ok(ExchangingCode::call(self.attempt, server, self.host, self.code, self.redirect_uri))
    }
}
