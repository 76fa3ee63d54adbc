//! Telling this login's answer from everything else that reaches the listener or the prompt.

use super::*;
use crate::wire::OAuthErrorCode;
use proptest::prelude::*;

/// What `heard` is, in a word.
fn word(heard: &Heard) -> &'static str {
    match heard {
        Heard::Callback(_) => "callback",
        Heard::Junk(Junk::Empty) => "empty",
        Heard::Junk(Junk::Repeated) => "repeated",
        Heard::Junk(Junk::State) => "state",
    }
}

#[test]
fn a4_a_wrong_missing_or_reused_state_never_reaches_the_exchange() {
    let browse = browse(workspace());
    let right = state(&browse);
    let earlier = state(&browse_with(workspace(), 8, false));
    let cut = &right[..right.len() - 1];
    for query in [
        "code=c".to_owned(),
        "code=c&state=".to_owned(),
        format!("code=c&state={earlier}"),
        format!("code=c&state={cut}"),
        format!("code=c&state={right}x"),
        format!("code=c&state={}", right.to_ascii_lowercase()),
        format!("code=c&State={right}"),
        format!("code=c&state=%00{right}"),
        String::new(),
    ] {
        assert_eq!(word(&browse.hear(&query)), "state", "{query}");
    }
    assert_eq!(
        word(&browse.hear(&format!("code=c&state={right}"))),
        "callback",
        "and the login goes on"
    );
}

#[test]
fn cb_2_t3_an_error_without_the_state_is_ignored() {
    let browse = browse(workspace());
    for query in
        ["error=access_denied", "error=access_denied&state=x", "error=x&error_description=y"]
    {
        assert_eq!(word(&browse.hear(query)), "state", "{query}");
    }
}

#[test]
fn a2_a_repeated_parameter_is_refused_and_an_empty_one_counts_as_absent() {
    let browse = browse(workspace());
    let s = state(&browse);
    for (query, expected) in [
        (format!("code=c&code=c&state={s}"), "repeated"),
        (format!("code=c&code=d&state={s}"), "repeated"),
        (format!("code=c&state={s}&state={s}"), "repeated"),
        (format!("code=c&state={s}&state=x"), "repeated"),
        (format!("error=a&error=b&state={s}"), "repeated"),
        (format!("code=c&iss=a&iss=b&state={s}"), "repeated"),
        (format!("code=c&c%6Fde=d&state={s}"), "repeated"),
        (format!("code=c&x=1&x=2&state={s}"), "callback"),
        (format!("code=&code=c&state=&state={s}"), "callback"),
        (format!("code=c&error=&iss=&state={s}"), "callback"),
        (format!("code=&state={s}"), "empty"),
        (format!("state={s}"), "empty"),
        (format!("error=&error_description=x&state={s}"), "empty"),
    ] {
        assert_eq!(word(&browse.hear(&query)), expected, "{query}");
    }
}

#[test]
fn a_refusal_ends_the_login_in_the_references_words() {
    let denied = |query: &str| {
        let browse = browse(workspace());
        let callback = callback(&browse, query);
        browse.called_back(callback).unwrap_err()
    };
    let policy = "error=access_denied&error_description=Policy+evaluation+failed+for+this+request";
    let error = denied(policy);
    assert_eq!(
        error.to_string(),
        "authorize: access_denied: Policy evaluation failed for this request"
    );
    assert!(
        matches!(&error, LoginError::Denied(refusal) if *refusal.code() == OAuthErrorCode::AccessDenied)
    );
    assert!(!error.is_transient());
    assert_eq!(denied("error=new_one").to_string(), "authorize: new_one");
    // An error outweighs a code: nothing is redeemed.
    assert!(matches!(denied("code=c&error=access_denied"), LoginError::Denied(_)));
}

