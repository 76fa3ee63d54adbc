//! The part of the token flow that spends a refresh token: check the store, discover the endpoint, refresh.

use super::after::{RecordFailure, ReloadAfterRejection, SavableTokens, Save};
use super::pause::{RefreshEndpoints, ServerPause};
use super::{
    IssuedToken, RefreshFailureKind, StoreFailure, TokenError, TokenFlow, TokenRequest, TokenStep,
};
use crate::call::{AwaitsResponse, HttpCall, Replay, TransportFailure, sealed};
use crate::host_pin::FirstUse;
use crate::login::{Endpoints, endpoints_of};
use crate::oauth::{
    ExpectedIssuer, MetadataError, ResponseError, ServerMetadata, TOKEN_LIMIT, TokenEndpointError,
    TokenResponse, UnusableResponse, WellKnownFound, WellKnownSearch, refresh_form,
};
use crate::reply::Reply;
use crate::secret::Fingerprint;
use crate::session::{Binding, Session};
use crate::target::Target;
use crate::text::Sanitized;
use crate::time::Timestamp;
use url::Url;

/// A refresh under way, from the check that it can be saved to its end.
#[derive(Debug)]
pub(super) struct RefreshInProgress {
    pub(super) inquiry: TokenFlow,
    pub(super) old: Session,
    /// Whether the endpoint came from metadata fetched in this flow; it is fetched only once.
    discovered: bool,
    /// Whether this is already the second refresh token. A third is not tried.
    pub(super) second: bool,
}

/// Waits until the store is shown to be writable.
#[derive(Debug)]
#[must_use]
pub struct CheckWritable(RefreshInProgress);

impl CheckWritable {
    pub(super) fn new(inquiry: TokenFlow, old: Session) -> Self {
        Self(RefreshInProgress { inquiry, old, discovered: false, second: false })
    }

    /// The same for the refresh token with which another program replaced the rejected one.
    pub(super) fn second(inquiry: TokenFlow, old: Session) -> Self {
        Self(RefreshInProgress { inquiry, old, discovered: false, second: true })
    }

    /// What to record before the refresh token is sent, if that has not been possible until now.
    pub fn first_use(&self) -> Option<FirstUse> {
        self.0.inquiry.request.first_use(&self.0.old)
    }

    /// The fingerprint of the refresh token about to be spent.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.old.fingerprint()
    }

    /// Whether to wait for another process that is spending the same refresh token. If not, the old token is still valid.
    pub fn is_worth_waiting(&self, now: Timestamp) -> bool {
        !self.0.inquiry.may_keep(&self.0.old, now)
    }

    /// Another process is spending the same refresh token and does not finish. The token is not sent.
    ///
    /// # Errors
    /// Fails with a lock timeout, unless the old token is still valid.
    pub fn busy(self, now: Timestamp) -> Result<TokenStep, TokenError> {
        self.0.give_up(TokenError::LockTimeout, now)
    }

    /// The refresh token was already spent, and its successor is kept at the place that `words` names. The token is not sent.
    ///
    /// # Errors
    /// Fails because the token is spent, unless the old access token is still valid.
    pub fn spent(self, words: &str, now: Timestamp) -> Result<TokenStep, TokenError> {
        self.0.give_up(TokenError::SpentElsewhere(Sanitized::new(words)), now)
    }

    /// The store is writable. Continues with the refresh.
    ///
    /// # Errors
    /// Fails if neither an endpoint nor a host to ask for one is known, unless the old token is still valid.
    pub fn proven(self, now: Timestamp) -> Result<TokenStep, TokenError> {
        match &self.0.old.binding {
            Some(binding) => {
                let endpoint = binding.token_endpoint.clone();
                Ok(self.0.refresh(endpoint))
            }
            None => self.0.locate(now),
        }
    }

    /// The store is not writable. The refresh token is not spent.
    ///
    /// # Errors
    /// Fails with the store's failure, unless the old token is still valid.
    pub fn failed(self, failure: StoreFailure, now: Timestamp) -> Result<TokenStep, TokenError> {
        self.0.give_up(TokenError::Store(failure), now)
    }
}

