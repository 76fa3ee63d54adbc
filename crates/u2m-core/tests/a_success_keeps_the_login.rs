//! A success of the token endpoint in any dress: whatever is odd about it, the refresh token in it is saved.
#![allow(clippy::unwrap_used)]

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use proptest::prelude::*;
use u2m_core::{
    AccessToken, Binding, Host, HttpCall, HttpResponse, RefreshToken, RefreshingToken, Session,
    Target, Timestamp, TokenRequest, TokenStep, WhichToken,
};

/// How many answers are looked at.
const ANSWERS: u32 = 10_000;

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

/// A refresh that waits for its answer.
fn refreshing() -> HttpCall<RefreshingToken> {
    let host = Host::parse("https://a.example").unwrap();
    let endpoint = url::Url::parse("https://a.example/oidc/v1/token").unwrap();
    let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host.clone());
    let session = Session::new(AccessToken::new("old-access"))
        .with_refresh_token(RefreshToken::new("the-old-refresh-token"))
        .with_expiry(Timestamp::from_unix(1_700_000_000))
        .with_binding(binding);
    let mut step = TokenRequest::new(Target::workspace(host)).start(WhichToken::Usable, NOW);
    loop {
        step = match step {
            TokenStep::Load(load) => load.loaded(Some(session.clone()), NOW).unwrap(),
            TokenStep::Lock(lock) => lock.locked(),
            TokenStep::Reload(reload) => reload.loaded(Some(session.clone()), None, NOW).unwrap(),
            TokenStep::CheckWritable(prove) => prove.proven(NOW).unwrap(),
            TokenStep::Refresh(call) => return call,
            other => panic!("{other:?}"),
        };
    }
}

/// The refresh token that is saved for an answer.
fn saved(answer: HttpResponse) -> Option<String> {
    match refreshing().answered(Ok(answer), NOW) {
        Ok(TokenStep::Save(save)) => {
            save.session().refresh_token.as_ref().map(|token| token.expose().to_owned())
        }
        _ => None,
    }
}

/// A text in JSON: as it is, or with every character escaped.
fn quoted(text: &str, escaped: bool) -> String {
    if !escaped {
        return serde_json::to_string(text).unwrap();
    }
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    format!("\"{units}\"")
}

/// Whether it may be what is put over a token, or is blank.
fn hides(token: &str) -> bool {
    token.chars().all(|c| c.is_whitespace() || "*.…•·-_#xX".contains(c))
}

fn token() -> impl Strategy<Value = String> {
    prop_oneof!["[!-~]{1,80}", "[A-Za-z0-9._-]{20,300}", "(?s).{1,40}", "[0-9]{1,30}"]
}

/// A value of any kind, some of them no JSON at all.
fn odd() -> impl Strategy<Value = String> {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(500), close.repeat(500));
    let fixed = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "3600",
        "\"3600\"",
        "1e400",
        "\"soon\"",
        "\"\"",
        "[]",
        "{}",
        "[[],{}]",
        "\"Bearer\"",
        "\"mac\"",
        "\"DPoP\"",
        "\"invalid_grant\"",
        "\"a\\u0007b\"",
        "\"\\ud800\"",
        "{\"refresh_token\":\"inner\",\"access_token\":\"inner\"}",
        "[\"sql\",7]",
        "NaN",
        "undefined",
        "'text'",
        "0x10",
        "\"{\\\"refresh_token\\\":\\\"quoted\\\"}\"",
    ];
    let mut fixed: Vec<_> = fixed.map(str::to_owned).to_vec();
    fixed.push(deep("[", "]"));
    fixed.push(deep("{\"a\":", "}"));
    prop_oneof![
        proptest::sample::select(fixed),
        "(?s).{0,20}".prop_map(|text| quoted(&text, false)),
        any::<f64>().prop_map(|number| format!("{number:e}")),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let known = [
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "error",
        "error_description",
        "id_token",
        "x",
        "refresh_tokens",
        "",
    ];
    prop_oneof![
        4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => "(?s).{0,12}".prop_filter("it is the one", |name| !name.eq_ignore_ascii_case("refresh_token")),
    ]
}

