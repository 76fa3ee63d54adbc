//! Waiting for the browser: the URL to show, and the rule by which a callback is recognised among junk.

use super::exchange::Exchanging;
use super::{Attempt, LoginError, LoginStep};
use crate::call::{Answer, Awaits, HttpCall, HttpRequest, Replay, TransportFailure, sealed};
use crate::host::Host;
use crate::issuer::{Trusted, derive_host_from_issuer, derive_token_endpoint, metadata_url};
use crate::secret::{AuthorizationCode, CsrfState};
use crate::text::Foreign;
use crate::time::Timestamp;
use crate::wire::{
    AuthorizationServer, Expected, METADATA_LIMIT, MetadataError, Refusal, authorize_query,
    authorize_url, build_discovery_authorize_url, parse_metadata,
};
use std::fmt;
use url::{Url, form_urlencoded};

/// Awaits the browser's return. `Debug` leaves the URL out, because the state stands in it.
#[must_use]
pub struct Browse {
    attempt: Attempt,
    server: Option<AuthorizationServer>,
    redirect_uri: String,
    url: Url,
}

/// What a request to the listener, or a pasted text, turned out to be.
#[derive(Debug)]
pub enum Heard {
    /// The answer to this login.
    Callback(Callback),
    /// Anything else: answer it with a 400 or 404 and go on waiting.
    Junk(Junk),
}

/// Why something is not the answer to this login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Junk {
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
    outcome: Result<AuthorizationCode, Refusal>,
    iss: Option<String>,
}

impl Browse {
    pub(super) fn new(
        attempt: Attempt,
        server: Option<AuthorizationServer>,
        redirect_uri: String,
    ) -> Self {
        let request = &attempt.request;
        let scope = request.scope();
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
    pub fn hear(&self, query: &str) -> Heard {
        let mut seen = [const { None }; 5];
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(at) = COUNTED.iter().position(|name| *name == key) else { continue };
            // An empty parameter counts as absent (RFC 6749 section 3.1).
            if !value.is_empty() && seen[at].replace(value.into_owned()).is_some() {
                return Heard::Junk(Junk::Repeated);
            }
        }
        let [state, code, error, iss, description] = seen;
        if state.map(CsrfState::new).as_ref() != Some(&self.attempt.state) {
            return Heard::Junk(Junk::State);
        }
        let outcome = match (error, code) {
            (Some(error), _) => Err(Refusal::new(0, &error, description.as_deref())),
            (None, Some(code)) => Ok(AuthorizationCode::new(code)),
            (None, None) => return Heard::Junk(Junk::Empty),
        };
        Heard::Callback(Callback { outcome, iss })
    }

    /// Looks at a text that a person pasted: the whole redirect URL, its query, or `code` and `state` in any such form.
    /// A URL that does not begin with this login's redirect URI is junk (T22).
    pub fn hear_pasted(&self, text: &str) -> Heard {
        let text = text.trim().trim_matches(['"', '\'', '<', '>']);
        // A query may hold `://` as it is (RFC 3986 section 3.4), in an `iss` for one.
        let is_url = text.split(['?', '&', '=']).next().is_some_and(|head| head.contains("://"));
        let query = if !is_url {
            text.trim_start_matches(['/', '?'])
        } else if let Some(rest) = text.strip_prefix(self.redirect_uri.as_str()) {
            rest.trim_start_matches('/').strip_prefix('?').unwrap_or_default()
        } else {
            return Heard::Junk(Junk::State);
        };
        self.hear(query.split('#').next().unwrap_or_default())
    }

    /// Goes on with the browser's answer.
    ///
    /// # Errors
    /// The person said no; or the issuer is missing, another one, or not to be trusted. Nothing has been sent then.
    pub fn called_back(self, callback: Callback) -> Result<LoginStep, LoginError> {
        match self.server.clone() {
            Some(server) => self.for_known_server(server, callback),
            None => self.for_discovered_issuer(callback),
        }
    }