impl RefreshInProgress {
    fn refresh(self, endpoint: Url) -> TokenStep {
        // Flows without a refresh token end before the lock.
        let form = match &self.old.refresh_token {
            Some(token) => refresh_form(&self.inquiry.request.client_id, token),
            None => unreachable!("judged to have a refresh token"),
        };
        let doors = RefreshEndpoints::of(&endpoint, &self.inquiry.request.client_id);
        let TokenRequest { client_id, client_auth, .. } = &self.inquiry.request;
        let request = client_auth.request(client_id, endpoint, form).with_limit(TOKEN_LIMIT);
        let state = RefreshingToken { renewal: self, doors };
        TokenStep::Refresh(HttpCall::new(request, Replay::IfNotProcessed, state))
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
        let also = self.old.binding.as_ref().map(Binding::others).unwrap_or_default();
        match endpoints_of(target.kind(), self.inquiry.request.own_endpoints, &also) {
            Endpoints::Fixed(server) => self.located(server, now),
            Endpoints::At(url, search) => Ok(self.discover(url, search)),
        }
    }

    fn locate_at(self, binding: &Binding, now: Timestamp) -> Result<TokenStep, TokenError> {
        let issuer = binding.issuer.as_str();
        let place = match binding.is_issuer_named {
            true => WellKnownSearch::again(binding),
            false => crate::issuer::metadata_url(issuer).map(|url| {
                let expected =
                    ExpectedIssuer::called(issuer, binding.host.clone(), binding.others());
                (url, WellKnownSearch::at(expected))
            }),
        };
        match place {
            Ok((url, search)) => Ok(self.discover(url, search)),
            Err(_) => self.give_up(TokenError::NoHost, now),
        }
    }

    fn discover(self, url: Url, search: WellKnownSearch) -> TokenStep {
        TokenStep::Discover(WellKnownSearch::call(
            url,
            DiscoveringForRefresh { renewal: self, search },
        ))
    }

    /// Binds the endpoint to the login and continues with the refresh. A login that is already bound to an endpoint follows it
    /// to another path, never to another origin (A33).
    fn located(mut self, server: ServerMetadata, now: Timestamp) -> Result<TokenStep, TokenError> {
        self.discovered = true;
        let request = &self.inquiry.request;
        let endpoint = server.token_endpoint.clone();
        match &mut self.old.binding {
            Some(binding) if binding.token_endpoint.origin() != endpoint.origin() => {
                let moved = MetadataError::elsewhere("token_endpoint", &endpoint);
                return self.give_up(TokenError::Endpoints(moved), now);
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
                    .with_issuer_named(request.target.issuer_id().is_some())
                });
            }
        }
        Ok(self.refresh(endpoint))
    }

    /// Ends without having sent the refresh token.
    pub(super) fn give_up(
        self,
        error: TokenError,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        if self.inquiry.may_keep(&self.old, now) {
            return Ok(TokenStep::Done(IssuedToken::kept(self.old, error)));
        }
        Err(error)
    }

    /// Remembers a failure, and the pause that the server asked for with it.
    pub(super) fn note(self, error: TokenEndpointError, pause: Option<ServerPause>) -> TokenStep {
        let kind = RefreshFailureKind::of(&error);
        let pause =
            pause.filter(|_| matches!(kind, RefreshFailureKind::Transient(_))).map(Box::new);
        let error = match &kind {
            RefreshFailureKind::Rejected(refusal) if refusal.rejects_the_refresh_token() => {
                TokenError::Rejected(refusal.clone())
            }
            RefreshFailureKind::Spent(text) => TokenError::SpentInVain(text.clone()),
            RefreshFailureKind::Rejected(_) | RefreshFailureKind::Transient(_) => {
                TokenError::Refresh(error)
            }
        };
        TokenStep::RecordFailure(RecordFailure { renewal: self, kind, pause, error, issued: None })
    }
}

/// Waits for the host's metadata.
#[derive(Debug)]
pub struct DiscoveringForRefresh {
    renewal: RefreshInProgress,
    search: WellKnownSearch,
}

