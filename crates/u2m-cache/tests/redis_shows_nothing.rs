//! What the server, its files and its operators get to see, and what they can do to an entry.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/redis_server.rs"]
mod redis_server;

use common::{LONG, everything, holds, key};
use redis_server::RedisServer;
use u2m_cache::{RedisStore, SealKey, StoreError, TokenStore};
use u2m_core::{
    AccessToken, Binding, CacheKey, Host, RefreshFailure, RefreshFailureKind, RefreshToken,
    Session, Timestamp,
};

const NAME: &str = "https://canary-host.example";

fn open(server: &RedisServer, byte: u8) -> RedisStore {
    RedisStore::open(&server.url(), &SealKey::from_bytes([byte; 32])).unwrap()
}

fn canary() -> Session {
    let endpoint = url::Url::parse(&format!("{NAME}/oidc/v1/token")).unwrap();
    let host = Host::parse(NAME).unwrap();
    Session::new(AccessToken::new("at-canary"))
        .with_refresh_token(RefreshToken::new("rt-canary"))
        .with_binding(Binding::new(format!("{NAME}/oidc"), endpoint, "client-canary", host))
}

#[test]
fn t13_a23_the_servers_files_hold_no_token_no_host_and_no_name() {
    let Some(server) = RedisServer::start(&["--appendonly", "yes"]) else { return };
    let store = open(&server, 7);
    store.save(&key(NAME), &canary()).unwrap();
    let mut lock = store.lock(&key(NAME), LONG).unwrap().unwrap();
    lock.prove_writable().unwrap();
    let failed = RefreshFailureKind::transient("canary-failure");
    lock.note(&RefreshFailure::new(canary().fingerprint(), Timestamp::from_unix(7), failed))
        .unwrap();
    server.ask(&["SAVE"]);
    let with_marker = everything(server.folder());
    let renewed = canary().with_refresh_token(RefreshToken::new("rt-canary-2"));
    lock.save(&renewed).unwrap();
    drop(lock);
    server.ask(&["SAVE"]);
    // A dump may be compressed, which hides what it holds: what is asked for is not.
    let record = server.records().remove(0);
    let fields = server.ask(&["HGETALL", &record]);
    let all = server.ask(&["KEYS", "*"]);
    let spent = all.lines().find(|key| key.ends_with(":token")).unwrap();
    let spent = server.ask(&["HGETALL", spent]);
    let files = everything(server.folder());
    let texts = [record, fields, all, spent].map(String::into_bytes);
    let seen: Vec<Vec<u8>> = [with_marker, files].into_iter().chain(texts).collect();
    let fingerprint = canary().fingerprint();
    for (at, bytes) in seen.iter().enumerate() {
        assert!(!bytes.is_empty());
        for word in ["canary", fingerprint.as_str(), "databricks"] {
            assert!(!holds(bytes, word), "{word} in {at}");
        }
    }
    assert!(holds(&seen[1], "u2m:{"), "the files were looked at");
    assert_eq!(store.load(&key(NAME)).unwrap(), Some(renewed));
}

#[test]
fn t13_with_another_key_the_store_is_empty_and_both_live_side_by_side() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server, 7), open(&server, 8));
    a.save(&key(NAME), &canary()).unwrap();
    assert_eq!(b.load(&key(NAME)).unwrap(), None);
    assert_eq!(b.keys().unwrap(), Vec::<CacheKey>::new());
    b.save(&key(NAME), &common::session("b")).unwrap();
    assert_eq!(a.load(&key(NAME)).unwrap(), Some(canary()));
    assert_eq!(a.keys().unwrap(), [key(NAME)]);
}

/// Reads an entry that somebody tampered with: an error, and never another login.
fn assert_bad(store: &RedisStore, name: &str) {
    let error = store.load(&key(name)).unwrap_err();
    assert!(matches!(error, StoreError::BadEntry { .. }), "{error}");
    assert!(error.to_string().contains("log in again"), "{error}");
}

#[test]
fn t13_entries_that_were_swapped_or_changed_do_not_open_and_a_login_replaces_them() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server, 7);
    store.save(&key("a"), &common::session("a")).unwrap();
    let a = server.records().remove(0);
    store.save(&key("b"), &common::session("b")).unwrap();
    let b = server.records().into_iter().find(|record| *record != a).unwrap();
    let field = |record: &str, name: &str| server.ask(&["HGET", record, name]).trim().to_owned();
    let (of_a, of_b) = (field(&a, "session"), field(&b, "session"));

    for name in ["session", "grant", "generation"] {
        server.ask(&["HSET", &a, name, &field(&b, name)]);
    }
    assert_bad(&store, "a");
    assert_eq!(store.keys().unwrap(), [key("b")], "it hides no other");

    server.ask(&["HSET", &b, "generation", "7"]);
    assert_bad(&store, "b");
    server.ask(&["HSET", &b, "generation", "1"]);
    assert_eq!(store.load(&key("b")).unwrap(), Some(common::session("b")));

    // Every seventh character in turn, so that the story does not take long.
    for at in (0..of_b.len()).step_by(7) {
        let mut changed = of_b.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        server.ask(&["HSET", &b, "session", std::str::from_utf8(&changed).unwrap()]);
        assert_bad(&store, "b");
    }
    assert_ne!(of_a, of_b);
    // Its lock can be had, nothing is spent under it, and a login replaces it (STORE-2).
    let mut lock = store.lock(&key("b"), LONG).unwrap().unwrap();
    assert!(matches!(lock.prove_writable(), Err(StoreError::Superseded { .. })));
    drop(lock);
    store.save(&key("b"), &common::session("new")).unwrap();
    assert_eq!(store.load(&key("b")).unwrap(), Some(common::session("new")));
}

#[test]
fn other_data_in_the_place_of_an_entry_is_reported() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server, 7);
    store.save(&key("a"), &common::session("a")).unwrap();
    let record = server.records().remove(0);
    server.ask(&["DEL", &record]);
    server.ask(&["SET", &record, "something else"]);
    let error = store.load(&key("a")).unwrap_err();
    assert!(error.to_string().contains("another prefix"), "{error}");
}

#[test]
fn a_store_is_shown_by_its_server_and_its_prefix_and_without_a_password() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let shown = format!("{:?}", open(&server, 7));
    assert!(shown.starts_with("RedisStore { server: ") && shown.contains("prefix: "), "{shown}");
}
