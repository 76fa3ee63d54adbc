//! The part of the token flow that spends a refresh token: prove, discover, refresh, save; and what follows a failure.

use super::{
    Ask, How, Inquiry, Issued, Judged, StoreFailure, TokenError, TokenStep, Verdict, VerdictKind,
};
use crate::call::{Answer, Awaits, HttpCall, HttpRequest, Replay, TransportFailure, sealed};
use crate::host::Host;
use crate::login::{Endpoints, endpoints_of};
use crate::session::{Binding, Session};
use crate::target::Target;
use crate::time::Timestamp;
use crate::wire::{
    AuthorizationServer, Expected, Found, Grant, MetadataError, Search, TOKEN_LIMIT,
    TokenEndpointError, refresh_form,
};
use url::Url;

/// The refresh under way, from its proof that it can be saved to its end.
#[derive(Debug)]
struct Renewal {
    inquiry: Inquiry,
    old: Session,
    /// Whether the endpoint came from metadata fetched in this flow: it is not fetched twice.
    discovered: bool,
    /// Whether this is already the second refresh token: there is no third.
    second: bool,
}

/// Awaits that the store is shown to be writable.
#[derive(Debug)]
#[must_use]
pub struct Prove(Renewal);

impl Prove {
    pub(super) fn new(inquiry: Inquiry, old: Session) -> Self {
        Self(Renewal { inquiry, old, discovered: false, second: false })
    }

    /// The store can be written.
    ///
    /// # Errors
    /// No endpoint is known, and no host to ask.
    pub fn proven(self, now: Timestamp) -> Result<TokenStep, TokenError> {
        match &self.0.old.binding {
            Some(binding) => {
                let endpoint = binding.token_endpoint.clone();
                Ok(self.0.refresh(endpoint))
            }
            None => self.0.locate(now),
        }
    }

    /// The store cannot be written: the refresh token is not spent.
    ///
    /// # Errors
    /// The store's failure, unless the old token is still good.
    pub fn failed(self, failure: StoreFailure, now: Timestamp) -> Result<TokenStep, TokenError> {
        self.0.give_up(TokenError::Store(failure), now)
    }
}

impl Renewal {
    fn refresh(self, endpoint: Url) -> TokenStep {
        // Flows without a refresh token end before the lock.
        let form = match &self.old.refresh_token {
            Some(token) => refresh_form(&self.inquiry.request.client_id, token),
            None => unreachable!("judged to have a refresh token"),
        };
        let request = HttpRequest::post(endpoint, form, TOKEN_LIMIT);
        TokenStep::Refresh(HttpCall::new(request, Replay::Unless, Refreshing(self)))
    }

    fn locate(self, now: Timestamp) -> Result<TokenStep, TokenError> {
        let target = &self.inquiry.request.target;
        if target.is_discovery() {
            return match self.old.binding.clone() {
                // The login's own issuer is asked again.
                Some(binding) => self.locate_at(&binding, now),
                None => self.give_up(TokenError::NoHost, now),
            };
        }
        // The host that the tokens came from has had them before.
        let from = self.old.binding.as_ref().and_then(|own| Host::of(&own.token_endpoint).ok());
        let also: Vec<_> = from.into_iter().collect();
        match endpoints_of(target.kind(), self.inquiry.request.own_endpoints, &also) {
            Endpoints::Fixed(server) => self.located(server, now),
            Endpoints::At(url, search) => Ok(self.discover(url, search)),
        }
    }

    fn locate_at(self, binding: &Binding, now: Timestamp) -> Result<TokenStep, TokenError> {
        match crate::issuer::metadata_url(&binding.issuer) {
            Ok(url) => {
                let expected = Expected::of(binding.issuer.clone(), binding.host.clone());
                Ok(self.discover(url, Search::at(expected)))
            }
            Err(_) => self.give_up(TokenError::NoHost, now),
        }
    }

    fn discover(self, url: Url, search: Search) -> TokenStep {
        TokenStep::Discover(Search::call(url, Locating { renewal: self, search }))
    }

