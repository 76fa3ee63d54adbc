//! What has become of a refresh token when its refresh has failed: one rule for all errors, so that nobody promises more than is
//! known.

use crate::call::{TransportFailure, TransportFailureKind};
use crate::token::TokenError;
use crate::wire::{AnswerError, OAuthErrorCode, TokenEndpointError};

/// What is known of a secret that can be spent once, after the request that was to spend it has failed.
///
/// ```
/// use u2m_core::{Fate, TransportFailure, TransportFailureKind};
/// assert_eq!(TransportFailure::new(TransportFailureKind::NotSent).fate(), Fate::Kept);
/// assert_eq!(TransportFailure::new(TransportFailureKind::Broken).fate(), Fate::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It was not sent, or whoever answered has not used it up: it is as good as before.
    Kept,
    /// It is used up.
    Spent,
    /// It may have been sent, and nobody said whether it was used up.
    Unknown,
}

impl TransportFailure {
    /// What is known of the secret in the request.
    pub fn fate(&self) -> Fate {
        match self.kind() {
            TransportFailureKind::NotSent => Fate::Kept,
            TransportFailureKind::Broken
            | TransportFailureKind::TimedOut
            | TransportFailureKind::TooLarge => Fate::Unknown,
        }
    }
}

impl TokenEndpointError {
    /// What is known of the secret in the request. A gateway that answers for its server does not say whether it has asked it.
    pub fn fate(&self) -> Fate {
        match self {
            error if error.is_unreadable_success() => Fate::Spent,
            Self::Unreachable(failure) => failure.fate(),
            Self::Answer(
                AnswerError::Status(status)
                | AnswerError::NotJson { status, .. }
                | AnswerError::Said { status, .. },
            ) => under(*status),
            Self::Answer(_) => Fate::Unknown,
            Self::Refused(refusal) if refusal.rejects_the_refresh_token() => Fate::Spent,
            Self::Refused(refusal) if *refusal.code() == OAuthErrorCode::ServerError => {
                Fate::Unknown
            }
            Self::Refused(refusal)
                if refusal.is_transient()
                    && *refusal.code() != OAuthErrorCode::TemporarilyUnavailable =>
            {
                under(refusal.status())
            }
            Self::Refused(_) => Fate::Kept,
        }
    }
}

/// What a status says where the body says nothing of the server's.
fn under(status: u16) -> Fate {
    match status {
        // These are about the request before anything is made of it; that a request took too long, or was given up (408, 499), may
        // be said when all of it has been worked on.
        408 | 499 => Fate::Unknown,
        400..500 => Fate::Kept,
        _ => Fate::Unknown,
    }
}

impl TokenError {
    /// What is known of the login's refresh token.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Refresh(error) => error.fate(),
            Self::Reported(report) => report.fate,
            Self::Rejected(_) | Self::SpentElsewhere(_) | Self::SpentInVain(_) => Fate::Spent,
            // What has become of the one that was sent before is for that one's caller to say.
            Self::LockTimeout
            | Self::Panicked
            | Self::Postponed { .. }
            | Self::StillWaiting
            | Self::TriedJustNow(_)
            | Self::Unfinished => Fate::Unknown,
            Self::Endpoints(_)
            | Self::Mismatch { .. }
            | Self::MissingRefreshToken
            | Self::NoHost
            | Self::NotFound
            | Self::OutOfTime
            | Self::SameTokenAgain
            | Self::Store(_) => Fate::Kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Refusal;

    #[test]
    fn nothing_is_promised_of_what_may_have_been_sent() {
        let unreachable = |kind| TokenEndpointError::Unreachable(TransportFailure::new(kind));
        let status = |status| TokenEndpointError::Answer(AnswerError::Status(status));
        let page =
            |status| TokenEndpointError::Answer(AnswerError::NotJson { status, what: "nothing" });
        let said = |status| {
            let message = crate::text::Foreign::new("no");
            TokenEndpointError::Answer(AnswerError::Said { status, code: None, message })
        };
        let refused = |code| TokenEndpointError::Refused(Refusal::new(400, code, None));
        let word =
            |status| TokenEndpointError::Refused(Refusal::new(status, "Service Unavailable", None));
        let coded = |status, code| TokenEndpointError::Refused(Refusal::new(status, code, None));
        for (error, fate) in [
            (coded(503, "temporarily_unavailable"), Fate::Kept),
            (coded(500, "invalid_scope"), Fate::Kept),
            (unreachable(TransportFailureKind::NotSent), Fate::Kept),
            (unreachable(TransportFailureKind::Broken), Fate::Unknown),
            (unreachable(TransportFailureKind::TimedOut), Fate::Unknown),
            (unreachable(TransportFailureKind::TooLarge), Fate::Unknown),
            (status(429), Fate::Kept),
            (status(425), Fate::Kept),
            (page(429), Fate::Kept),
            (status(403), Fate::Kept),
            (page(404), Fate::Kept),
            (said(403), Fate::Kept),
            (said(500), Fate::Unknown),
            (status(408), Fate::Unknown),
            (status(499), Fate::Unknown),
            (page(408), Fate::Unknown),
            (status(500), Fate::Unknown),
            (page(502), Fate::Unknown),
            (page(503), Fate::Unknown),
            (status(504), Fate::Unknown),
            (page(302), Fate::Unknown),
            (page(200), Fate::Spent),
            (TokenEndpointError::Answer(AnswerError::RefreshToken), Fate::Spent),
            (refused("invalid_grant"), Fate::Spent),
            (refused("temporarily_unavailable"), Fate::Kept),
            (refused("invalid_client"), Fate::Kept),
            (refused("server_error"), Fate::Unknown),
            (refused("Service Unavailable"), Fate::Kept),
            (word(403), Fate::Kept),
            (word(408), Fate::Unknown),
            (word(429), Fate::Kept),
            (word(500), Fate::Unknown),
            (word(503), Fate::Unknown),
        ] {
            assert_eq!(error.fate(), fate, "{error}");
            assert_eq!(TokenError::Refresh(error.clone()).fate(), fate, "{error}");
        }
        assert_eq!(TokenError::Unfinished.fate(), Fate::Unknown);
        assert_eq!(TokenError::Panicked.fate(), Fate::Unknown);
        assert_eq!(TokenError::OutOfTime.fate(), Fate::Kept);
    }
}
