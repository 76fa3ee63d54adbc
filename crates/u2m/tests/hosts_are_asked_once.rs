//! What hosts say of themselves is asked once, kept for a while, and never asked for what is not open.
#![allow(clippy::unwrap_used)]

mod common;

use async_trait::async_trait;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use u2m::databricks::{HostDirectory, HostMetadata, ask_host};
use u2m::transport::{Transport, TransportFailure};
use u2m::{Host, blocking};
use u2m_core::{HttpRequest, HttpResponse};

/// Answers with a body after a while, and counts.
#[derive(Debug)]
struct Canned {
    body: &'static str,
    delay: Duration,
    asked: AtomicUsize,
}

#[async_trait]
impl Transport for Canned {
    async fn send(&self, _: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.delay).await;
        Ok(HttpResponse::new(200, self.body.into()))
    }
}

/// Reaches hosts on one way, and is told nothing on others.
#[derive(Debug)]
struct Road(&'static str, Arc<Canned>);

#[async_trait]
impl Transport for Road {
    fn way(&self, _: &url::Url) -> String {
        self.0.to_owned()
    }

    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        let answer = self.1.send(request).await?;
        Ok(if self.0 == "proxy" { answer } else { HttpResponse::new(502, Vec::new()) })
    }
}

const UNIFIED: &str = r#"{"host_type": "unified", "account_id": "acc-1"}"#;
const BRIEF: Duration = Duration::from_millis(20);

fn canned(body: &'static str, delay: Duration) -> Arc<Canned> {
    Arc::new(Canned { body, delay, asked: AtomicUsize::new(0) })
}

fn hosts(transport: &Arc<Canned>) -> HostDirectory {
    HostDirectory::new(Arc::clone(transport) as Arc<dyn Transport>)
}

fn host(name: &str) -> Host {
    Host::parse(&format!("https://{name}.example")).unwrap()
}

fn account(said: Option<HostMetadata>) -> Option<String> {
    said.and_then(|said| said.account_id)
}

fn asked(transport: &Canned) -> usize {
    transport.asked.load(Ordering::SeqCst)
}

#[test]
fn each_host_is_asked_once_however_many_want_to_know() {
    let transport = canned(UNIFIED, BRIEF);
    let hosts = hosts(&transport);
    let a = host("a");
    assert_eq!(hosts.known(&a), None);
    let (one, two) =
        common::runtime().block_on(async { tokio::join!(hosts.ask(&a), hosts.ask(&a)) });
    assert_eq!((account(one).as_deref(), account(two).as_deref()), (Some("acc-1"), Some("acc-1")));
    assert_eq!(account(hosts.ask_blocking(&a)).as_deref(), Some("acc-1"));
    assert_eq!(account(hosts.known(&a).unwrap()).as_deref(), Some("acc-1"));
    assert_eq!(asked(&transport), 1);
    assert!(hosts.clone().ask_blocking(&host("b")).is_some());
    assert_eq!(asked(&transport), 2, "clones share what is known, and each host is another one");
}

#[test]
fn a_host_is_waited_for_no_longer_than_wished_and_not_at_all_for_what_is_known() {
    let silent = hosts(&canned(UNIFIED, common::LONG));
    assert_eq!(silent.ask_blocking_within(&host("a"), BRIEF), None);
    let hosts = hosts(&canned(UNIFIED, Duration::ZERO));
    let said = hosts.ask_blocking_within(&host("a"), common::LONG);
    assert_eq!(account(said).as_deref(), Some("acc-1"));
    let said = hosts.ask_blocking_within(&host("a"), Duration::ZERO);
    assert_eq!(account(said).as_deref(), Some("acc-1"));
}

#[test]
fn a_host_that_says_nothing_is_known_to_say_nothing() {
    for body in ["{}", "<html>"] {
        let transport = canned(body, Duration::ZERO);
        let hosts = hosts(&transport);
        assert_eq!(hosts.ask_blocking(&host("a")), None);
        assert_eq!(hosts.known(&host("a")), Some(None), "{body}");
        assert_eq!((hosts.ask_blocking(&host("a")), asked(&transport)), (None, 1));
    }
}

#[test]
fn a_question_that_ended_with_its_runtime_is_asked_again() {
    let transport = canned(UNIFIED, Duration::from_millis(300));
    let hosts = hosts(&transport);
    let a = host("a");
    let runtime = common::runtime();
    runtime.block_on(async {
        let _ = tokio::time::timeout(Duration::from_millis(1), hosts.ask(&a)).await;
    });
    common::eventually("it is asked", || asked(&transport) == 1);
    runtime.shutdown_timeout(Duration::ZERO);
    common::eventually("an answer", || hosts.ask_blocking(&a).is_some());
    assert!(asked(&transport) >= 2);
}

