//! What a host may answer when it is asked for its metadata.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::time::Duration;
use u2m_testkit::Fault;
use u2m_testkit::http::StatusCode;

type Answer = dyn Fn(&str, &str) -> Fault + Send + Sync;

/// One way to answer.
pub(crate) struct Shape {
    pub(crate) words: &'static str,
    /// The answer of a host at this address, which is also reached by the second one.
    pub(crate) answer: Box<Answer>,
    /// Whether the person allows the second address by name.
    pub(crate) is_allowed: bool,
}

/// A document in good order, with its issuer and all its endpoints on the host that was asked.
fn document(url: &str) -> Value {
    let at = |name: &str| format!("{url}/oidc/v1/{name}");
    json!({
        "issuer": format!("{url}/oidc"),
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "revocation_endpoint": at("revoke"),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": false,
    })
}

fn shape(
    words: &'static str,
    answer: impl Fn(&str, &str) -> Fault + Send + Sync + 'static,
) -> Shape {
    Shape { words, answer: Box::new(answer), is_allowed: false }
}

/// The document with some change.
fn changed(
    words: &'static str,
    change: impl Fn(&mut Value, &str, &str) + Send + Sync + 'static,
) -> Shape {
    shape(words, move |url, other| {
        let mut document = document(url);
        change(&mut document, url, other);
        Fault::junk(document.to_string())
    })
}

/// The document as other bytes.
fn written(
    words: &'static str,
    write: impl Fn(String) -> Vec<u8> + Send + Sync + 'static,
) -> Shape {
    shape(words, move |url, _| Fault::junk(write(document(url).to_string())))
}

/// An answer that is no document.
fn other(words: &'static str, fault: Fault) -> Shape {
    shape(words, move |_, _| fault.clone())
}

fn allowed(shape: Shape) -> Shape {
    Shape { is_allowed: true, ..shape }
}

fn issuer_elsewhere(words: &'static str) -> Shape {
    changed(words, |d, _, other| d["issuer"] = json!(format!("{other}/oidc")))
}

fn tokens_elsewhere(words: &'static str) -> Shape {
    changed(words, |d, _, other| {
        for name in ["token", "revoke"] {
            let member = if name == "token" { "token_endpoint" } else { "revocation_endpoint" };
            d[member] = json!(format!("{other}/oidc/v1/{name}"));
        }
    })
}

fn json_of(status: u16, body: &str) -> Fault {
    Fault::status(StatusCode::from_u16(status).unwrap(), "application/json", body)
}

/// Deflate without compression (RFC 1951 section 3.2.4).
fn deflated(text: &[u8]) -> Vec<u8> {
    let size = u16::try_from(text.len()).unwrap();
    [&[1], &size.to_le_bytes()[..], &(!size).to_le_bytes()[..], text].concat()
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // Nobody here looks at the checksum.
    let end = [[0; 4], u32::try_from(text.len()).unwrap().to_le_bytes()].concat();
    [&head[..], &deflated(text), &end].concat()
}

fn utf_16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

pub(crate) fn shapes() -> Vec<Shape> {
    [of_issuers(), of_endpoints(), of_members(), of_bytes(), of_answers()]
        .into_iter()
        .flatten()
        .collect()
}

fn of_issuers() -> Vec<Shape> {
    vec![
        changed("in good order", |_, _, _| ()),
        changed("no `issuer`", |d, _, _| drop(d.as_object_mut().unwrap().remove("issuer"))),
        changed("`issuer` empty", |d, _, _| d["issuer"] = json!("")),
        changed("`issuer` null", |d, _, _| d["issuer"] = Value::Null),
        changed("`issuer` with a slash behind it", |d, url, _| {
            d["issuer"] = json!(format!("{url}/oidc/"));
        }),
        changed("`issuer` with another path of the host", |d, url, _| d["issuer"] = json!(url)),
        issuer_elsewhere("`issuer` on another host"),
        allowed(issuer_elsewhere("`issuer` on another host, which was allowed")),
        changed("`issuer` on another port", |d, url, _| {
            let port: u32 = url.rsplit(':').next().unwrap().parse().unwrap();
            let other = if port > 20_000 { port - 10_000 } else { port + 10_000 };
            d["issuer"] = json!(format!("http://127.0.0.1:{other}/oidc"));
        }),
        changed("`issuer` with a user name", |d, url, _| {
            d["issuer"] = json!(format!("{}/oidc", url.replace("://", "://me@")));
        }),
        changed("`issuer` that is no address", |d, _, _| d["issuer"] = json!("databricks")),
    ]
}

