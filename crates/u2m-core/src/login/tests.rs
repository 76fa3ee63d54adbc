//! Scenarios of signing in: every kind of target, from the first step to the session.

use super::*;
use crate::Replay;
use crate::call::HttpResponse;
use crate::databricks::Host;
use crate::names::{AccountId, ProfileName};
use crate::session::Session;
use url::form_urlencoded;

#[path = "tests/callbacks.rs"]
mod callbacks;
#[path = "tests/discovery.rs"]
mod discovery;
#[path = "tests/grants.rs"]
mod grants;
#[path = "tests/issuers.rs"]
mod issuers;

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
const REDIRECT: &str = "http://localhost:8020";
const GRANTED: &str =
    r#"{"access_token":"the-access","refresh_token":"the-refresh","expires_in":3600}"#;

fn host(text: &str) -> Host {
    Host::parse(text).unwrap()
}

fn workspace() -> LoginRequest {
    LoginRequest::new(Target::workspace(host("https://a.example")))
}

fn account_id() -> AccountId {
    AccountId::parse("abc").unwrap()
}

fn entropy(seed: u8) -> Entropy {
    Entropy::new(std::array::from_fn(|at| seed.wrapping_add(at as u8)))
}

fn answer(status: u16, body: &str) -> Result<HttpResponse, TransportFailure> {
    Ok(HttpResponse::new(status, body.into()).with_content_type("application/json"))
}

fn metadata(issuer: &str, promises_iss: bool) -> String {
    format!(
        r#"{{"issuer":"{issuer}","authorization_endpoint":"{issuer}/v1/authorize","token_endpoint":"{issuer}/v1/token",
        "authorization_response_iss_parameter_supported":{promises_iss}}}"#
    )
}

/// Continues to the browser. A host that is asked responds with its issuer's metadata.
fn browse_with(request: LoginRequest, seed: u8, promises_iss: bool) -> Browse {
    let mut step = request.start(entropy(seed));
    loop {
        step = match step {
            BeforeCallback::Discover(call) => {
                let url = call.request().url().as_str();
                let issuer = url.strip_suffix("/.well-known/oauth-authorization-server").unwrap();
                let body = metadata(issuer, promises_iss);
                call.answered(answer(200, &body), NOW).unwrap()
            }
            BeforeCallback::Listen(listen) => return listen.bound(8020),
        };
    }
}

fn browse(request: LoginRequest) -> Browse {
    browse_with(request, 7, false)
}

/// A parameter of a query, decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// A parameter of the authorization request, also where a discovery login wraps it.
fn asked(browse: &Browse, name: &str) -> Option<String> {
    let query = browse.url().query().unwrap();
    let inner = parameter(query, "destination_url");
    parameter(
        inner.as_deref().and_then(|url| url.split_once('?')).map_or(query, |(_, inner)| inner),
        name,
    )
}

fn state(browse: &Browse) -> String {
    asked(browse, "state").unwrap()
}

fn callback(browse: &Browse, query: &str) -> Callback {
    let query = form_urlencoded::Serializer::new(query.to_owned())
        .append_pair("state", &state(browse))
        .finish();
    match browse.hear(&query) {
        CallbackMatch::Callback(callback) => callback,
        CallbackMatch::Ignored(junk) => panic!("{junk:?}"),
    }
}

fn exchange(step: AfterCallback) -> HttpCall<ExchangingCode> {
    match step {
        AfterCallback::Exchange(call) => call,
        other => panic!("{other:?}"),
    }
}

/// Signs in, with `granted` as the token endpoint's response.
fn sign_in(request: LoginRequest, granted: &str) -> Result<SaveLogin, LoginError> {
    let browse = browse(request);
    let callback = callback(&browse, "code=the-code");
    exchange(browse.called_back(callback)?).answered(answer(200, granted), NOW)
}

fn binding(session: &Session) -> (&str, &str, &str, Option<&str>) {
    let binding = session.binding.as_ref().expect("a login's session says whose it is");
    let (issuer, endpoint) = (binding.issuer.as_str(), binding.token_endpoint.as_str());
    (issuer, endpoint, binding.host.as_str(), binding.account_id.as_deref())
}

