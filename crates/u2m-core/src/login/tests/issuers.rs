//! Whether the answer comes from the server that was asked (RFC 9207), in logins to a known host.

use super::*;

const ISSUER: &str = "https://a.example/oidc";

/// What becomes of a callback that names `iss`.
fn called_back(
    promises_iss: bool,
    outcome: &str,
    iss: Option<&str>,
) -> Result<LoginStep, LoginError> {
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
            Ok(LoginStep::Exchange(_))
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
    assert!(matches!(browse.called_back(callback), Ok(LoginStep::Exchange(_))));
}

#[test]
fn a28_a_missing_issuer_is_fatal_exactly_when_the_metadata_promises_one() {
    assert!(matches!(called_back(true, "code=c", None), Err(LoginError::NoIssuer)));
    assert!(
        matches!(called_back(true, "code=c", Some("")), Err(LoginError::NoIssuer)),
        "an empty one is absent"
    );
    assert!(matches!(called_back(false, "code=c", None), Ok(LoginStep::Exchange(_))));
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
    // As it arrives, the state is another attempt's.
    let crossed = format!("code=honest&state={}", state(&honest));
    assert!(matches!(evil.hear(&crossed), Heard::Junk(Junk::State)));
    // Even if the attacker fits in the right state, the issuer gives it away.
    let callback = code_of_honest(&evil);
    assert!(matches!(evil.called_back(callback), Err(LoginError::WrongIssuer)));
    let callback = code_of_honest(&honest);
    let call = exchange(honest.called_back(callback).unwrap());
    assert_eq!(call.request().url().as_str(), "https://a.example/oidc/v1/token");
}

#[test]
fn a30_a32_a_login_does_not_begin_with_metadata_of_another_issuer_or_another_host() {
    let elsewhere = metadata(ISSUER, false)
        .replace("https://a.example/oidc/v1/token", "https://evil.example/token");
    for (body, wrong_issuer) in [
        (metadata("https://a.example", false), true),
        (metadata("https://a.example/oidc/", false), true),
        (metadata("https://evil.example/oidc", false), true),
        (elsewhere, false),
    ] {
        let LoginStep::Discover(call) = workspace().start(entropy(1)) else {
            panic!("discovers first")
        };
        let Err(LoginError::Endpoints(error)) = call.answered(answer(200, &body), NOW) else {
            panic!("{body}")
        };
        let expected = if wrong_issuer {
            MetadataError::WrongIssuer
        } else {
            MetadataError::EndpointElsewhere("token_endpoint")
        };
        assert_eq!(error.to_string(), expected.to_string(), "{body}");
    }
}
