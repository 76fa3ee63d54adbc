//! What is written to logs by `Debug`: the name of each thing and what it is about, never a secret.
#![allow(clippy::unwrap_used)]

use u2m_core::{
    AccessToken, ApiAccess, BeforeCallback, Entropy, Fingerprint, Host, HostMetadata, HttpResponse,
    LoginRequest, RefreshToken, Session, StoreFailure, Target, Timestamp,
};

fn host() -> Host {
    Host::parse("https://a.example").unwrap()
}

#[test]
fn each_thing_is_shown_by_its_name_and_without_its_secret() {
    let access = ApiAccess::new(host(), AccessToken::new("canary")).with_workspace_id(Some("7"));
    let me = access.me();
    let session =
        Session::new(AccessToken::new("canary")).with_refresh_token(RefreshToken::new("canary"));
    let answer = HttpResponse::new(200, b"canary".to_vec()).with_content_type("text/plain");
    for (shown, starts, has) in [
        (format!("{:?}", host()), "Host(", "https://a.example"),
        (format!("{:?}", Entropy::new([7; 64])), "Entropy(", "redacted"),
        (format!("{access:?}"), "ApiAccess", "https://a.example"),
        (format!("{:?}", me.request()), "GET ", "https://a.example/api/2.0/preview/scim/v2/Me"),
        (format!("{:?}", me.state()), "AwaitingApiResponse", ""),
        (format!("{answer:?}"), "HttpResponse(200", "6 bytes"),
        (format!("{:?}", session.access_token), "AccessToken(", "redacted"),
        (format!("{:?}", session.refresh_token.as_ref().unwrap()), "RefreshToken(", "redacted"),
        (format!("{:?}", StoreFailure::new(std::io::Error::other("full"))), "Custom", "full"),
        (format!("{:?}", HostMetadata::lookup(&host()).request()), "GET ", "databricks-config"),
    ] {
        assert!(shown.starts_with(starts) && shown.contains(has), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn a_login_that_waits_for_the_browser_is_shown_without_its_secrets() {
    let discovery = Target::discovery(u2m_core::ProfileName::parse("dev").unwrap());
    let BeforeCallback::Listen(listen) = LoginRequest::new(discovery).start(Entropy::new([7; 64]))
    else {
        panic!("a discovery login begins with its listener")
    };
    let browse = listen.bound(8020);
    let shown = format!("{browse:?}");
    assert!(shown.starts_with("Browse {") && shown.contains("server"), "{shown}");
    let query: Vec<String> =
        browse.url().query_pairs().map(|(_, value)| value.into_owned()).collect();
    let secrets = query.iter().filter(|value| value.len() > 30 && !value.contains("://"));
    for secret in secrets {
        assert!(!shown.contains(secret.as_str()), "{shown}");
    }
}

#[test]
fn a_fingerprint_is_half_a_hash_in_hexadecimal_and_is_read_back() {
    let of = Fingerprint::of_access(&AccessToken::new("abc"));
    // The first half of SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    assert_eq!(of.as_str(), "ba7816bf8f01cfea414140de5dae2223");
    assert_eq!(Fingerprint::parse(of.as_str()), Some(of));
    for other in ["", "BA7816BF8F01CFEA414140DE5DAE2223", "ba7816bf8f01cfea414140de5dae222"] {
        assert!(Fingerprint::parse(other).is_none(), "{other}");
    }
}

#[test]
fn answers_of_the_api_are_bounded_by_what_they_may_hold() {
    let access = ApiAccess::new(host(), AccessToken::new("t"));
    let account = u2m_core::AccountId::parse("acc").unwrap();
    assert_eq!(access.me().request().limit(), 1_048_576);
    assert_eq!(access.introspect().request().limit(), 1_048_576);
    assert_eq!(access.account_workspaces(&account).request().limit(), 16_777_216);
    assert_eq!(access.clusters(None).request().limit(), 16_777_216);
    assert_eq!(HostMetadata::lookup(&host()).request().limit(), 1_048_576);
}

#[test]
fn an_answer_that_is_too_long_is_none_of_the_apis_and_any_other_failure_is_the_networks() {
    use u2m_core::{ApiError, TransportFailure, TransportFailureKind as Kind};
    let access = ApiAccess::new(host(), AccessToken::new("t"));
    let failed = |kind| {
        let failure = Err(TransportFailure::new(kind));
        access.me().answered(failure, Timestamp::from_unix(0)).unwrap_err()
    };
    assert!(matches!(failed(Kind::TooLarge), ApiError::BadAnswer(200)));
    for kind in [Kind::NotSent, Kind::TimedOut] {
        let error = failed(kind);
        assert!(matches!(error, ApiError::Network(_)) && error.is_transient(), "{error}");
    }
}
