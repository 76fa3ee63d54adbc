use super::*;
use crate::call::AwaitsResponse;
use crate::call::HttpResponse;
use proptest::prelude::*;

fn access() -> ApiAccess {
    ApiAccess::new(Host::parse("https://a.example").unwrap(), AccessToken::new("canary"))
}

fn answered<T>(
    call: HttpCall<AwaitingApiResponse<T>>,
    status: u16,
    body: &str,
) -> Result<T, ApiError>
where
    AwaitingApiResponse<T>: AwaitsResponse<Next = T, Error = ApiError>,
{
    call.answered(Ok(HttpResponse::new(status, body.as_bytes().to_vec())), Timestamp::from_unix(0))
}

fn headers<T>(call: &HttpCall<AwaitingApiResponse<T>>) -> Vec<(&str, String)> {
    call.request().headers().map(|(name, value)| (name, value.to_owned())).collect()
}

#[test]
fn the_token_goes_into_one_header_and_the_workspace_into_another() {
    let bearer = ("authorization", "Bearer canary".to_owned());
    let alone = std::slice::from_ref(&bearer);
    assert_eq!(headers(&access().me()), alone);
    let routed = access().with_workspace_id(Some("7"));
    let workspace = ("x-databricks-workspace-id", "7".to_owned());
    assert_eq!(headers(&routed.introspect()), [bearer.clone(), workspace]);
    let account = AccountId::parse("acc").unwrap();
    assert_eq!(headers(&routed.account_workspaces(&account)), alone);
    for none in [None, Some(""), Some("none")] {
        assert_eq!(headers(&access().with_workspace_id(none).me()), alone, "{none:?}");
    }
}

#[test]
fn clusters_are_asked_for_a_page_at_a_time() {
    let query = |page| access().clusters(page).request().url().query().unwrap().to_owned();
    let first = "filter_by.cluster_sources=API&filter_by.cluster_sources=UI&page_size=100";
    assert_eq!(query(None), first);
    assert_eq!(query(Some("a&b")), format!("{first}&page_token=a%26b"));
}

#[test]
fn what_is_odd_in_a_list_hides_nothing_else() {
    let account = AccountId::parse("acc").unwrap();
    let listed = r#"[{"workspace_id": 7, "workspace_name": "one", "deployment_name": "d", "workspace_status": "RUNNING"},
        3, {"workspace_name": "no id"}, {"workspace_id": "8", "workspace_name": null, "more": {}}]"#;
    let listed = answered(access().account_workspaces(&account), 200, listed).unwrap();
    let short: Vec<_> = listed.iter().map(|one| (one.id.as_str(), one.name.as_str())).collect();
    assert_eq!(short, [("7", "one"), ("8", "")]);
    assert_eq!(answered(access().account_workspaces(&account), 200, "null").unwrap(), []);

    let page = r#"{"clusters": [{"cluster_id": "c", "cluster_name": "n", "state": "RUNNING",
        "spark_version": "15.4.x-scala2.12", "data_security_mode": "SINGLE_USER", "single_user_name": "me"}, {}],
        "next_page_token": "more"}"#;
    let page = answered(access().clusters(None), 200, page).unwrap();
    assert_eq!((page.clusters.len(), page.next.as_deref()), (1, Some("more")));
    assert_eq!(page.clusters[0].single_user_name.as_deref(), Some("me"));
    let last = answered(access().clusters(None), 200, r#"{"next_page_token": ""}"#).unwrap();
    assert_eq!(last, ClusterPage::default());
}

#[test]
fn a_token_belongs_to_a_workspace_or_to_an_account() {
    let scope = |scope: &str| {
        let body = format!(r#"{{"principal_context": {{"authentication_scope": {scope}}}}}"#);
        answered(access().introspect(), 200, &body).unwrap()
    };
    let both = scope(r#"{"account_id": "acc", "workspace_id": 12345}"#);
    assert_eq!(
        (both.account_id.as_deref(), both.workspace_id.as_deref()),
        (Some("acc"), Some("12345"))
    );
    assert_eq!(scope(r#"{"account_id": "acc", "workspace_id": 0}"#).workspace_id, None);
    assert_eq!(scope("null"), Principal::default());
}

#[test]
fn err_1_a_refusal_keeps_what_the_api_says_on_one_line() {
    let body = r#"{"error_code": "PERMISSION_DENIED", "message": "not\u001b[31m\nyou"}"#;
    let error = answered(access().me(), 403, body).unwrap_err();
    assert_eq!(error.to_string(), "the API answered 403: not you (PERMISSION_DENIED)");
    assert!(error.is_forbidden() && !error.rejects_the_token() && !error.is_transient());
    let scim = answered(access().me(), 401, r#"{"detail": "who?"}"#).unwrap_err();
    assert_eq!(scim.to_string(), "the API answered 401: who?");
    assert!(scim.rejects_the_token());
    let html = answered(access().me(), 502, "<html>").unwrap_err();
    assert_eq!(html.to_string(), "the API answered 502");
    assert!(html.is_transient());
}

#[test]
fn t9_what_is_not_the_api_is_a_bad_answer() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for body in ["", "<html>", "[]", "{}", r#"{"userName": 3}"#, deep.as_str()] {
        let error = answered(access().me(), 200, body).unwrap_err();
        assert!(matches!(error, ApiError::BadAnswer(200)), "{body}: {error}");
    }
    let large = Err(TransportFailure::new(TransportFailureKind::TooLarge));
    let error = access().me().answered(large, Timestamp::from_unix(0)).unwrap_err();
    assert!(!error.is_transient(), "{error}");
}

#[test]
fn a49_no_text_shows_the_token() {
    let call = access().with_workspace_id(Some("7")).me();
    assert!(!format!("{:?} {call:?}", access()).contains("canary"));
    let echoed = r#"{"error_code": "UNAUTHENTICATED", "message": "what is canary?"}"#;
    let error = answered(call, 401, echoed).unwrap_err();
    assert_eq!(error.to_string(), "the API answered 401: what is [secret]? (UNAUTHENTICATED)");
    assert!(!format!("{error:?}").contains("canary"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn t9_any_bytes_are_an_answer_or_an_error_and_never_a_panic(
        status in 100u16..600,
        body in "(?s).{0,200}|[\\[{](\"(userName|workspace_id|clusters|cluster_id|next_page_token|principal_context|authentication_scope|error_code|message)\":(\"x\"|-?[0-9]{1,25}|null|[\\[{]|[\\]}]|,)*,?)*[\\]}]",
    ) {
        let account = AccountId::parse("acc").unwrap();
        let _ = answered(access().me(), status, &body);
        let _ = answered(access().introspect(), status, &body);
        let _ = answered(access().clusters(None), status, &body);
        let _ = answered(access().account_workspaces(&account), status, &body);
    }
}
