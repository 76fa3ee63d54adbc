//! A server's refusal, from the token endpoint or through the browser. The first line of an input is a status and a
//! content type, the rest a body.
//!
//! - An answer with an `error` is never a grant; one whose status is no success is one only by the tokens in it.
//! - A refresh token counts as rejected by `invalid_grant` or by the known sentence, and by nothing else (ERR-1): a login
//!   is not thrown away for a server's bad day. Nor is such a refusal taken for one that may pass, whatever its status.
//! - Where the code decides nothing, the status says whether a later try may succeed. A code is what it is on the wire, whatever is
//!   left of it to show. An error that is no OAuth error ends nothing.
//! - What a server says is shown as one printable line of bounded length, and cleaning it twice changes nothing (T17).
#![no_main]

use serde_json::Value;
use u2m_core::fuzzing::token_response;
use u2m_core::{
    ErrorResponse, HttpResponse, OAuthErrorCode, ResponseError, Sanitized, TokenEndpointError,
};
use u2m_fuzz::{assert_one_printable_line, status_line, words};

const SPENT: &str = "Refresh token is invalid";

/// Codes that decide, beside those that have a name of their own: as they are sent, sign by sign.
const DECISIONS: [&str; 12] = [
    "INVALID_REFRESH_TOKEN",
    "UNAUTHENTICATED",
    "bad_refresh_token",
    "insufficient_user_authentication",
    "invalid_dpop_proof",
    "invalid_refresh_token",
    "invalid_target",
    "mfa_required",
    "reauth_required",
    "unmet_authentication_requirements",
    "unsupported_response_type",
    "unsupported_token_type",
];

/// What asks for a person beside any code.
const SUBERRORS: [&str; 10] = [
    "additional_action",
    "bad_token",
    "basic_action",
    "consent_required",
    "interaction_required",
    "login_required",
    "message_only",
    "token_expired",
    "user_password_expired",
    "ux_not_allowed",
];

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((status, kind, body)) = status_line(input) else { return };
    let json = serde_json::from_slice::<Value>(body).ok();
    let text =
        |name: &str| json.as_ref().and_then(|json| member(json, name)).and_then(Value::as_str);
    let result = token_response(HttpResponse::new(status, body.to_vec()).with_content_type(kind));
    match &result {
        Ok(granted) => {
            assert!((200..300).contains(&status) || granted.refresh_token.is_some());
            assert!(text("error").is_none_or(str::is_empty));
        }
        Err(TokenEndpointError::Refused(refusal)) => {
            assert_eq!(refusal.status(), status);
            let code = text("error").filter(|code| !code.is_empty());
            if let Some(code) = code.filter(|_| !json.as_ref().is_some_and(is_ambiguous)) {
                let suberror = text("suberror").is_some_and(|text| SUBERRORS.contains(&text));
                judge(refusal, code, text("error_description"), suberror);
            }
        }
        Err(TokenEndpointError::Answer(error)) => {
            // What has tokens in it is read for them, whatever its status.
            let is_unread = matches!(
                error,
                ResponseError::NotJson { .. }
                    | ResponseError::Said { .. }
                    | ResponseError::Status(_)
            );
            assert!(
                error.is_transient() || status < 400 || !is_unread,
                "no error of the server's ends it: {error:?}"
            );
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

/// A member of an object: by its exact name, else by one in other capitals, as Go's programs read it.
fn member<'a>(json: &'a Value, name: &str) -> Option<&'a Value> {
    let object = json.as_object()?;
    let other = || object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    object.get(name).or_else(|| other().map(|(_, value)| value))
}

/// Whether two of its members differ by capitals alone: which one counts depends on an order that is not known here.
fn is_ambiguous(json: &Value) -> bool {
    let names: Vec<_> = json.as_object().into_iter().flatten().map(|(name, _)| name).collect();
    let is_twice = |(at, name): (usize, &&String)| {
        names[at + 1..].iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    names.iter().enumerate().any(is_twice)
}

fn judge(refusal: &ErrorResponse, code: &str, description: Option<&str>, suberror: bool) {
    let spent = code == "invalid_grant" || description == Some(SPENT);
    assert_eq!(refusal.rejects_the_refresh_token(), spent);
    let says_so = matches!(code, "server_error" | "temporarily_unavailable");
    let status = refusal.status();
    let may_pass = status >= 402;
    let is_decided = description == Some(SPENT)
        || suberror
        || match OAuthErrorCode::from_wire(code) {
            OAuthErrorCode::Other(_) => DECISIONS.contains(&code),
            OAuthErrorCode::AuthorizationPending | OAuthErrorCode::SlowDown => false,
            _ => !says_so,
        };
    assert_eq!(refusal.is_transient(), says_so || may_pass && !is_decided);
    assert_one_printable_line(&refusal.to_string());
    match (OAuthErrorCode::from_wire(code), refusal.code()) {
        // What is shown of it lacks the secrets of the answer.
        (OAuthErrorCode::Other(_), OAuthErrorCode::Other(_)) => {}
        (one, other) => assert_eq!(one, *other),
    }
}

/// The code is the first line, the description all of it.
fn through_the_browser(text: &str) {
    let code = text.lines().next().unwrap_or_default();
    judge(&ErrorResponse::new(0, code, Some(text)), code, Some(text), false);
    let shown = Sanitized::new(text);
    assert!(shown.as_str().chars().count() <= 201);
    assert_one_printable_line(shown.as_str());
    assert_eq!(Sanitized::new(shown.as_str()), shown);
}
