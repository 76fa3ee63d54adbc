//! Many threads of one process want the same login of a server that is far away: they cost it a few questions, and each
//! other nothing.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;
#[path = "common/redis_server.rs"]
mod redis_server;
#[path = "common/relay.rs"]
mod relay;

use common::{LONG, key, session};
use redis_server::RedisServer;
use relay::Relay;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use u2m_cache::{Claim, RedisStore, SealKey, TokenStore};
use u2m_core::{RefreshFailure, RefreshFailureKind, Timestamp};

/// Each way; far enough that a busy machine counts for little beside it.
const AWAY: Duration = Duration::from_millis(50);

fn open(url: &str) -> RedisStore {
    RedisStore::open(url, &SealKey::from_bytes([7; 32])).unwrap()
}

/// What a program does that wants `new`; whether it was the one that fetched it.
fn fetch(store: &RedisStore, name: &str, new: &str, request: Duration) -> bool {
    let wanted = session(new);
    let is_new = || store.load(&key(name)).unwrap().unwrap() == wanted;
    if is_new() {
        return false;
    }
    let mut lock = store.lock(&key(name), LONG).unwrap().unwrap();
    for _ in 0..10 {
        lock.refresh_failure();
        let stored = store.load(&key(name)).unwrap().unwrap();
        if stored == wanted {
            return false;
        }
        match lock.claim(&stored.fingerprint(), LONG).unwrap() {
            Claim::Taken => {
                lock.prove_writable().unwrap();
                std::thread::sleep(request);
                lock.save(&wanted).unwrap();
                return true;
            }
            Claim::Waited => {}
            claim => panic!("{claim:?}"),
        }
    }
    panic!("never done");
}

fn crowd(count: usize, work: impl Fn(usize) -> bool + Sync) -> (usize, Duration) {
    let (fetched, start) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for at in 0..count {
            let (fetched, work) = (&fetched, &work);
            scope.spawn(move || fetched.fetch_add(usize::from(work(at)), Ordering::SeqCst));
        }
    });
    (fetched.load(Ordering::SeqCst), start.elapsed())
}

#[test]
fn redis_5_500_threads_with_a_store_each_have_a_new_token_within_10_round_trips_of_the_request() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let relay = Relay::to(server.port(), AWAY);
    open(&server.url()).save(&key("dev"), &session("old")).unwrap();
    let request = Duration::from_millis(300);
    let stores: Vec<RedisStore> = (0..500).map(|_| open(&relay.url())).collect();
    let (fetched, took) = crowd(500, |at| fetch(&stores[at], "dev", "new", request));
    let trips = (took - request).as_secs_f64() / (AWAY * 2).as_secs_f64();
    println!("500 threads: {took:?}, {trips:.1} round trips, {} connections", relay.connections());
    assert_eq!(fetched, 1);
    assert!(relay.connections() <= 32, "{}", relay.connections());
    // There are 6 that need each other; the rest is what a busy machine takes. One after the other they were 500.
    assert!(trips < 40.0, "{trips}");
}

#[test]
fn redis_5_those_of_another_machine_do_not_queue_either() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (near, far) = (open(&server.url()), Relay::to(server.port(), AWAY));
    near.save(&key("dev"), &session("old")).unwrap();
    let far = open(&far.url());
    let request = Duration::from_millis(300);
    let work = |at| fetch(if at % 2 == 0 { &near } else { &far }, "dev", "new", request);
    let (fetched, took) = crowd(200, work);
    println!("2 machines: {took:?}");
    assert_eq!(fetched, 1);
    assert!(took < request + AWAY * 2 * 40, "{took:?}");
}

#[test]
fn redis_5_a_failure_is_told_to_all_who_wait_at_once() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let relay = Relay::to(server.port(), AWAY);
    let store = open(&relay.url());
    store.save(&key("dev"), &session("old")).unwrap();
    let of = session("old").fingerprint();
    let work = |_| {
        let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
        if lock.refresh_failure().is_some() {
            return false;
        }
        match lock.claim(&of, LONG).unwrap() {
            Claim::Waited => {
                assert!(lock.refresh_failure().is_some());
                false
            }
            Claim::Taken => {
                std::thread::sleep(Duration::from_millis(300));
                let failed = RefreshFailureKind::transient("http 503");
                lock.note(&RefreshFailure::new(of.clone(), Timestamp::from_unix(7), failed))
                    .unwrap();
                true
            }
            claim => panic!("{claim:?}"),
        }
    };
    let (asked, took) = crowd(200, work);
    println!("a failure: {took:?}");
    assert_eq!(asked, 1);
    assert!(took < AWAY * 2 * 60, "{took:?}");
}

#[test]
fn redis_5_a_thousand_names_are_listed_in_a_few_round_trips() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let near = open(&server.url());
    let names: Vec<String> = (0..1000).map(|at| format!("{at:04}")).collect();
    names.iter().for_each(|name| near.save(&key(name), &session(name)).unwrap());
    let far = open(&Relay::to(server.port(), AWAY).url());
    let start = Instant::now();
    let keys = far.keys().unwrap();
    let took = start.elapsed();
    println!("1000 names: {took:?}");
    assert_eq!(keys, names.iter().map(|name| key(name)).collect::<Vec<_>>());
    assert!(took < AWAY * 2 * 60, "{took:?}");
}
