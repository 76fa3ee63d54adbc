//! A token endpoint's answer. The first line of an input is a status and a content type, the rest a body.
//!
//! - A login is granted only by a success without an `error`, or by an answer with both tokens under another status, and has a token that a request can carry; lifetimes are 1 to
//!   2 147 483 647 seconds; JSON answers are read as another reader reads them.
//! - A refresh token that came with a success is found even where the answer is of no use otherwise, because the old one
//!   is spent; and where a mark, a coding or junk is put around the answer.
//! - What says that there is no refresh token, or hides one (`***`, `[REDACTED]`, `null` as a text, a short number), is none.
//! - An error is one printable line, and neither it nor any `Debug` shows a token (T14, T17).
#![no_main]

use serde_json::Value;
use u2m_core::fuzzing::{hinted_expiry, salvage, token_response};
use u2m_core::{AccessToken, HttpResponse};
use u2m_fuzz::{assert_one_printable_line, status_line, words};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((status, kind, body)) = status_line(input) else { return };
    let answer = HttpResponse::new(status, body.to_vec()).with_content_type(kind);
    let json = serde_json::from_slice::<Value>(body).ok();
    let member = |name: &str| json.as_ref().and_then(|json| json.get(name));
    let text = |name: &str| member(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let refresh_token = text("refresh_token").filter(|text| is_token(text));
    let braces = body.iter().filter(|byte| **byte == b'{').count();
    // Otherwise another object may be the one that brings a refresh token.
    let is_plain = refresh_token.is_some() || braces < 2;
    let saved = salvage(&answer);
    let shown = match token_response(answer.clone()) {
        Ok(granted) => {
            assert!((200..300).contains(&status) || granted.refresh_token.is_some());
            assert!(granted.access_token.is_sendable());
            assert!(granted.refresh_token.as_ref().is_none_or(|token| !token.expose().is_empty()));
            assert!(granted.scopes.as_ref().is_none_or(|scopes| !scopes.is_empty()));
            let seconds = granted.lifetime.map(|lifetime| lifetime.seconds());
            assert!(seconds.is_none_or(|seconds| (1..=2_147_483_647).contains(&seconds)));
            if let Some(Value::Object(_)) = json {
                let refresh = granted.refresh_token.as_ref().map(|token| token.expose());
                // One that is wrapped or a number is read too, where the object itself has none.
                if let Some(token) = text("access_token").filter(|_| is_plain) {
                    assert_eq!(granted.access_token.expose(), token);
                }
                if let Some(token) = refresh_token {
                    assert_eq!(refresh, Some(token));
                    assert!(text("error").is_none());
                }
                assert_eq!(saved.as_ref().map(|token| token.expose()), refresh);
                match member("expires_in").filter(|_| is_plain && text("access_token").is_some()) {
                    Some(Value::Number(number)) if number.is_u64() => {
                        let number = number.as_u64().unwrap_or_default();
                        let held = i64::try_from(number.min(2_147_483_647)).unwrap_or_default();
                        assert_eq!(seconds, Some(held).filter(|held| *held > 0));
                    }
                    _ => {}
                }
            }
            let hint = hinted_expiry(&granted.access_token);
            assert!(hint.is_none_or(|hint| (0..100_000_000_000).contains(&hint)));
            format!("{granted:?}")
        }
        Err(error) => {
            assert_one_printable_line(&words(&error));
            format!("{} {error:?}", words(&error))
        }
    };
    if let (Some(Value::Object(_)), Some(token), 200..300) = (&json, refresh_token, status) {
        // Doubled members leave the last one in `json`, and so they do here.
        assert_eq!(saved.as_ref().map(|saved| saved.expose()), Some(token));
        for (before, behind) in [("\u{feff}", ""), (")]}'\n", ""), ("\0 \n", "\n{}garbage\0")] {
            let around = [before.as_bytes(), body, behind.as_bytes()].concat();
            let around = salvage(&HttpResponse::new(status, around).with_content_type(kind));
            assert_eq!(around.as_ref().map(|saved| saved.expose()), Some(token), "{before:?}");
        }
    }
    if let Some(saved) = &saved {
        assert!(!saved.expose().trim().is_empty());
        // Of an error, nothing takes the place of a login.
        assert!((200..300).contains(&status) || text("error").is_none());
    }
    for name in ["access_token", "refresh_token"] {
        let Some(token) = text(name).filter(|token| token.len() >= 8) else { continue };
        let elsewhere = ["error", "error_description", "scope", "token_type"];
        let told = kind.to_ascii_lowercase().contains(&token.to_ascii_lowercase())
            || elsewhere.iter().any(|name| text(name).is_some_and(|text| text.contains(token)));
        if !told && token.bytes().any(|byte| byte.is_ascii_digit()) {
            assert!(!format!("{shown} {answer:?} {saved:?}").contains(token));
        }
    }
    if let Ok(token) = std::str::from_utf8(body) {
        let hint = hinted_expiry(&AccessToken::new(token));
        assert!(hint.is_none_or(|hint| (0..100_000_000_000).contains(&hint)));
    }
});

/// Whether a text is certainly none of those that say that there is no token, or hide one.
fn is_token(text: &str) -> bool {
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let words = ["null", "none", "nil", "undefined"];
    let hiding = ["redacted", "masked", "hidden", "filtered", "removed", "secret"];
    letters.chars().any(|c| !matches!(c, 'x' | 'X'))
        && !words.iter().chain(&hiding).any(|word| letters.eq_ignore_ascii_case(word))
}