#[test]
fn every_kind_of_target_ends_in_a_session_that_is_bound_to_it() {
    let a = || host("https://a.example");
    for (target, issuer, account) in [
        (Target::workspace(a()), "https://a.example/oidc", None),
        (Target::account(a(), account_id()), "https://a.example/oidc/accounts/abc", Some("abc")),
        (Target::unified(a(), account_id()), "https://a.example/oidc/accounts/abc", Some("abc")),
    ] {
        let target = target.with_profile(ProfileName::parse("dev").unwrap());
        let store = sign_in(LoginRequest::new(target.clone()), GRANTED).unwrap();
        assert_eq!(store.key().as_str(), "dev");
        let endpoint = format!("{issuer}/v1/token");
        assert_eq!(
            binding(store.session()),
            (issuer, endpoint.as_str(), "https://a.example", account)
        );
        assert_eq!(store.session().binding.as_ref().unwrap().client_id, "databricks-cli");
        assert_eq!(store.session().expiry, Some(NOW.plus(Lifetime::from_seconds(3600))));
        assert_eq!(store.session().issued_at, Some(NOW));
        let done = store.stored();
        assert_eq!(done.target(), target);
        assert_eq!(done.token().access_token().expose(), "the-access");
        assert_eq!((done.issuer(), done.host()), (Some(issuer), Some(&a())));
    }
}

#[test]
fn an_accounts_endpoints_are_fixed_and_every_other_host_is_asked() {
    let a = || host("https://a.example");
    let first = |target| LoginRequest::new(target).start(entropy(1));
    assert!(matches!(first(Target::account(a(), account_id())), BeforeCallback::Listen(_)));
    for (target, path) in [
        (Target::workspace(a()), "/oidc/.well-known/oauth-authorization-server"),
        (
            Target::unified(a(), account_id()),
            "/oidc/accounts/abc/.well-known/oauth-authorization-server",
        ),
    ] {
        let BeforeCallback::Discover(call) = first(target) else { panic!("{path}") };
        assert_eq!(call.request().url().as_str(), format!("https://a.example{path}"));
        assert_eq!((call.request().form(), call.replay()), (None, Replay::Safe));
    }
}

