//! Metadata documents: genuine ones, and those of other issuers.

use super::*;
use crate::call::HttpResponse;
use serde_json::{Value, json};

fn read(status: u16, body: impl Into<Vec<u8>>) -> Result<ServerMetadata, MetadataError> {
    read_as(&of_host(&[]), status, body)
}

fn read_as(
    expected: &ExpectedIssuer,
    status: u16,
    body: impl Into<Vec<u8>>,
) -> Result<ServerMetadata, MetadataError> {
    parse_metadata(Ok(Reply::bare(HttpResponse::new(status, body.into()))), expected)
}

fn hosts(named: &[&str]) -> Vec<Host> {
    named.iter().map(|text| Host::parse(text).unwrap()).collect()
}

/// The expectation for a host that was asked, and for hosts that a person named in addition.
fn of_host(also: &[&str]) -> ExpectedIssuer {
    let host = Host::parse("https://a.example").unwrap();
    ExpectedIssuer::of_host("https://a.example/oidc", host, hosts(also))
}

/// The expectation for an issuer that a person named.
fn exactly(also: &[&str]) -> ExpectedIssuer {
    let host = Host::parse("https://a.example").unwrap();
    ExpectedIssuer::exactly("https://a.example/oidc", host, hosts(also))
}

/// Names that are not on the host that was asked, however similar they look.
const NAMES_ELSEWHERE: [&str; 15] = [
    "https://b.example/oidc",
    "https://a.example:444/oidc",
    "http://a.example/oidc",
    "https://a.example./oidc",
    "https://a.example.evil.example/oidc",
    "https://xa.example/oidc",
    "https://a.exаmple/oidc",
    "https://u@a.example/oidc",
    "https://a.example@b.example/oidc",
    "https://a.example/oidc?x",
    "https://a.example/oidc#x",
    "https:///a.example/oidc",
    "//a.example/oidc",
    "a.example",
    "urn:a.example",
];

fn document(change: impl FnOnce(&mut Value)) -> String {
    let mut document = json!({
        "issuer": "https://a.example/oidc",
        "authorization_endpoint": "https://a.example/oidc/v1/authorize",
        "token_endpoint": "https://a.example/oidc/v1/token",
        "unknown": {"x": [1]},
    });
    change(&mut document);
    document.to_string()
}

#[test]
fn an_honest_document_is_believed() {
    let server = read(200, document(|_| ())).unwrap();
    assert_eq!(server.token_endpoint.as_str(), "https://a.example/oidc/v1/token");
    assert!(!server.callback_names_issuer);
    let host = Host::parse("https://a.example").unwrap();
    assert_eq!(server, ServerMetadata::at(&host, "/oidc").unwrap());
}

#[test]
fn a30_a_host_may_give_its_issuer_any_name_on_itself_or_none_and_the_login_is_the_hosts() {
    for issuer in [
        json!("https://a.example"),
        json!("https://a.example/"),
        json!("https://a.example/oidc/"),
        json!("https://a.example/oidc/accounts/7"),
        json!("https://A.example:443/oidc"),
        json!(""),
        Value::Null,
    ] {
        let server = read(200, document(|d| d["issuer"] = issuer.clone())).unwrap();
        assert_eq!(server.issuer, "https://a.example/oidc", "{issuer}");
        let named = issuer.as_str().filter(|text| !text.is_empty());
        assert_eq!(server.names_itself.as_deref(), named, "what a callback is compared with");
    }
    let body = document(|d| drop(d.as_object_mut().unwrap().remove("issuer")));
    assert_eq!(read(200, body).unwrap().names_itself, None);
}

#[test]
fn a30_a_document_that_names_its_issuer_on_another_host_is_discarded() {
    for issuer in NAMES_ELSEWHERE {
        let body = document(|d| d["issuer"] = json!(issuer));
        assert!(matches!(read(200, body), Err(MetadataError::WrongIssuer(_))), "{issuer}");
    }
    // Unless a person named that exact host.
    let body = document(|d| d["issuer"] = json!("https://b.example/oidc"));
    let server = read_as(&of_host(&["https://b.example"]), 200, body.clone()).unwrap();
    assert_eq!(server.issuer, "https://a.example/oidc");
    assert_eq!(server.names_itself.as_deref(), Some("https://b.example/oidc"));
    for other in ["https://b.example:444", "https://x.b.example", "http://localhost"] {
        let error = read_as(&of_host(&[other]), 200, body.clone()).unwrap_err();
        assert!(matches!(error, MetadataError::WrongIssuer(_)), "{other}");
    }
}

