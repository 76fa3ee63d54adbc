//! Metadata documents: honest ones, and those of others.

use super::*;
use serde_json::{Value, json};

fn read(status: u16, body: impl Into<Vec<u8>>) -> Result<AuthorizationServer, MetadataError> {
    let host = Host::parse("https://a.example").unwrap();
    let expected = Expected::of("https://a.example/oidc", host);
    parse_metadata(Ok(Answer::new(status, body.into())), &expected)
}

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
    assert_eq!(server, AuthorizationServer::at(&host, "/oidc"));
}

#[test]
fn a30_a_document_of_another_issuer_is_discarded() {
    for issuer in [
        "https://a.example",
        "https://a.example/oidc/",
        "https://a.example:444/oidc",
        "https://A.example/oidc",
    ] {
        let body = document(|d| d["issuer"] = json!(issuer));
        assert!(matches!(read(200, body), Err(MetadataError::WrongIssuer)), "{issuer}");
    }
    let body = document(|d| d["issuer"] = Value::Null);
    assert!(matches!(read(200, body), Err(MetadataError::MissingMember("issuer"))));
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
        assert_eq!(matches!(error, EndpointElsewhere("token_endpoint")), elsewhere, "{url}");
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
    assert!(read(503, "").unwrap_err().is_transient());
}

#[test]
fn the_endpoint_pair_survives_serialisation() {
    let server = read(200, document(|_| ())).unwrap();
    let text = serde_json::to_string(&server).unwrap();
    assert_eq!(serde_json::from_str::<AuthorizationServer>(&text).unwrap(), server);
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
    let host = |text: &str| Host::parse(text).unwrap();
    let mut expected = Expected::of("https://a.example/oidc", host("https://a.example"));
    let body = document(|d| d["token_endpoint"] = json!("https://tokens.example/t"));
    let answer = || Ok(Answer::new(200, body.clone().into_bytes()));
    let error = parse_metadata(answer(), &expected).unwrap_err();
    assert!(matches!(error, MetadataError::EndpointElsewhere("token_endpoint")));
    expected.also.push(host("https://tokens.example"));
    assert!(parse_metadata(answer(), &expected).is_ok());
}
