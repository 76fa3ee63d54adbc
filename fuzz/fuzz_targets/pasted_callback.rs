//! What a person pastes instead of the browser's coming back (T22).
//!
//! - Nothing counts but with the right state: an answer holds it, whatever a terminal, a mail or a chat has done to the line.
//! - A query that the listener takes is taken alike when it is pasted, on its own or behind this login's address.
//! - An address of another host or port is junk, whatever its query, unless this login's own stands in it.
//! - Blanks, quotes and angle brackets around it, and a fragment behind it, change nothing.
#![no_main]

use u2m_core::{Browse, CallbackMatch, IgnoredReason};
use u2m_fuzz::{browse, state};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let browse = browse();
    let kind = heard(browse.hear_pasted(text));
    if kind.is_ok() {
        assert!(holds(text, &state(&browse)), "{text:?}");
    }
    let bare = text.trim();
    for (left, right) in [(" ", "\r\n"), ("\"", "\""), ("'", "'"), ("<", ">")] {
        // Quotes that are not the outermost are part of the text.
        if bare == text {
            assert_eq!(heard(browse.hear_pasted(&format!("{left}{text}{right}"))), kind);
        }
    }
    as_the_listener_does(&browse, text);
});

/// A query, which holds none of the marks that a paste is freed of, is heard alike in both ways.
fn as_the_listener_does(browse: &Browse, text: &str) {
    if text.contains(['#', '"', '\'', '<', '>', '/', '?']) || text.contains(char::is_whitespace) {
        return;
    }
    let expected = heard(browse.hear(text));
    for paste in [
        text.to_owned(),
        format!("?{text}"),
        format!("/?{text}"),
        format!("http://localhost:8020?{text}"),
        format!("http://localhost:8020/?{text}#fragment"),
        format!("localhost:8020/?{text}"),
        format!("https://127.0.0.1:8020/?{text}"),
    ] {
        let pasted = heard(browse.hear_pasted(&paste));
        match &expected {
            Ok(_) => assert_eq!(pasted, expected, "{paste:?}"),
            // What hid the state from the listener may have been undone.
            Err(_) => assert!(pasted.is_err() || holds(text, &state(browse)), "{paste:?}"),
        }
    }
    for other in ["http://localhost:8021/", "https://evil.example/", "evil.example/"] {
        let other = format!("{other}?{text}");
        let pasted = heard(browse.hear_pasted(&other));
        assert!(pasted.is_err() || holds(text, "8020"), "{other:?}");
    }
}

/// Whether `text` holds the letters and digits of `part` in a row, once everything else is left out, as it stands or
/// percent-decoded some times over: that is more than what can be undone.
fn holds(text: &str, part: &str) -> bool {
    let plain = |text: &str| -> String {
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '\u{1b}' && chars.as_str().starts_with('[') {
                chars.next();
                // A line ends it, too.
                let _ = chars.by_ref().find(|c| *c == '\n' || ('\u{40}'..='\u{7e}').contains(c));
            } else if c.is_ascii_alphanumeric() {
                out.push(c);
            }
        }
        out
    };
    let part = plain(part);
    let mut text = text.to_owned();
    for _ in 0..5 {
        if plain(&text).contains(&part) || plain(&text.replace('\u{1b}', "")).contains(&part) {
            return true;
        }
        // A plus would become a blank.
        let coded = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
        let decoded = url::form_urlencoded::parse(coded.as_bytes()).next();
        text = decoded.map(|(name, _)| name.into_owned()).unwrap_or_default();
    }
    false
}

fn heard(heard: CallbackMatch) -> Result<String, IgnoredReason> {
    match heard {
        // A code is not shown; whom it is from is.
        CallbackMatch::Callback(callback) => Ok(format!("{callback:?}")),
        CallbackMatch::Ignored(junk) => Err(junk),
    }
}
