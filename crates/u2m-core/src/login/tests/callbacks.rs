//! Telling this login's callback from everything else that reaches the listener or the prompt.

use super::*;
use crate::oauth::OAuthErrorCode;
use proptest::prelude::*;

/// What `heard` is, in one word.
fn word(heard: &CallbackMatch) -> &'static str {
    match heard {
        CallbackMatch::Callback(_) => "callback",
        CallbackMatch::Ignored(IgnoredReason::Empty) => "empty",
        CallbackMatch::Ignored(IgnoredReason::Repeated) => "repeated",
        CallbackMatch::Ignored(IgnoredReason::State) => "state",
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
fn cb_2_t3_what_comes_without_the_state_is_told_and_shows_no_secret() {
    let browse = browse(workspace());
    let own = state(&browse);
    let told = |query: &str| browse.stray(query).map(|stray| stray.to_string());
    let without = "without the state of this sign-in";
    let said =
        |what: &str, state: &str| Some(format!("the browser came back with {what}, and {state}"));
    assert_eq!(told("error=access_denied"), said("\"access_denied\"", without));
    let other = "with the state of another sign-in";
    assert_eq!(told("error=access_denied&state=x"), said("\"access_denied\"", other));
    assert_eq!(told("code=the-code-1&state=x"), said("a code", other));
    let hostile =
        "error=a%1B%5B31m&error_description=one%0D%0Atwo+the-code-1%E2%80%AE&code=the-code-1";
    assert_eq!(told(hostile), said("\"a: one two [secret]\"", without));
    let long = format!("error={}&error_description={}", "e".repeat(9999), "d".repeat(99_999));
    assert!(told(&long).unwrap().chars().count() < 700);
    // Queries that are nobody's callback, and this login's own.
    for query in ["", "x=1", "state=x", "iss=x", "error=&code=", "error=a&error=b", "code=c&code=d"]
    {
        assert_eq!(told(query), None, "{query}");
    }
    assert_eq!(told(&format!("error=access_denied&state={own}")), None);
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
fn a_refusal_repeats_neither_the_state_nor_the_code_nor_the_verifier() {
    let (pkce, _) = entropy(7).spend();
    let verifier = pkce.verifier().expose().to_owned();
    let state = state(&browse(workspace()));
    for secret in [&state, &verifier, "the-code-1"] {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", "the-code-1")
            .append_pair("error", &format!("bad_{secret}"))
            .append_pair("error_description", &format!("you sent {secret}"))
            .append_pair("state", &state)
            .finish();
        let browse = browse(workspace());
        let CallbackMatch::Callback(callback) = browse.hear(&query) else { panic!("not heard") };
        let shown = browse.called_back(callback).unwrap_err().to_string();
        assert_eq!(shown, "authorize: bad_[secret]: you sent [secret]");
    }
}

#[test]
fn an_issuer_that_is_none_repeats_neither_the_state_nor_the_code() {
    for iss in ["http://{}.example", "https://x.example/?{}", "{}", "https://{}.evil.example"] {
        let browse =
            browse(LoginRequest::new(Target::discovery(ProfileName::parse("dev").unwrap())));
        let state = state(&browse);
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", "the-code-1")
            .append_pair("iss", &iss.replace("{}", &state.replace('_', "-")))
            .append_pair("state", &state)
            .finish();
        let CallbackMatch::Callback(callback) = browse.hear(&query) else { panic!("not heard") };
        let shown = crate::chain(&browse.called_back(callback).unwrap_err());
        assert!(
            shown.contains("[secret]")
                && !shown.to_lowercase().contains(&state.to_lowercase()[..8])
        );
    }
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
fn t22_a_pasted_answer_is_taken_in_any_form_and_only_with_the_address_that_was_asked_for() {
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
        // `:` and `/` are allowed unencoded in a query (RFC 3986 section 3.4).
        format!("{query}&iss=https://a.example/oidc"),
        format!("{REDIRECT}/?{query}&iss=https://a.example/oidc"),
        // A browser may hide the scheme, or show another scheme or another name of this machine.
        format!("localhost:8020/?{query}"),
        format!("LocalHost:8020?{query}"),
        format!("https://localhost:8020/?{query}"),
        format!("HTTP://127.0.0.1:8020/?{query}"),
        format!("[::1]:8020/?{query}"),
    ] {
        assert_eq!(word(&browse.hear_pasted(&text)), "callback", "{text}");
    }
    for text in [
        String::new(),
        "https://a.example/".to_owned(),
        format!("https://evil.example/?{query}"),
        format!("evil.example/?{query}"),
        format!("evil.example/?x=1&{query}"),
        format!("https://evil.example/?a%20{query}"),
        format!("https://evil.example/?a%2520{query}"),
        format!("(evil.example/callback?x=1&{query})"),
        format!("https://localhost/?{query}"),
        format!("https://localhost:8021/?{query}"),
        format!("http://localhost:8021/?{query}"),
        format!("http://evil.localhost:8020/?{query}"),
        format!("evil-localhost:8020/?{query}"),
        format!("me@localhost:8020/?{query}"),
        format!("//evil.example/localhost:8020/?{query}"),
        format!("xhttp://localhost:8020/?{query}"),
        format!("ftp://localhost:8020/?{query}"),
        format!("http://localhost:80200/?{query}"),
        format!("http://localhost:8020@evil.example/?{query}"),
        format!("http://localhost:8020.evil.example/?{query}"),
        format!("{REDIRECT}/elsewhere?{query}"),
        format!("{REDIRECT}/#{query}"),
        format!("javascript://x/?{query}"),
        "c".to_owned(),
        "the-code".to_owned(),
        "code=c".to_owned(),
        "code=c&state=x".to_owned(),
        format!("{s} code=c"),
        format!("state: {s}, code: c"),
    ] {
        assert_ne!(word(&browse.hear_pasted(&text)), "callback", "{text}");
    }
}

/// The code of a pasted callback, as it is sent to the server.
fn pasted_code(text: &str) -> Option<String> {
    let browse = browse(workspace());
    let CallbackMatch::Callback(callback) = browse.hear_pasted(text) else { return None };
    let call = exchange(browse.called_back(callback).unwrap());
    parameter(call.request().form().unwrap(), "code")
}

#[test]
fn t22_what_terminals_mails_and_chats_do_to_an_address_is_undone() {
    let s = state(&browse(workspace()));
    let code = "dcod-Ab.1%2F9";
    let url = format!("{REDIRECT}/?code={code}&state={s}");
    let other_way = format!("localhost:8020/?state={s}&code={code}");
    let coded = |text: &str| {
        form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
    };
    let (head, tail) = url.split_at(url.len() - 20);
    for text in [
        url.replace('&', "&amp;"),
        url.replace('&', "&amp;amp;"),
        url.replace('&', "&#38;"),
        url.replace('&', "&#x26;").replace('=', "&#61;"),
        url.replace('&', "\\u0026").replace('=', "\\u003d"),
        url.replace('?', "\\?").replace('&', "\\&").replace('=', "\\="),
        url.replace('=', "=3D"),
        format!("{}=\r\n{}", head.replace('=', "=3D"), tail.replace('=', "=3D")),
        format!("{head}\n{tail}"),
        format!("{head}\r\n    {tail}"),
        format!("> {head}\n> {tail}"),
        format!("{head} {tail}"),
        format!("{head}\u{200b}{tail}"),
        format!("{head}\u{ad}{tail}"),
        format!("\u{1b}[200~{url}\u{1b}[201~"),
        format!("\u{1b}[4m{url}\u{1b}[0m"),
        format!("It ends at {url} and shows nothing"),
        format!("It ends at {url}."),
        format!("({url})"),
        format!("[{url}]({url})"),
        format!("[the address]({url})"),
        format!("[the address]({other_way}),"),
        format!("*{url}*"),
        format!("`{url}`"),
        format!("“{url}”"),
        format!("the answer:{url}"),
        format!("'{other_way}'"),
        format!("say \"{other_way}\" to it"),
        format!("<a href=\"{}\">here</a>", other_way.replace('&', "&amp;")),
        format!("code={code}&amp;state={s}"),
        format!("`code={code}&state={s}`"),
        coded(&url),
        coded(&coded(&url)),
        coded(&format!("code={code}&state={s}")),
        format!("https://safe.example/?url={}&data=05%7C01&reserved=0", coded(&url)),
        format!("https://safe.example/?q={}", coded(&coded(&url.replace('&', "&amp;")))),
    ] {
        let read = pasted_code(&text);
        assert_eq!(read.as_deref(), Some("dcod-Ab.1/9"), "{text}");
        // Whatever is undone, another state belongs to another login.
        let wrong = pasted_code(&text.replace(&s[..8], "AAAAAAAA"));
        let is_whole = text.contains(&s);
        assert!(!is_whole || wrong.is_none(), "{text}");
    }
}

#[test]
fn t22_a_code_that_a_lines_end_has_broken_is_put_together() {
    let s = state(&browse(workspace()));
    let url = format!("{REDIRECT}/?state={s}&code=dcod-Ab.1%2F9");
    for cut in [1, 2, 4, 8, 12] {
        let (head, tail) = url.split_at(url.len() - cut);
        let (front, middle) = head.split_at(head.len() - 20);
        for text in [
            format!("{head}\n{tail}"),
            format!("{head}\r\n{tail}\r\n"),
            format!("> {head}\n> {tail}"),
            format!("  {head}  \n  {tail}"),
            format!("\u{1b}[200~{head}\n{tail}\u{1b}[201~"),
            format!("It ends at {head}\n{tail}"),
            format!("{front}\n{middle}\n{tail}"),
            format!("{}\n{tail}", head.replace('&', "&amp;")),
            format!("{head}\n{tail}\n\nwhich shows nothing"),
            format!("{head}\n{tail}\nand shows nothing"),
            format!("{head}\n{tail}\nhttps://help.example/sign-in"),
        ] {
            assert_eq!(pasted_code(&text).as_deref(), Some("dcod-Ab.1/9"), "{text}");
        }
    }
    // A complete address stays as it is, whatever follows it.
    for text in [
        format!("{url}\nand shows nothing"),
        format!("{url}\n\nnothing"),
        format!("{url}\n{url}"),
        format!("\"{url}\"\nnothing"),
        format!("{url}\nhttps://help.example/sign-in"),
    ] {
        assert_eq!(pasted_code(&text).as_deref(), Some("dcod-Ab.1/9"), "{text}");
    }
}

#[test]
fn t22_only_what_nobody_can_tell_to_be_whole_may_go_on() {
    let browse = browse(workspace());
    let s = state(&browse);
    let may = |query: &str| browse.may_go_on(&format!("{REDIRECT}/?{query}"));
    assert!(may(&format!("state={s}&code=c")) && may(&format!("state={s}&code=c  ")));
    let issuer = "https://a.example/oidc";
    assert!(may(&format!("iss={issuer}&state={s}&code=c")));
    assert!(may(&format!("code=c&state={s}&iss=https%3A%2F%2Fa.example%2Foi")));
    assert!(!may(&format!("code=c&state={s}&iss={issuer}")), "it is the server's name");
    assert!(!may(&format!("code=c&state={s}")) && !may(&format!("state={s}&code=c&x=1")));
    assert!(!may(&format!("error=access_denied&state={s}")), "nothing comes of it");
    assert!(!may("state=another&code=c") && !may(""), "it is no answer");
    assert!(!browse.may_go_on(&format!("\"{REDIRECT}/?state={s}&code=c\"")), "it is closed");
}

#[test]
fn t22_a_refusal_is_heard_when_it_is_pasted_too() {
    let browse = browse(workspace());
    let text = format!("localhost:8020/?error=access_denied&amp;state={}", state(&browse));
    let CallbackMatch::Callback(callback) = browse.hear_pasted(&text) else { panic!("not heard") };
    assert!(matches!(browse.called_back(callback), Err(LoginError::Denied(_))));
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
            prop_assert!(matches!(heard, CallbackMatch::Ignored(_)), "{}", query);
        }
        let callback = callback(&browse, "code=c");
        let call = exchange(browse.called_back(callback).unwrap());
        let store = call.answered(answer(200, GRANTED), NOW).unwrap();
        prop_assert_eq!(store.session().access_token.expose(), "the-access");
    }

    #[test]
    fn t3_whatever_stands_beside_the_right_state_never_panics(rest in "\\PC{0,80}", pasted in any::<bool>()) {
        let browse = browse(workspace());
        let query = format!("state={}&{rest}", state(&browse));
        if let CallbackMatch::Callback(callback) = if pasted { browse.hear_pasted(&query) } else { browse.hear(&query) } {
            let _ = browse.called_back(callback);
        }
    }
}