impl DiscoveringForRefresh {
    /// The target whose endpoints are being looked up.
    pub fn target(&self) -> &Target {
        &self.renewal.inquiry.request.target
    }
}

impl sealed::Sealed for DiscoveringForRefresh {}

impl AwaitsResponse for DiscoveringForRefresh {
    type Next = TokenStep;
    type Error = TokenError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let renewal = self.renewal;
        match self.search.read(outcome) {
            Ok(WellKnownFound::Elsewhere(url, search)) => Ok(renewal.discover(url, search)),
            Ok(WellKnownFound::Server(server)) => renewal.located(server, sent_at),
            Err(error) => renewal.give_up(TokenError::Endpoints(error), sent_at),
        }
    }
}

impl HttpCall<DiscoveringForRefresh> {
    /// Takes endpoints that you supply, in place of a response.
    ///
    /// # Errors
    /// Fails with your own error, or if an endpoint is neither on the target's host nor on one that was allowed at the login or
    /// is trusted by name, unless the old token is still valid.
    pub fn supplied(
        self,
        server: Result<ServerMetadata, MetadataError>,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let renewal = self.into_state().renewal;
        let (request, binding) = (&renewal.inquiry.request, renewal.old.binding.as_ref());
        let host = request.target.host().or(binding.map(|binding| &binding.host)).cloned();
        let held = server.and_then(|server| {
            let Some(host) = host else { return Ok(server) };
            let mut expected = request.trust.supplied(host, request.target.issuer_id());
            expected.also.extend(binding.map(Binding::others).unwrap_or_default());
            expected.hold_supplied(server)
        });
        match held {
            Ok(server) => renewal.located(server, now),
            Err(error) => renewal.give_up(TokenError::Endpoints(error), now),
        }
    }
}

/// Waits for the token endpoint's response to the refresh token.
#[derive(Debug)]
pub struct RefreshingToken {
    pub(super) renewal: RefreshInProgress,
    pub(super) doors: RefreshEndpoints,
}

impl sealed::Sealed for RefreshingToken {}

impl AwaitsResponse for RefreshingToken {
    type Next = TokenStep;
    type Error = TokenError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let is_gone = |outcome: &Result<Reply, TransportFailure>| {
            outcome.as_ref().is_ok_and(|answer| matches!(answer.status(), 404 | 405))
        };
        let is_gone = is_gone(&outcome);
        let Self { renewal, doors } = self;
        let pause = outcome.as_ref().ok().and_then(|reply| {
            let length = reply.retry_after()?;
            Some(ServerPause { length, door: doors.closed_by(reply.status()) })
        });
        match TokenResponse::parse(outcome) {
            Ok(grant) => {
                let assumed = renewal.inquiry.request.rules.assumed;
                let is_half_lost = grant.is_half_lost;
                let session = Session::renewed(grant, Some(&renewal.old), sent_at, assumed);
                let what = if is_half_lost { SavableTokens::Half } else { SavableTokens::All };
                Ok(TokenStep::Save(Save { renewal, session, what }))
            }
            Err(UnusableResponse { error, refresh_token: saved @ Some(_), .. })
                if saved != renewal.old.refresh_token =>
            {
                let keeps = renewal.inquiry.may_keep(&renewal.old, sent_at);
                let session = Session { refresh_token: saved, ..renewal.old.clone() };
                let what = SavableTokens::RefreshToken { error, keeps };
                Ok(TokenStep::Save(Save { renewal, session, what }))
            }
            Err(UnusableResponse { is_half_lost: true, .. }) => {
                Ok(renewal.note(TokenEndpointError::Answer(ResponseError::RefreshToken), None))
            }
            // The endpoint stored at login has moved. The host's metadata may name another one, on the same origin only.
            Err(_) if is_gone && !renewal.discovered => renewal.locate(sent_at),
            Err(UnusableResponse { error, .. }) => {
                let rejected = matches!(&error, TokenEndpointError::Refused(no) if no.rejects_the_refresh_token());
                if rejected {
                    return Ok(TokenStep::ReloadAfterRejection(ReloadAfterRejection {
                        renewal,
                        error,
                    }));
                }
                Ok(renewal.note(error, pause))
            }
        }
    }
}
