//! Why an API call failed, by cause.

use crate::call::TransportFailure;
use crate::oauth::ErrorMembers;
use crate::oauth::JsonMembers;
use crate::reply::Reply;
use crate::text::Sanitized;
use std::fmt;

/// Why an API call failed. The text contains no token, even if the server repeats it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// A success response that is not what was asked for: a portal's page, an incomplete document, or one that is too large.
    /// With its status.
    #[error("the host's answer is not the API's (status {0})")]
    BadAnswer(u16),
    /// No response arrived.
    #[error(transparent)]
    Network(TransportFailure),
    /// The API refused.
    #[error("{0}")]
    Refused(ApiErrorResponse),
}

impl ApiError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::BadAnswer(_) => false,
            Self::Network(_) => true,
            Self::Refused(refusal) => refusal.is_transient(),
        }
    }

    /// Whether the API rejects the token (401). Another token may help; the same one never will.
    pub fn rejects_the_token(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 401)
    }

    /// Whether the API accepts the token but denies access (403).
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 403)
    }
}

/// An error response of the API: its status, `error_code` and `message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiErrorResponse {
    status: u16,
    code: Option<Sanitized>,
    message: Option<Sanitized>,
}

impl ApiErrorResponse {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The `error_code`, such as `PERMISSION_DENIED`.
    pub fn code(&self) -> Option<&Sanitized> {
        self.code.as_ref()
    }

    /// The `message`, sanitized.
    pub fn message(&self) -> Option<&Sanitized> {
        self.message.as_ref()
    }

    fn is_transient(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// Reads an error in any of the known shapes; anything else gives neither code nor message.
    pub(super) fn of(answer: &Reply) -> Self {
        let said = JsonMembers::find(answer.body(), false, |_| true);
        let read = |said| ErrorMembers::of(&said, answer.status(), answer.sent());
        let ErrorMembers { code, message } = said.map(read).unwrap_or_default();
        Self { status: answer.status(), code, message }
    }
}

impl fmt::Display for ApiErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API answered {}", self.status)?;
        match (&self.message, &self.code) {
            (Some(message), Some(code)) => write!(f, ": {message} ({code})"),
            (Some(text), None) | (None, Some(text)) => write!(f, ": {text}"),
            (None, None) => Ok(()),
        }
    }
}
