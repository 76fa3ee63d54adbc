//! What a host says of itself, and an authorization server's metadata (A10, A15, A30, A32, HOST-2). The first line of an
//! input is a status and an issuer, the rest a body.
//!
//! - A document is believed only with a success, with no name for its issuer or one on the host that was asked, and with
//!   endpoints on that host, over TLS, without fragment and user info, and where `S256` is offered or nothing is said. The
//!   login is recorded under the issuer that was asked for, whatever the document says.
//! - What is believed survives being written and read again.
//! - An issuer's host and token endpoint are one place; what is trusted is below one of Databricks' names.
//! - Whatever a host says of itself, the login stays on that host and with the account that the caller named.
//! - An error is one printable line.
#![no_main]

use serde_json::Value;
use u2m_core::fuzzing::metadata;
use u2m_core::{
    AccountId, Host, HostMetadata, HttpResponse, IssuerTrust, ServerMetadata, Target, Timestamp,
    TrustDecision, derive_host_from_issuer, derive_token_endpoint,
};
use u2m_fuzz::{assert_one_printable_line, status_line, words};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((status, issuer, body)) = status_line(input) else { return };
    let answer = HttpResponse::new(status, body.to_vec()).with_content_type("application/json");
    let host = Host::parse("https://a.example").expect("a host");
    for asked in [Some(issuer), None] {
        match metadata(answer.clone(), asked, &host) {
            Ok(server) => believed(&server, asked, status, body, &host),
            Err(error) => assert_one_printable_line(&words(&error)),
        }
    }
    issued(issuer);
    let own = HostMetadata::lookup(&host).answered(Ok(answer), Timestamp::from_unix(0));
    described(&own.expect("an answer arrived"), status, body, host);
});

fn believed(server: &ServerMetadata, asked: Option<&str>, status: u16, body: &[u8], host: &Host) {
    assert!((200..300).contains(&status));
    assert!(asked.is_none_or(|asked| asked == server.issuer) && !server.issuer.is_empty());
    if let (Some(asked), Some(name)) = (asked, &server.names_itself) {
        assert!(name == asked || derive_host_from_issuer(name).as_ref() == Ok(host), "{name:?}");
    }
    let more = [&server.revocation_endpoint, &server.device_authorization_endpoint];
    let all = [&server.authorization_endpoint, &server.token_endpoint];
    for url in all.into_iter().chain(more.into_iter().flatten()) {
        assert_eq!(Host::of(url).as_ref(), Ok(host));
        assert!(url.scheme() == "https" && url.fragment().is_none() && url.username().is_empty());
    }
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        let name = json["issuer"].as_str().filter(|name| !name.is_empty());
        assert_eq!(name, server.names_itself.as_deref());
        match &json["code_challenge_methods_supported"] {
            Value::Null => {}
            methods => {
                let mut methods = methods.as_array().into_iter().flatten();
                assert!(methods.any(|method| method == "S256"))
            }
        }
    }
    let text = serde_json::to_string(server).expect("it is plain data");
    let again: ServerMetadata = serde_json::from_str(&text).expect("it was just written");
    assert_eq!(again, *server);
}

fn issued(issuer: &str) {
    match (derive_host_from_issuer(issuer), derive_token_endpoint(issuer)) {
        (Ok(host), Ok(url)) => {
            assert_eq!(Host::of(&url).as_ref(), Ok(&host));
            assert!(url.path().ends_with("/v1/token") && url.query().is_none(), "{url}");
            assert_eq!(Host::parse(host.as_str()).as_ref(), Ok(&host));
            let name = host.as_str();
            let databricks = [".databricks.com", ".databricks.us", ".azuredatabricks.net"];
            let azure = [".databricks.azure.us", ".databricks.azure.cn"];
            let theirs = databricks.iter().chain(&azure).any(|zone| name.ends_with(zone));
            let trusted = IssuerTrust::databricks().of(&host);
            assert!(
                trusted == TrustDecision::No || (theirs && name.starts_with("https://")),
                "{host}"
            );
        }
        (Err(error), Err(_)) => assert_one_printable_line(&words(&error)),
        (host, url) => panic!("{issuer:?}: {host:?} {url:?}"),
    }
}

fn described(metadata: &HostMetadata, status: u16, body: &[u8], host: Host) {
    // Bytes that are not UTF-8 are looked at only where a member counts.
    let junk = std::str::from_utf8(body).is_ok() && serde_json::from_slice::<Value>(body).is_err();
    if !(200..300).contains(&status) || junk {
        assert_eq!(*metadata, HostMetadata::default());
    }
    let account = AccountId::parse("abc").expect("an account");
    let unified = Target::unified(host.clone(), account.clone());
    let target = metadata.target(host.clone(), Some(account));
    assert_eq!(target.host(), Some(&host));
    let expected =
        if metadata.serves_accounts() { unified } else { Target::workspace(host.clone()) };
    assert_eq!(target.cache_key(), expected.cache_key());
    let nobody = metadata.target(host.clone(), None);
    assert_eq!(nobody.cache_key(), Target::workspace(host).cache_key());
}
