use super::*;
use crate::call::HttpRequest;
use crate::oauth::{TOKEN_LIMIT, TokenResponse, refresh_form};
use crate::secret::RefreshToken;
use url::Url;

const SENT: &str = "old-refresh-token-7Qw3rT9";

/// The refresh token that is taken from a response to [`SENT`].
fn taken(status: u16, body: &str) -> Option<String> {
    let form = refresh_form("client", &RefreshToken::new(SENT));
    let url = Url::parse("https://a.example/token").unwrap();
    let request = HttpRequest::encoded(url, form).with_limit(TOKEN_LIMIT);
    let reply = Reply::of(HttpResponse::new(status, body.as_bytes().to_vec()), &request);
    let token = match TokenResponse::parse(Ok(reply)) {
        Ok(grant) => grant.refresh_token,
        Err(spoiled) => spoiled.refresh_token,
    };
    token.map(|token| token.expose().to_owned())
}

#[test]
fn the_tokens_in_an_answer_count_whatever_status_something_on_the_way_has_put_on_it() {
    let body = r#"{"access_token":"new-access","refresh_token":"new-refresh","expires_in":3600}"#;
    for status in [302, 400, 401, 403, 404, 405, 429, 500, 502, 503, 504, 599] {
        assert_eq!(taken(status, body).as_deref(), Some("new-refresh"), "{status}");
        let marked = format!("\u{feff})]}}',\n{body}\r\n0\r\n");
        assert_eq!(taken(status, &marked).as_deref(), Some("new-refresh"), "{status}");
    }
    for status in [403, 500, 502] {
        let alone = r#"{"refresh_token":"rt-0123456789abcdef"}"#;
        assert_eq!(taken(status, alone).as_deref(), Some("rt-0123456789abcdef"), "{status}");
    }
}

#[test]
fn an_answer_with_an_error_brings_nothing_unless_it_is_a_success() {
    let nothing = [r#""""#, "null", "false", "0", "{}", "[]", "[ ]"];
    let no = [r#""invalid_grant""#, r#"{"code":400}"#, "true", "7", r#"["x"]"#];
    for error in nothing.into_iter().chain(no) {
        let says_no = no.contains(&error);
        for status in [400, 401, 500, 503] {
            let body = format!(
                r#"{{"error":{error},"access_token":"new-access","refresh_token":"new-refresh"}}"#
            );
            assert_eq!(taken(status, &body).is_none(), says_no, "{status} {body}");
        }
    }
}

#[test]
fn an_error_that_speaks_of_a_refresh_token_brings_none() {
    for body in [
        r#"{"refresh_token":["This field may not be blank."]}"#,
        r#"{"refresh_token":"This token is not known."}"#,
        r#"{"refresh_token":"invalid"}"#,
        r#"{"refresh_token":"required","access_token":"required"}"#,
        r#"{"refresh_token":{"value":"rt-0123456789abcdef"}}"#,
        r#"{"refresh_token":7,"access_token":"new-access"}"#,
        r#"{"errors":{"refresh_token":"rt-0123456789abcdef"}}"#,
        r#"{"refresh_token":"[REDACTED]","access_token":"[REDACTED]"}"#,
        r#"{"refresh_token":"old-refresh-token-7Qw3rT9"}"#,
        r#"{"refresh_token":"old-refresh-token-7..."}"#,
        r#"{"refresh_token":"old-refresh-token-7...","access_token":"new-access"}"#,
        r#"{"grant_type":"refresh_token","refresh_token":"rt-0123456789abcdef","access_token":"a"}"#,
        "grant_type=refresh_token&refresh_token=rt-0123456789abcdef",
        "refresh_token=rt-0123456789abcdef&access_token=new-access",
        r#"<p>{"access_token":"new-access","refresh_token":"rt-0123456789abcdef"}</p>"#,
    ] {
        assert_eq!(taken(400, body), None, "{body}");
    }
}

#[test]
fn a_server_that_does_not_rotate_gives_its_refresh_token_out_again_under_any_status() {
    let body = format!(r#"{{"refresh_token":"{SENT}","access_token":"new-access"}}"#);
    assert_eq!(taken(502, &body).as_deref(), Some(SENT));
}

#[test]
fn one_oddity_beside_a_status_that_is_none_hides_no_refresh_token() {
    for (body, token) in [
        (r#"{"access_token":"new-access","refresh_token":["new-refresh"]}"#, "new-refresh"),
        (r#"{"access_token":"new-access","refresh_token":12345678901234}"#, "12345678901234"),
        (r#"{"access_token":"a b","refresh_token":"rt-0123456789"}"#, "rt-0123456789"),
        (r#"{"access_token":["a"],"refresh_token":"rt-0123456789"}"#, "rt-0123456789"),
        (r#"{"access_token":"new-access","refresh_token":"rt#1%2B@x"}"#, "rt#1%2B@x"),
        (
            r#"{"statusCode":502,"body":{"access_token":"new-access","refresh_token":"new-refresh"}}"#,
            "new-refresh",
        ),
        (
            r#"{"error":false,"data":[{"access_token":"new-access","refresh_token":"new-refresh"}]}"#,
            "new-refresh",
        ),
    ] {
        for status in [400, 404, 500, 502] {
            assert_eq!(taken(status, body).as_deref(), Some(token), "{status} {body}");
        }
    }
}

#[test]
fn what_an_error_repeats_or_says_is_no_refresh_token_where_it_is_wrapped_or_encoded_either() {
    for body in [
        r#"{"error":"server_error","body":{"access_token":"new-access","refresh_token":"new-refresh"}}"#,
        r#"{"error":{"code":1},"body":{"access_token":"new-access","refresh_token":"new-refresh"}}"#,
        r#"{"body":{"error":"x","access_token":"new-access","refresh_token":"new-refresh"}}"#,
        r#"{"body":{"refresh_token":"rt-0123456789abcdef"}}"#,
        r#"{"request":{"grant_type":"refresh_token","access_token":"a","refresh_token":"rt-0123456789"}}"#,
        r#"{"statusCode":400,"body":{"access_token":"required","refresh_token":"required"}}"#,
        r#"{"refresh_token":["required"]}"#,
        r#"{"refresh_token":"invalid","access_token":"is not there"}"#,
        r#"{"refresh_token":"old%2Drefresh%2Dtoken%2D7Qw3rT9","access_token":"new-access"}"#,
        r#"{"refresh_token":"***","access_token":"new-access"}"#,
        r#"{"refresh_token":0,"access_token":"new-access"}"#,
    ] {
        for status in [400, 500, 502] {
            assert_eq!(taken(status, body), None, "{status} {body}");
        }
    }
}
