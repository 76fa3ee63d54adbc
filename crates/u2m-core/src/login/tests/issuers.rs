//! Checks that the callback comes from the server that was asked (RFC 9207), in logins to a known host.

use super::*;

const ISSUER: &str = "https://a.example/oidc";

/// The result of a callback that names `iss`.
fn called_back(
    promises_iss: bool,
    outcome: &str,
    iss: Option<&str>,
) -> Result<AfterCallback, LoginError> {
    let browse = browse_with(workspace(), 7, promises_iss);
    let mut query = form_urlencoded::Serializer::new(outcome.to_owned());
    if let Some(iss) = iss {
        query.append_pair("iss", iss);
    }
    let callback = callback(&browse, &query.finish());
    browse.called_back(callback)
}

#[test]
fn a27_an_issuer_is_compared_as_a_plain_string() {
    for promised in [true, false] {
        assert!(matches!(
            called_back(promised, "code=c", Some(ISSUER)),
            Ok(AfterCallback::Exchange(_))
        ));
        for other in [
            "https://a.example/oidc/",
            "https://a.example",
            "https://A.example/oidc",
            "HTTPS://a.example/oidc",
            "https://a.example:443/oidc",
            "https://a.example/%6Fidc",
            "https://a.example/oidc?x=1",
            "https://a.example/oidc#x",
            "http://a.example/oidc",
            "https://b.example/oidc",
            " https://a.example/oidc",
            "nonsense",
        ] {
            let outcome = called_back(promised, "code=c", Some(other));
            assert!(matches!(outcome, Err(LoginError::WrongIssuer)), "{other}: {outcome:?}");
        }
    }
}

#[test]
fn a27_an_issuer_that_arrives_percent_encoded_is_decoded_first() {
    let browse = browse_with(workspace(), 7, true);
    let callback = callback(&browse, "code=c&iss=https%3A%2F%2Fa.example%2Foidc");
    assert!(matches!(browse.called_back(callback), Ok(AfterCallback::Exchange(_))));
}

#[test]
fn a28_a_missing_issuer_is_fatal_exactly_when_the_metadata_promises_one() {
    assert!(matches!(called_back(true, "code=c", None), Err(LoginError::NoIssuer)));
    assert!(
        matches!(called_back(true, "code=c", Some("")), Err(LoginError::NoIssuer)),
        "an empty one is absent"
    );
    assert!(matches!(called_back(false, "code=c", None), Ok(AfterCallback::Exchange(_))));
}

#[test]
fn a29_a_refusal_from_an_unproven_issuer_is_not_laid_at_the_servers_door() {
    let refused = "error=access_denied";
    assert!(matches!(called_back(true, refused, Some(ISSUER)), Err(LoginError::Denied(_))));
    assert!(matches!(called_back(false, refused, None), Err(LoginError::Denied(_))));
    assert!(matches!(called_back(true, refused, None), Err(LoginError::NoIssuer)));
    for promised in [true, false] {
        assert!(matches!(
            called_back(promised, refused, Some("https://b.example")),
            Err(LoginError::WrongIssuer)
        ));
    }
}

#[test]
fn a22_the_crossed_callbacks_of_two_servers_are_refused() {
    let to = |name: &str| LoginRequest::new(Target::workspace(host(name)));
    let (honest, evil) = (
        browse_with(to("https://a.example"), 1, true),
        browse_with(to("https://b.example"), 2, true),
    );
    let code_of_honest =
        |browse: &Browse| callback(browse, "code=honest&iss=https%3A%2F%2Fa.example%2Foidc");
    // Unchanged, its state is that of another attempt.
    let crossed = format!("code=honest&state={}", state(&honest));
    assert!(matches!(evil.hear(&crossed), CallbackMatch::Ignored(IgnoredReason::State)));
    // Even if the attacker puts in the right state, the issuer gives the attack away.
    let callback = code_of_honest(&evil);
    assert!(matches!(evil.called_back(callback), Err(LoginError::WrongIssuer)));
    let callback = code_of_honest(&honest);
    let call = exchange(honest.called_back(callback).unwrap());
    assert_eq!(call.request().url().as_str(), "https://a.example/oidc/v1/token");
}

