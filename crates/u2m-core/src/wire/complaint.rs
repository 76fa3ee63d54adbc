//! What an error says that is no OAuth error, in one of the shapes that are in use: of Databricks' API (`error_code`, `message`), of
//! SCIM and problem details (RFC 9457: `title`, `detail`), of Azure's and Google's (`error`, with `code` and `message` in it), and
//! what gateways make up.

use super::members::Members;
use crate::sent::Sent;
use crate::text::Foreign;

/// The words for people, the usual ones first.
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

/// The word for programs.
const CODES: [&str; 6] = ["error_code", "code", "errorCode", "error", "status", "title"];

/// A code and a sentence, as far as there are any: cleaned, and without what was sent.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    pub(super) code: Option<Foreign>,
    pub(super) message: Option<Foreign>,
}

impl Complaint {
    pub(super) fn of(said: &Members<'_>, status: u16, sent: &Sent) -> Self {
        let inner = said.inner("error").or_else(|| said.inner("fault"));
        let said = inner.as_ref().unwrap_or(said);
        let first = |names: &[&str]| {
            let texts = names.iter().filter_map(|name| said.line(name));
            texts.map(|text| text.shown(sent)).find(|text| !text.is_empty())
        };
        let message = first(&MESSAGES);
        // The same once more says nothing, nor does the status.
        let is_news =
            |code: &Foreign| message.as_ref() != Some(code) && code.as_str() != status.to_string();
        let code = first(&CODES).filter(is_news);
        Self { code, message }
    }
}
