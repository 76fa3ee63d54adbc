//! Pauses that a token endpoint asks for, and which logins they bind besides the one that met them.
//!
//! A 503 concerns the service: `Retry-After` says how long it is expected to be unavailable (RFC 9110 section 10.2.3), to every
//! client. A 429 concerns "the user", and how a server identifies users or counts their requests is left open (RFC 6585 section
//! 4): it may go by the address, the client, or the login alone. So another client does not have to wait, and other logins of
//! the same client wait only as long as a wrong guess costs little: for [`SHARED`], and not again before [`ANEW`] is over, so
//! that one login that always asks too often does not keep the others from their tokens. Every other response concerns only its
//! own request.
//!
//! A new sign-in ignores the pauses of others, and so do the tokens it brought: whoever has signed in since was served.

use super::refresh::RefreshingToken;
use super::{RefreshFailure, RefreshFailureKind, TokenError, TokenStep};
use crate::call::HttpCall;
use crate::secret::Fingerprint;
use crate::text::Sanitized;
use crate::time::{Lifetime, Timestamp};
use std::time::Duration;
use url::Url;

/// How long, at most, a pause binds logins other than the one that met it.
const SHARED: Duration = Duration::from_secs(60);

/// How long other logins are left to find out for themselves after a pause has bound them.
const ANEW: Lifetime = Lifetime::from_seconds(600);

/// The names under which pauses of a token endpoint are remembered ("doors").
#[derive(Clone, Debug)]
pub(super) struct RefreshEndpoints {
    /// The endpoint, for every client.
    pub(super) service: Fingerprint,
    /// The endpoint, for one client.
    pub(super) client: Fingerprint,
}

impl RefreshEndpoints {
    pub(super) fn of(endpoint: &Url, client_id: &str) -> Self {
        // The query is left out: it is for the server's own use and does not say where the URL points.
        let place = format!("{}{}", endpoint.origin().ascii_serialization(), endpoint.path());
        let client = Fingerprint::of_text(&format!("{place} {client_id}"));
        Self { client, service: Fingerprint::of_text(&place) }
    }

    /// The door that a response with this status closes.
    pub(super) fn closed_by(self, status: u16) -> Option<Fingerprint> {
        match status {
            429 => Some(self.client),
            503 => Some(self.service),
            _ => None,
        }
    }
}

/// A pause that the server asked for.
#[derive(Clone, Debug)]
pub(super) struct ServerPause {
    pub(super) length: Duration,
    /// The door that it closes to others, if any.
    pub(super) door: Option<Fingerprint>,
}

impl ServerPause {
    /// What to remember of it for others, given what is remembered already.
    pub(super) fn for_others(
        &self,
        before: Option<&RefreshFailure>,
        own: &RefreshFailure,
    ) -> Option<RefreshFailure> {
        let of = self.door.clone()?;
        let age = before.map(|before| before.at.second().until(own.at.second()));
        // A pause dated in the future means that the clock was set back.
        if age.is_some_and(|age| age >= Lifetime::ZERO && age < ANEW) {
            return None;
        }
        let refresh_failure = RefreshFailure::new(of, own.at, own.kind.clone());
        Some(refresh_failure.with_pause(self.length.min(SHARED)))
    }
}

impl RefreshingToken {
    /// The names under which pauses of this request's token endpoint are [remembered](super::RecordFailure::for_others): a
    /// pause under one of them may bind this login too. They contain no secret.
    pub fn doors(&self) -> [&Fingerprint; 2] {
        let RefreshEndpoints { service, client } = &self.doors;
        [service, client]
    }

    /// Whether this login must observe a pause that another login met.
    pub fn is_bound_by(&self, pause: &RefreshFailure, now: Timestamp) -> bool {
        let was_served = self.renewal.old.issued_at.is_some_and(|at| at >= pause.at.second());
        self.doors().contains(&&pause.of) && pause.left_of_pause(now).is_some() && !was_served
    }
}

impl HttpCall<RefreshingToken> {
    /// Does not send the request, because the server asked another login to wait.
    ///
    /// # Errors
    /// Fails with the pause, unless the old token is still valid.
    pub fn postponed(self, pause: RefreshFailure, now: Timestamp) -> Result<TokenStep, TokenError> {
        let left = pause.left_of_pause(now).unwrap_or(Lifetime::ZERO);
        let why = match pause.kind {
            RefreshFailureKind::Transient(why) | RefreshFailureKind::Spent(why) => why,
            RefreshFailureKind::Rejected(refusal) => Sanitized::new(&refusal.to_string()),
        };
        self.into_state().renewal.give_up(TokenError::Postponed { left, why }, now)
    }
}