/// What stands before and behind the object: no other object with a refresh token.
fn junk() -> impl Strategy<Value = String> {
    let fixed = [
        "",
        " ",
        "\r\n\t",
        "\0\0",
        ")]}',\n",
        "while(1);",
        "for(;;);",
        "callback(",
        "/*x*/",
        "]",
        ",",
        "[",
        "\"",
        "\\",
        "{}",
        "{\"x\":1}",
        "{",
        "{{",
        "{\"",
        "<!-- -->",
        "data: ",
        "0\r\n",
        "é𝄞",
        "trailing {\"x\":[}",
    ];
    prop_oneof![proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned), "(?s)[^{]{0,30}",]
}

/// An answer's object, and the refresh token that is in it.
#[derive(Debug)]
struct Odd {
    text: String,
    token: String,
}

fn object() -> impl Strategy<Value = Odd> {
    let others = || proptest::collection::vec((name(), odd()), 0..5);
    let earlier = proptest::collection::vec(
        prop_oneof![odd(), token().prop_map(|t| quoted(&t, false))],
        0..3,
    );
    let spaces = proptest::sample::select(vec!["", " ", "\n  ", "\t"]);
    let rest = (others(), others(), any::<[bool; 3]>(), spaces);
    let token = token().prop_filter("what hides a token is none", |token| !hides(token));
    (token, earlier, rest).prop_map(|(token, earlier, (before, behind, how, space))| {
        let [escaped_name, escaped_value, is_number] = how;
        // Without quotes, a few digits are a count, or stand for "none".
        let is_number = is_number && token.len() >= 8 && token.bytes().all(|b| b.is_ascii_digit());
        let name = quoted("refresh_token", escaped_name);
        let value = if is_number { token.clone() } else { quoted(&token, escaped_value) };
        let member =
            |name: &str, value: &str| format!("{space}{name}{space}:{space}{value}{space}");
        let plain = |(name, value): &(String, String)| member(&quoted(name, false), value);
        let mut members: Vec<_> = before.iter().map(plain).collect();
        members.extend(earlier.iter().map(|value| member("\"refresh_token\"", value)));
        members.push(member(&name, &value));
        members.extend(behind.iter().map(plain));
        Odd { text: format!("{{{}}}", members.join(",")), token }
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(compress_to_vec(bytes, 6));
    out.extend([0; 8]);
    out
}

/// The text in one of the forms that a body may have, and whether it has to be said that it is raw deflate.
fn body(text: &str, mark: u8, coding: u8) -> (Vec<u8>, bool) {
    let wide =
        |unit: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(unit).collect() };
    let bytes = match mark {
        1 => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        2 => [vec![0xff, 0xfe], wide(u16::to_le_bytes)].concat(),
        3 => [vec![0xfe, 0xff], wide(u16::to_be_bytes)].concat(),
        4 => wide(u16::to_le_bytes),
        5 => wide(u16::to_be_bytes),
        _ => text.as_bytes().to_vec(),
    };
    match coding {
        1 => (gzip(&bytes), false),
        2 => (gzip(&gzip(&bytes)), false),
        3 => {
            let (one, two) = bytes.split_at(bytes.len() / 2);
            ([gzip(one), gzip(two)].concat(), false)
        }
        4 => (compress_to_vec_zlib(&bytes, 6), false),
        5 => (compress_to_vec(&bytes, 6), true),
        _ => (bytes, false),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ANSWERS))]
    #[test]
    fn whatever_is_odd_about_a_success_its_refresh_token_is_saved(
        object in object(),
        before in junk(),
        behind in junk(),
        mark in 0u8..8,
        coding in 0u8..8,
        said in proptest::sample::select(vec!["", "gzip", "x-gzip, identity", "br", "GZIP,gzip", "nonsense"]),
        kind in proptest::sample::select(vec![
            "", "application/json", "application/json; charset=utf-16", "text/html", "text/plain",
            "application/x-www-form-urlencoded",
        ]),
        status in 200u16..300,
    ) {
        let (bytes, is_deflate) = body(&format!("{before}{}{behind}", object.text), mark, coding);
        let mut answer = HttpResponse::new(status, bytes).with_content_type(kind);
        if is_deflate || !said.is_empty() {
            answer = answer.with_content_encoding(if is_deflate { "deflate" } else { said });
        }
        prop_assert_eq!(saved(answer), Some(object.token));
    }
}

