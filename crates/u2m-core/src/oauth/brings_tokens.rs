//! Tokens in an answer whose status says that there are none: something on the way has put a status of its own on the answer
//! of a server that has spent what it was sent, and has left the body as it was.
//!
//! An error may look like tokens too: it repeats what was sent, or says by the name of a member what is wrong with it. What
//! would be taken for a refresh token takes the place of a living one.

use super::members::JsonMembers;
use super::token_response::document;
use crate::call::HttpResponse;
use crate::reply::Reply;

/// What holds as many characters, or a digit, is no word of a person's.
const LONG: usize = 16;

/// Whether an answer brings a refresh token although its status is that of an error.
pub(super) fn in_spite_of_status(reply: &Reply, said: &JsonMembers<'_>) -> bool {
    // Of the two, the server's own no counts; and a form with such a member is the request itself.
    if reply.is_success() || said.is_form() || said.says("error") || said.says("grant_type") {
        return false;
    }
    let refresh = said.refresh_token(reply.sent());
    let Some(refresh) = refresh.filter(|said| said.is_plain()) else { return false };
    let is_repeated = refresh.is_part_of(reply.sent());
    let is_text = said.word("refresh_token").is_some();
    match said.word("access_token") {
        // A server that does not rotate gives the same one again.
        Some(_) if is_repeated && !refresh.is_one_of(reply.sent()) => false,
        Some(access) if access.is_plain() => !access.is_same(&refresh),
        // An access token that no request can carry, or a sentence about one.
        Some(_) => !is_repeated && refresh.is_unlike_words(LONG),
        None if is_repeated => false,
        None if is_text && !(400..500).contains(&reply.status()) => true,
        None => refresh.is_unlike_words(LONG),
    }
}

/// The object with both tokens that stands inside of what the error of something on the way is made of, if nothing around it says
/// that it is the server's.
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

/// Whether an answer that asks for patience has in truth done what was asked for: the same request is not sent again.
pub(crate) fn brings_tokens(answer: &HttpResponse) -> bool {
    let reply = Reply::unasked(answer.clone());
    let said = document(&reply, &["refresh_token", "access_token"]);
    said.is_ok_and(|said| in_spite_of_status(&reply, &said))
}

#[cfg(test)]
#[path = "brings_tokens_tests.rs"]
mod tests;
