//! Waiting for the browser: the URL to show, and the rule by which a callback is recognised among junk.

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

/// Awaits the browser's return: shows where to send it (RFC 6749 section 4.1.1) and knows its answer. `Debug` leaves the URL out, because the state stands in it.
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
    /// The answer to this login.
    Callback(Callback),
    /// Anything else: answer it with a 400 or 404 and go on waiting.
    Ignored(IgnoredReason),
}

/// Why something is not the answer to this login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredReason {
    /// The state is right, but neither a code nor an error came with it.
    Empty,
    /// A parameter that counts is there twice (RFC 6749 section 3.1).
    Repeated,
    /// The state is missing or another one's.
    State,
}

/// The browser's answer, with the state already checked. One immutable record, used up by [`Browse::called_back`].
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

    /// The URL to open. It holds the state, so it belongs to the person alone, not into a log.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where the browser comes back to: `http://localhost:<port>`.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The host being signed in to; `None` in a discovery login.
    pub fn host(&self) -> Option<&Host> {
        self.attempt.request.target.host()
    }

    /// Looks at the query of a request to the listener. The state is compared first, in constant time, and nothing else
    /// of the query counts unless it is right (T3).
    pub fn hear(&self, query: &str) -> CallbackMatch {
        let Some([state, code, error, iss, description]) = counted(query) else {
            return CallbackMatch::Ignored(IgnoredReason::Repeated);
        };
        if !self.is_own(state.map(CsrfState::new).as_ref()) {
            return CallbackMatch::Ignored(IgnoredReason::State);
        }
        let outcome = match (error, code) {
            (Some(error), code) => {
                // A server that says no may repeat what it was sent, and what it was about to send.
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

    /// Whether a state is this attempt's, in constant time.
    pub(super) fn is_own(&self, state: Option<&CsrfState>) -> bool {
        state == Some(&self.attempt.state)
    }

    /// The secrets of this attempt.
    pub(super) fn sent(&self) -> SentSecrets {
        [self.attempt.state.expose(), self.attempt.pkce.verifier().expose()].into_iter().collect()
    }

    /// Looks at a text that a person pasted: the redirect URL, with its scheme or without, its query, or `code` and `state` in
    /// any such form; on its own or among other words. What terminals, mails and chats do to a line is undone for as long as the
    /// state is not the right one: it alone decides. An address of another host or port is junk, whatever its query (T22),
    /// unless this login's own stands in it.
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
                // The first reading with the right state tells most.
                CallbackMatch::Ignored(junk) if told == IgnoredReason::State => told = junk,
                CallbackMatch::Ignored(_) => {}
            }
        }
        CallbackMatch::Ignored(told)
    }

    /// Whether more of a pasted answer may be on a line that is still to come, as where a terminal has broken an address into
    /// lines: it reaches the end of the text with a code or an issuer, of which nobody can tell whether it is all there. A state
    /// can be told.
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

    /// Goes on with the browser's answer.
    ///
    /// # Errors
    /// The person said no; or the issuer is missing, another one, or not to be trusted. Nothing has been sent then.
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
        // RFC 9207 section 2.4: plain string comparison, for answers and refusals alike.
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

/// The parameters that count in a callback, in the order in which they are taken apart.
const COUNTED: [&str; 5] = ["state", "code", "error", "iss", "error_description"];

/// Their values; `None` if one of them is there twice.
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

/// Awaits a person's word on the host that a discovery login found.
#[derive(Debug)]
#[must_use]
pub struct ConfirmHost(VerifyingIssuer);

impl ConfirmHost {
    /// The host to ask about.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// The person did not agree, or nobody could be asked.
    pub fn answered(self, agreed: bool) -> Result<AfterCallback, LoginError> {
        if agreed {
            self.0.call()
        } else {
            Err(LoginError::NotConfirmed(Sanitized::new(self.0.host.as_str())))
        }
    }
}

/// Awaits the metadata of the issuer that the callback of a discovery login named.
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
            // A trusted host without the document has Databricks' layout.
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