proptest! {
    #[test]
    fn tokens_without_an_error_are_saved_under_any_status(
        access in "[A-Za-z0-9._~+/=-]{1,80}",
        refresh in "[A-Za-z0-9._~+/=-]{8,80}",
        others in proptest::collection::vec((name(), odd()), 0..4),
        error in proptest::option::of(proptest::sample::select(vec![
            "\"invalid_grant\"", "{\"code\":1}", "true", "null", "\"\"", "{}", "[]", "false", "0",
        ])),
        mark in 0u8..8,
        coding in 0u8..5,
        status in 300u16..600,
    ) {
        prop_assume!(access != refresh);
        let is_other = |name: &str| !["error", "access_token"].iter().any(|is| name.eq_ignore_ascii_case(is));
        let others = others.iter().filter(|(name, _)| is_other(name));
        let others: String =
            others.map(|(name, value)| format!("{}:{value},", quoted(name, false))).collect();
        let no = error.map(|error| format!("\"error\":{error},")).unwrap_or_default();
        let text = format!(
            "{{{others}{no}\"access_token\":\"{access}\",\"refresh_token\":\"{refresh}\"}}"
        );
        let (bytes, _) = body(&text, mark, coding);
        let saved = saved(HttpResponse::new(status, bytes).with_content_type("application/json"));
        let is_error = error.is_some_and(|error| {
            !matches!(error, "null" | "\"\"" | "{}" | "[]" | "false" | "0")
        });
        prop_assert_eq!(saved, (!is_error).then_some(refresh));
    }

    #[test]
    fn a_form_is_read_under_any_name(
        token in "[ -~]{1,60}".prop_filter("what hides a token is none", |token| !hides(token)),
        mark in 0u8..4,
        coding in 0u8..5,
        kind in proptest::sample::select(vec!["", "application/json", "text/html", "application/x-www-form-urlencoded"]),
    ) {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("x", "{\"a\":1}")
            .append_pair("refresh_token", "an-earlier-one")
            .append_pair("refresh_token", &token)
            .append_pair("expires_in", "soon")
            .finish();
        let (bytes, _) = body(&form, mark, coding);
        prop_assert_eq!(saved(HttpResponse::new(200, bytes).with_content_type(kind)), Some(token));
    }
}

#[test]
fn what_is_in_deflate_may_look_like_more_of_it() {
    // Both the text, and, of some of these texts, what it is compressed to, begin as zlib does.
    let texts = (0..5000).map(|at| format!("X\u{fa}{at}{{\"refresh_token\":\"rt-{at}\"}}"));
    for (at, text) in texts.enumerate() {
        for bytes in [compress_to_vec(text.as_bytes(), 6), compress_to_vec_zlib(text.as_bytes(), 6)]
        {
            let answer = HttpResponse::new(200, bytes).with_content_encoding("deflate");
            assert_eq!(saved(answer), Some(format!("rt-{at}")), "{text}");
        }
    }
}

#[test]
fn a_character_whose_half_looks_like_a_sign_hides_no_utf_16() {
    let text = "{\"refresh_token\":\"a\"}\u{1f400}\u{1f400}\u{1f400}\u{1f400}\u{1f400}";
    for mark in [4, 5] {
        assert_eq!(
            saved(HttpResponse::new(200, body(text, mark, 0).0)).as_deref(),
            Some("a"),
            "{mark}"
        );
    }
}
