//! Logins that learn their host from the callback: the issuer is followed only when the rule trusts it (T6).

use super::*;
use crate::target::CacheKey;

fn request() -> LoginRequest {
    LoginRequest::new(Target::discovery(ProfileName::parse("dev").unwrap()))
}

/// The result of a callback that names `iss`.
fn called_back(request: LoginRequest, iss: Option<&str>) -> Result<AfterCallback, LoginError> {
    let browse = browse(request);
    let mut query = form_urlencoded::Serializer::new("code=the-code".to_owned());
    if let Some(iss) = iss {
        query.append_pair("iss", iss);
    }
    let callback = callback(&browse, &query.finish());
    browse.called_back(callback)
}

fn verify(step: AfterCallback) -> HttpCall<VerifyingIssuer> {
    match step {
        AfterCallback::Verify(call) => call,
        AfterCallback::Confirm(confirm) => verify(confirm.answered(true).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn sign_in_at(iss: &str) -> LoggedIn {
    let call = verify(called_back(request(), Some(iss)).unwrap());
    let step = call.answered(answer(200, &metadata(iss, false)), NOW).unwrap();
    exchange(step).answered(answer(200, GRANTED), NOW).unwrap().stored()
}

#[test]
fn a_discovery_login_starts_at_the_login_page_and_names_no_host() {
    let BeforeCallback::Listen(listen) = request().start(entropy(7)) else {
        panic!("no host to ask")
    };
    let browse = listen.bound(8020);
    assert!(
        browse
            .url()
            .as_str()
            .starts_with("https://login.databricks.com/?destination_url=%2Foidc%2Fv1%2Fauthorize")
    );
    assert!(browse.host().is_none() && !browse.url().as_str().contains("target="));
    let mut to_account = request();
    to_account.to_account = true;
    to_account.discovery_host = Url::parse("http://127.0.0.1:9").unwrap();
    let url = super::browse(to_account).url().to_string();
    assert!(
        url.starts_with("http://127.0.0.1:9/?destination_url=") && url.ends_with("&target=ACCOUNT"),
        "{url}"
    );
}

#[test]
fn disc_1_the_issuer_of_a_trusted_zone_is_verified_before_the_code_is_sent() {
    let iss = "https://adb-1.azuredatabricks.net/oidc";
    let call = verify(called_back(request(), Some(iss)).unwrap());
    assert_eq!(
        call.request().url().as_str(),
        format!("{iss}/.well-known/oauth-authorization-server")
    );
    assert!(call.request().form().is_none(), "neither code nor verifier goes along");
    assert_eq!(call.state().host().as_str(), "https://adb-1.azuredatabricks.net");
    let call = exchange(call.answered(answer(200, &metadata(iss, false)), NOW).unwrap());
    assert_eq!(call.request().url().as_str(), format!("{iss}/v1/token"));
    let store = call.answered(answer(200, GRANTED), NOW).unwrap();
    assert_eq!(store.key().as_str(), "dev");
    let host = "https://adb-1.azuredatabricks.net";
    assert_eq!(binding(store.session()), (iss, format!("{iss}/v1/token").as_str(), host, None));
}

#[test]
fn t6_an_issuer_that_is_not_trusted_gets_no_connection() {
    for iss in [
        "https://evil.com/oidc",
        "https://cloud.databricks.com.evil.com/oidc",
        "https://xazuredatabricks.net/oidc",
        "https://127.0.0.1/oidc",
        "http://127.0.0.1:9/oidc",
        "https://[::1]/oidc",
        "https://x.cloud.databricks.com:444/oidc",
        "https://xn--nke-1ma.databricks.com/oidc",
    ] {
        let error = called_back(request(), Some(iss)).unwrap_err();
        assert!(matches!(error, LoginError::UntrustedIssuer(_)), "{iss}: {error:?}");
    }
    for iss in [
        "https://a@x.azuredatabricks.net",
        "https://x.azuredatabricks.net/oidc?x",
        "http://x.azuredatabricks.net",
        "x",
    ] {
        let error = called_back(request(), Some(iss)).unwrap_err();
        assert!(matches!(error, LoginError::Issuer(_)), "{iss}: {error:?}");
    }
}

#[test]
fn the_callback_of_a_discovery_login_has_to_name_an_issuer() {
    for iss in [None, Some("")] {
        let error = called_back(request(), iss).unwrap_err();
        assert_eq!(error.to_string(), "the callback did not include an issuer (iss) parameter");
    }
}

#[test]
fn t6_a_unified_host_is_followed_only_when_the_person_agrees_to_it() {
    let iss = Some("https://nike.databricks.com/oidc/accounts/abc");
    let confirm = |step| match step {
        AfterCallback::Confirm(confirm) => confirm,
        other => panic!("{other:?}"),
    };
    let asked = confirm(called_back(request(), iss).unwrap());
    assert_eq!(asked.host().as_str(), "https://nike.databricks.com");
    let error = asked.answered(false).unwrap_err();
    assert_eq!(error.to_string(), "signing in to https://nike.databricks.com was not confirmed");
    assert!(matches!(
        confirm(called_back(request(), iss).unwrap()).answered(true),
        Ok(AfterCallback::Verify(_))
    ));
    let mut widened = request();
    widened.trust = IssuerTrust::databricks().with_host(host("https://nike.databricks.com"));
    assert!(
        matches!(called_back(widened, iss), Ok(AfterCallback::Verify(_))),
        "a host trusted by name is not asked about"
    );
}

#[test]
fn a30_a32_the_issuers_own_metadata_has_to_agree() {
    let iss = "https://adb-1.azuredatabricks.net/oidc";
    let answered = |body: &str| {
        verify(called_back(request(), Some(iss)).unwrap()).answered(answer(200, body), NOW)
    };
    let other = metadata("https://adb-2.azuredatabricks.net/oidc", false);
    assert!(matches!(answered(&other), Err(LoginError::Endpoints(MetadataError::WrongIssuer(_)))));
    let named = |issuer: &str| metadata(iss, false).replace(&format!("\"{iss}\""), issuer);
    for own in ["null", "\"https://adb-1.azuredatabricks.net\"", &format!("\"{iss}/\"")] {
        assert!(matches!(answered(&named(own)), Ok(AfterCallback::Exchange(_))), "{own}");
    }
    let port = named("\"https://adb-1.azuredatabricks.net:444/oidc\"");
    assert!(matches!(answered(&port), Err(LoginError::Endpoints(MetadataError::WrongIssuer(_)))));
    let elsewhere = metadata(iss, false)
        .replace(&format!("{iss}/v1/token"), "https://adb-2.azuredatabricks.net/t");
    assert!(matches!(
        answered(&elsewhere),
        Err(LoginError::Endpoints(MetadataError::EndpointElsewhere(..)))
    ));
    assert!(matches!(answered("<html>"), Err(LoginError::Endpoints(MetadataError::Html))));
}

#[test]
fn a30_the_metadata_is_of_the_account_that_the_callback_named() {
    let host = "https://accounts.cloud.databricks.com";
    let at = |path: &str| format!("{host}/oidc{path}");
    for (iss, own, other) in [
        (
            at("/accounts/7"),
            vec![at("/accounts/7"), at("/accounts/7/"), at("/accounts/7//"), host.to_owned()],
            vec![
                at("/accounts/8"),
                at("/accounts/77"),
                at("/accounts/7/8"),
                at("/accounts"),
                at(""),
            ],
        ),
        (at("/accounts/7/"), vec![at("/accounts/7"), format!("{host}/")], vec![at("/accounts/8/")]),
        (at(""), vec![at(""), at("/")], vec![at("/accounts/8"), at("/x"), format!("{host}/OIDC")]),
    ] {
        let answered = |named: &str| {
            let body = metadata(&at("/accounts/7"), false);
            let body =
                body.replacen(&format!("\"{}\"", at("/accounts/7")), &format!("\"{named}\""), 1);
            verify(called_back(request(), Some(&iss)).unwrap()).answered(answer(200, &body), NOW)
        };
        for named in own.iter().map(String::as_str).chain([""]) {
            let step = answered(named);
            assert!(matches!(step, Ok(AfterCallback::Exchange(_))), "{iss} {named}: {step:?}");
        }
        for named in other {
            let error = answered(&named).unwrap_err();
            let is_refused = matches!(&error, LoginError::Endpoints(MetadataError::WrongIssuer(told)) if told.as_str() == named);
            assert!(is_refused, "{iss} {named}: {error:?}");
        }
    }
}

#[test]
fn a30_a_host_that_was_allowed_by_name_is_followed_as_databricks_hosts_are() {
    for iss in ["http://127.0.0.1:9000/oidc", "https://id.example:8443/pool"] {
        let named = crate::derive_host_from_issuer(iss).unwrap();
        let request = || LoginRequest {
            trust: IssuerTrust::databricks().with_host(named.clone()),
            ..request()
        };
        let body = metadata(iss, false);
        for name in [format!("\"{iss}\""), "null".to_owned(), format!("\"{named}\"")] {
            let body = body.replacen(&format!("\"{iss}\""), &name, 1);
            let call = verify(called_back(request(), Some(iss)).unwrap());
            let call = exchange(call.answered(answer(200, &body), NOW).unwrap());
            let store = call.answered(answer(200, GRANTED), NOW).unwrap();
            let endpoint = format!("{iss}/v1/token");
            let (issuer, to, host, _) = binding(store.session());
            assert_eq!((issuer, to, host), (iss, endpoint.as_str(), named.as_str()), "{name}");
        }
        let evil = body.replacen(&format!("\"{iss}\""), "\"https://evil.example/oidc\"", 1);
        let call = verify(called_back(request(), Some(iss)).unwrap());
        let error = call.answered(answer(200, &evil), NOW).unwrap_err();
        assert!(matches!(error, LoginError::Endpoints(MetadataError::WrongIssuer(_))), "{error:?}");
    }
}

#[test]
fn a_trusted_host_without_metadata_has_databricks_layout() {
    let iss = "https://adb-1.azuredatabricks.net/oidc";
    let call = verify(called_back(request(), Some(iss)).unwrap());
    let call = exchange(call.answered(answer(404, ""), NOW).unwrap());
    assert_eq!(call.request().url().as_str(), format!("{iss}/v1/token"));
}

#[test]
fn arg_4_disc_2_the_login_says_which_target_was_found() {
    let id = |text| AccountId::parse(text).unwrap();
    for (iss, found) in [
        (
            "https://adb-1.azuredatabricks.net/oidc",
            Target::workspace(host("https://adb-1.azuredatabricks.net")),
        ),
        (
            "https://accounts.cloud.databricks.com/oidc/accounts/abc",
            Target::account(host("https://accounts.cloud.databricks.com"), id("abc")),
        ),
        (
            "https://nike.databricks.com/oidc/accounts/abc",
            Target::unified(host("https://nike.databricks.com"), id("abc")),
        ),
        (
            "https://nike.databricks.com/oidc",
            Target::workspace(host("https://nike.databricks.com")),
        ),
    ] {
        let done = sign_in_at(iss);
        let profile = ProfileName::parse("dev").unwrap();
        assert_eq!(
            done.target(),
            found.with_key(CacheKey::new("dev")).with_profile(profile),
            "{iss}"
        );
        assert_eq!(done.issuer(), Some(iss));
        let account = done.session().binding.as_ref().unwrap().account_id.clone();
        assert_eq!(account, iss.split_once("/accounts/").map(|(_, id)| id.to_owned()), "{iss}");
    }
}

#[test]
fn disc_2_the_found_target_gets_tokens_from_the_login_at_once() {
    use crate::token::{TokenRequest, TokenStep, WhichToken};
    for iss in
        ["https://adb-1.azuredatabricks.net/oidc", "https://nike.databricks.com/oidc/accounts/abc"]
    {
        let done = sign_in_at(iss);
        let TokenStep::Load(load) = TokenRequest::new(done.target()).start(WhichToken::Usable, NOW)
        else {
            panic!("loads first")
        };
        let step = load.loaded(Some(done.session().clone()), NOW).unwrap();
        assert!(matches!(step, TokenStep::Done(_)), "{iss}");
    }
}

#[test]
fn disc_3_a_second_callback_does_not_change_the_issuer_of_the_first() {
    let browse = browse(request());
    let first = callback(&browse, "code=c&iss=https%3A%2F%2Fadb-1.azuredatabricks.net%2Foidc");
    let second = callback(&browse, "code=d&iss=https%3A%2F%2Fadb-2.azuredatabricks.net%2Foidc");
    drop(second);
    let call = verify(browse.called_back(first).unwrap());
    assert_eq!(call.state().host().as_str(), "https://adb-1.azuredatabricks.net");
}
