use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use url::Url;

/// A file of Python's own: the token and nothing else.
fn token(session: &Session, expiry: &str) -> String {
    let mut out = SecretText::new();
    push_token(&mut out, session, expiry);
    out.push('}');
    out.as_str().to_owned()
}

fn at(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix)
}

fn utc(_: Timestamp) -> i32 {
    0
}

fn read(text: &str) -> Session {
    parse(text, None, &utc).unwrap().unwrap().session
}

/// A token that tells when it ends.
fn jwt(exp: i64) -> String {
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#)))
}

#[test]
fn int_1_the_token_is_written_byte_for_byte_as_python_writes_it() {
    let refreshable = |access: &str| {
        Session::new(AccessToken::new(access)).with_refresh_token(RefreshToken::new("doau123"))
    };
    let end = at(1_772_600_767);
    for (session, micros, len, hash) in [
        (
            refreshable("eyJhbGciOiJub25lIn0.e30.sig"),
            123_456,
            150,
            "ae2b804e543fdf7d0f13ee5a53df83840ecd430cd58dd766e608dd2e84918e7d",
        ),
        (
            refreshable("at-\u{e9}"),
            0,
            125,
            "417a97eaab4d8d66a63d155c16fa6063f135fc36cc865075335210e33daf7fc3",
        ),
        (
            Session::new(AccessToken::new("at")),
            5,
            97,
            "713f1b78bb6954990c5a02e16bf64f28a0914efe3b5158a2a71d7199427a5b6f",
        ),
    ] {
        let text = token(&session, &python_time::format(end, micros, &utc));
        assert_eq!(text.len(), len, "{text}");
        let digest: String =
            Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, hash, "{text}");
        let again = read(&text);
        assert_eq!(
            (&again.access_token, &again.refresh_token),
            (&session.access_token, &session.refresh_token)
        );
        assert_eq!(again.expiry, Some(end));
    }
}

