//! What is remembered of a refresh that failed, so that nobody spends a request on learning it again.

use crate::oauth::{ErrorResponse, TokenEndpointError};
use crate::reply::LONGEST_PAUSE;
use crate::secret::Fingerprint;
use crate::session::Session;
use crate::text::Sanitized;
use crate::time::{Lifetime, Moment, Timestamp};
use std::time::Duration;

/// A verdict that seems to have fallen in the future by more tells of a clock that was set back.
const TOLERATED: Lifetime = Lifetime::from_seconds(60);

/// The outcome of a failed refresh. It is about one refresh token, named by its fingerprint, and means nothing once the
/// entry has changed; or, as a pause that binds others too, about a [door](super::RefreshingToken::doors) of the token endpoint. It holds
/// no secret.
///
/// ```
/// use u2m_core::{Fingerprint, RefreshToken, Timestamp, RefreshFailure, RefreshFailureKind};
/// let of = Fingerprint::of_refresh(&RefreshToken::new("r"));
/// let verdict = RefreshFailure::new(of, Timestamp::from_unix(7), RefreshFailureKind::passing("http 503"));
/// assert_eq!(verdict.at.second().unix(), 7);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshFailure {
    /// The refresh token, or the door, that it is about.
    pub of: Fingerprint,
    /// When it fell.
    pub at: Moment,
    /// What it says.
    pub kind: RefreshFailureKind,
    /// For how long from then on the server asked not to be asked again (RFC 9110 section 10.2.3).
    pub pause: Option<Lifetime>,
}

/// What a verdict says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshFailureKind {
    /// It may work later; shared with those who were waiting when it fell.
    Passing(Sanitized),
    /// The server said no: to the refresh token itself, which will never work and is shared until the entry changes; or until a
    /// person has done something, which is shared with those who were waiting.
    Rejected(ErrorResponse),
    /// The refresh token was spent, and what it bought is not known, or could not be kept: it is not sent again unless a
    /// person says so.
    Spent(Sanitized),
}

impl RefreshFailure {
    /// Takes its parts.
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

    /// Adds for how long the server asked not to be asked again: at most an hour of it counts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_core::{Fingerprint, RefreshToken, Timestamp, RefreshFailure, RefreshFailureKind};
    /// let (of, now) = (Fingerprint::of_refresh(&RefreshToken::new("r")), Timestamp::from_unix(7));
    /// let verdict = RefreshFailure::new(of, now, RefreshFailureKind::passing("busy")).with_pause(Duration::from_secs(30));
    /// assert_eq!(verdict.left_of_pause(now).map(|left| left.seconds()), Some(30));
    /// ```
    #[must_use]
    pub fn with_pause(mut self, pause: Duration) -> Self {
        let seconds = pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0));
        let seconds = i64::try_from(seconds.min(LONGEST_PAUSE)).unwrap_or(0);
        self.pause = (seconds > 0).then_some(Lifetime::from_seconds(seconds));
        self
    }

    /// What is left of the pause that the server asked for; `None` if there is none, or if it is over.
    pub fn left_of_pause(&self, now: Timestamp) -> Option<Lifetime> {
        let fell = self.at.second();
        if fell.until(now) < Lifetime::from_seconds(-TOLERATED.seconds()) {
            return None;
        }
        // Whole seconds are what is left of a reading: a part of one counts as one.
        let part = Lifetime::from_seconds(i64::from(self.at.nanos() > 0));
        let left = now.until(fell.plus(self.pause?).plus(part));
        (left > Lifetime::ZERO).then_some(left)
    }

    /// Whether this says that `session` can never be renewed.
    pub fn is_final_for(&self, session: &Session) -> bool {
        matches!(&self.kind, RefreshFailureKind::Rejected(refusal) if refusal.rejects_the_refresh_token())
            && self.of == session.fingerprint()
    }
}

impl RefreshFailureKind {
    /// A failure that may pass, in words fit to be shown.
    ///
    /// ```
    /// use u2m_core::RefreshFailureKind;
    /// assert!(matches!(RefreshFailureKind::passing("timed out"), RefreshFailureKind::Passing(_)));
    /// ```
    pub fn passing(text: &str) -> Self {
        Self::Passing(Sanitized::new(text))
    }

    /// Of a refresh token that was spent in vain, in words fit to be shown.
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
            TokenEndpointError::Unreachable(failure) => Self::passing(&failure.to_string()),
            other => Self::passing(&other.to_string()),
        }
    }
}
