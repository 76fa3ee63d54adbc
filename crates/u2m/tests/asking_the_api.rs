//! A host says who a token belongs to, where, and what there is to choose from.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};
use u2m::databricks::{ApiAccess, ApiError};
use u2m::transport::ReqwestTransport;
use u2m::{AccessToken, AccountId, Host, blocking};
use u2m_testkit::http::StatusCode;
use u2m_testkit::{Endpoint, Fault, RunningServer, Settings, Times};

fn start(settings: Settings) -> (RunningServer, ApiAccess) {
    let server = RunningServer::start_with(settings).unwrap();
    let tokens = server.sign_in("databricks-cli", "offline_access all-apis");
    let host = Host::parse(server.base_url()).unwrap();
    (server, ApiAccess::new(host, AccessToken::new(tokens.access_token())))
}

fn api(access: &ApiAccess) -> blocking::Api {
    blocking::Api::new(Arc::new(ReqwestTransport::new()), access.clone())
}

fn account() -> AccountId {
    AccountId::parse("acc-1").unwrap()
}

#[test]
fn a_token_is_asked_whose_it_is_and_where_it_belongs() {
    let settings =
        Settings::new().with_principal_in("acc-1", Some(12_345)).with_workspace(7, "one");
    let (server, access) = start(settings);
    let api = api(&access.with_workspace_id(Some("12345")));
    assert_eq!(api.me().unwrap().user_name, "fake.user@example.com");
    let principal = api.introspect().unwrap();
    assert_eq!(principal.account_id.as_deref(), Some("acc-1"));
    assert_eq!(principal.workspace_id.as_deref(), Some("12345"));
    let workspaces = api.account_workspaces(&account()).unwrap();
    assert_eq!((workspaces[0].id.as_str(), workspaces[0].name.as_str()), ("7", "one"));

    let routed: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.header("x-databricks-workspace-id").map(str::to_owned))
        .collect();
    assert_eq!(routed, [Some("12345".to_owned()), Some("12345".to_owned()), None]);
}

#[test]
fn clusters_are_fetched_a_page_at_a_time_and_no_further_than_wanted() {
    let cluster = |at: usize| serde_json::json!({"cluster_id": format!("c-{at}")});
    let settings = (0..250).fold(Settings::new(), |all, at| all.with_cluster(cluster(at)));
    let (server, access) = start(settings);
    let api = api(&access);
    let mut clusters = api.clusters();
    assert_eq!(clusters.next().unwrap().unwrap().id, "c-0");
    assert_eq!(server.counts().api, 1, "only the first page was needed");
    let mut count = 1;
    while clusters.next().unwrap().is_some() {
        count += 1;
    }
    assert_eq!((count, server.counts().api), (250, 3));
}

#[test]
fn err_1_what_the_api_says_is_told_and_the_token_is_not() {
    let (server, access) = start(Settings::new().with_me_refused(StatusCode::BAD_REQUEST));
    let error = api(&access).me().unwrap_err();
    assert_eq!(error.to_string(), "the API answered 400: this is not a workspace (BAD_REQUEST)");
    server.revoke_all();
    let error = api(&access).me().unwrap_err();
    assert!(error.rejects_the_token(), "{error}");
    let odd = ApiAccess::new(access.host().clone(), AccessToken::new("canary\n"));
    let error = api(&odd).me().unwrap_err();
    let text = format!("{error} {error:?} {}", u2m::text::chain(&error));
    assert!(matches!(error, ApiError::Network(_)) && !text.contains("canary"), "{text}");
}

#[test]
fn one_deadline_counts_for_everything_that_is_asked() {
    let (server, access) = start(Settings::new());
    server.inject(Endpoint::Api, Times::Always, Fault::never_answer());
    let start = Instant::now();
    let api = api(&access).with_timeout(Duration::from_millis(300));
    assert!(matches!(api.me(), Err(ApiError::Network(_))));
    assert!(matches!(api.introspect(), Err(ApiError::Network(_))));
    assert!(matches!(api.account_workspaces(&account()), Err(ApiError::Network(_))));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(server.counts().api, 1, "nothing is sent when the time is over");
}

#[test]
fn a_server_that_names_the_same_page_for_ever_is_left() {
    let (server, access) = start(Settings::new());
    let page = r#"{"clusters": [{"cluster_id": "c"}], "next_page_token": "again"}"#;
    let fault = Fault::status(StatusCode::OK, "application/json", page);
    server.inject(Endpoint::Api, Times::Always, fault);
    let api = api(&access);
    let mut clusters = api.clusters();
    let mut count = 0;
    while clusters.next().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn where_a_token_belongs_is_said_by_the_host_first_and_then_by_the_api() {
    let found = |settings: Settings| {
        let (server, access) = start(settings);
        let tokens = server.sign_in("databricks-cli", "offline_access all-apis");
        let token = AccessToken::new(tokens.access_token());
        blocking::login_location(Arc::new(ReqwestTransport::new()), access.host(), &token)
    };
    let silent = Settings::new().with_host_metadata(u2m_testkit::HostMetadata::absent());
    let api = found(silent.with_principal_in("acc-1", Some(12_345)));
    assert_eq!(api.account_id.as_deref(), Some("acc-1"));
    assert_eq!(api.workspace_id.as_deref(), Some("12345"));
    let unified = u2m_testkit::HostMetadata::unified("acc-2");
    let host = Settings::new().with_principal_in("acc-1", Some(7)).with_host_metadata(unified);
    let host = found(host);
    assert_eq!(host.account_id.as_deref(), Some("acc-2"), "its own word goes first");
    assert_eq!(host.workspace_id.as_deref(), Some("7"));
}

#[test]
fn a_time_that_no_clock_can_show_is_as_good_as_for_ever() {
    let (_server, access) = start(Settings::new());
    assert!(api(&access).with_timeout(Duration::MAX).me().is_ok());
}

#[test]
fn who_asks_is_shown_with_the_host_and_without_the_token() {
    let access =
        ApiAccess::new(Host::parse("https://a.example").unwrap(), AccessToken::new("canary"));
    let shown =
        format!("{:?}", u2m::databricks::Api::new(Arc::new(ReqwestTransport::new()), access));
    assert!(shown.starts_with("Api {") && shown.contains("a.example"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}