fn of_endpoints() -> Vec<Shape> {
    vec![
        tokens_elsewhere("endpoints for tokens on another host"),
        allowed(tokens_elsewhere("endpoints for tokens on another host, which was allowed")),
        changed("`authorization_endpoint` on another host", |d, _, other| {
            d["authorization_endpoint"] = json!(format!("{other}/oidc/v1/authorize"));
        }),
        changed("`revocation_endpoint` on another host", |d, _, other| {
            d["revocation_endpoint"] = json!(format!("{other}/oidc/v1/revoke"));
        }),
        changed("`token_endpoint` without TLS", |d, _, _| {
            d["token_endpoint"] = json!("http://ws.example/oidc/v1/token");
        }),
        changed("no `token_endpoint`", |d, _, _| {
            drop(d.as_object_mut().unwrap().remove("token_endpoint"));
        }),
        changed("no `revocation_endpoint`", |d, _, _| {
            drop(d.as_object_mut().unwrap().remove("revocation_endpoint"));
        }),
    ]
}

fn of_members() -> Vec<Shape> {
    vec![
        changed("members that nobody knows", |d, _, _| {
            d["x"] = json!({"y": [1, null]});
            d["issuers"] = json!(["https://elsewhere.example"]);
        }),
        changed("other members null", |d, _, _| {
            for name in ["scopes_supported", "code_challenge_methods_supported", "jwks_uri"] {
                d[name] = Value::Null;
            }
            d["authorization_response_iss_parameter_supported"] = Value::Null;
        }),
        changed("`token_endpoint` of another type", |d, _, _| d["token_endpoint"] = json!(7)),
        changed("`revocation_endpoint` of another type", |d, _, _| {
            d["revocation_endpoint"] = json!(["x"]);
        }),
        shape("`issuer` twice, the second one right", |url, _| {
            let text = document(url).to_string();
            Fault::junk(text.replacen('{', "{\"issuer\":\"https://elsewhere.example\",", 1))
        }),
        changed("only `plain` for PKCE", |d, _, _| {
            d["code_challenge_methods_supported"] = json!(["plain"]);
        }),
    ]
}

fn of_bytes() -> Vec<Shape> {
    vec![
        written("a byte-order mark before it", |text| format!("\u{feff}{text}").into_bytes()),
        written("in UTF-16", |text| utf_16(&text)),
        shape("in gzip", |url, _| {
            Fault::junk(gzipped(document(url).to_string().as_bytes()))
                .with_header("content-encoding", "gzip")
        }),
        written("in gzip, which no header says", |text| gzipped(text.as_bytes())),
        shape("in deflate", |url, _| {
            Fault::junk(deflated(document(url).to_string().as_bytes()))
                .with_header("content-encoding", "deflate")
        }),
        shape("labelled `text/plain`", |url, _| {
            Fault::status(StatusCode::OK, "text/plain", document(url).to_string())
        }),
        written("cut off", |text| text.as_bytes()[..text.len() / 2].to_vec()),
        written("two MiB of it", |text| {
            let mut body = vec![b' '; 2 << 20];
            body.extend(text.as_bytes());
            body
        }),
        other("empty", Fault::junk("")),
        other("an array", Fault::junk("[]")),
        other("a hundred thousand brackets", Fault::junk("[".repeat(100_000))),
        other(
            "a page with status 200",
            Fault::status(StatusCode::OK, "text/html", "<!doctype html><title>Sign in</title>"),
        ),
    ]
}

fn of_answers() -> Vec<Shape> {
    let blocked = r#"{"error_code":"PERMISSION_DENIED","message":"Source IP address: 203.0.113.7 is blocked by Databricks IP ACL for workspace: 1"}"#;
    let limited = r#"{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow down"}"#;
    vec![
        shape("after a second", |url, _| {
            Fault::junk(document(url).to_string()).after(Duration::from_secs(1))
        }),
        other("never", Fault::never_answer()),
        other("the connection ends", Fault::drop_connection()),
        other(
            "a redirect",
            Fault::redirect(StatusCode::FOUND, "https://elsewhere.example/metadata"),
        ),
        other("403", json_of(403, blocked)),
        other("404", json_of(404, r#"{"error_code":"ENDPOINT_NOT_FOUND","message":"no"}"#)),
        other("429", json_of(429, limited)),
        other("500", json_of(500, r#"{"error_code":"INTERNAL_ERROR","message":"no"}"#)),
    ]
}