/// The metadata of a host that writes `issuer` like this, and has its endpoints in Databricks' layout.
fn calling_itself(issuer: Option<&str>) -> String {
    let member = issuer.map(|issuer| format!(r#""issuer":"{issuer}","#)).unwrap_or_default();
    metadata(ISSUER, false).replace(&format!(r#""issuer":"{ISSUER}","#), &member)
}

fn browse_of(request: LoginRequest, body: &str) -> Browse {
    let BeforeCallback::Discover(call) = request.start(entropy(7)) else {
        panic!("discovers first")
    };
    let step = call.answered(answer(200, body), NOW).unwrap();
    let BeforeCallback::Listen(listen) = step else { panic!("listens") };
    listen.bound(8020)
}

#[test]
fn a30_a_login_to_a_host_that_names_no_issuer_or_itself_otherwise_is_bound_to_the_host() {
    for name in [None, Some(""), Some("https://a.example"), Some("https://a.example/oidc/")] {
        let browse = browse_of(workspace(), &calling_itself(name));
        let callback = callback(&browse, "code=c");
        let call = exchange(browse.called_back(callback).unwrap());
        assert_eq!(call.request().url().as_str(), "https://a.example/oidc/v1/token");
        let store = call.answered(answer(200, GRANTED), NOW).unwrap();
        let endpoint = "https://a.example/oidc/v1/token";
        assert_eq!(binding(store.session()), (ISSUER, endpoint, "https://a.example", None));
        assert!(store.session().binding.as_ref().unwrap().allowed.is_empty());
    }
}

#[test]
fn a27_where_the_metadata_names_no_issuer_a_callback_names_the_host() {
    let of = |name: Option<&str>, iss: &str| {
        let browse = browse_of(workspace(), &calling_itself(name));
        let query =
            form_urlencoded::Serializer::new("code=c".to_owned()).append_pair("iss", iss).finish();
        let callback = callback(&browse, &query);
        browse.called_back(callback)
    };
    for iss in ["https://a.example", "https://a.example/", ISSUER] {
        assert!(matches!(of(None, iss), Ok(AfterCallback::Exchange(_))), "{iss}");
        assert!(matches!(of(Some(iss), iss), Ok(AfterCallback::Exchange(_))), "{iss}");
    }
    for iss in ["https://b.example/oidc", "https://a.example:444/oidc", "http://a.example", "x"] {
        assert!(matches!(of(None, iss), Err(LoginError::WrongIssuer)), "{iss}");
    }
    let differs = of(Some("https://a.example"), ISSUER);
    assert!(matches!(differs, Err(LoginError::WrongIssuer)), "what it says counts: {differs:?}");
}

#[test]
fn a30_an_issuer_on_another_host_that_was_allowed_by_name_stands_in_the_logins_record() {
    let named = |names: &[&str]| {
        let mut request = workspace();
        for name in names {
            request.trust = request.trust.with_host(host(name));
        }
        request
    };
    let body = calling_itself(Some("https://id.example/oidc"));
    let browse = browse_of(named(&["https://id.example", "https://other.example"]), &body);
    let wrong = callback(&browse, "code=c&iss=https%3A%2F%2Fa.example%2Foidc");
    assert!(matches!(browse.called_back(wrong), Err(LoginError::WrongIssuer)));
    let browse = browse_of(named(&["https://id.example", "https://other.example"]), &body);
    let right = callback(&browse, "code=c&iss=https%3A%2F%2Fid.example%2Foidc");
    let call = exchange(browse.called_back(right).unwrap());
    let store = call.answered(answer(200, GRANTED), NOW).unwrap();
    let binding = store.session().binding.clone().unwrap();
    assert_eq!((binding.issuer.as_str(), binding.host.as_str()), (ISSUER, "https://a.example"));
    assert_eq!(binding.allowed, [host("https://id.example")]);
}

#[test]
fn a30_an_issuer_that_was_named_and_writes_itself_otherwise_is_taken_when_its_host_was_allowed() {
    let request = |allowed: bool| {
        let mut request = LoginRequest::new(Target::issuer(ISSUER).unwrap());
        if allowed {
            request.trust = request.trust.with_host(host("https://a.example"));
        }
        request
    };
    for name in [None, Some("https://a.example/oidc/")] {
        let BeforeCallback::Discover(call) = request(false).start(entropy(7)) else {
            panic!("asks")
        };
        let body = calling_itself(name);
        let step = call.answered(answer(200, &body), NOW).unwrap();
        let BeforeCallback::Discover(call) = step else { panic!("looks in the other place") };
        assert!(call.answered(answer(404, ""), NOW).is_err(), "{name:?}");
        let browse = browse_of(request(true), &body);
        let callback = callback(&browse, "code=c");
        let call = exchange(browse.called_back(callback).unwrap());
        let store = call.answered(answer(200, GRANTED), NOW).unwrap();
        let binding = store.session().binding.clone().unwrap();
        assert_eq!(binding.issuer, ISSUER, "what was named");
        assert_eq!(binding.allowed, [host("https://a.example")], "its renewals need it too");
    }
}

#[test]
fn a30_a32_a_login_does_not_begin_with_metadata_that_leads_to_another_host() {
    let elsewhere = metadata(ISSUER, false)
        .replace("https://a.example/oidc/v1/token", "https://evil.example/token");
    for (body, wrong_issuer) in [
        (calling_itself(Some("https://evil.example/oidc")), Some("https://evil.example/oidc")),
        (calling_itself(Some("https://a.example:444/oidc")), Some("https://a.example:444/oidc")),
        (calling_itself(Some("http://a.example/oidc")), Some("http://a.example/oidc")),
        (metadata("https://evil.example/oidc", false), Some("https://evil.example/oidc")),
        (elsewhere, None),
    ] {
        let BeforeCallback::Discover(call) = workspace().start(entropy(1)) else {
            panic!("discovers first")
        };
        let Err(LoginError::Endpoints(error)) = call.answered(answer(200, &body), NOW) else {
            panic!("{body}")
        };
        let expected = match wrong_issuer {
            Some(name) => format!("the metadata is that of another issuer: {name}"),
            None => "the metadata's token_endpoint is on another host: https://evil.example".into(),
        };
        assert_eq!(error.to_string(), expected, "{body}");
    }
}

#[test]
fn an_issuer_is_looked_for_behind_a_place_that_is_forbidden_and_not_behind_one_in_trouble() {
    let first = || {
        let request = LoginRequest::new(Target::issuer(ISSUER).unwrap());
        let BeforeCallback::Discover(call) = request.start(entropy(1)) else {
            panic!("asks first")
        };
        call
    };
    for no in ["", r#"{"message":"not here"}"#] {
        let step = first().answered(answer(403, no), NOW).unwrap();
        let BeforeCallback::Discover(call) = step else { panic!("{step:?}") };
        let step = call.answered(answer(200, &metadata(ISSUER, false)), NOW).unwrap();
        assert!(matches!(step, BeforeCallback::Listen(_)), "{step:?}");
    }
    for trouble in [429, 500, 503] {
        let error = first().answered(answer(trouble, r#"{"message":"later"}"#), NOW).unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert_eq!(
            crate::chain(&error),
            format!("fetching OAuth endpoints: http {trouble} instead of the metadata: later")
        );
    }
}

#[test]
fn hosts_that_were_allowed_by_name_and_have_endpoints_stand_in_the_login() {
    let issuer = "https://id.example/pool";
    let mut request = LoginRequest::new(Target::issuer(issuer).unwrap());
    let named = [
        "https://tokens.example",
        "https://pages.example",
        "https://other.example",
        "https://id.example",
    ];
    for name in named {
        request.trust = request.trust.with_host(host(name));
    }
    let BeforeCallback::Discover(call) = request.start(entropy(1)) else {
        panic!("discovers first")
    };
    let body = format!(
        r#"{{"issuer":"{issuer}","authorization_endpoint":"https://pages.example/authorize",
        "token_endpoint":"https://tokens.example/token"}}"#
    );
    let BeforeCallback::Listen(listen) = call.answered(answer(200, &body), NOW).unwrap() else {
        panic!("listens")
    };
    let browse = listen.bound(8020);
    let callback = callback(&browse, "code=c");
    let call = exchange(browse.called_back(callback).unwrap());
    let store = call.answered(answer(200, r#"{"access_token":"a"}"#), NOW).unwrap();
    let binding = store.session().binding.clone().unwrap();
    // The host without endpoints and the login's own host are not recorded.
    assert_eq!(binding.allowed, [host("https://tokens.example"), host("https://pages.example")]);
    assert!(binding.allows(&binding.token_endpoint));
}
