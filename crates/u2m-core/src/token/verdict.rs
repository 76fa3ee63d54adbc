//! What is remembered of a refresh that failed, so that nobody spends a request on learning it again.

use crate::reply::LONGEST_PAUSE;
use crate::secret::Fingerprint;
use crate::session::Session;
use crate::text::Foreign;
use crate::time::{Lifetime, Moment, Timestamp};
use crate::wire::{Refusal, TokenEndpointError};
use std::time::Duration;

/// A verdict that seems to have fallen in the future by more tells of a clock that was set back.
const TOLERATED: Lifetime = Lifetime::from_seconds(60);

/// The outcome of a failed refresh. It is about one refresh token, named by its fingerprint, and means nothing once the
/// entry has changed; or, as a pause that binds others too, about a [door](super::Refreshing::doors) of the token endpoint. It holds
/// no secret.
///
/// ```
/// use u2m_core::{Fingerprint, RefreshToken, Timestamp, Verdict, VerdictKind};
/// let of = Fingerprint::of_refresh(&RefreshToken::new("r"));
/// let verdict = Verdict::new(of, Timestamp::from_unix(7), VerdictKind::passing("http 503"));
/// assert_eq!(verdict.at.second().unix(), 7);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The refresh token, or the door, that it is about.
    pub of: Fingerprint,
    /// When it fell.
    pub at: Moment,
    /// What it says.
    pub kind: VerdictKind,
    /// For how long from then on the server asked not to be asked again (RFC 9110 section 10.2.3).
    pub pause: Option<Lifetime>,
}

/// What a verdict says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerdictKind {
    /// It may work later; shared with those who were waiting when it fell.
    Passing(Foreign),
    /// The server said no: to the refresh token itself, which will never work and is shared until the entry changes; or until a
    /// person has done something, which is shared with those who were waiting.
    Rejected(Refusal),
    /// The refresh token was spent, and what it bought is not known, or could not be kept: it is not sent again unless a
    /// person says so.
    Spent(Foreign),
}

impl Verdict {
    /// Takes its parts.
    ///
    /// ```
    /// use u2m_core::{Fingerprint, RefreshToken, Refusal, Timestamp, Verdict, VerdictKind};
    /// let of = Fingerprint::of_refresh(&RefreshToken::new("r"));
    /// let kind = VerdictKind::Rejected(Refusal::new(400, "invalid_grant", None));
    /// let verdict = Verdict::new(of, Timestamp::from_unix(7), kind);
    /// assert!(matches!(verdict.kind, VerdictKind::Rejected(_)));
    /// ```
    pub fn new(of: Fingerprint, at: impl Into<Moment>, kind: VerdictKind) -> Self {
        Self { of, at: at.into(), kind, pause: None }
    }

    /// Adds for how long the server asked not to be asked again: at most an hour of it counts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_core::{Fingerprint, RefreshToken, Timestamp, Verdict, VerdictKind};
    /// let (of, now) = (Fingerprint::of_refresh(&RefreshToken::new("r")), Timestamp::from_unix(7));
    /// let verdict = Verdict::new(of, now, VerdictKind::passing("busy")).with_pause(Duration::from_secs(30));
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
        matches!(&self.kind, VerdictKind::Rejected(refusal) if refusal.rejects_the_refresh_token())
            && self.of == session.fingerprint()
    }
}

impl VerdictKind {
    /// A failure that may pass, in words fit to be shown.
    ///
    /// ```
    /// use u2m_core::VerdictKind;
    /// assert!(matches!(VerdictKind::passing("timed out"), VerdictKind::Passing(_)));
    /// ```
    pub fn passing(text: &str) -> Self {
        Self::Passing(Foreign::new(text))
    }

    /// Of a refresh token that was spent in vain, in words fit to be shown.
    ///
    /// ```
    /// use u2m_core::VerdictKind;
    /// assert!(matches!(VerdictKind::spent("it could not be saved"), VerdictKind::Spent(_)));
    /// ```
    pub fn spent(text: &str) -> Self {
        Self::Spent(Foreign::new(text))
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
