//! What is remembered of a failed refresh, so that no request is spent on learning it again.

use crate::oauth::{ErrorResponse, TokenEndpointError};
use crate::reply::LONGEST_PAUSE;
use crate::secret::Fingerprint;
use crate::session::Session;
use crate::text::Sanitized;
use crate::time::{Lifetime, Moment, Timestamp};
use std::time::Duration;

/// A failure dated further in the future than this means that the clock was set back.
const TOLERATED: Lifetime = Lifetime::from_seconds(60);

/// The outcome of a failed refresh. It concerns one refresh token, named by its fingerprint, and means nothing once the entry
/// has changed. It can also be a pause that binds other logins; then it concerns a [door](super::RefreshingToken::doors) of the
/// token endpoint. It holds no secret.
///
/// ```
/// use u2m_core::{Fingerprint, RefreshToken, Timestamp, RefreshFailure, RefreshFailureKind};
/// let of = Fingerprint::of_refresh(&RefreshToken::new("r"));
/// let verdict = RefreshFailure::new(of, Timestamp::from_unix(7), RefreshFailureKind::transient("http 503"));
/// assert_eq!(verdict.at.second().unix(), 7);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshFailure {
    /// The fingerprint of the refresh token, or the door, that it concerns.
    pub of: Fingerprint,
    /// When the refresh failed.
    pub at: Moment,
    /// How it failed.
    pub kind: RefreshFailureKind,
    /// How long from then on the server asked the client to wait (RFC 9110 section 10.2.3).
    pub pause: Option<Lifetime>,
}

/// How a refresh failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshFailureKind {
    /// It may succeed later. The failure is shared with the callers that were waiting when it happened.
    Transient(Sanitized),
    /// The server refused. Either it rejected the refresh token, which will never work again: that is shared until the entry
    /// changes. Or a person has to do something: that is shared with the callers that were waiting.
    Rejected(ErrorResponse),
    /// The refresh token was spent, and the new tokens are unknown or could not be kept. It is not sent again, except by a
    /// forced refresh.
    Spent(Sanitized),
}

impl RefreshFailure {
    /// Makes a failure without a pause.
    ///
    /// ```
    /// use u2m_core::{Fingerprint, RefreshToken, ErrorResponse, Timestamp, RefreshFailure, RefreshFailureKind};
    /// let of = Fingerprint::of_refresh(&RefreshToken::new("r"));
    /// let kind = RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", None));
    /// let verdict = RefreshFailure::new(of, Timestamp::from_unix(7), kind);
    /// assert!(matches!(verdict.kind, RefreshFailureKind::Rejected(_)));
    /// ```
    pub fn new(of: Fingerprint, at: impl Into<Moment>, kind: RefreshFailureKind) -> Self {
        Self { of, at: at.into(), kind, pause: None }
    }

    /// Sets how long the server asked the client to wait. At most an hour of it counts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_core::{Fingerprint, RefreshToken, Timestamp, RefreshFailure, RefreshFailureKind};
    /// let (of, now) = (Fingerprint::of_refresh(&RefreshToken::new("r")), Timestamp::from_unix(7));
    /// let verdict = RefreshFailure::new(of, now, RefreshFailureKind::transient("busy")).with_pause(Duration::from_secs(30));
    /// assert_eq!(verdict.left_of_pause(now).map(|left| left.seconds()), Some(30));
    /// ```
    #[must_use]
    pub fn with_pause(mut self, pause: Duration) -> Self {
        let seconds = pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0));
        let seconds = i64::try_from(seconds.min(LONGEST_PAUSE)).unwrap_or(0);
        self.pause = (seconds > 0).then_some(Lifetime::from_seconds(seconds));
        self
    }

    /// What is left of the pause that the server asked for; `None` if there is none or it is over.
    pub fn left_of_pause(&self, now: Timestamp) -> Option<Lifetime> {
        let fell = self.at.second();
        if fell.until(now) < Lifetime::from_seconds(-TOLERATED.seconds()) {
            return None;
        }
        // A started second counts as a whole one.
        let part = Lifetime::from_seconds(i64::from(self.at.nanos() > 0));
        let left = now.until(fell.plus(self.pause?).plus(part));
        (left > Lifetime::ZERO).then_some(left)
    }

    /// Whether this says that `session` can never be refreshed.
    pub fn is_final_for(&self, session: &Session) -> bool {
        matches!(&self.kind, RefreshFailureKind::Rejected(refusal) if refusal.rejects_the_refresh_token())
            && self.of == session.fingerprint()
    }
}

impl RefreshFailureKind {
    /// Makes a failure that may pass, with a text that is safe to show.
    ///
    /// ```
    /// use u2m_core::RefreshFailureKind;
    /// assert!(matches!(RefreshFailureKind::transient("timed out"), RefreshFailureKind::Transient(_)));
    /// ```
    pub fn transient(text: &str) -> Self {
        Self::Transient(Sanitized::new(text))
    }

    /// Makes a failure of a refresh token that was spent in vain, with a text that is safe to show.
    ///
    /// ```
    /// use u2m_core::RefreshFailureKind;
    /// assert!(matches!(RefreshFailureKind::spent("it could not be saved"), RefreshFailureKind::Spent(_)));
    /// ```
    pub fn spent(text: &str) -> Self {
        Self::Spent(Sanitized::new(text))
    }

    pub(super) fn of(error: &TokenEndpointError) -> Self {
        match error {
            error if error.is_unreadable_success() => Self::spent(&error.to_string()),
            TokenEndpointError::Refused(refusal) if refusal.needs_login() => {
                Self::Rejected(refusal.clone())
            }
            TokenEndpointError::Unreachable(failure) => Self::transient(&failure.to_string()),
            other => Self::transient(&other.to_string()),
        }
    }
}
