//! The token endpoint's response to the code: a failure that ends the login, or a grant that may be less than was requested.

use super::*;
use crate::call::TransportFailureKind;
use crate::oauth::TokenEndpointError;

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
        // Only a request that was not sent may be repeated.
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
        let done = sign_in(request, &body).unwrap().stored();
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

/// A login to an issuer that lists these scopes, or none: what was requested, and what is reported of the grant.
fn at_issuer(
    listed: Option<&str>,
    named: &str,
    offline: bool,
    grant: &str,
) -> (Option<String>, bool) {
    let issuer = "https://id.example";
    let mut request = LoginRequest::new(Target::issuer(issuer).unwrap());
    request.scopes = Scopes::split(named);
    request.offline_access = offline;
    let BeforeCallback::Discover(call) = request.start(entropy(7)) else { panic!("asks") };
    let list = listed.map(|list| format!(r#","scopes_supported":{list}"#)).unwrap_or_default();
    let body = metadata(issuer, false).replace('}', &format!("{list}}}"));
    let step = call.answered(answer(200, &body), NOW).unwrap();
    let BeforeCallback::Listen(listen) = step else { panic!("listens") };
    let browse = listen.bound(8020);
    let scope = asked(&browse, "scope");
    let callback = callback(&browse, "code=c");
    let call = exchange(browse.called_back(callback).unwrap());
    let done = call.answered(answer(200, grant), NOW).unwrap().stored();
    assert_eq!(done.asked_scopes().to_string(), scope.clone().unwrap_or_default());
    (scope, done.is_granted_otherwise())
}

#[test]
fn an_issuer_is_asked_for_what_it_lists_and_a_person_for_what_they_say() {
    const WHOLE: &str = r#"{"access_token":"a","refresh_token":"r"}"#;
    let scope = |listed, named, offline| at_issuer(listed, named, offline, WHOLE).0;
    let offline = || Some("offline_access".to_owned());
    assert_eq!(scope(None, "", true), offline(), "nobody says that it has none");
    assert_eq!(scope(Some(r#"["openid","offline_access"]"#), "", true), offline());
    assert_eq!(scope(Some(r#""offline_access""#), "", true), offline(), "that is no list");
    assert_eq!(scope(Some(r#"["openid","profile"]"#), "", true), None, "there is no such scope");
    assert_eq!(scope(None, "", false), None);
    let list = Some(r#"["openid"]"#);
    assert_eq!(scope(list, "reports openid", true), Some("reports openid".to_owned()));
    let all = "openid offline_access reports";
    assert_eq!(scope(list, all, false), Some(all.to_owned()), "as it was said");
    assert_eq!(scope(None, "reports", true), Some("offline_access reports".to_owned()));
}

#[test]
fn it_is_known_when_what_was_granted_is_not_what_was_asked_for() {
    let granted =
        |scope: &str| format!(r#"{{"access_token":"a","refresh_token":"r","scope":"{scope}"}}"#);
    let differs = |named: &str, grant: &str| at_issuer(None, named, true, grant).1;
    assert!(!differs("reports", r#"{"access_token":"a","refresh_token":"r"}"#), "it says nothing");
    assert!(!differs("reports", &granted("reports offline_access")));
    assert!(!differs("openid reports", &granted("reports")), "openid need not be listed");
    assert!(!differs("", &granted("whatever it thinks fit")));
    assert!(differs("reports", &granted("reports ledgers")), "more");
    assert!(differs("reports ledgers", &granted("reports")), "less");
    assert!(differs("reports", r#"{"access_token":"a"}"#), "no refresh token");
    assert!(differs("", r#"{"access_token":"a"}"#), "no refresh token");
}

#[test]
fn a_success_that_is_whole_but_odd_is_a_login() {
    for (body, refresh) in [
        ("\u{feff}{\"access_token\":\"the-access\",\"refresh_token\":\"r\"}", Some("r")),
        (r#"{"access_token":"the-access","refresh_token":"r","expires_in":-1}"#, Some("r")),
        (r#"{"access_token":"the-access","refresh_token":"r","expires_in":"soon"}"#, Some("r")),
        (
            r#"{"access_token":"the-access","refresh_token":"r","token_type":null,"scope":7}"#,
            Some("r"),
        ),
        (
            r#"{"access_token":"no","access_token":"the-access","refresh_token":12345678}"#,
            Some("12345678"),
        ),
        (r#"{"access_token":"the-access","refresh_token":12}"#, None),
        (")]}'\n{\"access_token\":\"the-access\"}\n{}", None),
        ("access_token=the-access&refresh_token=r", Some("r")),
    ] {
        let store = sign_in(workspace(), body).unwrap();
        let session = store.session();
        assert_eq!(session.access_token.expose(), "the-access", "{body}");
        let read = session.refresh_token.as_ref().map(|token| token.expose());
        assert_eq!(read, refresh, "{body}");
        assert!(session.expiry.unwrap() > NOW, "{body}");
    }
    for body in [
        r#"{"access_token":"a","refresh_token":"r","token_type":"mac"}"#,
        r#"{"access_token":"a\u0007","refresh_token":"r"}"#,
        r#"{"refresh_token":"r"}"#,
    ] {
        assert!(matches!(sign_in(workspace(), body), Err(LoginError::Exchange(_))), "{body}");
    }
}

#[test]
fn what_the_server_repeats_of_a_login_stays_out_of_its_errors() {
    let (pkce, state) = entropy(7).spend();
    for secret in ["the-code-1", state.expose(), pkce.verifier().expose()] {
        let browse = browse(workspace());
        let callback = callback(&browse, "code=the-code-1");
        let call = exchange(browse.called_back(callback).unwrap());
        let body = format!(r#"{{"error":"invalid_grant","error_description":"no such {secret}"}}"#);
        let error = call.answered(answer(400, &body), NOW).unwrap_err();
        let shown = crate::chain(&error);
        assert!(shown.ends_with("no such [secret] (error code: invalid_grant)"), "{shown}");
    }
}
