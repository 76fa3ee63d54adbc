//! Pauses that a token endpoint asks for, and whom they bind besides the login that met one.
//!
//! A 503 is about the service: `Retry-After` says for how long it is expected to be unavailable (RFC 9110 section 10.2.3), to
//! whoever comes. A 429 is about "the user", and how a server tells users apart, or counts their requests, is left open (RFC 6585
//! section 4): it may be the address, the client, or the login alone. Another client is not asked to wait for it, and other logins
//! of the client only so far that being wrong about it costs little: for [`SHARED`], and not again before [`ANEW`] is over, so that
//! one login that always asks too often keeps no other from its tokens. Every other answer is about its own request.
//!
//! A sign-in waits for nobody's pause, nor does what it brought: who has signed in since was served.

use super::refresh::RefreshingToken;
use super::{RefreshFailure, RefreshFailureKind, TokenError, TokenStep};
use crate::call::HttpCall;
use crate::secret::Fingerprint;
use crate::text::Sanitized;
use crate::time::{Lifetime, Timestamp};
use std::time::Duration;
use url::Url;

/// For how long a pause binds other logins than the one that met it, at most.
const SHARED: Duration = Duration::from_secs(60);

/// How long other logins are left to learn by themselves, once a pause has bound them.
const ANEW: Lifetime = Lifetime::from_seconds(600);

/// Where refresh tokens are sent: doors that a pause may close, named so that it can be remembered which.
#[derive(Clone, Debug)]
pub(super) struct RefreshEndpoints {
    /// The endpoint, whoever comes.
    pub(super) service: Fingerprint,
    /// The endpoint for one client.
    pub(super) client: Fingerprint,
}

impl RefreshEndpoints {
    pub(super) fn of(endpoint: &Url, client_id: &str) -> Self {
        // A query is for the server's own use, and the rest of a URL says nothing of where it leads.
        let place = format!("{}{}", endpoint.origin().ascii_serialization(), endpoint.path());
        let client = Fingerprint::of_text(&format!("{place} {client_id}"));
        Self { client, service: Fingerprint::of_text(&place) }
    }

    /// The door that an answer of this status closes.
    pub(super) fn closed_by(self, status: u16) -> Option<Fingerprint> {
        match status {
            429 => Some(self.client),
            503 => Some(self.service),
            _ => None,
        }
    }
}

/// A pause that was asked for.
#[derive(Clone, Debug)]
pub(super) struct ServerPause {
    pub(super) length: Duration,
    /// Where others are bound by it.
    pub(super) door: Option<Fingerprint>,
}

impl ServerPause {
    /// What of it is to be remembered for others, where `before` is remembered.
    pub(super) fn for_others(
        &self,
        before: Option<&RefreshFailure>,
        own: &RefreshFailure,
    ) -> Option<RefreshFailure> {
        let of = self.door.clone()?;
        let age = before.map(|before| before.at.second().until(own.at.second()));
        // What is said to have fallen in the future is of a clock that was set back.
        if age.is_some_and(|age| age >= Lifetime::ZERO && age < ANEW) {
            return None;
        }
        let verdict = RefreshFailure::new(of, own.at, own.kind.clone());
        Some(verdict.with_pause(self.length.min(SHARED)))
    }
}

impl RefreshingToken {
    /// Names of the doors that the request goes through: a pause that is [remembered](super::RecordFailure::for_others) of one of them may
    /// bind this login too. They hold no secret.
    pub fn doors(&self) -> [&Fingerprint; 2] {
        let RefreshEndpoints { service, client } = &self.doors;
        [service, client]
    }

    /// Whether this login keeps a pause that another one has met.
    pub fn is_bound_by(&self, pause: &RefreshFailure, now: Timestamp) -> bool {
        let was_served = self.renewal.old.issued_at.is_some_and(|at| at >= pause.at.second());
        self.doors().contains(&&pause.of) && pause.left_of_pause(now).is_some() && !was_served
    }
}

impl HttpCall<RefreshingToken> {
    /// Leaves the server alone, as it has asked another login to: nothing is sent.
    ///
    /// # Errors
    /// That it has, unless the old token is still good.
    pub fn postponed(self, pause: RefreshFailure, now: Timestamp) -> Result<TokenStep, TokenError> {
        let left = pause.left_of_pause(now).unwrap_or(Lifetime::ZERO);
        let why = match pause.kind {
            RefreshFailureKind::Passing(why) | RefreshFailureKind::Spent(why) => why,
            RefreshFailureKind::Rejected(refusal) => Sanitized::new(&refusal.to_string()),
        };
        self.into_state().renewal.give_up(TokenError::Postponed { left, why }, now)
    }
}
