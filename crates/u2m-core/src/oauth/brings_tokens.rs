//! Tokens in a response whose status is an error. This happens when an intermediary replaces the status of a server that has
//! already spent what it was sent, and leaves the body as it was.
//!
//! An error can look like tokens, too: it may repeat what was sent, or describe the problem in a member of that name. Whatever
//! is taken for a refresh token replaces a working one, so the rules here are strict.

use super::members::JsonMembers;
use super::token_response::document;
use crate::call::HttpResponse;
use crate::reply::Reply;

/// A text with this many characters, or with a digit, is not a word that a person wrote.
const LONG: usize = 16;

/// Whether a response contains a refresh token although its status is an error.
pub(super) fn in_spite_of_status(reply: &Reply, said: &JsonMembers<'_>) -> bool {
    // If the body also has the server's own `error`, that counts; and a form with `grant_type` is the request itself.
    if reply.is_success() || said.is_form() || said.says("error") || said.says("grant_type") {
        return false;
    }
    let refresh = said.refresh_token(reply.sent());
    let Some(refresh) = refresh.filter(|said| said.is_plain()) else { return false };
    let is_repeated = refresh.is_part_of(reply.sent());
    let is_text = said.word("refresh_token").is_some();
    match said.word("access_token") {
        // A server that does not rotate returns the same token again.
        Some(_) if is_repeated && !refresh.is_one_of(reply.sent()) => false,
        Some(access) if access.is_plain() => !access.is_same(&refresh),
        // The access token cannot be sent in a request, or is a sentence about one.
        Some(_) => !is_repeated && refresh.is_unlike_words(LONG),
        None if is_repeated => false,
        None if is_text && !(400..500).contains(&reply.status()) => true,
        None => refresh.is_unlike_words(LONG),
    }
}

/// The object with both tokens that is nested in an intermediary's error, unless something around it says that the error is the
/// server's own.
pub(super) fn wrapped(reply: &Reply) -> Option<JsonMembers<'_>> {
    let body = reply.body();
    let is_no = |said: &JsonMembers<'_>| said.says("error") || said.says("grant_type");
    if reply.is_success() || JsonMembers::find(body, false, is_no).is_some() {
        return None;
    }
    let is_pair = |said: &JsonMembers<'_>| {
        said.word("access_token").is_some() && in_spite_of_status(reply, said)
    };
    JsonMembers::find(body, true, is_pair)
}

/// Whether a response with a retryable status contains tokens after all: then the request must not be sent again.
pub(crate) fn brings_tokens(answer: &HttpResponse) -> bool {
    let reply = Reply::without_sent_secrets(answer.clone());
    let said = document(&reply, &["refresh_token", "access_token"]);
    said.is_ok_and(|said| in_spite_of_status(&reply, &said))
}

#[cfg(test)]
#[path = "brings_tokens_tests.rs"]
mod tests;
