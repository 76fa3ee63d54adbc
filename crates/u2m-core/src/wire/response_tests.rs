use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

fn json(status: u16, body: &str) -> Result<Grant, TokenEndpointError> {
    Grant::parse(Ok(
        Answer::new(status, body.into()).with_content_type("application/json; charset=utf-8")
    ))
}

fn answer_error(body: &str) -> AnswerError {
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
    let answer = Answer::new(200, b"access_token=a%2Bb&expires_in=60&token_type=bearer".to_vec());
    let grant =
        Grant::parse(Ok(answer.with_content_type("application/x-www-form-urlencoded"))).unwrap();
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
    for bad in ["-1", "\"soon\"", "[]", "{}", "true", "\"-5\"", "\"NaN\"", "\"inf\""] {
        assert!(
            matches!(lifetime(bad), Err(TokenEndpointError::Answer(AnswerError::ExpiresIn))),
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
        assert_eq!(answer_error(&body), AnswerError::TokenType, "{kind}");
    }
}

#[test]
fn an_answer_without_a_token_is_an_error_whatever_its_status() {
    assert_eq!(answer_error("{}"), AnswerError::NoAccessToken);
    assert_eq!(answer_error(r#"{"access_token":""}"#), AnswerError::NoAccessToken);
    assert_eq!(answer_error(r#"{"access_token":null}"#), AnswerError::NoAccessToken);
    assert!(matches!(answer_error(r#"{"access_token":7}"#), AnswerError::NotJson { .. }));
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
    assert_eq!(error.to_string(), "the token endpoint answered http 403");
    assert!(!error.is_transient());
    assert!(json(200, "<html>log in to the hotel</html>").unwrap_err().is_transient());
}

#[test]
fn t9_deep_nesting_is_refused() {
    let body = format!(r#"{{"access_token":"a","x":{}"#, "[".repeat(100_000));
    assert!(matches!(answer_error(&body), AnswerError::NotJson { .. }));
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

proptest! {
    #[test]
    fn any_bytes_are_an_answer_or_an_error_and_never_a_panic(
        status in 100u16..600,
        body in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(vec!["application/json", "text/plain", "text/html", ""]),
    ) {
        let _ = Grant::parse(Ok(Answer::new(status, body).with_content_type(kind)));
    }
}