#[test]
fn a30_an_issuer_that_was_named_is_called_by_that_very_name_unless_its_host_was_allowed() {
    assert!(read_as(&exactly(&[]), 200, document(|_| ())).is_ok());
    let own = ["https://a.example", "https://a.example/oidc/", "https://A.example/oidc"];
    for issuer in own.into_iter().chain(NAMES_ELSEWHERE) {
        let body = document(|d| d["issuer"] = json!(issuer));
        let error = read_as(&exactly(&[]), 200, body.clone()).unwrap_err();
        assert!(matches!(error, MetadataError::WrongIssuer(_)), "{issuer}");
        let allowed = read_as(&exactly(&["https://a.example"]), 200, body);
        assert_eq!(allowed.is_ok(), own.contains(&issuer), "{issuer}");
    }
    let body = document(|d| d["issuer"] = Value::Null);
    let error = read_as(&exactly(&["https://b.example"]), 200, body.clone()).unwrap_err();
    assert!(matches!(error, MetadataError::MissingMember("issuer")));
    let server = read_as(&exactly(&["https://a.example"]), 200, body).unwrap();
    assert_eq!((server.issuer.as_str(), server.names_itself), ("https://a.example/oidc", None));
}

#[test]
fn a30_a_document_cannot_say_for_whom_it_was_asked() {
    for body in [
        document(|d| d["u2m_asked_for"] = json!("https://evil.example")),
        document(|d| {
            d["issuer"] = Value::Null;
            d["u2m_asked_for"] = json!("https://evil.example");
        }),
    ] {
        assert_eq!(read(200, body.clone()).unwrap().issuer, "https://a.example/oidc");
        let expected =
            ExpectedIssuer::unnamed(Host::parse("https://a.example").unwrap(), Vec::new());
        let server = read_as(&expected, 200, body).unwrap();
        assert!(server.issuer.starts_with("https://a.example"), "{}", server.issuer);
    }
}

#[test]
fn a30_the_metadata_of_another_account_is_another_issuers() {
    let host = Host::parse("https://a.example").unwrap();
    let expected = ExpectedIssuer::of_host("https://a.example/oidc/accounts/7", host, Vec::new());
    let named = |name: &str| read_as(&expected, 200, document(|d| d["issuer"] = json!(name)));
    for own in ["/oidc/accounts/7", "/oidc/accounts/7/", "/oidc", "", "/another/path"] {
        let server = named(&format!("https://a.example{own}")).unwrap();
        assert_eq!(server.issuer, "https://a.example/oidc/accounts/7", "{own}");
    }
    for other in ["/oidc/accounts/8", "/oidc/accounts/8/", "/oidc/accounts/77"] {
        let error = named(&format!("https://a.example{other}")).unwrap_err();
        assert!(matches!(error, MetadataError::WrongIssuer(_)), "{other}: {error:?}");
    }
    // The same for a callback, if the document names no issuer.
    let unnamed = read_as(&expected, 200, document(|d| d["issuer"] = Value::Null)).unwrap();
    assert!(unnamed.is_named("https://a.example/oidc/accounts/7"));
    assert!(!unnamed.is_named("https://a.example/oidc/accounts/8"));
}

#[test]
fn a27_a_callback_names_what_the_metadata_does_or_else_the_host() {
    let named = read(200, document(|d| d["issuer"] = json!("https://a.example/"))).unwrap();
    assert!(named.is_named("https://a.example/"));
    for other in ["https://a.example", "https://a.example/oidc", "https://A.example/"] {
        assert!(!named.is_named(other), "{other}");
    }
    let unnamed = read(200, document(|d| d["issuer"] = Value::Null)).unwrap();
    for own in ["https://a.example", "https://a.example/", "https://a.example/oidc/accounts/7"] {
        assert!(unnamed.is_named(own), "{own}");
    }
    for other in NAMES_ELSEWHERE {
        assert!(!named.is_named(other) && !unnamed.is_named(other), "{other}");
    }
}

