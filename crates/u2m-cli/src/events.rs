//! `login --events`: what happens, for programs. One JSON object a line on standard error, in place of all prose.
//!
//! | `event` | members | when |
//! |---|---|---|
//! | `authorize` | `url`, `redirect_port` | the address that a browser has to open; nothing has been opened yet |
//! | `browser_opened` | | a browser was started |
//! | `browser_failed` | `reason` | none was: the program, or the person, opens `url` |
//! | `waiting` | `seconds` | for so long, at most |
//! | `stray_callback` | `error`, `error_description`, `has_state`, `text` | the browser came back without the state of this login: with a refusal, or, where `error` is null, with a code. It is not obeyed, and the wait goes on |
//! | `callback` | | the browser's answer has come; it is being redeemed |
//! | `saved` | as `login --output json` prints them | login and profile are saved; the last line of a login that went well |
//! | `note` | `text` | a warning, or anything else that a person would be told |
//! | `error` | `class`, `exit_code`, `message` | the last line of a login that failed |
//!
//! None of them has a token, a code or a verifier in it: the address carries `state` and `code_challenge`, which is what a
//! browser has to be given. Members may be added; programs pass over events and members that they do not know. Errors in
//! the command line itself come before any event and are prose.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use u2m::login::UnmatchedCallback;
use u2m::text::Sanitized;
use url::Url;

static ON: AtomicBool = AtomicBool::new(false);

/// From here on nothing is said but events.
pub(crate) fn turn_on() {
    ON.store(true, Ordering::Relaxed);
}

pub(crate) fn are_on() -> bool {
    ON.load(Ordering::Relaxed)
}

pub(crate) fn authorize(url: &Url) {
    let of_redirect = |(key, value): (_, std::borrow::Cow<'_, str>)| {
        (key == "redirect_uri").then(|| Url::parse(&value).ok()?.port()).flatten()
    };
    // A discovery login's address wraps the one that names the redirect.
    let wrapped = url
        .query_pairs()
        .find(|(key, _)| key == "destination_url")
        .and_then(|(_, inner)| url.join(&inner).ok());
    let port = wrapped.as_ref().unwrap_or(url).query_pairs().find_map(of_redirect);
    say(json!({"event": "authorize", "url": url.as_str(), "redirect_port": port}));
}

pub(crate) fn browser(outcome: Result<(), String>) {
    match outcome {
        Ok(()) => say(json!({"event": "browser_opened"})),
        Err(reason) => say(json!({"event": "browser_failed", "reason": reason})),
    }
}

pub(crate) fn waiting(time: Duration) {
    say(json!({"event": "waiting", "seconds": time.as_secs()}));
}

pub(crate) fn callback() {
    say(json!({"event": "callback"}));
}

/// What came that is nobody's word: a program that knows better ends the login.
pub(crate) fn stray_callback(stray: &UnmatchedCallback) {
    let refusal = stray.refusal();
    say(json!({
        "event": "stray_callback",
        "error": refusal.map(|refusal| refusal.code().to_string()),
        "error_description": refusal.and_then(|refusal| refusal.description()).map(Sanitized::as_str),
        "has_state": stray.has_state(),
        "text": stray.to_string(),
    }));
}

/// What was saved, as a login reports it.
pub(crate) fn saved(report: &impl Serialize) {
    #[derive(Serialize)]
    struct Saved<'a, T> {
        event: &'static str,
        #[serde(flatten)]
        report: &'a T,
    }
    // What consists of words has a text.
    let text = serde_json::to_string(&Saved { event: "saved", report }).unwrap_or_default();
    crate::output::line(&crate::output::printable(&text));
}

pub(crate) fn note(text: &str) {
    say(json!({"event": "note", "text": text}));
}

pub(crate) fn error(failure: &Failure) {
    say(json!({
        "event": "error",
        "class": failure.class.word(),
        "exit_code": failure.class.code(),
        "message": failure.text,
    }));
}

fn say(event: Value) {
    crate::output::line(&crate::output::printable(&event.to_string()));
}