#[test]
fn t17_a_hostile_description_stays_on_one_short_printable_line() {
    let browse = browse(workspace());
    let hostile =
        format!("one%0D%0A%1B%5B2J%1B%5D0%3Bx%07%E2%80%AE<script>{}", "x".repeat(1 << 20));
    let callback = callback(&browse, &format!("error=access_denied&error_description={hostile}"));
    let text = browse.called_back(callback).unwrap_err().to_string();
    assert!(
        text.starts_with("authorize: access_denied: one <script>x") && text.chars().count() < 300
    );
    assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'));
}

#[test]
fn t22_a_pasted_answer_is_taken_in_any_form_and_only_with_the_expected_redirect() {
    let browse = browse(workspace());
    let s = state(&browse);
    let query = format!("code=c&state={s}");
    for text in [
        format!("{REDIRECT}/?{query}"),
        format!("{REDIRECT}?{query}"),
        format!("  {REDIRECT}/?{query}\r\n"),
        format!("\"{REDIRECT}/?{query}\""),
        format!("<{REDIRECT}/?{query}>"),
        format!("{REDIRECT}/?{query}#_=_"),
        query.clone(),
        format!("?{query}"),
        format!("/?{query}"),
        format!("state={s}&code=c&scope=all-apis"),
        // `:` and `/` may stand in a query as they are (RFC 3986 section 3.4).
        format!("{query}&iss=https://a.example/oidc"),
        format!("{REDIRECT}/?{query}&iss=https://a.example/oidc"),
    ] {
        assert_eq!(word(&browse.hear_pasted(&text)), "callback", "{text}");
    }
    for text in [
        String::new(),
        "https://a.example/".to_owned(),
        format!("https://evil.example/?{query}"),
        format!("https://localhost:8020/?{query}"),
        format!("http://localhost:8021/?{query}"),
        format!("http://localhost:80200/?{query}"),
        format!("http://localhost:8020@evil.example/?{query}"),
        format!("http://localhost:8020.evil.example/?{query}"),
        format!("{REDIRECT}/elsewhere?{query}"),
        format!("{REDIRECT}/#{query}"),
        format!("javascript://x/?{query}"),
        "c".to_owned(),
        "code=c&state=x".to_owned(),
    ] {
        assert_eq!(word(&browse.hear_pasted(&text)), "state", "{text}");
    }
}

#[test]
fn t22_the_authorization_url_itself_is_no_answer() {
    let browse = browse(workspace());
    let own = browse.url().as_str().to_owned();
    assert_eq!(word(&browse.hear_pasted(&own)), "state");
    assert_eq!(
        word(&browse.hear(browse.url().query().unwrap())),
        "empty",
        "it has the state, and nothing to go on with"
    );
}

proptest! {
    #[test]
    fn t3_after_any_junk_the_right_answer_still_signs_in(
        junk in prop::collection::vec(("(code|state|error|iss|x)?=?[a-zA-Z0-9%+&=;_.~-]{0,40}|\\PC{0,40}", any::<bool>()), 0..12),
        seed in any::<u8>(),
    ) {
        let browse = browse_with(workspace(), seed, false);
        for (query, pasted) in junk {
            let heard = if pasted { browse.hear_pasted(&query) } else { browse.hear(&query) };
            prop_assert!(matches!(heard, Heard::Junk(_)), "{}", query);
        }
        let callback = callback(&browse, "code=c");
        let call = exchange(browse.called_back(callback).unwrap());
        let store = store(call.answered(answer(200, GRANTED), NOW).unwrap());
        prop_assert_eq!(store.session().access_token.expose(), "the-access");
    }

    #[test]
    fn t3_whatever_stands_beside_the_right_state_never_panics(rest in "\\PC{0,80}", pasted in any::<bool>()) {
        let browse = browse(workspace());
        let query = format!("state={}&{rest}", state(&browse));
        if let Heard::Callback(callback) = if pasted { browse.hear_pasted(&query) } else { browse.hear(&query) } {
            let _ = browse.called_back(callback);
        }
    }
}
