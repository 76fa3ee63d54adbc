//! What the token endpoint makes of the code: a failure that is the end, or a grant that may be less than was asked for.

use super::*;
use crate::call::TransportFailureKind;
use crate::wire::TokenEndpointError;

#[test]
fn a26_a_code_is_redeemed_once_and_its_failure_is_the_end() {
    let outcomes = [
        (Err(TransportFailure::new(TransportFailureKind::TimedOut)), true),
        (Err(TransportFailure::new(TransportFailureKind::Broken)), true),
        (answer(503, ""), true),
        (answer(400, r#"{"error":"invalid_grant","error_description":"code is spent"}"#), false),
        (answer(200, r#"{"access_token":""}"#), false),
        (answer(200, "<html>captive</html>"), true),
    ];
    for (outcome, transient) in outcomes {
        let browse = browse(workspace());
        let callback = callback(&browse, "code=c");
        let call = exchange(browse.called_back(callback).unwrap());
        assert_eq!(call.replay(), Replay::Unsafe);
        // Only a request that has not left may be repeated.
        assert!(!call.replay().may_follow(&outcome), "{outcome:?}");
        let error = call.answered(outcome, NOW).unwrap_err();
        assert!(matches!(error, LoginError::Exchange(_)), "{error:?}");
        assert_eq!(error.is_transient(), transient, "{error:?}");
    }
}

#[test]
fn err_2_the_servers_words_about_a_code_stay_reachable() {
    let browse = browse(workspace());
    let callback = callback(&browse, "code=c");
    let call = exchange(browse.called_back(callback).unwrap());
    let body = r#"{"error":"invalid_grant","error_description":"code is spent"}"#;
    let Err(LoginError::Exchange(TokenEndpointError::Refused(refusal))) =
        call.answered(answer(400, body), NOW)
    else {
        panic!("refused")
    };
    assert_eq!(refusal.to_string(), "code is spent (error code: invalid_grant)");
}

#[test]
fn without_offline_access_no_refresh_token_is_asked_for_and_none_is_needed() {
    for (offline, scope) in [(true, "offline_access files jobs"), (false, "files jobs")] {
        let mut request = workspace();
        request.scopes = Scopes::new(["files", "jobs"]);
        request.offline_access = offline;
        assert_eq!(asked(&browse(request.clone()), "scope").as_deref(), Some(scope));
        let store = sign_in(request, r#"{"access_token":"a","expires_in":3600}"#).unwrap();
        assert!(store.session().refresh_token.is_none());
    }
}

#[test]
fn a7_scope_1_a_narrower_grant_is_recorded_and_reported() {
    let with = |scopes: &[&str], granted: &str| {
        let mut request = workspace();
        request.scopes = Scopes::new(scopes.iter().copied());
        let body = format!(r#"{{"access_token":"a","scope":"{granted}"}}"#);
        let done = done(sign_in(request, &body).unwrap());
        let recorded =
            done.session().binding.as_ref().unwrap().scopes.as_ref().map(ToString::to_string);
        (done.missing_scopes().to_string(), recorded)
    };
    assert_eq!(
        with(&["sql", "jobs"], "jobs offline_access"),
        ("sql".into(), Some("jobs offline_access".into()))
    );
    assert_eq!(with(&["sql"], "sql jobs"), (String::new(), Some("sql jobs".into())));
    assert_eq!(
        with(&["sql"], ""),
        (String::new(), None),
        "a server that says nothing has granted what was asked for"
    );
    assert_eq!(with(&[], "sql").0, "all-apis", "no scope at all asks for all-apis");
    assert_eq!(with(&[], "all-apis offline_access").0, "");
}
