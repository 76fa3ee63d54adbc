//! Methods, bodies and heads leave as a request describes them, and what counts of an answer's head comes back (WIRE-3).
#![allow(clippy::unwrap_used)]
#![cfg(feature = "reqwest")]

mod transport_support;

use transport_support::raw::Raw;
use u2m_core::{HttpRequest, HttpResponse, RedirectPolicy, TransportFailureKind};
use u2m_http::{ReqwestTransport, Transport};
use url::Url;

fn raw() -> (Raw, Url) {
    let raw = Raw::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let url = Url::parse(&format!("{}/there?a=b", raw.base)).unwrap();
    (raw, url)
}

/// What leaves: the line of the request, its head but for what every request has, and its body.
async fn left(describe: impl FnOnce(Url) -> HttpRequest) -> (String, Vec<String>, String) {
    let (raw, url) = raw();
    ReqwestTransport::new().send(&describe(url)).await.unwrap();
    let request = raw.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines().map(str::to_owned);
    let line = lines.next().unwrap();
    let is_usual = |field: &String| field.starts_with("host:") || field.starts_with("user-agent:");
    let mut fields: Vec<_> = lines.filter(|field| !is_usual(field)).collect();
    fields.sort_unstable();
    (line, fields, body.to_owned())
}

#[tokio::test]
async fn each_method_leaves_with_its_body_and_what_that_is() {
    let json = r#"{"name":"x"}"#;
    let form = [("grant_type", "a b"), ("token", "c+d")];
    for (line, kind, body, request) in [
        ("GET", None, "", Box::new(HttpRequest::get) as Box<dyn FnOnce(Url) -> HttpRequest>),
        ("DELETE", None, "", Box::new(HttpRequest::delete)),
        ("POST", Some(None), "", Box::new(HttpRequest::post)),
        (
            "POST",
            Some(Some("application/x-www-form-urlencoded")),
            "grant_type=a+b&token=c%2Bd",
            Box::new(move |url| HttpRequest::post_form(url, &form)),
        ),
        (
            "POST",
            Some(Some("application/json")),
            json,
            Box::new(|url| HttpRequest::post_json(url, json)),
        ),
        (
            "PUT",
            Some(Some("application/json")),
            json,
            Box::new(|url| HttpRequest::put_json(url, json)),
        ),
        (
            "PATCH",
            Some(Some("application/json")),
            json,
            Box::new(|url| HttpRequest::patch_json(url, json)),
        ),
    ] {
        let (began, fields, sent) = left(request).await;
        assert_eq!(began, format!("{line} /there?a=b HTTP/1.1"));
        let mut expected = vec!["accept: application/json".to_owned()];
        if let Some(kind) = kind {
            expected.push(format!("content-length: {}", body.len()));
            expected.extend(kind.map(|kind| format!("content-type: {kind}")));
        }
        assert_eq!((fields, sent.as_str()), (expected, body));
    }
}

#[tokio::test]
async fn a_head_says_what_the_request_names_in_the_place_of_what_is_usual() {
    let (_, fields, _) = left(|url| {
        HttpRequest::post_json(url, "{}")
            .with_header("Accept", "text/plain")
            .with_header("Content-Type", "application/scim+json")
            .with_header("X-Identity-Header", "canary")
    })
    .await;
    assert_eq!(
        fields,
        [
            "accept: text/plain",
            "content-length: 2",
            "content-type: application/scim+json",
            "x-identity-header: canary"
        ]
    );
}

#[tokio::test]
async fn a49_what_no_head_can_hold_is_not_sent_and_not_shown() {
    for (name, value) in [("x-a", "canary\r\nx-b: 1"), ("x canary", "1"), ("", "canary")] {
        let (raw, url) = raw();
        let request = HttpRequest::get(url).with_header(name, value);
        let failure = ReqwestTransport::new().send(&request).await.unwrap_err();
        assert_eq!(failure.kind(), TransportFailureKind::NotSent, "{name}");
        let cause = std::error::Error::source(&failure).unwrap().to_string();
        assert!(!cause.contains("canary\r"), "{cause}");
        assert!(raw.requests().is_empty());
    }
}

#[tokio::test]
async fn a_get_that_follows_nothing_is_answered_by_the_redirect_itself() {
    let raw =
        Raw::saying("HTTP/1.1 302 Moved\r\nlocation: /there?tenant=1\r\ncontent-length: 0\r\n\r\n");
    let url = Url::parse(&format!("{}/aad/auth", raw.base)).unwrap();
    let request = HttpRequest::get(url).with_redirects(RedirectPolicy::None);
    let answer = ReqwestTransport::new().send(&request).await.unwrap();
    assert_eq!((answer.status(), answer.header("location")), (302, Some("/there?tenant=1")));
    assert_eq!(raw.requests().len(), 1);
}

#[tokio::test]
async fn what_is_kept_of_a_head_comes_back_and_nothing_else_of_it() {
    let raw = Raw::saying(
        "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nX-Request-Id: one\r\nset-cookie: canary\r\n\
         x-databricks-request-id: two\r\ncontent-length: 3\r\n\r\nabc",
    );
    let request = HttpRequest::get(Url::parse(&raw.base).unwrap());
    let answer = ReqwestTransport::new().send(&request).await.unwrap();
    let kept: Vec<_> =
        HttpResponse::HEADERS.iter().filter_map(|name| answer.header(name)).collect();
    assert_eq!(kept, ["Google", "two", "one"]);
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.body(), b"abc");
}
