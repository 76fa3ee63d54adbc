//! The server goes away, comes back empty, is full, or takes no writes: nothing hangs, and nothing is lost that can be kept.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/redis_server.rs"]
mod redis_server;

use common::{LONG, key, session};
use redis_server::RedisServer;
use std::time::{Duration, Instant};
use u2m_cache::{EntryLock, RedisSettings, RedisStore, SealKey, StoreError, TokenStore};
use u2m_core::{AccessToken, RefreshToken, Session};

fn open(server: &RedisServer) -> RedisStore {
    let settings = RedisSettings::new().with_timeout(Duration::from_millis(500));
    RedisStore::open_with(&server.url(), &SealKey::from_bytes([7; 32]), settings).unwrap()
}

fn take(store: &RedisStore) -> Box<dyn EntryLock> {
    store.lock(&key("dev"), LONG).unwrap().unwrap()
}

fn access(store: &RedisStore) -> Option<String> {
    store.load(&key("dev")).unwrap().map(|session| session.access_token.expose().to_owned())
}

/// Everything that a store can be asked, and the failure of each.
fn failures(store: &RedisStore) -> Vec<StoreError> {
    vec![
        store.load(&key("dev")).unwrap_err(),
        store.save(&key("dev"), &session("b")).unwrap_err(),
        store.delete(&key("dev")).unwrap_err(),
        store.keys().unwrap_err(),
        store.lock(&key("dev"), LONG).err().unwrap(),
    ]
}

/// Larger than what is usual.
fn large(name: &str) -> Session {
    Session::new(AccessToken::new(format!("at-{name}{}", "x".repeat(4000))))
        .with_refresh_token(RefreshToken::new(format!("rt-{name}")))
}

#[test]
fn store_3_a_server_that_is_down_is_a_transient_failure_of_everything_and_no_lock() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    server.kill();
    for error in failures(&store) {
        assert!(error.is_transient(), "{error}");
        let says = format!("Redis at 127.0.0.1:{}/0", server.port());
        assert!(error.to_string().contains(&says), "{error}");
    }
}

#[test]
fn store_3_a_server_that_stands_still_is_given_up_in_time() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    server.pause(true);
    let start = Instant::now();
    let errors = failures(&store);
    let took = start.elapsed();
    server.pause(false);
    assert!(errors.iter().all(StoreError::is_transient), "{errors:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    // What was still to be answered is not taken for the answer to something else.
    let text = format!("{:?}", store.load(&key("dev")));
    assert!(!text.contains("Err"), "{text}");
}

#[test]
fn a_server_that_was_started_again_is_found_again() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "yes"]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    server.kill();
    server.revive();
    assert_eq!(access(&store).unwrap(), "at-a");
    take(&store).save(&session("b")).unwrap();
    assert_eq!(access(&store).unwrap(), "at-b");
}

#[test]
fn a_server_that_comes_back_empty_holds_no_login_and_takes_a_new_one() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    server.revive_empty();
    assert_eq!(store.load(&key("dev")).unwrap(), None, "absent: log in");
    assert_eq!(store.keys().unwrap(), []);
    store.save(&key("dev"), &session("b")).unwrap();
    assert_eq!(access(&store).unwrap(), "at-b");
}

#[test]
fn what_was_bought_before_the_server_came_back_empty_is_saved() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.kill();
    assert!(lock.save(&session("b")).unwrap_err().is_transient());
    server.revive();
    lock.save(&session("b")).unwrap();
    drop(lock);
    assert_eq!(access(&store).unwrap(), "at-b");
    take(&store).save(&session("c")).unwrap();
    assert_eq!(access(&store).unwrap(), "at-c");
}

#[test]
fn a_login_after_the_server_came_back_empty_beats_the_refresh_of_before() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.revive_empty();
    store.save(&key("dev"), &session("new")).unwrap();
    assert!(matches!(lock.save(&session("late")), Err(StoreError::Superseded { .. })));
    assert_eq!(access(&store).unwrap(), "at-new");
}

#[test]
fn what_was_bought_is_saved_over_an_entry_that_came_back_from_a_snapshot_of_before() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    server.ask(&["SAVE"]);
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.kill();
    server.revive();
    lock.save(&session("b")).unwrap();
    assert_eq!(access(&store).unwrap(), "at-b");
}

#[test]
fn over_the_snapshot_of_another_login_nothing_is_saved() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("earlier")).unwrap();
    server.ask(&["SAVE"]);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.kill();
    server.revive();
    assert!(matches!(lock.save(&session("b")), Err(StoreError::Superseded { .. })));
    assert_eq!(access(&store).unwrap(), "at-earlier");
}