    fn for_known_server(
        self,
        server: AuthorizationServer,
        callback: Callback,
    ) -> Result<LoginStep, LoginError> {
        // RFC 9207 section 2.4: plain string comparison, for answers and refusals alike.
        match &callback.iss {
            Some(iss) if *iss != server.issuer => return Err(LoginError::WrongIssuer),
            None if server.callback_names_issuer => return Err(LoginError::NoIssuer),
            _ => {}
        }
        let code = callback.outcome.map_err(LoginError::Denied)?;
        let host = match self.host() {
            Some(host) => host.clone(),
            None => derive_host_from_issuer(&server.issuer).map_err(LoginError::Issuer)?,
        };
        Ok(Exchanging::call(self.attempt, server, host, code, self.redirect_uri))
    }

    fn for_discovered_issuer(self, callback: Callback) -> Result<LoginStep, LoginError> {
        let code = callback.outcome.map_err(LoginError::Denied)?;
        let issuer = callback.iss.ok_or(LoginError::NoIssuer)?;
        let host = derive_host_from_issuer(&issuer).map_err(LoginError::Issuer)?;
        let trusted = self.attempt.request.trust.of(&host);
        let verifying = Verifying {
            attempt: self.attempt,
            redirect_uri: self.redirect_uri,
            issuer,
            host,
            code,
        };
        match trusted {
            Trusted::Yes => verifying.call(),
            Trusted::AfterConfirmation => Ok(LoginStep::Confirm(Confirm(verifying))),
            Trusted::No => Err(LoginError::UntrustedIssuer(Foreign::new(verifying.host.as_str()))),
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

/// The parameters that count in a callback, in the order in which `hear` takes them apart.
const COUNTED: [&str; 5] = ["state", "code", "error", "iss", "error_description"];

/// Awaits a person's word on the host that a discovery login found.
#[derive(Debug)]
#[must_use]
pub struct Confirm(Verifying);

impl Confirm {
    /// The host to ask about.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// The person did not agree, or nobody could be asked.
    pub fn answered(self, agreed: bool) -> Result<LoginStep, LoginError> {
        if agreed {
            self.0.call()
        } else {
            Err(LoginError::NotConfirmed(Foreign::new(self.0.host.as_str())))
        }
    }
}

/// Awaits the metadata of the issuer that the callback of a discovery login named.
#[derive(Debug)]
pub struct Verifying {
    attempt: Attempt,
    redirect_uri: String,
    issuer: String,
    host: Host,
    code: AuthorizationCode,
}

impl Verifying {
    fn call(self) -> Result<LoginStep, LoginError> {
        let url = metadata_url(&self.issuer).map_err(LoginError::Issuer)?;
        Ok(LoginStep::Verify(HttpCall::new(
            HttpRequest::get(url, METADATA_LIMIT),
            Replay::Safe,
            self,
        )))
    }

    /// The host that was discovered.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl sealed::Sealed for Verifying {}

impl Awaits for Verifying {
    type Next = LoginStep;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Answer, TransportFailure>,
        _: Timestamp,
    ) -> Result<LoginStep, LoginError> {
        let expected = Expected::of(self.issuer.clone(), self.host.clone());
        let server = match parse_metadata(outcome, &expected) {
            Ok(server) => server,
            Err(MetadataError::WrongIssuer) => return Err(LoginError::WrongIssuer),
            // A trusted host without the document has Databricks' layout.
            Err(MetadataError::NotSupported) => {
                let token_endpoint =
                    derive_token_endpoint(&self.issuer).map_err(LoginError::Issuer)?;
                let authorize = self.attempt.request.discovery_host.clone();
                AuthorizationServer::new(self.issuer, authorize, token_endpoint)
                    .map_err(LoginError::Endpoints)?
            }
            Err(error) => return Err(LoginError::Endpoints(error)),
        };
        Ok(Exchanging::call(self.attempt, server, self.host, self.code, self.redirect_uri))
    }
}