#[test]
fn an_answer_in_a_file_is_good_for_the_next_process_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.json");
    let transport = canned(UNIFIED, Duration::ZERO);
    assert!(hosts(&transport).with_file(&path).ask_blocking(&host("a")).is_some());
    let next = hosts(&transport).with_file(&path);
    assert!(format!("{next:?}").contains("hosts.json"), "{next:?}");
    assert_eq!(account(next.known(&host("a")).unwrap()).as_deref(), Some("acc-1"));
    assert_eq!(account(next.ask_blocking(&host("a"))).as_deref(), Some("acc-1"));
    assert_eq!(asked(&transport), 1);
}

#[test]
fn a_host_that_is_silent_on_one_way_is_asked_on_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.json");
    let transport = canned(UNIFIED, Duration::ZERO);
    // Each of them a process of its own.
    let over = |way| {
        let road = Arc::new(Road(way, Arc::clone(&transport)));
        HostDirectory::new(road as Arc<dyn Transport>).with_file(&path)
    };
    let a = host("a");
    assert_eq!(over("direct").ask_blocking(&a), None);
    assert_eq!((over("direct").ask_blocking(&a), asked(&transport)), (None, 1));
    assert_eq!((over("direct").known(&a), over("proxy").known(&a)), (Some(None), None));
    assert_eq!(account(over("proxy").ask_blocking(&a)).as_deref(), Some("acc-1"));
    assert_eq!(asked(&transport), 2);
    // What it said is known whichever way one goes.
    assert_eq!(account(over("direct").ask_blocking(&a)).as_deref(), Some("acc-1"));
    assert_eq!(asked(&transport), 2);
}

/// Asks as `for_user` does with a home at `home`; whether a file was written.
fn is_kept(home: &Path, setting: Option<&str>) -> bool {
    let folder = home.join(".databricks");
    std::fs::create_dir_all(&folder).unwrap();
    let env = |name: &str| match name {
        "HOME" | "USERPROFILE" => Some(home.as_os_str().to_owned()),
        "DATABRICKS_CACHE_ENABLED" => setting.map(OsString::from),
        _ => None,
    };
    let transport = canned(UNIFIED, Duration::ZERO);
    let hosts = HostDirectory::for_user(transport as Arc<dyn Transport>, &env);
    assert!(hosts.ask_blocking(&host("a")).is_some());
    let file = folder.join("u2m-hosts.json");
    let there = file.exists();
    let _ = std::fs::remove_file(file);
    there
}

#[test]
fn answers_are_kept_beside_the_logins_unless_that_is_switched_off() {
    let home = tempfile::tempdir().unwrap();
    assert!(is_kept(home.path(), None) && is_kept(home.path(), Some("1")));
    assert!(!is_kept(home.path(), Some("0")) && !is_kept(home.path(), Some("")));
}

#[test]
fn answers_are_kept_in_the_folder_for_caches_that_is_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("caches/databricks");
    let env = |name: &str| match name {
        "HOME" | "USERPROFILE" => Some(home.path().as_os_str().to_owned()),
        "DATABRICKS_CACHE_DIR" => Some(folder.as_os_str().to_owned()),
        _ => None,
    };
    let transport = canned(UNIFIED, Duration::ZERO);
    let hosts = || HostDirectory::for_user(Arc::clone(&transport) as Arc<dyn Transport>, &env);
    assert!(hosts().known(&host("a")).is_none() && !folder.exists(), "nothing is made to be read");
    for _ in 0..2 {
        assert!(hosts().ask_blocking(&host("a")).is_some());
    }
    assert_eq!(asked(&transport), 1);
    assert!(folder.join("u2m-hosts.json").exists() && !home.path().join(".databricks").exists());
}

#[test]
fn a_host_that_is_asked_directly_answers_or_adds_nothing() {
    let transport = canned(UNIFIED, Duration::ZERO);
    let said = blocking::ask_host(transport.as_ref(), &host("a"));
    assert_eq!(said.account_id.as_deref(), Some("acc-1"));
    let said = common::runtime().block_on(ask_host(canned("[", BRIEF).as_ref(), &host("a")));
    assert_eq!(said, HostMetadata::default());
}

#[test]
fn plain_code_waits_for_a_host_no_longer_than_it_wants_to() {
    let transport = canned(UNIFIED, BRIEF);
    let directory = hosts(&transport);
    let said = directory.ask_blocking_within(&host("a"), common::LONG).unwrap();
    assert_eq!(said.account_id.as_deref(), Some("acc-1"));
    // What is known needs no time.
    assert_eq!(directory.ask_blocking_within(&host("a"), Duration::ZERO), Some(said));
    let slow = canned(UNIFIED, Duration::from_secs(3_600));
    assert_eq!(hosts(&slow).ask_blocking_within(&host("a"), BRIEF), None);
}
