//! Polling until the person decides or the codes expire, never faster than the server allows (RFC 8628 section 3.5).

use super::DeviceAttempt;
use crate::call::{AwaitsResponse, HttpCall, Replay, TransportFailure, sealed};
use crate::login::{LoginError, LoginRequest, SaveLogin};
use crate::oauth::{
    DeviceAuthorizationResponse, ErrorResponse, OAuthErrorCode, TOKEN_LIMIT, TokenEndpointError,
    TokenResponse, UnusableResponse, poll_form,
};
use crate::reply::{LONGEST_PAUSE, Reply};
use crate::secret::DeviceCode;
use crate::time::{Lifetime, Timestamp};

/// What `slow_down` adds to the interval, permanently.
const SLOWER: Lifetime = Lifetime::from_seconds(5);

/// If the server fails, the interval doubles each time, up to a minute.
const SLOWEST: Lifetime = Lifetime::from_seconds(60);

/// Times are truncated to whole seconds: two that differ by the interval may be almost a second closer than that.
const CUT: Lifetime = Lifetime::from_seconds(1);

/// The codes, and when they may be used.
#[derive(Debug)]
struct PollSchedule {
    attempt: Box<DeviceAttempt>,
    code: DeviceCode,
    interval: Lifetime,
    expires: Timestamp,
}

/// The next step after a wait.
#[derive(Debug)]
#[must_use]
#[allow(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, some seconds after the last one"
)]
pub enum Waited {
    /// Poll: ask whether the person has agreed (the token request of RFC 8628 section 3.4).
    Poll(HttpCall<PollingForToken>),
    /// Keep waiting: the driver woke up before [`WaitToPoll::until`].
    TooEarly(WaitToPoll),
}

/// The result of a poll.
#[derive(Debug)]
#[must_use]
pub enum Polled {
    /// The person has agreed. Save the session.
    Store(SaveLogin),
    /// The person has not decided yet, or the server did not say. Poll again later.
    Wait(WaitToPoll),
}

/// Waits until it is time to poll.
#[derive(Debug)]
#[must_use]
pub struct WaitToPoll {
    waiting: PollSchedule,
    until: Timestamp,
}

impl WaitToPoll {
    pub(super) fn begin(
        attempt: Box<DeviceAttempt>,
        grant: DeviceAuthorizationResponse,
        now: Timestamp,
    ) -> Self {
        let DeviceAuthorizationResponse { code, interval, expires_in, .. } = grant;
        PollSchedule { attempt, code, interval, expires: now.plus(expires_in) }.after(now, interval)
    }

    /// When to continue: at the next poll, or when the codes expire.
    pub fn until(&self) -> Timestamp {
        self.until.min(self.waiting.expires)
    }

    /// Continues if it is time; otherwise returns the rest of the wait.
    ///
    /// # Errors
    /// Fails with [`LoginError::CodeExpired`] once the codes have expired.
    pub fn waited(self, now: Timestamp) -> Result<Waited, LoginError> {
        if now >= self.waiting.expires {
            return Err(LoginError::CodeExpired);
        }
        if now < self.until {
            return Ok(Waited::TooEarly(self));
        }
        let attempt = &self.waiting.attempt;
        let LoginRequest { client_id, client_auth, .. } = &attempt.request;
        let form = poll_form(client_id, &self.waiting.code);
        let endpoint = attempt.server.token_endpoint.clone();
        let request = client_auth.request(client_id, endpoint, form).with_limit(TOKEN_LIMIT);
        let polling = PollingForToken { waiting: self.waiting, polled_at: now };
        // A retry would come before its time.
        Ok(Waited::Poll(HttpCall::new(request, Replay::Unsafe, polling)))
    }
}

impl PollSchedule {
    fn after(self, polled_at: Timestamp, pause: Lifetime) -> WaitToPoll {
        let until = polled_at.plus(pause).plus(CUT);
        WaitToPoll { waiting: self, until }
    }
}

/// Waits for the token endpoint's response.
#[derive(Debug)]
pub struct PollingForToken {
    waiting: PollSchedule,
    polled_at: Timestamp,
}

impl sealed::Sealed for PollingForToken {}

impl AwaitsResponse for PollingForToken {
    type Next = Polled;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<Polled, LoginError> {
        let Self { mut waiting, polled_at } = self;
        let skew = outcome.as_ref().ok().and_then(|reply| reply.skew(sent_at));
        let asked = outcome.as_ref().ok().and_then(Reply::retry_after);
        let asked = asked.map_or(0, |wait| i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
        let error = match TokenResponse::parse(outcome).or_else(UnusableResponse::at_login) {
            Ok(grant) => {
                let DeviceAttempt { request, host, server } = *waiting.attempt;
                let store = SaveLogin::of(request, server, host, grant, sent_at);
                return Ok(Polled::Store(store.with_skew(skew)));
            }
            Err(error) => error,
        };
        let seconds = waiting.interval.seconds();
        let seconds = match &error {
            TokenEndpointError::Refused(refusal) => match refusal.code() {
                OAuthErrorCode::AuthorizationPending => seconds,
                OAuthErrorCode::SlowDown => seconds.saturating_add(SLOWER.seconds()),
                OAuthErrorCode::AccessDenied => return Err(LoginError::Denied(in_person(refusal))),
                OAuthErrorCode::ExpiredToken => return Err(LoginError::CodeExpired),
                _ if refusal.is_transient() => slower(seconds),
                _ => return Err(LoginError::Exchange(error)),
            },
            error if error.is_transient() => slower(seconds),
            _ => return Err(LoginError::Exchange(error)),
        };
        waiting.interval = Lifetime::from_seconds(seconds);
        // A wait that the server asks for once applies once.
        let pause =
            Lifetime::from_seconds(asked.min(LONGEST_PAUSE.cast_signed())).max(waiting.interval);
        Ok(Polled::Wait(waiting.after(polled_at, pause)))
    }
}

fn slower(seconds: i64) -> i64 {
    seconds.saturating_mul(2).min(SLOWEST.seconds()).max(seconds)
}

/// The person refused on the server's own page, so the HTTP status in between is of no interest.
fn in_person(refusal: &ErrorResponse) -> ErrorResponse {
    let text = refusal.description().map(|text| text.as_str().to_owned());
    ErrorResponse::new(0, "access_denied", text.as_deref())
}
