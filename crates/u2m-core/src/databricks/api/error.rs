//! Why the API gave no answer, by blame.

use crate::call::TransportFailure;
use crate::oauth::ErrorMembers;
use crate::oauth::JsonMembers;
use crate::reply::Reply;
use crate::text::Sanitized;
use std::fmt;

/// Why the API gave no answer. It shows no token: not even one that the server sends back in its words.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// A success that is not what was asked for: a portal's page, half a document, or far too much of one. With its status.
    #[error("the host's answer is not the API's (status {0})")]
    BadAnswer(u16),
    /// No answer.
    #[error(transparent)]
    Network(TransportFailure),
    /// The API said no.
    #[error("{0}")]
    Refused(ApiErrorResponse),
}

impl ApiError {
    /// Whether the same question may be answered later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::BadAnswer(_) => false,
            Self::Network(_) => true,
            Self::Refused(refusal) => refusal.is_transient(),
        }
    }

    /// Whether the API does not take the token (401): another token may help, the same never will.
    pub fn rejects_the_token(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 401)
    }

    /// Whether the API knows who asks and does not allow it (403).
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 403)
    }
}

/// The API's own "no": its status, and what it says in `error_code` and `message`.
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

    /// The `message`, cleaned for showing.
    pub fn message(&self) -> Option<&Sanitized> {
        self.message.as_ref()
    }

    fn is_transient(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// What it says in any of the shapes of errors; anything else says nothing.
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