#[test]
fn a10_a1_a32_endpoints_elsewhere_or_without_tls_are_refused() {
    use MetadataError::*;
    for (url, elsewhere) in [
        ("https://b.example/t", true),
        ("http://a.example/t", false),
        ("https://a.example/t#x", false),
        ("https://u@a.example/t", false),
        ("https://a.example:444/t", true),
        ("nonsense", false),
    ] {
        let error = read(200, document(|d| d["token_endpoint"] = json!(url))).unwrap_err();
        assert_eq!(matches!(error, EndpointElsewhere("token_endpoint", _)), elsewhere, "{url}");
        assert_eq!(matches!(error, UnusableEndpoint("token_endpoint")), !elsewhere, "{url}");
    }
}

#[test]
fn a15_metadata_with_only_plain_fails() {
    let body = document(|d| d["code_challenge_methods_supported"] = json!(["plain"]));
    assert!(matches!(read(200, body), Err(MetadataError::NoS256)));
    assert!(
        read(200, document(|d| d["code_challenge_methods_supported"] = json!(["plain", "S256"])))
            .is_ok()
    );
}

#[test]
fn endp_1_a_missing_document_means_not_supported_in_the_words_sdks_look_for() {
    let error = read(404, "nothing here").unwrap_err();
    assert_eq!(error.to_string(), "databricks OAuth is not supported for this host");
}

#[test]
fn endp_2_pages_and_junk_are_told_apart() {
    assert!(matches!(read(200, "  <!doctype html>"), Err(MetadataError::Html)));
    assert!(matches!(read(200, ""), Err(MetadataError::NotJson)));
    assert!(matches!(read(200, "[".repeat(100_000)), Err(MetadataError::NotJson)));
    assert!(matches!(read(200, "{}"), Err(MetadataError::MissingMember(_))));
    assert!(matches!(read(302, ""), Err(MetadataError::Status(302))));
    let whole = r#"["https://a.example/oidc",null,"https://a.example/a","https://a.example/t"]"#;
    assert!(matches!(read(200, whole), Err(MetadataError::NotJson)), "an array is no document");
    assert!(read(503, "").unwrap_err().is_transient());
}

#[test]
fn the_endpoint_pair_survives_serialisation() {
    let server = read(200, document(|_| ())).unwrap();
    let text = serde_json::to_string(&server).unwrap();
    assert_eq!(serde_json::from_str::<ServerMetadata>(&text).unwrap(), server);
    for issuer in [Value::Null, json!("https://a.example/")] {
        let body = document(|d| {
            d["issuer"] = issuer.clone();
            d["scopes_supported"] = json!(["openid", "offline_access"]);
        });
        let server = read(200, body).unwrap();
        assert!(server.scopes_supported.is_some());
        let text = serde_json::to_string(&server).unwrap();
        assert_eq!(serde_json::from_str::<ServerMetadata>(&text).unwrap(), server, "{text}");
    }
}

