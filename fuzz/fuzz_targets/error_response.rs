//! A server's refusal, from the token endpoint or through the browser. The first line of an input is a status and a
//! content type, the rest a body.
//!
//! - An answer with an `error`, or without a success, is never a grant.
//! - A refresh token counts as rejected by `invalid_grant` or by the known sentence, and by nothing else (ERR-1): a login
//!   is not thrown away for a server's bad day. Nor is such a refusal taken for one that may pass.
//! - What a server says is shown as one printable line of bounded length, and cleaning it twice changes nothing (T17).
#![no_main]

use serde_json::Value;
use u2m_core::fuzzing::token_response;
use u2m_core::{Answer, Foreign, OAuthErrorCode, Refusal, TokenEndpointError};
use u2m_fuzz::{assert_one_printable_line, status_line, words};

const SPENT: &str = "Refresh token is invalid";

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((status, kind, body)) = status_line(input) else { return };
    let json = serde_json::from_slice::<Value>(body).ok();
    let text = |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
    let result = token_response(Answer::new(status, body.to_vec()).with_content_type(kind));
    match &result {
        Ok(_) => {
            assert!((200..300).contains(&status));
            assert!(text("error").is_none_or(str::is_empty));
        }
        Err(TokenEndpointError::Refused(refusal)) => {
            assert_eq!(refusal.status(), status);
            if let (Some(Value::Object(_)), Some(code)) = (&json, text("error")) {
                judge(refusal, code, text("error_description"));
            }
        }
        Err(TokenEndpointError::Answer(error)) => {
            let server = status >= 500 || matches!(status, 408 | 425 | 429);
            assert!(!error.is_transient() || server || status < 400, "{error:?}");
        }
        Err(other) => panic!("{other:?}"),
    }
    if let Err(error) = &result {
        assert_one_printable_line(&words(error));
    }
    if let Ok(body) = std::str::from_utf8(body) {
        through_the_browser(body);
    }
});

fn judge(refusal: &Refusal, code: &str, description: Option<&str>) {
    let spent = code == "invalid_grant" || description == Some(SPENT);
    assert_eq!(refusal.rejects_the_refresh_token(), spent);
    let passing = matches!(code, "server_error" | "temporarily_unavailable");
    assert_eq!(refusal.is_transient(), passing);
    assert_one_printable_line(&refusal.to_string());
    assert_eq!(OAuthErrorCode::from_wire(code), *refusal.code());
}

/// The code is the first line, the description all of it.
fn through_the_browser(text: &str) {
    let code = text.lines().next().unwrap_or_default();
    judge(&Refusal::new(0, code, Some(text)), code, Some(text));
    let shown = Foreign::new(text);
    assert!(shown.as_str().chars().count() <= 201);
    assert_one_printable_line(shown.as_str());
    assert_eq!(Foreign::new(shown.as_str()), shown);
}
