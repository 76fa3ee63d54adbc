//! What becomes of a refresh token when its refresh fails: one rule for all errors, so that nothing promises more than is
//! known.

use crate::call::{TransportFailure, TransportFailureKind};
use crate::oauth::{OAuthErrorCode, ResponseError, TokenEndpointError};
use crate::token::TokenError;

/// What is known of a single-use secret, such as a refresh token, after the request that was to spend it has failed.
///
/// ```
/// use u2m_core::{SpendState, TransportFailure, TransportFailureKind};
/// assert_eq!(TransportFailure::new(TransportFailureKind::NotSent).fate(), SpendState::Kept);
/// assert_eq!(TransportFailure::new(TransportFailureKind::Broken).fate(), SpendState::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpendState {
    /// It was not sent, or it was not used up: it is as good as before.
    Kept,
    /// It is used up.
    Spent,
    /// It may have been sent, and it is not known whether it was used up.
    Unknown,
}

impl TransportFailure {
    /// What is known of the secret in the request.
    pub fn fate(&self) -> SpendState {
        match self.kind() {
            TransportFailureKind::NotSent => SpendState::Kept,
            TransportFailureKind::Broken
            | TransportFailureKind::TimedOut
            | TransportFailureKind::TooLarge => SpendState::Unknown,
        }
    }
}

impl TokenEndpointError {
    /// What is known of the secret in the request. A gateway that responds for its server does not say whether it forwarded the
    /// request.
    pub fn fate(&self) -> SpendState {
        match self {
            error if error.is_unreadable_success() => SpendState::Spent,
            Self::Unreachable(failure) => failure.fate(),
            Self::Answer(
                ResponseError::Status(status)
                | ResponseError::NotJson { status, .. }
                | ResponseError::Said { status, .. },
            ) => under(*status),
            Self::Answer(_) => SpendState::Unknown,
            Self::Refused(refusal) if refusal.rejects_the_refresh_token() => SpendState::Spent,
            Self::Refused(refusal) if *refusal.code() == OAuthErrorCode::ServerError => {
                SpendState::Unknown
            }
            Self::Refused(refusal)
                if refusal.is_transient()
                    && *refusal.code() != OAuthErrorCode::TemporarilyUnavailable =>
            {
                under(refusal.status())
            }
            Self::Refused(_) => SpendState::Kept,
        }
    }
}

/// What a status says if the body contains nothing from the server.
fn under(status: u16) -> SpendState {
    match status {
        // These concern the request before it is processed. That it took too long or was given up (408, 499) may be said after
        // all of it was processed.
        408 | 499 => SpendState::Unknown,
        400..500 => SpendState::Kept,
        _ => SpendState::Unknown,
    }
}

impl TokenError {
    /// What is known of the login's refresh token.
    pub fn fate(&self) -> SpendState {
        match self {
            Self::Refresh(error) => error.fate(),
            Self::Reported(report) => report.fate,
            Self::Rejected(_) | Self::SpentElsewhere(_) | Self::SpentInVain(_) => SpendState::Spent,
            // What happened to a token that was sent before is for that caller's error to say.
            Self::LockTimeout
            | Self::Panicked
            | Self::Postponed { .. }
            | Self::StillWaiting
            | Self::TriedJustNow(_)
            | Self::Unfinished => SpendState::Unknown,
            Self::Endpoints(_)
            | Self::Mismatch { .. }
            | Self::MissingRefreshToken
            | Self::NoHost
            | Self::NotFound
            | Self::OutOfTime
            | Self::SameTokenAgain
            | Self::Store(_) => SpendState::Kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::ErrorResponse;

    #[test]
    fn nothing_is_promised_of_what_may_have_been_sent() {
        let unreachable = |kind| TokenEndpointError::Unreachable(TransportFailure::new(kind));
        let status = |status| TokenEndpointError::Answer(ResponseError::Status(status));
        let page =
            |status| TokenEndpointError::Answer(ResponseError::NotJson { status, what: "nothing" });
        let said = |status| {
            let message = crate::text::Sanitized::new("no");
            TokenEndpointError::Answer(ResponseError::Said { status, code: None, message })
        };
        let refused = |code| TokenEndpointError::Refused(ErrorResponse::new(400, code, None));
        let word = |status| {
            TokenEndpointError::Refused(ErrorResponse::new(status, "Service Unavailable", None))
        };
        let coded =
            |status, code| TokenEndpointError::Refused(ErrorResponse::new(status, code, None));
        for (error, fate) in [
            (coded(503, "temporarily_unavailable"), SpendState::Kept),
            (coded(500, "invalid_scope"), SpendState::Kept),
            (unreachable(TransportFailureKind::NotSent), SpendState::Kept),
            (unreachable(TransportFailureKind::Broken), SpendState::Unknown),
            (unreachable(TransportFailureKind::TimedOut), SpendState::Unknown),
            (unreachable(TransportFailureKind::TooLarge), SpendState::Unknown),
            (status(429), SpendState::Kept),
            (status(425), SpendState::Kept),
            (page(429), SpendState::Kept),
            (status(403), SpendState::Kept),
            (page(404), SpendState::Kept),
            (said(403), SpendState::Kept),
            (said(500), SpendState::Unknown),
            (status(408), SpendState::Unknown),
            (status(499), SpendState::Unknown),
            (page(408), SpendState::Unknown),
            (status(500), SpendState::Unknown),
            (page(502), SpendState::Unknown),
            (page(503), SpendState::Unknown),
            (status(504), SpendState::Unknown),
            (page(302), SpendState::Unknown),
            (page(200), SpendState::Spent),
            (TokenEndpointError::Answer(ResponseError::RefreshToken), SpendState::Spent),
            (refused("invalid_grant"), SpendState::Spent),
            (refused("temporarily_unavailable"), SpendState::Kept),
            (refused("invalid_client"), SpendState::Kept),
            (refused("server_error"), SpendState::Unknown),
            (refused("Service Unavailable"), SpendState::Kept),
            (word(403), SpendState::Kept),
            (word(408), SpendState::Unknown),
            (word(429), SpendState::Kept),
            (word(500), SpendState::Unknown),
            (word(503), SpendState::Unknown),
        ] {
            assert_eq!(error.fate(), fate, "{error}");
            assert_eq!(TokenError::Refresh(error.clone()).fate(), fate, "{error}");
        }
        assert_eq!(TokenError::Unfinished.fate(), SpendState::Unknown);
        assert_eq!(TokenError::Panicked.fate(), SpendState::Unknown);
        assert_eq!(TokenError::OutOfTime.fate(), SpendState::Kept);
    }
}