    /// Pins the endpoint to the login, and goes on to refresh. A login that has one pinned follows it to another path,
    /// never to another origin (A33).
    fn located(
        mut self,
        server: AuthorizationServer,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        self.discovered = true;
        let request = &self.inquiry.request;
        let endpoint = server.token_endpoint.clone();
        match &mut self.old.binding {
            Some(binding) if binding.token_endpoint.origin() != endpoint.origin() => {
                return self.give_up(
                    TokenError::Endpoints(MetadataError::EndpointElsewhere("token_endpoint")),
                    now,
                );
            }
            Some(binding) => binding.token_endpoint = endpoint.clone(),
            binding @ None => {
                *binding = request.target.host().map(|host| {
                    Binding::new(
                        server.issuer,
                        endpoint.clone(),
                        request.client_id.clone(),
                        host.clone(),
                    )
                    .with_account_id(request.target.account_id().map(ToString::to_string))
                });
            }
        }
        Ok(self.refresh(endpoint))
    }

    /// Ends without having sent the refresh token.
    fn give_up(self, error: TokenError, now: Timestamp) -> Result<TokenStep, TokenError> {
        if self.inquiry.may_keep(&self.old, now) {
            return Ok(TokenStep::Done(Issued::kept(self.old, error)));
        }
        Err(error)
    }

    fn note(self, error: TokenEndpointError) -> TokenStep {
        let kind = VerdictKind::of(&error);
        let error = match &kind {
            VerdictKind::Rejected(refusal) => TokenError::Rejected(refusal.clone()),
            VerdictKind::Passing(_) => TokenError::Refresh(error),
        };
        TokenStep::Note(Note { renewal: self, kind, error })
    }
}

/// Awaits the host's metadata.
#[derive(Debug)]
pub struct Locating {
    renewal: Renewal,
    search: Search,
}

impl Locating {
    /// Whose endpoints are looked for.
    pub fn target(&self) -> &Target {
        &self.renewal.inquiry.request.target
    }
}

impl sealed::Sealed for Locating {}

impl Awaits for Locating {
    type Next = TokenStep;
    type Error = TokenError;

    fn accept(
        self,
        outcome: Result<Answer, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let renewal = self.renewal;
        match self.search.read(outcome) {
            Ok(Found::Elsewhere(url, search)) => Ok(renewal.discover(url, search)),
            Ok(Found::Server(server)) => renewal.located(server, sent_at),
            Err(error) => renewal.give_up(TokenError::Endpoints(error), sent_at),
        }
    }
}

impl HttpCall<Locating> {
    /// Takes endpoints from a supplier of the caller's own instead of an answer.
    ///
    /// # Errors
    /// The supplier's own, unless the old token is still good.
    pub fn supplied(
        self,
        server: Result<AuthorizationServer, MetadataError>,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let renewal = self.into_state().renewal;
        match server {
            Ok(server) => renewal.located(server, now),
            Err(error) => renewal.give_up(TokenError::Endpoints(error), now),
        }
    }
}

/// Awaits the token endpoint's answer to the refresh token.
#[derive(Debug)]
pub struct Refreshing(Renewal);

impl sealed::Sealed for Refreshing {}

impl Awaits for Refreshing {
    type Next = TokenStep;
    type Error = TokenError;

