//! The server goes away, comes back empty, is full, or takes no writes: nothing hangs, and nothing is lost that can be kept.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/redis_server.rs"]
mod redis_server;

use common::{LONG, key, session};
use redis_server::RedisServer;
use std::time::{Duration, Instant};
use u2m_cache::{EntryLock, RedisSettings, RedisStore, SealKey, StoreError, TokenStore};
use u2m_core::{AccessToken, Lifetime, RefreshToken, Session, Timestamp};

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
        // Before anybody is asked to sign in.
        store.prepare_login(&key("dev")).unwrap_err(),
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
fn of_two_that_save_after_everything_was_lost_the_later_holder_counts() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let url = server.url().replace("127.0.0.1", "localhost");
    let elsewhere = RedisStore::open(&url, &SealKey::from_bytes([7; 32])).unwrap();
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut first = take(&elsewhere);
    first.prove_writable().unwrap();
    server.lapse();
    server.time_is_over();
    let mut second = take(&store);
    second.prove_writable().unwrap();
    server.revive_empty();
    first.save(&session("b")).unwrap();
    second.save(&session("c")).unwrap();
    assert!(matches!(first.save(&session("d")), Err(StoreError::Superseded { .. })));
    assert_eq!(access(&store).unwrap(), "at-c");
}

#[test]
fn redis_2_a_server_that_comes_back_without_its_newest_write_gets_it_again() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    server.ask(&["SAVE"]);
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    lock.save(&session("b")).unwrap();
    drop(lock);
    server.kill();
    server.revive();
    assert_eq!(access(&store).unwrap(), "at-b");
    let notices = store.take_notices();
    assert!(notices[0].text.contains("older state of the login 'dev'"), "{notices:?}");
    assert!(!notices[0].text.contains("rt-"));
    // Whoever else asks finds it too, and nothing more is said.
    assert_eq!(access(&open(&server)).unwrap(), "at-b");
    assert_eq!(access(&store).unwrap(), "at-b");
    assert!(store.take_notices().is_empty());
    // What somebody else has stored since is not touched.
    store.delete(&key("dev")).unwrap();
    assert_eq!(access(&store), None);
}

#[test]
fn redis_2_a_server_that_is_away_for_a_moment_costs_a_save_a_few_tries() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "yes"]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    for at in 0..3 {
        let mut lock = take(&store);
        lock.prove_writable().unwrap();
        server.kill();
        for _ in 0..3 {
            assert!(lock.save(&session(&at.to_string())).unwrap_err().is_transient());
        }
        server.revive();
        lock.save(&session(&at.to_string())).unwrap();
        drop(lock);
        assert_eq!(access(&store).unwrap(), format!("at-{at}"));
    }
}

#[test]
fn redis_2_a_server_that_has_become_a_replica_is_asked_anew_each_time() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = lock.save(&session("b")).unwrap_err();
    assert!(error.to_string().contains("primary"), "{error}");
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    server.ask(&["SCRIPT", "FLUSH"]);
    lock.save(&session("b")).unwrap();
    assert_eq!(access(&store).unwrap(), "at-b");
}

#[test]
fn redis_1_a_server_that_took_over_and_has_never_heard_of_a_refresh_is_told_by_its_holder() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let settings = RedisSettings::new().with_lease(Duration::from_millis(300));
    let seven = SealKey::from_bytes([7; 32]);
    let store = RedisStore::open_with(&server.url(), &seven, settings).unwrap();
    let other = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    // As on a replica that lacks them.
    server.forget_claims();
    let start = Instant::now();
    while server.ask(&["KEYS", "*:lease"]).trim().is_empty() {
        assert!(start.elapsed() < LONG, "never told");
    }
    server.ask(&["DEL", server.ask(&["KEYS", "*:lease"]).trim()]);
    drop(other);
    let url = server.url().replace("127.0.0.1", "localhost");
    let other = RedisStore::open(&url, &seven).unwrap();
    let mut twin = take(&other);
    let claim = twin.claim(&session("a").fingerprint(), Duration::ZERO).unwrap();
    assert_eq!(claim, u2m_cache::Claim::Busy);
    lock.save(&session("b")).unwrap();
    assert_eq!(access(&other).unwrap(), "at-b");
}

#[test]
fn redis_2_what_could_not_be_given_back_while_the_server_was_away_is_given_back_later() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "yes"]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&store);
    lock.prove_writable().unwrap();
    server.kill();
    // Nothing was sent.
    drop(lock);
    server.revive();
    let mut lock = store.lock(&key("dev"), Duration::ZERO).unwrap().unwrap();
    let claim = lock.claim(&session("a").fingerprint(), Duration::ZERO).unwrap();
    assert_eq!(claim, u2m_cache::Claim::Taken);
}

#[test]
fn errors_name_what_is_wrong() {
    let Some(server) = RedisServer::start(&["--databases", "2"]) else { return };
    let error = |url: &str| {
        let store = RedisStore::open(url, &SealKey::from_bytes([7; 32])).unwrap();
        store.load(&key("dev")).unwrap_err().to_string()
    };
    let wrong_database = error(&format!("{}/7", server.url()));
    assert!(wrong_database.contains("no database"), "{wrong_database}");
    let needless = error(&server.url().replace("redis://", "redis://:canary@"));
    assert!(needless.contains("wants no password") && !needless.contains("canary"), "{needless}");
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", web.local_addr().unwrap());
    let body = move || {
        for stream in web.incoming().take(1) {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    };
    let server = std::thread::spawn(body);
    let web = error(&url);
    server.join().unwrap();
    assert!(web.contains("not Redis"), "{web}");
    // As a server does that expects TLS.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let server = std::thread::spawn(move || drop(silent.accept().unwrap()));
    let closed = error(&url);
    server.join().unwrap();
    assert!(closed.contains("TLS"), "{closed}");
}

#[test]
fn wire_2_a_dead_token_is_not_fresh_because_its_writers_clock_is_ahead() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    let now = Timestamp::from(std::time::SystemTime::now());
    let hours = |count: i64| Lifetime::from_seconds(count * 3600);
    let login = session("a").with_issued_at(now).with_expiry(now.plus(hours(1)));
    store.save(&key("dev"), &login).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap().unwrap(), login, "the same clock changes nothing");
    let record = server.records().remove(0);
    // As one would write it whose clock is two hours ahead, or behind.
    server.ask(&["HINCRBY", &record, "ahead", "7200000000"]);
    let seen = store.load(&key("dev")).unwrap().unwrap();
    let off = |time: Option<Timestamp>| time.unwrap().until(now.minus(hours(2))).seconds().abs();
    assert!(off(seen.issued_at) < 30, "{seen:?}");
    assert!(off(seen.expiry.map(|at| at.minus(hours(1)))) < 30, "{seen:?}");
    server.ask(&["HINCRBY", &record, "ahead", "-14400000000"]);
    assert_eq!(store.load(&key("dev")).unwrap().unwrap(), login, "no token lives longer for it");
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
        store.prepare_login(&key("new")).unwrap_err(),
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