#[test]
fn of_two_that_save_after_everything_was_lost_the_second_overwrites_nothing() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let settings = RedisSettings::new().with_lease(Duration::from_millis(200));
    let url = server.url().replace("127.0.0.1", "localhost");
    let hasty = RedisStore::open_with(&url, &SealKey::from_bytes([7; 32]), settings).unwrap();
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut first = take(&hasty);
    first.prove_writable().unwrap();
    let mut second = take(&store);
    second.prove_writable().unwrap();
    server.revive_empty();
    first.save(&session("b")).unwrap();
    assert!(matches!(second.save(&session("c")), Err(StoreError::Superseded { .. })));
    assert_eq!(access(&store).unwrap(), "at-b");
}

#[test]
fn a_lease_is_not_given_back_while_something_is_bought_and_not_saved() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.pause(true);
    assert!(lock.save(&session("b")).unwrap_err().is_transient());
    server.pause(false);
    drop(lock);
    assert!(store.lock(&key("dev"), Duration::ZERO).unwrap().is_none());
}

#[test]
fn a_save_whose_answer_was_lost_is_tried_again_and_counts_once() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    // From here on the server knows the script.
    take(&store).save(&session("aa")).unwrap();
    let record = server.records().remove(0);
    let generation = || server.number(&["HGET", &record, "generation"]);
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.pause(true);
    // It stands in the socket, and is carried out later.
    assert!(lock.save(&session("b")).unwrap_err().is_transient());
    server.pause(false);
    let start = Instant::now();
    while generation() != 3 {
        assert!(start.elapsed() < LONG, "never carried out");
    }
    lock.save(&session("b")).unwrap();
    assert_eq!(generation(), 3);
    assert_eq!(access(&store).unwrap(), "at-b");
}

#[test]
fn key_1_a_full_server_says_so_before_a_refresh_token_is_spent() {
    let Some(server) = RedisServer::start(&["--maxmemory-policy", "noeviction"]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &large("a")).unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let errors = [
        store.lock(&key("dev"), LONG).err().unwrap(),
        store.save(&key("dev"), &large("b")).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert!(error.to_string().contains("maxmemory"), "{error}");
    }
    assert_eq!(store.load(&key("dev")).unwrap(), Some(large("a")), "what is there can be read");
    store.delete(&key("dev")).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap(), None, "and removed");
}

#[test]
fn key_1_a_server_that_fills_up_during_a_refresh_has_kept_room_for_its_answer() {
    let Some(server) = RedisServer::start(&["--maxmemory-policy", "noeviction"]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &large("a")).unwrap();
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    lock.save(&large("b")).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap(), Some(large("b")));
    assert!(matches!(lock.prove_writable(), Err(StoreError::Full { .. })), "but not for another");
}

#[test]
fn a_replica_can_be_read_and_says_what_to_do_about_writing() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let Some(replica) = RedisServer::start(&["--repl-diskless-load", "disabled"]) else { return };
    open(&server).save(&key("dev"), &session("a")).unwrap();
    replica.ask(&["REPLICAOF", "127.0.0.1", &server.port().to_string()]);
    let store = open(&replica);
    let start = Instant::now();
    while !store.load(&key("dev")).is_ok_and(|found| found.is_some()) {
        assert!(start.elapsed() < LONG, "never in step");
        std::thread::sleep(Duration::from_millis(20));
    }
    let errors = [
        store.lock(&key("dev"), LONG).err().unwrap(),
        store.save(&key("dev"), &session("b")).unwrap_err(),
        store.delete(&key("dev")).unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().contains("primary"), "{error}");
        assert!(!error.is_transient());
    }
}

#[test]
fn t14_a_wrong_password_is_told_without_showing_it() {
    let Some(server) = RedisServer::start(&[]) else { return };
    server.ask(&["CONFIG", "SET", "requirepass", "canary-right"]);
    let with = |credentials: &str| {
        let url = server.url().replace("redis://", &format!("redis://{credentials}"));
        RedisStore::open(&url, &SealKey::from_bytes([7; 32])).unwrap()
    };
    for wrong in ["", ":canary-wrong@", "me:canary-wrong@"] {
        let store = with(wrong);
        let error = store.load(&key("dev")).unwrap_err();
        assert!(error.to_string().contains("password"), "{error}");
        assert!(!format!("{error} {error:?} {store:?}").contains("canary"));
    }
    with(":canary-right@").save(&key("dev"), &session("a")).unwrap();
}