#[test]
fn what_python_refuses_or_varies_is_read() {
    let noon = at(1_767_268_800);
    let with = |expiry: &str| {
        format!(r#"{{"token": {{"access_token": "a", "token_type": "Bearer"{expiry}}}}}"#)
    };
    for absent in ["", r#", "expiry": null"#, r#", "expiry": """#] {
        assert_eq!(read(&with(absent)).expiry, None, "nobody knows: {absent}");
        let renewable = with(&format!(r#"{absent}, "refresh_token": "r""#));
        assert_eq!(read(&renewable).expiry, Some(PAST), "rather renewed: {absent}");
    }
    for form in [
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00.1",
        "2026-01-01T12:00:00.123",
        "2026-01-01T12:00:00.123456789",
        "2026-01-01T12:00:00+00:00",
        "2026-01-01 12:00:00",
    ] {
        assert_eq!(read(&with(&format!(r#", "expiry": "{form}""#))).expiry, Some(noon), "{form}");
    }
    let bare = r#"{"x": 1, "token": {"access_token": "a", "y": [], "refresh_token": null}}"#;
    assert_eq!(read(bare).refresh_token, None);
}

#[test]
fn a44_the_end_that_a_jwt_tells_makes_the_expiry_earlier_and_never_later() {
    let with = |exp: i64, rest: &str| {
        format!(r#"{{"token": {{"access_token": "{}", "token_type": "bearer"{rest}}}}}"#, jwt(exp))
    };
    let stated = r#", "expiry": "2026-01-01T12:00:00""#;
    let noon = 1_767_268_800;
    assert_eq!(read(&with(noon - 3600, stated)).expiry, Some(at(noon - 3600)));
    assert_eq!(read(&with(noon + 3600, stated)).expiry, Some(at(noon)));
    assert_eq!(read(&with(noon, r#", "refresh_token": "r""#)).expiry, Some(at(noon)));
    // The time of the file is for tokens that tell nothing.
    let parsed = parse(&with(noon, stated), Some(at(0)), &utc).unwrap().unwrap();
    assert_eq!(parsed.session.expiry, Some(at(noon)));
}

#[test]
fn what_is_no_login_is_refused_without_a_word_of_its_content() {
    for (text, why) in [
        ("", "JSON"),
        ("canary", "JSON"),
        ("[]", "no token"),
        (r#"[{"access_token": "canary"}]"#, "no token"),
        (r#"{"token": ["canary", "Bearer"]}"#, "object"),
        (r#"{"token": "canary"}"#, "object"),
        (r#"{"token": {"access_token": 7}}"#, "access token"),
        (r#"{"token": {"access_token": "canary", "token_type": "mac"}}"#, "Bearer"),
        (r#"{"token": {"access_token": "canary", "expiry": "canary"}}"#, "expiry"),
        (r#"{"token": {"access_token": "canary", "expiry": 7}}"#, "expiry"),
        (r#"{"token": {"access_token": "canary", "refresh_token": []}}"#, "refresh token"),
    ] {
        let error = parse(text, None, &utc).unwrap_err();
        assert!(error.contains(why) && !error.contains("canary"), "{text}: {error}");
    }
    assert!(parse(&" ".repeat(LIMIT + 1), None, &utc).unwrap_err().contains("1 MiB"));
    let deep = format!(r#"{{"token": {{"x": {}"#, "[".repeat(LIMIT / 2));
    assert!(parse(&deep, None, &utc).is_err());
    for empty in [r#"{"token": {}}"#, r#"{"token": {"access_token": ""}}"#] {
        assert!(parse(empty, None, &utc).unwrap().is_none());
    }
}

fn bound() -> Session {
    let host = Host::parse("https://a.example").unwrap();
    let endpoint = Url::parse("https://a.example/oidc/v1/token").unwrap();
    let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host);
    Session::new(AccessToken::new("a"))
        .with_refresh_token(RefreshToken::new("r"))
        .with_expiry(at(1_793_514_600))
        .with_issued_at(at(1_793_511_000))
        .with_lifetime(u2m_core::Lifetime::from_seconds(3600))
        .with_binding(binding.with_account_id(Some("acc".into())))
}

#[test]
fn what_u2m_wrote_comes_back_whole_and_belongs_to_whom_it_did() {
    let written = text(&bound(), &|_| -4 * 3600);
    assert!(written.is_ascii() && !written.ends_with('\n'));
    // Read in another zone, long after: the UTC time counts.
    let parsed = parse(&written, Some(at(0)), &|_| 19_800).unwrap().unwrap();
    let host = Host::parse("https://a.example").unwrap();
    let mut session = parsed.session;
    session.binding = parsed.about.and_then(|about| about.binding("databricks-cli", &host));
    assert_eq!(session, bound());
}

#[test]
fn t20_what_stands_beside_another_token_says_nothing_of_this_one() {
    let written = text(&bound(), &utc).replace(r#""access_token": "a""#, r#""access_token": "b""#);
    let parsed = parse(&written, None, &utc).unwrap().unwrap();
    assert!(parsed.about.is_none() && parsed.session.issued_at.is_none());
}

#[test]
fn t20_an_endpoint_beside_its_issuer_binds_nothing() {
    let host = || Host::parse("https://a.example").unwrap();
    let about = |endpoint: &str| OwnMembers {
        issuer: Some("https://a.example/oidc".into()),
        token_endpoint: Some(endpoint.into()),
        account_id: None,
        allowed: Vec::new(),
    };
    assert!(about("https://a.example/oidc/v1/token").binding("c", &host()).is_some());
    for bad in ["https://evil.example/oidc/v1/token", "http://a.example/token", "nonsense"] {
        assert!(about(bad).binding("c", &host()).is_none(), "{bad}");
    }
}

#[test]
fn python_is_told_a_time_even_where_nobody_knows_one() {
    let bare = Session::new(AccessToken::new("a"));
    let written = text(&bare, &utc);
    assert!(written.contains(r#""expiry": "9999-"#), "{}", *written);
    assert_eq!(read(&written), bare);
    let renewable = bare.with_refresh_token(RefreshToken::new("r"));
    assert!(text(&renewable, &utc).contains(r#""expiry": "1970-01-01T00:00:00""#));
}

#[test]
fn t14_a_parsed_file_does_not_show_its_tokens() {
    let text = r#"{"token": {"access_token": "canary", "refresh_token": "canary"}}"#;
    assert!(!format!("{:?}", parse(text, None, &utc)).contains("canary"));
}

proptest! {
    #[test]
    fn any_text_is_a_login_or_an_error(text in "(?s).{0,200}", saved in proptest::option::of(any::<i64>())) {
        let _ = parse(&text, saved.map(at), &utc);
    }

    #[test]
    fn any_members_are_a_login_or_an_error(
        members in proptest::collection::vec(("(access_token|token_type|expiry|refresh_token)", "(\"(?-s:[a-zA-Z0-9:.T+ -]{0,30})\"|null|7|\\[\\])"), 0..6),
        saved in proptest::option::of(any::<i64>()), offset in -86_400i32..=86_400,
    ) {
        let body: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let _ = parse(&format!("{{\"token\": {{{}}}, \"u2m\": {{}}}}", body.join(", ")), saved.map(at), &|_| offset);
    }

    #[test]
    fn what_is_written_keeps_the_tokens_and_the_instant(
        access in "(?s).{1,30}", refresh in proptest::option::of("(?s).{1,30}"),
        expiry in -60_000_000_000i64..250_000_000_000, offset in -56i32..57, elsewhere in -56i32..57,
    ) {
        let mut session = Session::new(AccessToken::new(access)).with_expiry(at(expiry));
        session.refresh_token = refresh.map(RefreshToken::new);
        let parsed = parse(&text(&session, &|_| offset * 900), Some(at(0)), &|_| elsewhere * 900);
        prop_assert_eq!(parsed.unwrap().unwrap().session, session);
    }

    #[test]
    fn without_what_u2m_adds_the_instant_is_the_same_in_the_same_zone(
        expiry in 0i64..4_000_000_000, offset in -56i32..57,
    ) {
        let session = Session::new(AccessToken::new("a")).with_expiry(at(expiry));
        let zone = |_: Timestamp| offset * 900;
        let plain = token(&session, &python_time::format(at(expiry), 0, &zone));
        let saved = Some(at(expiry - 3600));
        prop_assert_eq!(parse(&plain, saved, &zone).unwrap().unwrap().session.expiry, Some(at(expiry)));
    }
}

#[test]
fn of_a_list_the_texts_count() {
    assert_eq!(texts(&["a".into(), 1.into(), Value::Null, "b".into()]), ["a", "b"]);
    assert!(texts(&[]).is_empty());
}