#[test]
fn endp_1_a_host_without_oauth_ends_the_login_before_a_port_is_taken() {
    for (status, text) in [
        (404, "databricks OAuth is not supported for this host"),
        (500, "http 500 instead of the metadata"),
    ] {
        let BeforeCallback::Discover(call) = workspace().start(entropy(1)) else {
            panic!("discovers first")
        };
        let Err(LoginError::Endpoints(error)) = call.answered(answer(status, "{}"), NOW) else {
            panic!("{status}")
        };
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_supplier_of_the_callers_own_brings_the_endpoints() {
    let ask = |trust: IssuerTrust| {
        let mut request =
            LoginRequest::new(Target::account(host("https://a.example"), account_id()));
        (request.own_endpoints, request.trust) = (true, trust);
        let BeforeCallback::Discover(call) = request.start(entropy(1)) else {
            panic!("asks for the endpoints")
        };
        call
    };
    let url = |text| Url::parse(text).unwrap();
    let server = || {
        ServerMetadata::new(
            "https://id.example",
            url("https://id.example/a?tenant=1"),
            url("https://id.example/t"),
        )
    };
    // On a host other than the target's only if that host was named, including its port.
    let trust = IssuerTrust::databricks();
    for trust in [
        trust.clone(),
        trust.clone().with_zone("example"),
        trust.clone().with_host(host("https://id.example:444")),
    ] {
        let error = ask(trust).supplied(server()).unwrap_err();
        let LoginError::Endpoints(MetadataError::EndpointElsewhere(..)) = error else {
            panic!("{error:?}")
        };
    }
    let call = ask(trust.with_host(host("https://id.example")));
    let BeforeCallback::Listen(listen) = call.supplied(server()).unwrap() else {
        panic!("listens")
    };
    let browse = listen.bound(8020);
    assert!(
        browse.url().as_str().starts_with("https://id.example/a?tenant=1&client_id="),
        "a1: the query stays"
    );
    let callback = callback(&browse, "code=c");
    let call = exchange(browse.called_back(callback).unwrap());
    assert_eq!(call.request().url().as_str(), "https://id.example/t");
}

#[test]
fn a3_the_redirect_uri_of_the_exchange_is_that_of_the_request() {
    for port in [8020, 1337] {
        let BeforeCallback::Discover(call) = workspace().start(entropy(3)) else {
            panic!("discovers first")
        };
        let body = metadata("https://a.example/oidc", false);
        let BeforeCallback::Listen(listen) = call.answered(answer(200, &body), NOW).unwrap() else {
            panic!("listens")
        };
        let browse = listen.bound(port);
        let (requested, shown) =
            (asked(&browse, "redirect_uri").unwrap(), browse.redirect_uri().to_owned());
        let callback = callback(&browse, "code=c");
        let call = exchange(browse.called_back(callback).unwrap());
        let redeemed = parameter(call.request().form().unwrap(), "redirect_uri").unwrap();
        assert_eq!((requested.as_str(), shown.as_str()), (redeemed.as_str(), redeemed.as_str()));
        assert_eq!(redeemed, format!("http://localhost:{port}"));
    }
}

#[test]
fn a15_a16_verifier_and_challenge_belong_together_and_to_one_attempt() {
    let attempt = |seed| {
        let browse = browse_with(workspace(), seed, false);
        let (challenge, method) =
            (asked(&browse, "code_challenge").unwrap(), asked(&browse, "code_challenge_method"));
        assert_eq!(method.as_deref(), Some("S256"));
        let (state, callback) = (state(&browse), callback(&browse, "code=c"));
        let call = exchange(browse.called_back(callback).unwrap());
        let verifier = parameter(call.request().form().unwrap(), "code_verifier").unwrap();
        assert_eq!(
            Pkce::from_verifier(crate::CodeVerifier::new(verifier.as_str())).challenge(),
            challenge
        );
        (verifier, state)
    };
    let (one, other) = (attempt(1), attempt(2));
    assert!(one.0 != other.0 && one.1 != other.1);
}

#[test]
fn t14_no_step_of_a_login_shows_a_secret() {
    let mut secrets =
        vec!["the-code".to_owned(), "the-access".to_owned(), "the-refresh".to_owned()];
    let mut request = LoginRequest::new(Target::discovery(ProfileName::parse("dev").unwrap()));
    request.trust = IssuerTrust::databricks();
    for (request, iss) in
        [(workspace(), ""), (request, "&iss=https%3A%2F%2Fnike.databricks.com%2Foidc")]
    {
        let hides = |shown: String, secrets: &[String]| {
            assert!(!secrets.iter().any(|secret| shown.contains(secret.as_str())), "{shown}");
        };
        let first = request.start(entropy(9));
        let step = match first {
            BeforeCallback::Discover(call) => {
                call.answered(answer(200, &metadata("https://a.example/oidc", false)), NOW).unwrap()
            }
            other => other,
        };
        let BeforeCallback::Listen(listen) = step else { panic!("listens") };
        let listening = format!("{listen:?}");
        let browse = listen.bound(8020);
        let probe = browse_with(workspace(), 9, false);
        let callback_of_probe = callback(&probe, "code=the-code");
        secrets.push(state(&browse));
        let spent = exchange(probe.called_back(callback_of_probe).unwrap());
        secrets.push(parameter(spent.request().form().unwrap(), "code_verifier").unwrap());
        hides(listening, &secrets);
        hides(format!("{browse:?}"), &secrets);
        let heard = browse.hear(&format!("code=the-code{iss}&state={}", state(&browse)));
        hides(format!("{heard:?}"), &secrets);
        let CallbackMatch::Callback(callback) = heard else { panic!("heard") };
        let mut step = browse.called_back(callback).unwrap();
        let call = loop {
            hides(format!("{step:?}"), &secrets);
            step = match step {
                AfterCallback::Confirm(confirm) => confirm.answered(true).unwrap(),
                AfterCallback::Verify(call) => call.answered(answer(404, ""), NOW).unwrap(),
                AfterCallback::Exchange(call) => break call,
            };
        };
        let store = call.answered(answer(200, GRANTED), NOW).unwrap();
        hides(format!("{store:?}"), &secrets);
        hides(format!("{:?}", store.stored()), &secrets);
    }
}
