//! What is printed. Standard output carries results and nothing else; all that is said goes to standard error.

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use u2m::source::Lifetime;
use u2m::store::Notice;
use u2m::text::{SecretText, format_local};
use u2m::{Timestamp, Token};
use zeroize::Zeroizing;

/// How a result is to be printed that is text by default: by the flag, else by the environment, of which anything but a
/// format says nothing. SDKs read `token`, so that it does not ask.
pub(crate) fn format(args: &Args) -> Format {
    let said = || crate::place::env("DATABRICKS_OUTPUT_FORMAT");
    args.format.unwrap_or_else(|| match said() {
        Some(word) if word.eq_ignore_ascii_case("json") => Format::Json,
        _ => Format::Text,
    })
}

/// Prints a result.
pub(crate) fn result(text: impl AsRef<str>) -> Result<(), Failure> {
    if crate::guard::interrupted().is_some() {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_ref().as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| {
        Failure::new(Class::Other, format!("cannot write to standard output: {error}"))
    })
}

/// How much is said.
static LOUDNESS: AtomicU8 = AtomicU8::new(1);

/// From here on no more than warnings, errors and questions are said; or also what was chosen.
pub(crate) fn set_loudness(is_quiet: bool, is_verbose: bool) {
    let loudness = if is_quiet { 0 } else { 1 + u8::from(is_verbose) };
    LOUDNESS.store(loudness, Ordering::Relaxed);
}

/// Whether the person wants to hear of nothing that went as it was meant to.
pub(crate) fn is_quiet() -> bool {
    LOUDNESS.load(Ordering::Relaxed) == 0
}

/// Says that something went as it was meant to, or goes on: `--quiet` does without.
pub(crate) fn inform(text: &str) {
    if !is_quiet() {
        note(text);
    }
}

/// Says what was chosen and why, once, to those who want to know.
pub(crate) fn explain(text: impl FnOnce() -> String) {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    if LOUDNESS.load(Ordering::Relaxed) < 2 {
        return;
    }
    let text = text();
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&text) {
        note(&text);
        said.push(text);
    }
}

/// Says something that is said to everybody, or to the program that reads events: a warning, or what is to be done.
pub(crate) fn note(text: &str) {
    if crate::events::are_on() {
        return crate::events::note(text);
    }
    line(&fit(text));
}

/// Warns of what the person should hear of although it went on.
pub(crate) fn warn_of(notices: Vec<Notice>) {
    for notice in notices {
        note(&format!("Warning: {}", notice.text));
    }
}

/// The same without what a terminal would act on: names of files, which errors repeat, may hold anything.
pub(crate) fn fit(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

/// A line on standard error.
pub(crate) fn line(text: &str) {
    // Nobody is left to hear of it when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says something that the person's answer stands behind.
pub(crate) fn ask(text: &str) {
    let mut err = std::io::stderr().lock();
    // As above.
    let _ = write!(err, "{text}").and_then(|()| err.flush());
}

/// Says what went wrong.
pub(crate) fn error(failure: &Failure, name: &str) {
    if crate::events::are_on() {
        return crate::events::error(failure);
    }
    note(&format!("Error: {failure}"));
    if failure.class == Class::Usage {
        let program = name.split(' ').next().unwrap_or(name);
        note(&match failure.command.filter(|_| program == name) {
            Some(command) => format!("Run '{name} {} --help' for usage.", command.name()),
            // As the program does that this one stands in for.
            None => format!("Run '{program} help' for usage."),
        });
    }
}

/// The token as SDKs read it from the reference: one object, three members, and how long it is still good for.
///
/// The time is local wall-clock time with a fraction and an offset, because Python's SDK cuts at the dot and reads the rest
/// as local. A token whose end nobody knows is said to be good for an hour: no caller can be told "for ever".
pub(crate) fn token_json(token: &Token, now: Timestamp) -> Zeroizing<String> {
    let expiry = token.expiry().unwrap_or_else(|| now.plus(Lifetime::from_seconds(3600)));
    let expires_in =
        token.expiry().map(|expiry| now.until(expiry).seconds()).filter(|left| *left > 0);
    let printed = TokenJson {
        access_token: token.access_token().expose(),
        token_type: "Bearer",
        expiry: format_local(expiry),
        expires_in,
    };
    secret_json(&printed)
}

/// The members in the order of the reference.
#[derive(Serialize)]
struct TokenJson<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expiry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
}

/// Two-space indent; characters that mean something in HTML are escaped, as the reference does, and so is what a terminal
/// would act on or not show.
pub(crate) fn json(value: &impl Serialize) -> String {
    secret_json(value).to_string()
}

/// The same of what has secrets in it.
pub(crate) fn secret_json(value: &impl Serialize) -> Zeroizing<String> {
    // What consists of words has a text.
    let text = u2m::text::secret_json_pretty(value).unwrap_or_default();
    escaped(text.as_str(), |c| matches!(c, '<' | '>' | '&'))
}

/// JSON in characters that are shown, with escapes that every reader of JSON knows.
pub(crate) fn printable(json: &str) -> String {
    escaped(json, |_| false).to_string()
}

/// Between its texts JSON has nothing but ASCII, and of the controls only line breaks.
fn escaped(json: &str, is_odd: impl Fn(char) -> bool) -> Zeroizing<String> {
    let mut out = SecretText::with_capacity(json.len());
    let mut plain = 0;
    for (at, c) in json.char_indices() {
        if c == '\n' || u2m::text::is_printable(c) && !is_odd(c) {
            continue;
        }
        out.push_str(&json[plain..at]);
        for unit in c.encode_utf16(&mut [0; 2]) {
            // A text takes everything.
            let _ = write!(out, "\\u{unit:04x}");
        }
        plain = at + c.len_utf8();
    }
    out.push_str(&json[plain..]);
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m::AccessToken;

    #[test]
    fn json_has_no_character_that_a_terminal_acts_on_and_reads_back_as_it_was() {
        let odd = "a<b>&\u{1b}]0;x\u{7}\r\n\u{7f}\u{9b}2J\u{202e}\u{2028}\u{feff}\u{e0041}é𝄞\"\\";
        let token = Token::new(AccessToken::new(odd), None);
        let text = token_json(&token, Timestamp::from_unix(0)).to_string();
        assert!(text.chars().all(|c| c == '\n' || u2m::text::is_printable(c)), "{text:?}");
        assert!(
            text.contains("\\u003cb\\u003e\\u0026\\u001b") && text.contains("\\u007f\\u009b2J")
        );
        assert!(text.contains("\\udb40\\udc41") && text.contains("é𝄞"));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["access_token"], odd);
    }
}
