//! Why the API gave no answer, by blame.

use crate::call::{Answer, TransportFailure};
use crate::secret::AccessToken;
use crate::text::Foreign;
use serde_json::{Map, Value};
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
    Refused(ApiRefusal),
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
pub struct ApiRefusal {
    status: u16,
    code: Option<Foreign>,
    message: Option<Foreign>,
}

impl ApiRefusal {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The `error_code`, such as `PERMISSION_DENIED`.
    pub fn code(&self) -> Option<&Foreign> {
        self.code.as_ref()
    }

    /// The `message`, cleaned for showing.
    pub fn message(&self) -> Option<&Foreign> {
        self.message.as_ref()
    }

    fn is_transient(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// Databricks' own form, SCIM's `detail`, OAuth's `error`; anything else says nothing.
    pub(super) fn of(answer: &Answer, token: &AccessToken) -> Self {
        let body = answer.body();
        let said = match super::super::is_too_deep(body) {
            true => Map::new(),
            false => serde_json::from_slice(body).unwrap_or_default(),
        };
        let text = |names: [&str; 3]| {
            let found = names.iter().find_map(|name| said.get(*name).and_then(Value::as_str));
            let found = found.filter(|text| !text.contains(token.expose()));
            found.map(Foreign::new).filter(|text| !text.is_empty())
        };
        Self {
            status: answer.status(),
            code: text(["error_code", "errorCode", "error"]),
            message: text(["message", "detail", "error_description"]),
        }
    }
}

impl fmt::Display for ApiRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API answered {}", self.status)?;
        match (&self.message, &self.code) {
            (Some(message), Some(code)) => write!(f, ": {message} ({code})"),
            (Some(text), None) | (None, Some(text)) => write!(f, ": {text}"),
            (None, None) => Ok(()),
        }
    }
}
