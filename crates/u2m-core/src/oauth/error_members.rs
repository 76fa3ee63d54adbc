//! Reads errors that are not OAuth errors, in the shapes in use: those of Databricks' API (`error_code`, `message`), SCIM and
//! problem details (RFC 9457: `title`, `detail`), Azure and Google (`error`, with `code` and `message` in it), and various
//! gateways.

use super::members::JsonMembers;
use crate::sent::SentSecrets;
use crate::text::Sanitized;

/// Members with a message for people, the most usual ones first.
const MESSAGES: [&str; 10] = [
    "message",
    "error_description",
    "detail",
    "error_message",
    "errorMessage",
    "errorSummary",
    "faultstring",
    "description",
    "reason",
    "title",
];

/// Members with a code for programs.
const CODES: [&str; 6] = ["error_code", "code", "errorCode", "error", "status", "title"];

/// A code and a message, as far as there are any: sanitized, and without the secrets that were sent.
#[derive(Debug, Default)]
pub(crate) struct ErrorMembers {
    pub(crate) code: Option<Sanitized>,
    pub(crate) message: Option<Sanitized>,
}

impl ErrorMembers {
    pub(crate) fn of(said: &JsonMembers<'_>, status: u16, sent: &SentSecrets) -> Self {
        let inner = said.inner("error").or_else(|| said.inner("fault"));
        let said = inner.as_ref().unwrap_or(said);
        let first = |names: &[&str]| {
            let texts = names.iter().filter_map(|name| said.line(name));
            texts.map(|text| text.shown(sent)).find(|text| !text.is_empty())
        };
        let message = first(&MESSAGES);
        // A code that only repeats the message or the status adds nothing.
        let is_news = |code: &Sanitized| {
            message.as_ref() != Some(code) && code.as_str() != status.to_string()
        };
        let code = first(&CODES).filter(is_news);
        Self { code, message }
    }
}
