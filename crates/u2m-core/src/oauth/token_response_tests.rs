use super::*;
use crate::call::HttpResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

fn json(status: u16, body: &str) -> Result<TokenResponse, TokenEndpointError> {
    read(
        HttpResponse::new(status, body.into()).with_content_type("application/json; charset=utf-8"),
    )
}

fn read(answer: HttpResponse) -> Result<TokenResponse, TokenEndpointError> {
    TokenResponse::parse(Ok(Reply::bare(answer))).map_err(|spoiled| spoiled.error)
}

fn answer_error(body: &str) -> ResponseError {
    match json(200, body) {
        Err(TokenEndpointError::Answer(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_usual_answer_is_read() {
    let body = r#"{"access_token":"a","token_type":"Bearer","refresh_token":"r","expires_in":3600,"scope":"all-apis","x":1}"#;
    let grant = json(200, body).unwrap();
    assert_eq!(grant.access_token.expose(), "a");
    assert_eq!(grant.refresh_token.unwrap().expose(), "r");
    assert_eq!(grant.lifetime, Some(Lifetime::from_seconds(3600)));
    assert_eq!(grant.scopes.unwrap().to_string(), "all-apis");
}

#[test]
fn form_encoded_answers_are_read_too() {
    let answer =
        HttpResponse::new(200, b"access_token=a%2Bb&expires_in=60&token_type=bearer".to_vec());
    let grant = read(answer.with_content_type("application/x-www-form-urlencoded")).unwrap();
    assert_eq!(grant.access_token.expose(), "a+b");
    assert_eq!(grant.lifetime, Some(Lifetime::from_seconds(60)));
}

#[test]
fn wire_3_a6_lifetimes_come_in_many_forms() {
    let lifetime = |value: &str| {
        json(200, &format!(r#"{{"access_token":"a","expires_in":{value}}}"#)).map(|g| g.lifetime)
    };
    for (value, seconds) in [
        ("3600", Some(3600)),
        ("\"3600\"", Some(3600)),
        ("3599.9", Some(3599)),
        ("3.6e3", Some(3600)),
        ("null", None),
        ("0", None),
        ("\"\"", None),
        ("99999999999999999999", Some(2_147_483_647)),
    ] {
        assert_eq!(lifetime(value).unwrap(), seconds.map(Lifetime::from_seconds), "{value}");
    }
    for odd in ["\"soon\"", "[]", "{}", "true", "\"NaN\"", "\"inf\"", "\"P1D\""] {
        assert_eq!(lifetime(odd).unwrap(), None, "{odd} says nothing, and hides no token");
    }
    for bad in ["-1", "\"-5\"", "-1e400"] {
        assert!(
            matches!(lifetime(bad), Err(TokenEndpointError::Answer(ResponseError::ExpiresIn))),
            "{bad}"
        );
    }
    assert_eq!(json(200, r#"{"access_token":"a"}"#).unwrap().lifetime, None);
}

#[test]
fn a5_only_bearer_tokens_are_taken() {
    for kind in ["Bearer", "bearer", "BEARER", ""] {
        assert!(
            json(200, &format!(r#"{{"access_token":"a","token_type":"{kind}"}}"#)).is_ok(),
            "{kind}"
        );
    }
    for kind in ["mac", "DPoP", "N_A"] {
        let body = format!(r#"{{"access_token":"a","token_type":"{kind}"}}"#);
        assert_eq!(answer_error(&body), ResponseError::TokenType, "{kind}");
    }
}

#[test]
fn an_answer_without_a_token_is_an_error_whatever_its_status() {
    for body in ["{}", r#"{"access_token":""}"#, r#"{"access_token":null}"#] {
        let error = answer_error(body);
        assert_eq!(error, ResponseError::NoTokens, "{body}");
        assert!(error.is_unreadable_success(), "{body}: what was sent may be spent");
    }
    let error = answer_error(r#"{"refresh_token":"r"}"#);
    assert_eq!(error, ResponseError::NoAccessToken);
    assert!(!error.is_unreadable_success());
}

#[test]
fn an_error_member_is_a_refusal_even_with_status_200() {
    for status in [200, 400, 401] {
        let body =
            r#"{"error":"invalid_grant","error_description":"Invalid Client","access_token":"a"}"#;
        let Err(TokenEndpointError::Refused(refusal)) = json(status, body) else {
            panic!("not refused")
        };
        assert_eq!(refusal.to_string(), "Invalid Client (error code: invalid_grant)");
        assert_eq!(refusal.status(), status);
    }
}

#[test]
fn http_2_pages_and_gateway_errors_keep_their_status() {
    let error = json(502, "<html><script>canary</script>").unwrap_err();
    assert!(
        error.to_string().contains("http 502") && error.to_string().contains("HTML"),
        "{error}"
    );
    assert!(!error.to_string().contains("canary"));
    assert!(error.is_transient());
    let error = json(403, r#"{"error_code":"X","message":"no"}"#).unwrap_err();
    assert_eq!(error.to_string(), "the token endpoint answered http 403: no (error code: X)");
    assert!(error.is_transient());
    assert!(json(200, "<html>log in to the hotel</html>").unwrap_err().is_transient());
}

#[test]
fn what_is_no_oauth_error_is_shown_in_whatever_shape_it_comes_and_ends_nothing() {
    let acl = "Source IP address: 10.0.0.1 is blocked by Databricks IP ACL for workspace: 7";
    for (status, body, words) in [
        (
            403,
            format!(r#"{{"error_code":"PERMISSION_DENIED","message":"{acl}"}}"#),
            format!("http 403: {acl} (error code: PERMISSION_DENIED)"),
        ),
        (404, r#"{"message":"no Route matched"}"#.into(), "http 404: no Route matched".into()),
        (403, r#"{"detail":"who?","status":"403"}"#.into(), "http 403: who?".into()),
        (
            401,
            r#"{"error":{"code":"AuthorizationFailed","message":"no"}}"#.into(),
            "http 401: no (error code: AuthorizationFailed)".into(),
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}"#.into(),
            "http 429: slow (error code: RESOURCE_EXHAUSTED)".into(),
        ),
        (
            451,
            r#"{"type":"about:blank","title":"Unavailable","detail":"a court says so"}"#.into(),
            "http 451: a court says so (error code: Unavailable)".into(),
        ),
        (400, r#"{"title":"Bad Request"}"#.into(), "http 400: Bad Request".into()),
        (
            400,
            r#"{"errorCode":"E1","errorSummary":"no"}"#.into(),
            "http 400: no (error code: E1)".into(),
        ),
        (400, r#"{"x":1}"#.into(), "http 400".into()),
    ] {
        let error = json(status, &body).unwrap_err();
        assert!(matches!(error, TokenEndpointError::Answer(_)), "{body}: {error:?}");
        assert_eq!(error.to_string(), format!("the token endpoint answered {words}"));
        assert!(error.is_transient() && !error.needs_login(), "{body}");
    }
    // A gateway's own code in `error`, with its own member for the message.
    let error = json(403, r#"{"status":403,"error":"Forbidden","message":"not from there"}"#);
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "not from there (error code: Forbidden)");
    assert!(error.is_transient());
}

#[test]
fn what_databricks_says_of_a_refresh_token_is_a_new_login_in_the_shape_of_its_api_too() {
    for body in [
        r#"{"error_code":"UNAUTHENTICATED","message":"sign in"}"#,
        r#"{"error_code":"INVALID_REFRESH_TOKEN","message":"sign in"}"#,
        r#"{"error_code":"400","message":"Refresh token is invalid"}"#,
    ] {
        let error = json(401, body).unwrap_err();
        assert!(error.needs_login() && !error.is_transient(), "{body}: {error:?}");
    }
    let error = json(403, r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#).unwrap_err();
    assert!(!error.needs_login());
}

#[test]
fn words_in_other_encodings_are_shown_as_far_as_they_go() {
    let read = |kind: &str, body: &[u8]| {
        let answer = HttpResponse::new(400, body.to_vec()).with_content_type(kind);
        TokenResponse::parse(Ok(Reply::bare(answer))).unwrap_err().error.to_string()
    };
    let body = b"{\"error\":\"invalid_client\",\"error_description\":\"ung\xfcltig\"}";
    let shown = "ungültig (error code: invalid_client)";
    for kind in ["iso-8859-1", "\"ISO-8859-1\"", "windows-1252", "latin1"] {
        assert_eq!(read(&format!("application/json; charset={kind}"), body), shown, "{kind}");
    }
    for kind in ["application/json", "application/json;charset=UTF-8", "application/json;charset=x"]
    {
        assert_eq!(read(kind, body), "ung\u{fffd}ltig (error code: invalid_client)", "{kind}");
    }
    let wide: Vec<u8> = r#"{"error":"invalid_client","error_description":"ungültig"}"#
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for kind in ["application/json", "application/json; charset=utf-16"] {
        assert_eq!(read(kind, &wide), shown, "{kind}");
    }
}

#[test]
fn t9_deep_nesting_takes_no_stack_and_hides_no_token() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let body = format!(r#"{{"access_token":"a","x":{open}{close},"refresh_token":"r"}}"#);
    assert_eq!(json(200, &body).unwrap().refresh_token.unwrap().expose(), "r");
    let body = format!(r#"{{"access_token":"a","x":{open}"#);
    assert!(
        answer_error(&body).is_unreadable_success(),
        "the refresh token may be what is missing"
    );
}

#[test]
fn a_token_that_no_request_can_carry_is_refused_and_the_refresh_token_is_left() {
    for bad in ["a\\u0007b", "a b", "a\\r\\nx: y", "\\u00e9", "a\u{7f}", "\u{9b}2J"] {
        let body = format!(r#"{{"access_token":"{bad}","refresh_token":"r"}}"#);
        let spoiled =
            TokenResponse::parse(Ok(Reply::bare(HttpResponse::new(200, body.into())))).unwrap_err();
        assert!(
            matches!(spoiled.error, TokenEndpointError::Answer(ResponseError::AccessToken)),
            "{bad:?}"
        );
        assert_eq!(spoiled.refresh_token.unwrap().expose(), "r");
    }
}

#[test]
fn what_is_odd_about_one_member_hides_no_other() {
    for (body, access, refresh) in [
        (r#"{"access_token":12,"refresh_token":34567890}"#, "12", Some("34567890")),
        (r#"{"access_token":"a","refresh_token":34}"#, "a", None),
        (
            r#"{"access_token":"a","refresh_token":"r","token_type":7,"scope":[["x"]]}"#,
            "a",
            Some("r"),
        ),
        (r#"{"access_token":"a","refresh_token":"r","token_type":" bearer "}"#, "a", Some("r")),
        (r#"{"access_token":"a","refresh_token":"r","error":null}"#, "a", Some("r")),
        (r#"{"access_token":"a","refresh_token":"r","error":""}"#, "a", Some("r")),
        (r#"{"access_token":"a","refresh_token":"r","error":{"x":1}}"#, "a", Some("r")),
        (r#"{"access_token":"a","refresh_token":false}"#, "a", None),
        (
            r#"{"access_token":"a","access_token":"b","refresh_token":"r","refresh_token":"s"}"#,
            "b",
            Some("s"),
        ),
        (r#"{"token":{"access_token":"a","refresh_token":"r"}}"#, "a", Some("r")),
        ("access_token=a&refresh_token=r&expires_in=x", "a", Some("r")),
        ("<!-- -->\n{\"access_token\":\"a\",\"refresh_token\":\"r\"}", "a", Some("r")),
    ] {
        let grant = json(200, body).unwrap();
        assert_eq!(grant.access_token.expose(), access, "{body}");
        assert_eq!(grant.refresh_token.as_ref().map(RefreshToken::expose), refresh, "{body}");
    }
    let listed = json(200, r#"{"access_token":"a","scope":["sql","jobs files"]}"#).unwrap();
    assert_eq!(
        listed.scopes.unwrap().to_string(),
        Scopes::new(["sql", "jobs", "files"]).to_string()
    );
}

#[test]
fn a_success_in_which_nothing_is_found_says_so() {
    for body in
        ["", "<html>log in to the hotel</html>", "OK", "\u{fffd}\u{1}", "[]", r#"{"access_"#]
    {
        let error = json(200, body).unwrap_err();
        assert!(error.is_unreadable_success(), "{body}");
        assert!(!json(502, body).unwrap_err().is_unreadable_success(), "{body}");
    }
    let coded = HttpResponse::new(200, vec![0x8b, 2, 0x80, 0x7b]).with_content_encoding("br");
    let error = read(coded).unwrap_err();
    assert!(error.is_unreadable_success() && error.to_string().contains("coding"), "{error}");
    assert!(!json(200, r#"{"error":"invalid_grant"}"#).unwrap_err().is_unreadable_success());
}

#[test]
fn a_refusal_is_recognised_in_every_dress() {
    let body = "\u{feff}{\"error\":\"invalid_grant\"} ";
    for bytes in [
        body.as_bytes().to_vec(),
        miniz_oxide::deflate::compress_to_vec_zlib(body.as_bytes(), 6),
        body.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        b"error=invalid_grant".to_vec(),
        b")]}'\n{\"error\":\"x\",\"error\":\"invalid_grant\"}".to_vec(),
    ] {
        let Err(TokenEndpointError::Refused(refusal)) = read(HttpResponse::new(400, bytes)) else {
            panic!("not refused")
        };
        assert!(refusal.rejects_the_refresh_token());
    }
    // What a page or a nested object says is not the server's response.
    for body in [
        r#"<script>{"error":"invalid_grant"}</script>"#,
        r#"{"details":[{"error":"invalid_grant"}]}"#,
    ] {
        let error = json(400, body).unwrap_err();
        assert!(matches!(error, TokenEndpointError::Answer(_)), "{body}: {error:?}");
    }
}

#[test]
fn a_refusal_repeats_neither_what_was_sent_nor_what_it_brings() {
    let body = r#"{"error":"bad_the-new-access-1","error_description":"you have the-new-refresh-2",
        "access_token":"the-new-access-1","refresh_token":"the-new-refresh-2"}"#;
    let Err(TokenEndpointError::Refused(refusal)) = json(400, body) else { panic!("not refused") };
    assert_eq!(refusal.to_string(), "you have [secret] (error code: bad_[secret])");
}

#[test]
fn wire_1_the_expiry_of_a_jwt_is_a_hint() {
    let claims = URL_SAFE_NO_PAD.encode(r#"{"exp":4000000000,"scope":"all-apis"}"#);
    assert_eq!(expiry_hint(&AccessToken::new(format!("e30.{claims}.sig"))), Some(4_000_000_000));
    for opaque in ["dapi123", "a.b.c", "e30.e30.x", ""] {
        assert_eq!(expiry_hint(&AccessToken::new(opaque)), None, "{opaque}");
    }
}

#[test]
fn t14_a_grant_does_not_show_its_secrets() {
    let grant = json(200, r#"{"access_token":"canary","refresh_token":"canary"}"#).unwrap();
    assert!(!format!("{grant:?}").contains("canary"));
}

const SENT: &str = "old-refresh-token-7Qw3rT9";

/// Parses the response to a request that contained [`SENT`].
fn renewed(body: &str) -> Result<TokenResponse, UnusableResponse> {
    let form = crate::oauth::refresh_form("client", &RefreshToken::new(SENT));
    let url = url::Url::parse("https://a.example/token").unwrap();
    let request = crate::call::HttpRequest::encoded(url, form);
    TokenResponse::parse(Ok(Reply::of(HttpResponse::new(200, body.into()), &request)))
}

#[test]
fn an_answer_that_repeats_its_request_first_is_read_for_what_was_given() {
    let sent = format!(r#"{{"grant_type":"refresh_token","refresh_token":"{SENT}"}}"#);
    let given = r#"{"access_token":"new-access","refresh_token":"new-refresh"}"#;
    for body in [
        format!(r#"{{"request":{sent},"response":{given}}}"#),
        format!("{sent}\n{given}\n"),
        format!(r#"[{sent},{given}]"#),
        format!(r#"{{"previous":{{"refresh_token":"{SENT}"}},"current":{given}}}"#),
        format!(r#"{{"previous":{{"refresh_token":"older-one"}},"current":{given}}}"#),
        format!(r#"{{"refresh_token":"{SENT}","data":{given}}}"#),
        format!(
            r#"{{"access_token":"new-access","refresh_token":"new-refresh","refresh_token":"{SENT}"}}"#
        ),
        format!(r#"{{"before":{{"access_token":"a","refresh_token":"{SENT}"}},"now":{given}}}"#),
    ] {
        let grant = renewed(&body).unwrap();
        assert_eq!(grant.access_token.expose(), "new-access", "{body}");
        assert_eq!(grant.refresh_token.unwrap().expose(), "new-refresh", "{body}");
    }
    // If no new refresh token is issued, the access token counts.
    let body = format!(r#"{{"request":{sent},"response":{{"access_token":"new-access"}}}}"#);
    assert_eq!(renewed(&body).unwrap().access_token.expose(), "new-access");
    let body = format!(r#"{{"access_token":"new-access","refresh_token":"{SENT}"}}"#);
    assert_eq!(renewed(&body).unwrap().refresh_token.unwrap().expose(), SENT);
}

#[test]
fn a_success_with_nothing_but_what_was_sent_is_one_in_which_nothing_is_found() {
    for body in [
        format!(r#"{{"refresh_token":"{SENT}"}}"#),
        format!(r#"{{"request":{{"refresh_token":"{SENT}"}},"response":{{"accessToken":"a"}}}}"#),
        format!(r#"{{"request":{{"refresh_token":"{SENT}"}},"response":{{"access_tok"#),
    ] {
        assert!(renewed(&body).unwrap_err().error.is_unreadable_success(), "{body}");
    }
    let spoiled = renewed(r#"{"refresh_token":"new-refresh"}"#).unwrap_err();
    assert_eq!(spoiled.refresh_token.unwrap().expose(), "new-refresh");
}

#[test]
fn what_says_that_there_is_no_refresh_token_or_hides_it_is_none() {
    for none in [
        "null",
        "false",
        "0",
        "-1",
        "1234567",
        "1e400",
        "[]",
        "{}",
        "[null]",
        "[[], {}, null, 0]",
        "[false]",
        "undefined",
        "None",
        r#""""#,
        r#""  ""#,
        r#""\t""#,
        r#""***""#,
        r#""...""#,
        r#""xxxxxxxx""#,
        r#""XXXX-XXXX""#,
        r#""•••""#,
        r#""null""#,
        r#""None""#,
        r#""undefined""#,
        r#""[REDACTED]""#,
        r#""<redacted>""#,
        r#""**REDACTED**""#,
        r#""[ hidden ]""#,
        r#"[""]"#,
        r#"["***"]"#,
        r#""old-refresh-***""#,
        r#""...7Qw3rT9""#,
    ] {
        let body = format!(r#"{{"access_token":"new-access","refresh_token":{none}}}"#);
        let grant = renewed(&body).unwrap();
        assert!(grant.refresh_token.is_none() && !grant.is_half_lost, "{body}");
        let before =
            format!(r#"{{"refresh_token":"rt","access_token":"a","refresh_token":{none}}}"#);
        assert_eq!(renewed(&before).unwrap().refresh_token.unwrap().expose(), "rt", "{before}");
    }
    for lost in [r#"{"value":"RT"}"#, r#"["RT","RT2"]"#, "[12345678]", "true", r#"[["RT"]]"#] {
        let body = format!(r#"{{"access_token":"new-access","refresh_token":{lost}}}"#);
        let grant = renewed(&body).unwrap();
        assert!(grant.refresh_token.is_none() && grant.is_half_lost, "{body}");
    }
    for (token, is) in [
        ("12345678", "12345678"),
        (r#""a""#, "a"),
        (r#""x""#, "x"),
        (r#""0""#, "0"),
        (r#""nullable""#, "nullable"),
        (r#""***RT""#, "***RT"),
        (r#"["RT"]"#, "RT"),
    ] {
        let body = format!(r#"{{"access_token":"new-access","refresh_token":{token}}}"#);
        assert_eq!(renewed(&body).unwrap().refresh_token.unwrap().expose(), is, "{body}");
    }
}

#[test]
fn an_access_token_that_is_what_was_sent_is_refused_and_the_refresh_token_is_left() {
    let spoiled = renewed(&format!(r#"{{"access_token":"{SENT}","refresh_token":"new-refresh"}}"#))
        .unwrap_err();
    assert!(matches!(spoiled.error, TokenEndpointError::Answer(ResponseError::AccessToken)));
    assert_eq!(spoiled.refresh_token.unwrap().expose(), "new-refresh");
    let spoiled = renewed(&format!(r#"{{"access_token":"{SENT}"}}"#)).unwrap_err();
    assert!(matches!(spoiled.error, TokenEndpointError::Answer(ResponseError::AccessToken)));
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer_or_an_error_and_never_a_panic(
        status in 100u16..600,
        body in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(vec!["application/json", "text/plain", "text/html", ""]),
    ) {
        let _ = read(HttpResponse::new(status, body).with_content_type(kind));
    }
}
