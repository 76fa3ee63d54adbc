//! A configuration is checked against its host: by the right question, once, without changing anything.
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use u2m::check::{CheckError, CheckSubject, Identity, Inspector, Validity};
use u2m::config::{ConfigFile, Environment, SelectionArgs, resolve};
use u2m::databricks::HostDirectory;
use u2m::transport::{ReqwestTransport, Transport, TransportFailure};
use u2m_core::{HttpRequest, HttpResponse};
use u2m_testkit::http::StatusCode;
use u2m_testkit::{HostMetadata, RunningServer, Settings};

const TOKEN: &str = "dapi-inspected";

fn subject(config: &str) -> CheckSubject {
    let config = ConfigFile::parse(config).unwrap();
    let given = SelectionArgs { profile: Some("p"), ..SelectionArgs::default() };
    let resolved = resolve(&given, &|_| None, &config, Path::new("cfg")).unwrap();
    CheckSubject::of(&resolved, &Environment { env: &|_| None, config: &config }).unwrap()
}

/// What a check of a profile with `ids` finds out, and what it asked.
fn check(settings: Settings, ids: &str) -> (Result<Identity, CheckError>, Vec<String>) {
    let server = RunningServer::start_with(settings.with_personal_token(TOKEN)).unwrap();
    let config = format!("[p]\nhost = {}\ntoken = {TOKEN}\n{ids}", server.base_url());
    let inspector = Inspector::new(Arc::new(ReqwestTransport::new()));
    let found = inspector.check_blocking(&subject(&config));
    let asked = server.seen().into_iter().map(|seen| seen.path().to_owned());
    (found, asked.filter(|path| path.starts_with("/api")).collect())
}

const ME: &str = "/api/2.0/preview/scim/v2/Me";
const WORKSPACES: &str = "/api/2.0/accounts/acc-1/workspaces";

fn unified() -> Settings {
    Settings::new().with_host_metadata(HostMetadata::unified("acc-1"))
}

fn user(found: Result<Identity, CheckError>) -> String {
    found.unwrap().user_name.unwrap().to_string()
}

#[test]
fn a_workspace_says_who_one_is_and_nobody_else_is_asked() {
    let (found, asked) = check(Settings::new(), "account_id = acc-1");
    assert_eq!(
        (user(found).as_str(), asked.as_slice()),
        ("fake.user@example.com", [ME.to_owned()].as_slice())
    );
}

#[test]
fn a_workspace_that_refuses_is_followed_by_the_account() {
    let settings = unified().with_me_refused(StatusCode::BAD_REQUEST);
    let (found, asked) = check(settings, "account_id = acc-1\nworkspace_id = 7");
    let found = found.unwrap();
    assert_eq!((found.user_name, found.account_id.as_deref()), (None, Some("acc-1")));
    assert_eq!(asked, [ME, WORKSPACES]);
}

#[test]
fn without_an_account_there_is_nothing_to_follow() {
    let settings = Settings::new().with_me_refused(StatusCode::BAD_REQUEST);
    let (found, asked) = check(settings, "");
    assert_eq!((found.unwrap_err().category(), asked.len()), ("refused", 1));
}

#[test]
fn an_account_that_only_administrators_may_list_is_followed_by_the_workspace() {
    let settings = unified().with_workspaces_refused(StatusCode::FORBIDDEN);
    let (found, asked) = check(settings, "account_id = acc-1\nworkspace_id = none");
    assert_eq!(user(found), "fake.user@example.com");
    assert_eq!(asked, [WORKSPACES, ME]);
}

#[test]
fn if_both_refuse_the_first_is_told() {
    let settings = unified()
        .with_workspaces_refused(StatusCode::FORBIDDEN)
        .with_me_refused(StatusCode::BAD_REQUEST);
    let (found, asked) = check(settings, "account_id = acc-1");
    assert_eq!((found.unwrap_err().category(), asked.len()), ("forbidden", 2));
}

#[test]
fn a_token_that_is_not_taken_is_not_tried_twice() {
    let server = RunningServer::start_with(unified()).unwrap();
    let config = format!("[p]\nhost = {}\ntoken = wrong\naccount_id = acc-1", server.base_url());
    let inspector = Inspector::new(Arc::new(ReqwestTransport::new()));
    let error = inspector.check_blocking(&subject(&config)).unwrap_err();
    assert_eq!((error.category(), server.counts().api), ("unauthorized", 1));
}

/// Answers at once, and counts how many wait for an answer.
#[derive(Debug, Default)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Transport for Counting {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        let body = match request.url().path() {
            ME => r#"{"userName": "me"}"#,
            _ => r#"{"host_type": "workspace"}"#,
        };
        Ok(HttpResponse::new(200, body.into()))
    }
}

#[test]
fn profiles_are_checked_eight_at_a_time_in_the_order_of_the_file() {
    let mut config = String::new();
    for at in 0..40 {
        let _ = write!(config, "[p{at}]\nhost = https://h{at}.example\ntoken = {TOKEN}\n");
    }
    let config = ConfigFile::parse(config).unwrap();
    let around = Environment { env: &|_| None, config: &config };
    let transport = Arc::new(Counting::default());
    let hosts = HostDirectory::new(Arc::clone(&transport) as Arc<dyn Transport>);
    let inspector = Inspector::new(Arc::clone(&transport) as Arc<dyn Transport>).with_hosts(hosts);
    let reports = inspector.survey_blocking(&around, Path::new("cfg"), true);
    let names: Vec<_> = reports.iter().map(|report| report.name.clone()).collect();
    assert_eq!(names, (0..40).map(|at| format!("p{at}")).collect::<Vec<_>>());
    assert!(
        reports.iter().all(|report| matches!(report.validity, Validity::Valid(_))),
        "{reports:?}"
    );
    let most = transport.most.load(Ordering::SeqCst);
    assert!((2..=8).contains(&most), "{most}");
}
