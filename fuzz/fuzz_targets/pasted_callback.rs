//! What a person pastes instead of the browser's coming back (T22).
//!
//! - A URL that does not begin with this login's redirect URI is junk, whatever its query.
//! - A paste is heard as the listener would hear its query: nothing counts but with the right state.
//! - Blanks, quotes and angle brackets around it, and a fragment behind it, change nothing.
#![no_main]

use u2m_core::{Browse, Heard, Junk};
use u2m_fuzz::{browse, state};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let browse = browse();
    let kind = heard(browse.hear_pasted(text));
    if kind.is_ok() {
        let decoded: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).collect();
        let states = decoded.iter().filter(|(_, value)| value.contains(&state(&browse)));
        assert!(states.count() >= 1 || text.contains('#'), "{text:?}");
    }
    let bare = text.trim();
    if bare.split(['?', '&', '=']).next().is_some_and(|head| head.contains("://")) {
        let ours = bare.trim_matches(['"', '\'', '<', '>']).starts_with(browse.redirect_uri());
        assert!(ours || kind.is_err(), "{text:?}");
    }
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
    ] {
        assert_eq!(heard(browse.hear_pasted(&paste)), expected, "{paste:?}");
    }
    let other = format!("http://localhost:8021/?{text}");
    assert_eq!(heard(browse.hear_pasted(&other)), Err(Junk::State), "{other:?}");
}

fn heard(heard: Heard) -> Result<String, Junk> {
    match heard {
        // A code is not shown; whom it is from is.
        Heard::Callback(callback) => Ok(format!("{callback:?}")),
        Heard::Junk(junk) => Err(junk),
    }
}