    fn accept(
        self,
        outcome: Result<Answer, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let is_gone = |outcome: &Result<Answer, TransportFailure>| {
            outcome.as_ref().is_ok_and(|answer| matches!(answer.status(), 404 | 405))
        };
        if !self.0.discovered && is_gone(&outcome) {
            // The endpoint stored at login has moved. The host's metadata may only name another one on the same host.
            return self.0.locate(sent_at);
        }
        let salvaged = outcome.as_ref().ok().and_then(Grant::salvage);
        match Grant::parse(outcome) {
            Ok(grant) => {
                let assumed = self.0.inquiry.request.rules.assumed;
                let session = Session::renewed(grant, Some(&self.0.old), sent_at, assumed);
                Ok(TokenStep::Save(Save { inquiry: self.0.inquiry, session, spoiled: None }))
            }
            Err(error) if salvaged.is_some() && salvaged != self.0.old.refresh_token => {
                let Renewal { inquiry, old, .. } = self.0;
                let keeps = inquiry.may_keep(&old, sent_at);
                let session = Session { refresh_token: salvaged, ..old };
                Ok(TokenStep::Save(Save { inquiry, session, spoiled: Some((error, keeps)) }))
            }
            Err(error) => {
                let rejected = matches!(&error, TokenEndpointError::Refused(no) if no.rejects_the_refresh_token());
                if rejected && !self.0.second {
                    return Ok(TokenStep::Recheck(Recheck { renewal: self.0, error }));
                }
                Ok(self.0.note(error))
            }
        }
    }
}

/// Awaits that the new session is saved.
#[derive(Debug)]
#[must_use]
pub struct Save {
    inquiry: Inquiry,
    session: Session,
    /// Why the answer gave no token but only a new refresh token; and whether the old token may stand in.
    spoiled: Option<(TokenEndpointError, bool)>,
}

impl Save {
    /// What to save.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Ends the flow. A failure to save does not take the token from the caller; the driver tries to save it again.
    ///
    /// # Errors
    /// The server has issued the very token that the caller cannot use, or none that can be used at all.
    pub fn saved(self, outcome: Result<(), StoreFailure>) -> Result<TokenStep, TokenError> {
        if let Some((error, keeps)) = self.spoiled {
            let error = TokenError::Refresh(error);
            if !keeps {
                return Err(error);
            }
            return Ok(TokenStep::Done(Issued { session: self.session, how: How::Kept(error) }));
        }
        if matches!(&self.inquiry.ask, Ask::Other(rejected) if *rejected == self.session.access_token)
        {
            return Err(TokenError::SameTokenAgain);
        }
        let how = match outcome {
            Ok(()) => How::Renewed,
            Err(failure) => How::RenewedUnsaved(failure),
        };
        Ok(TokenStep::Done(Issued { session: self.session, how }))
    }
}

/// Awaits the entry after a rejection: a program that does not know our lock may have rotated it meanwhile.
#[derive(Debug)]
#[must_use]
pub struct Recheck {
    renewal: Renewal,
    error: TokenEndpointError,
}

impl Recheck {
    /// Takes what the store holds now.
    ///
    /// # Errors
    /// As [`Load::loaded`](super::Load::loaded) for an entry that has changed.
    pub fn loaded(
        mut self,
        entry: Option<Session>,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let changed = entry.filter(|entry| entry.fingerprint() != self.renewal.old.fingerprint());
        let Some(entry) = changed else { return Ok(self.renewal.note(self.error)) };
        match self.renewal.inquiry.judge(Some(entry), now)? {
            Judged::Good(session) => Ok(TokenStep::Done(Issued { session, how: How::Stored })),
            Judged::Ahead(old) | Judged::Due(old) => {
                let inquiry = self.renewal.inquiry;
                Ok(TokenStep::Prove(Prove(Renewal {
                    inquiry,
                    old,
                    discovered: false,
                    second: true,
                })))
            }
        }
    }
}

/// Awaits that a failure is remembered.
#[derive(Debug)]
#[must_use]
pub struct Note {
    renewal: Renewal,
    kind: VerdictKind,
    error: TokenError,
}

impl Note {
    /// What to remember, beside the entry's lock. It fell `now`, when the answer or the deadline came: who asked before
    /// has waited for it, and shares it.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        Verdict::new(self.renewal.old.fingerprint(), now, self.kind.clone())
    }

    /// Ends the flow, whether it could be remembered or not.
    ///
    /// # Errors
    /// The failure, unless the old token is still good and the refresh was not forced.
    pub fn noted(self, now: Timestamp) -> Result<TokenStep, TokenError> {
        self.renewal.give_up(self.error, now)
    }
}
