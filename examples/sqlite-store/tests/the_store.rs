//! The store in a database: it keeps to the rules, and its processes refresh a login once.

use std::process::{Command, Stdio};
use std::time::SystemTime;
use u2m::oauth::RefreshToken;
use u2m::store::{Binding, Session, StoreError, TokenStore};
use u2m::{AccessToken, Host, Target, Timestamp};
use u2m_sqlite_store::sqlite_store;
use u2m_testkit::{RunningServer, conformance};

/// How many processes want a token at once.
const PROCESSES: usize = 4;

#[test]
fn it_keeps_to_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logins.db");
    conformance::check(move || sqlite_store(path.clone())).unwrap();
}

#[test]
fn processes_that_want_a_token_at_once_refresh_it_once() {
    let (server, folder) = (RunningServer::start().unwrap(), tempfile::tempdir().unwrap());
    let (path, base) = (folder.path().join("logins.db"), server.base_url());
    let (host, tokens) =
        (Host::parse(base).unwrap(), server.sign_in("databricks-cli", "offline_access"));
    let endpoint = format!("{base}/oidc/v1/token").parse().unwrap();
    let binding = Binding::new(format!("{base}/oidc"), endpoint, "databricks-cli", host.clone());
    let now = Timestamp::from(SystemTime::now());
    let session = Session::new(AccessToken::new(tokens.access_token()))
        .with_refresh_token(RefreshToken::new(tokens.refresh_token().unwrap()))
        .with_expiry(Timestamp::from_unix(now.unix() - 5))
        .with_binding(binding);
    let (store, key) = (sqlite_store(&path), Target::workspace(host).cache_key());
    store.save(&key, &session).unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_u2m-sqlite-store"));
        command.arg(&path).arg(base).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let end: i64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        assert!(output.status.success() && end > now.unix(), "{end}");
    }
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.rejected), (1, 0), "{counts:?}");
    let stored = store.load(&key).unwrap().unwrap().refresh_token.unwrap();
    assert!(server.is_refreshable(stored.expose()) && server.is_login_alive());
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logins.db");
    let store = sqlite_store(&path);
    store.save(&u2m::store::CacheKey::new("dev"), &Session::new(AccessToken::new("a"))).unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_sqlite_says_is_the_cause_and_that_it_is_busy_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logins.db");
    std::fs::write(&path, "this is no database, and longer than the head of one: ".repeat(10))
        .unwrap();
    let error = sqlite_store(&path).keys().unwrap_err();
    assert!(matches!(error, StoreError::Other { is_passing: false, .. }), "{error:?}");
    assert!(u2m::text::chain(&error).contains("not a database"), "{error:?}");
    std::fs::remove_file(&path).unwrap();
    let key = u2m::store::CacheKey::new("dev");
    let login = Session::new(AccessToken::new("a"));
    sqlite_store(&path).save(&key, &login).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = sqlite_store(&path).save(&key, &login).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}
