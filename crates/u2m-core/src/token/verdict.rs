//! What is remembered of a refresh that failed, so that nobody spends a request on learning it again.

use crate::secret::Fingerprint;
use crate::session::Session;
use crate::text::Foreign;
use crate::time::Timestamp;
use crate::wire::{Refusal, TokenEndpointError};

/// The outcome of a failed refresh. It is about one refresh token, named by its fingerprint, and means nothing once the
/// entry has changed; it holds no secret.
///
/// ```
/// use u2m_core::{Fingerprint, RefreshToken, Timestamp, Verdict, VerdictKind};
/// let of = Fingerprint::of_refresh(&RefreshToken::new("r"));
/// let verdict = Verdict::new(of, Timestamp::from_unix(7), VerdictKind::passing("http 503"));
/// assert_eq!(verdict.at.unix(), 7);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The refresh token that it is about.
    pub of: Fingerprint,
    /// When it fell.
    pub at: Timestamp,
    /// What it says.
    pub kind: VerdictKind,
}

/// What a verdict says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerdictKind {
    /// It may work later; shared with those who were waiting when it fell.
    Passing(Foreign),
    /// It will never work: shared until the entry changes.
    Rejected(Refusal),
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
    pub fn new(of: Fingerprint, at: Timestamp, kind: VerdictKind) -> Self {
        Self { of, at, kind }
    }

    /// Whether this says that `session` can never be renewed.
    pub fn is_final_for(&self, session: &Session) -> bool {
        matches!(self.kind, VerdictKind::Rejected(_)) && self.of == session.fingerprint()
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

    pub(super) fn of(error: &TokenEndpointError) -> Self {
        match error {
            TokenEndpointError::Refused(refusal) if refusal.rejects_the_refresh_token() => {
                Self::Rejected(refusal.clone())
            }
            TokenEndpointError::Unreachable(failure) => Self::passing(&failure.to_string()),
            other => Self::passing(&other.to_string()),
        }
    }
}
