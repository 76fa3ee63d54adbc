//! Two entries that hold one refresh token: it is sent once, and both have what it bought.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/redis_server.rs"]
mod redis_server;

use common::{LONG, bound, key, session};
use redis_server::RedisServer;
use std::sync::Mutex;
use std::time::Duration;
use u2m_cache::{Claim, EntryLock, RedisStore, SealKey, StoreError, TokenStore};
use u2m_core::{Fingerprint, Session};

const NAMES: [&str; 2] = ["dev", "https://a.example"];

/// Two machines, and one login under two names.
fn twins(server: &RedisServer) -> [RedisStore; 2] {
    let key7 = SealKey::from_bytes([7; 32]);
    let stores = ["127.0.0.1", "localhost"]
        .map(|name| RedisStore::open(&server.url().replace("127.0.0.1", name), &key7).unwrap());
    NAMES.iter().for_each(|name| stores[0].save(&key(name), &session("a")).unwrap());
    stores
}

fn take(store: &RedisStore, name: &str) -> Box<dyn EntryLock> {
    store.lock(&key(name), LONG).unwrap().unwrap()
}

fn of(name: &str) -> Fingerprint {
    session(name).fingerprint()
}

fn stored(store: &RedisStore, name: &str) -> Option<Session> {
    store.load(&key(name)).unwrap()
}

/// Renews an entry as it is, by `next`.
fn renew(store: &RedisStore, name: &str, next: &str) {
    let mut lock = take(store, name);
    let seen = stored(store, name).unwrap().fingerprint();
    assert_eq!(lock.claim(&seen, LONG).unwrap(), Claim::Taken);
    lock.prove_writable().unwrap();
    lock.save(&session(next)).unwrap();
}

#[test]
fn redis_4_while_one_name_is_being_renewed_the_other_waits_and_takes_over_what_it_brought() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let [one, other] = twins(&server);
    let mut lock = take(&one, NAMES[0]);
    assert_eq!(lock.claim(&of("a"), LONG).unwrap(), Claim::Taken);
    lock.prove_writable().unwrap();
    let mut twin = take(&other, NAMES[1]);
    assert_eq!(twin.claim(&of("a"), Duration::from_millis(50)).unwrap(), Claim::Busy);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| twin.claim(&of("a"), LONG).unwrap());
        lock.save(&session("b")).unwrap();
        assert_eq!(waiting.join().unwrap(), Claim::Waited);
    });
    assert_eq!(stored(&other, NAMES[1]), Some(session("b")));
    assert_eq!(
        twin.claim(&of("b"), LONG).unwrap(),
        Claim::Taken,
        "one of both renews the next one"
    );
    drop((lock, twin));
    // And so on, whoever comes first.
    renew(&other, NAMES[1], "c");
    let mut lock = take(&one, NAMES[0]);
    assert_eq!(lock.claim(&of("b"), LONG).unwrap(), Claim::Waited);
    assert_eq!(stored(&one, NAMES[0]), Some(session("c")));
}

#[test]
fn redis_4_an_entry_that_was_left_behind_by_several_renewals_takes_over_the_newest() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let [one, other] = twins(&server);
    one.save(&key(NAMES[1]), &bound("a")).unwrap();
    ["b", "c", "d"].into_iter().for_each(|next| renew(&one, NAMES[0], next));
    let mut lock = take(&other, NAMES[1]);
    assert_eq!(lock.claim(&of("a"), LONG).unwrap(), Claim::Waited);
    let taken = stored(&other, NAMES[1]).unwrap();
    assert_eq!(taken.refresh_token, session("d").refresh_token);
    assert_eq!(taken.binding, bound("a").binding, "whose login it is stays");
}

#[test]
fn redis_4_where_what_was_bought_is_gone_nothing_is_sent_and_the_place_is_named() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let [one, other] = twins(&server);
    renew(&one, NAMES[0], "b");
    let says = |what: &str| {
        let mut lock = take(&other, NAMES[1]);
        let claim = lock.claim(&of("a"), LONG).unwrap();
        let Claim::Spent(words) = claim else { panic!("{what}: {claim:?}") };
        assert!(words.contains("'dev' in Redis at localhost"), "{what}: {words}");
        assert!(matches!(lock.prove_writable(), Err(StoreError::Superseded { .. })));
    };
    one.save(&key(NAMES[0]), &session("another login")).unwrap();
    says("another login");
    one.delete(&key(NAMES[0])).unwrap();
    says("a logout");
    assert_eq!(stored(&other, NAMES[1]), Some(session("a")), "the entry is as it was");
}

#[test]
fn redis_4_a_holder_that_died_under_one_name_keeps_the_other_from_sending_too() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let [one, other] = twins(&server);
    let mut dead = take(&one, NAMES[0]);
    assert_eq!(dead.claim(&of("a"), LONG).unwrap(), Claim::Taken);
    std::mem::forget(dead);
    server.lapse();
    let mut twin = take(&other, NAMES[1]);
    assert_eq!(twin.claim(&of("a"), Duration::ZERO).unwrap(), Claim::Busy);
    server.time_is_over();
    assert_eq!(twin.claim(&of("a"), Duration::ZERO).unwrap(), Claim::Taken);
}

#[test]
fn redis_4_a_token_that_the_server_gives_back_unchanged_is_not_a_spent_one() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let [one, other] = twins(&server);
    renew(&one, NAMES[0], "a");
    renew(&one, NAMES[0], "a");
    renew(&other, NAMES[1], "a");
}

#[test]
fn redis_4_100_rounds_of_4_by_two_names_spend_each_refresh_token_once() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let stores = twins(&server);
    let sent = Mutex::new(Vec::new());
    let step = |at: usize, round: usize| {
        let (store, name) = (&stores[at % 2], NAMES[at / 2]);
        for _ in 0..20 {
            let mut lock = take(store, name);
            let seen = stored(store, name).unwrap();
            // Somebody has renewed it in this round.
            if seen.access_token.expose() == format!("at-{round}") {
                return;
            }
            match lock.claim(&seen.fingerprint(), LONG).unwrap() {
                Claim::Taken => {
                    lock.prove_writable().unwrap();
                    sent.lock().unwrap().push(seen.fingerprint());
                    lock.save(&session(&round.to_string())).unwrap();
                    return;
                }
                Claim::Waited => {}
                claim => panic!("{claim:?}"),
            }
        }
        panic!("never renewed");
    };
    for round in 0..100 {
        std::thread::scope(|scope| {
            (0..4).for_each(|at| drop(scope.spawn(move || step(at, round))))
        });
        assert_eq!(sent.lock().unwrap().len(), round + 1, "one request each");
        for name in NAMES {
            assert_eq!(stored(&stores[0], name), Some(session(&round.to_string())));
        }
    }
}