#[test]
fn of_a_member_that_is_there_twice_the_last_counts() {
    let with = |first: &str| document(|_| ()).replacen('{', &format!("{{{first},"), 1);
    for first in [r#""issuer":"https://b.example""#, r#""token_endpoint":7"#, r#""x":1,"x":2"#] {
        assert_eq!(read(200, with(first)).unwrap(), read(200, document(|_| ())).unwrap());
    }
    let twice = document(|_| ()).replacen('}', r#","y":{}}"#, 1);
    let last = twice.trim_end_matches('}').to_owned() + r#"},"issuer":"https://b.example"}"#;
    assert!(read(200, last).is_err());
}

#[test]
fn what_a_server_says_instead_of_its_metadata_is_shown() {
    let blocked = r#"{"error_code":"PERMISSION_DENIED","message":"Source IP address: 203.0.113.7 is blocked by Databricks IP ACL"}"#;
    let error = read(403, blocked).unwrap_err();
    assert!(error.is_transient(), "it goes by where one is");
    assert_eq!(
        error.to_string(),
        "http 403 instead of the metadata: Source IP address: 203.0.113.7 is blocked by Databricks IP ACL"
    );
    let error = read(400, r#"{"error":"x","error_description":"two\nlines"}"#).unwrap_err();
    assert_eq!(error.to_string(), "http 400 instead of the metadata: two lines");
    for silent in ["", "<html>", "no", r#"{"message":""}"#, r#"["message"]"#] {
        assert!(matches!(read(403, silent), Err(MetadataError::Status(403))), "{silent}");
    }
}

#[test]
fn members_that_a_login_can_do_without_may_be_of_any_type() {
    for odd in [json!(7), json!(true), json!({"x": []}), json!([7]), json!("x"), Value::Null] {
        let body = document(|d| {
            for name in ["revocation_endpoint", "device_authorization_endpoint", "scopes_supported"]
            {
                d[name] = odd.clone();
            }
        });
        let server = read(200, body).unwrap();
        assert_eq!(server, read(200, document(|_| ())).unwrap(), "{odd}");
    }
    for (name, odd) in [
        ("issuer", json!(7)),
        ("token_endpoint", json!(["https://a.example/t"])),
        ("code_challenge_methods_supported", json!("S256")),
        ("authorization_response_iss_parameter_supported", json!("true")),
    ] {
        let error = read(200, document(|d| d[name] = odd)).unwrap_err();
        assert!(matches!(error, MetadataError::NotJson), "{name}: {error:?}");
    }
}

#[test]
fn a32_endpoints_that_a_login_can_do_without_count_only_where_the_issuer_speaks_for_them() {
    let read_both = |url: &str| {
        let body = document(|d| {
            d["revocation_endpoint"] = json!(url);
            d["device_authorization_endpoint"] = json!(url);
        });
        let server = read(200, body).unwrap();
        (server.revocation_endpoint, server.device_authorization_endpoint)
    };
    let here = "https://a.example/oidc/v1/x";
    let found = Some(Url::parse(here).unwrap());
    assert_eq!(read_both(here), (found.clone(), found));
    for bad in [
        "https://b.example/x",
        "https://a.example:444/x",
        "http://a.example/x",
        "https://a.example/x#y",
        "https://u@a.example/x",
        "nonsense",
        "",
    ] {
        assert_eq!(read_both(bad), (None, None), "{bad}");
    }
}

#[test]
fn a32_a_host_that_was_named_may_have_endpoints() {
    let body = document(|d| d["token_endpoint"] = json!("https://tokens.example/t"));
    for expected in [of_host, exactly] {
        let error = read_as(&expected(&["https://b.example"]), 200, body.clone()).unwrap_err();
        assert!(matches!(error, MetadataError::EndpointElsewhere("token_endpoint", _)));
        let named = expected(&["https://tokens.example"]);
        assert!(read_as(&named, 200, body.clone()).is_ok());
    }
}

#[test]
fn a_path_that_leads_to_another_host_is_refused() {
    let host = Host::parse("https://a.example").unwrap();
    for bad in
        ["oidc", "@evil.example/", ":99999", ".evil.example/oidc", "/oidc?x", "/oidc#x", "/\\x"]
    {
        assert!(matches!(ServerMetadata::at(&host, bad), Err(MetadataError::NoPath(_))), "{bad}");
        let lookup = ServerMetadata::lookup(&host, bad);
        assert!(matches!(lookup, Err(MetadataError::NoPath(_))), "{bad}");
    }
    for (path, token) in
        [("", "/v1/token"), ("/oidc", "/oidc/v1/token"), ("/oidc/", "/oidc/v1/token")]
    {
        let server = ServerMetadata::at(&host, path).unwrap();
        assert_eq!(server.issuer, format!("https://a.example{path}"));
        assert_eq!(server.token_endpoint.as_str(), format!("https://a.example{token}"));
    }
}
