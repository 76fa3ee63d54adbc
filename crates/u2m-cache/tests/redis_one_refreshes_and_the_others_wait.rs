//! Leases, fences and revisions: whoever is late writes nothing.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/redis_server.rs"]
mod redis_server;

use common::{LONG, bare, bound, key, session};
use redis_server::RedisServer;
use std::time::{Duration, Instant};
use u2m_cache::{Claim, EntryLock, RedisSettings, RedisStore, SealKey, StoreError, TokenStore};
use u2m_core::{ErrorResponse, RefreshFailure, RefreshFailureKind, Timestamp};

const LEASE: Duration = Duration::from_millis(300);

fn open(server: &RedisServer) -> RedisStore {
    RedisStore::open(&server.url(), &SealKey::from_bytes([7; 32])).unwrap()
}

/// Another machine: one that does not stand in line with the threads of this process, which know each other by the
/// server's address.
fn abroad(server: &RedisServer) -> RedisStore {
    let url = server.url().replace("127.0.0.1", "localhost");
    RedisStore::open(&url, &SealKey::from_bytes([7; 32])).unwrap()
}

/// A machine whose leases are short.
fn hasty(server: &RedisServer) -> RedisStore {
    let settings = RedisSettings::new().with_lease(LEASE);
    RedisStore::open_with(&server.url(), &SealKey::from_bytes([7; 32]), settings).unwrap()
}

fn take(store: &RedisStore, name: &str) -> Box<dyn EntryLock> {
    store.lock(&key(name), LONG).unwrap().unwrap()
}

fn access(store: &RedisStore, name: &str) -> Option<String> {
    store.load(&key(name)).unwrap().map(|session| session.access_token.expose().to_owned())
}

fn is_superseded(outcome: Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Superseded { .. }))
}

#[test]
fn store_1_logins_are_kept_listed_and_removed() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    assert!(store.is_slow());
    assert_eq!(store.load(&key("dev")).unwrap(), None);
    store.save(&key("dev"), &bound("a")).unwrap();
    store.save(&key("https://b.example"), &session("b")).unwrap();
    let other = abroad(&server);
    assert_eq!(other.load(&key("dev")).unwrap(), Some(bound("a")));
    assert_eq!(other.keys().unwrap(), [key("dev"), key("https://b.example")]);
    other.delete(&key("dev")).unwrap();
    other.delete(&key("absent")).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap(), None);
    assert_eq!(store.keys().unwrap(), [key("https://b.example")]);
}

#[test]
fn store_1_a_login_that_can_be_renewed_is_not_replaced_by_one_that_cannot() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let refused = store.save(&key("dev"), &bare("b"));
    assert!(matches!(refused, Err(StoreError::WouldLoseRefreshToken { .. })));
    assert!(take(&store, "dev").save(&bare("b")).is_err());
    assert_eq!(access(&store, "dev").unwrap(), "at-a");
    // One that is known to have ended is.
    let refusal = RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", None));
    let refresh_failure =
        RefreshFailure::new(session("a").fingerprint(), Timestamp::from_unix(7), refusal);
    take(&store, "dev").note(&refresh_failure).unwrap();
    assert_eq!(
        take(&open(&server), "dev").refresh_failure(),
        Some(refresh_failure),
        "shared by all machines"
    );
    store.save(&key("dev"), &bare("b")).unwrap();
    assert_eq!(take(&store, "dev").refresh_failure(), None);
}

#[test]
fn refr_1_a23_of_two_machines_one_has_the_lease_and_only_for_this_entry() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server), abroad(&server));
    a.save(&key("dev"), &session("a")).unwrap();
    let lock = take(&a, "dev");
    assert!(b.lock(&key("dev"), Duration::ZERO).unwrap().is_none());
    assert!(b.lock(&key("dev"), Duration::from_millis(150)).unwrap().is_none());
    assert!(b.lock(&key("other"), Duration::ZERO).unwrap().is_some());
    drop(lock);
    assert!(b.lock(&key("dev"), Duration::ZERO).unwrap().is_some());
}

#[test]
fn refr_1_whoever_waits_has_it_when_it_is_given_back() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server), abroad(&server));
    let lock = take(&a, "dev");
    let waiter = std::thread::spawn(move || b.lock(&key("dev"), LONG).unwrap().is_some());
    std::thread::sleep(Duration::from_millis(50));
    drop(lock);
    assert!(waiter.join().unwrap());
}

#[test]
fn refr_1_the_lease_of_one_who_is_gone_runs_out() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (gone, next) = (hasty(&server), abroad(&server));
    gone.save(&key("dev"), &session("a")).unwrap();
    let start = Instant::now();
    std::mem::forget(take(&gone, "dev"));
    let mut lock = take(&next, "dev");
    assert!(start.elapsed() >= LEASE, "not before");
    lock.prove_writable().unwrap();
    lock.save(&session("b")).unwrap();
    assert_eq!(access(&next, "dev").unwrap(), "at-b");
}

#[test]
fn t23_a_lease_is_given_back_by_its_owner_alone() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    let lock = take(&store, "dev");
    let lease = server.ask(&["KEYS", "*:lease"]).trim().to_owned();
    server.ask(&["SET", &lease, "somebody", "PX", "60000"]);
    drop(lock);
    assert_eq!(server.ask(&["GET", &lease]).trim(), "somebody");
}

#[test]
fn a_holder_that_was_paused_past_its_lease_is_told_before_it_sends_anything() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (paused, next) = (open(&server), abroad(&server));
    paused.save(&key("dev"), &session("a")).unwrap();
    let mut late = take(&paused, "dev");
    server.lapse();
    let mut lock = take(&next, "dev");
    assert!(is_superseded(late.prove_writable()));
    lock.prove_writable().unwrap();
    lock.save(&session("b")).unwrap();
    drop(late);
    assert!(
        paused.lock(&key("dev"), Duration::ZERO).unwrap().is_none(),
        "not given back by the late one"
    );
    assert_eq!(access(&paused, "dev").unwrap(), "at-b");
}

#[test]
fn a_holder_that_was_paused_past_its_lease_goes_on_if_nobody_came() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let paused = open(&server);
    paused.save(&key("dev"), &session("a")).unwrap();
    let mut late = take(&paused, "dev");
    server.lapse();
    late.prove_writable().unwrap();
    assert!(
        abroad(&server).lock(&key("dev"), Duration::ZERO).unwrap().is_none(),
        "it has it again"
    );
    late.save(&session("b")).unwrap();
    assert_eq!(access(&paused, "dev").unwrap(), "at-b");
}

#[test]
fn redis_1_a_holder_that_lives_keeps_its_lease_for_as_long_as_its_request_takes() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (slow, next) = (hasty(&server), abroad(&server));
    slow.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&slow, "dev");
    lock.prove_writable().unwrap();
    assert!(next.lock(&key("dev"), LEASE * 5).unwrap().is_none());
    lock.save(&session("b")).unwrap();
    drop(lock);
    drop(take(&next, "dev"));
    std::thread::sleep(LEASE);
    assert_eq!(server.ask(&["KEYS", "*:lease"]).trim(), "", "and not longer");
}

#[test]
fn redis_1_whoever_lost_its_lease_while_it_waited_for_its_answer_saves_it() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (slow, next) = (open(&server), abroad(&server));
    slow.save(&key("dev"), &session("a")).unwrap();
    let mut late = take(&slow, "dev");
    late.prove_writable().unwrap();
    server.lapse();
    // A waiter overtakes it, and does not send what is marked as sent.
    let mut lock = take(&next, "dev");
    let of = session("a").fingerprint();
    assert_eq!(lock.claim(&of, Duration::from_millis(50)).unwrap(), Claim::Busy);
    late.save(&session("b")).unwrap();
    assert_eq!(lock.claim(&of, LONG).unwrap(), Claim::Waited);
    assert_eq!(access(&next, "dev").unwrap(), "at-b");
    let of = session("b").fingerprint();
    assert_eq!(lock.claim(&of, LONG).unwrap(), Claim::Taken, "what it bought can be renewed");
}

#[test]
fn redis_1_what_is_marked_as_sent_is_sent_again_when_no_answer_can_come_any_more() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let answer = Duration::from_millis(600);
    let settings = RedisSettings::new().with_token_answer_limit(answer).with_lease(LEASE);
    let key7 = SealKey::from_bytes([7; 32]);
    let gone = RedisStore::open_with(&server.url(), &key7, settings.clone()).unwrap();
    let url = server.url().replace("127.0.0.1", "localhost");
    let next = RedisStore::open_with(&url, &key7, settings).unwrap();
    gone.save(&key("dev"), &session("a")).unwrap();
    let mut dead = take(&gone, "dev");
    assert_eq!(dead.claim(&session("a").fingerprint(), LONG).unwrap(), Claim::Taken);
    let start = Instant::now();
    std::mem::forget(dead);
    let mut lock = take(&next, "dev");
    assert_eq!(lock.claim(&session("a").fingerprint(), LONG).unwrap(), Claim::Taken);
    assert!(start.elapsed() >= answer - Duration::from_millis(50), "{:?}", start.elapsed());
    lock.prove_writable().unwrap();
    lock.save(&session("b")).unwrap();
    assert_eq!(access(&next, "dev").unwrap(), "at-b");
}

#[test]
fn redis_1_of_two_answers_to_one_refresh_token_that_of_the_later_holder_counts() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server), abroad(&server));
    for is_first_early in [true, false] {
        a.save(&key("dev"), &session(&format!("old-{is_first_early}"))).unwrap();
        let mut first = take(&a, "dev");
        first.prove_writable().unwrap();
        server.lapse();
        server.time_is_over();
        let mut second = take(&b, "dev");
        second.prove_writable().unwrap();
        if is_first_early {
            first.save(&session("first")).unwrap();
            second.save(&session("second")).unwrap();
        } else {
            second.save(&session("second")).unwrap();
            assert!(is_superseded(first.save(&session("first"))));
        }
        assert_eq!(access(&a, "dev").unwrap(), "at-second");
    }
}

#[test]
fn redis_1_an_answer_whose_own_token_is_being_spent_stays() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server), abroad(&server));
    a.save(&key("dev"), &session("old")).unwrap();
    let mut first = take(&a, "dev");
    first.prove_writable().unwrap();
    server.lapse();
    server.time_is_over();
    let mut second = take(&b, "dev");
    second.prove_writable().unwrap();
    first.save(&session("first")).unwrap();
    drop(first);
    server.lapse();
    let mut third = take(&a, "dev");
    third.prove_writable().unwrap();
    assert!(is_superseded(second.save(&session("second"))));
    third.save(&session("third")).unwrap();
    assert_eq!(access(&a, "dev").unwrap(), "at-third");
}

#[test]
fn redis_3_a_refresh_is_saved_over_its_own_old_state_that_somebody_put_back() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server), abroad(&server));
    a.save(&key("dev"), &session("old")).unwrap();
    let mut refresh = take(&a, "dev");
    refresh.prove_writable().unwrap();
    b.save(&key("dev"), &session("old")).unwrap();
    refresh.save(&session("new")).unwrap();
    assert_eq!(access(&a, "dev").unwrap(), "at-new");
}

#[test]
fn a_login_during_a_refresh_wins() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server), abroad(&server));
    a.save(&key("dev"), &session("old")).unwrap();
    let mut refresh = take(&a, "dev");
    refresh.prove_writable().unwrap();
    b.save(&key("dev"), &session("new")).unwrap();
    assert!(is_superseded(refresh.save(&session("renewed-old"))));
    assert!(is_superseded(refresh.prove_writable()));
    assert_eq!(access(&a, "dev").unwrap(), "at-new");
}

#[test]
fn logins_at_the_same_moment_count_one_after_the_other() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server), abroad(&server));
    std::thread::scope(|scope| {
        for store in [&a, &b] {
            scope.spawn(move || {
                (0..50).for_each(|at| store.save(&key("dev"), &session(&at.to_string())).unwrap());
            });
        }
    });
    let record = server.records().remove(0);
    assert_eq!(server.number(&["HGET", &record, "generation"]), 100);
    assert_eq!(access(&a, "dev").unwrap(), "at-49");
}

#[test]
fn a_logout_during_a_refresh_stays_a_logout() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (a, b) = (open(&server), abroad(&server));
    a.save(&key("dev"), &session("old")).unwrap();
    let mut refresh = take(&a, "dev");
    refresh.prove_writable().unwrap();
    b.delete(&key("dev")).unwrap();
    assert!(is_superseded(refresh.save(&session("renewed-old"))));
    drop(refresh);
    assert_eq!(a.load(&key("dev")).unwrap(), None);
    // A login after it is a login.
    b.save(&key("dev"), &session("new")).unwrap();
    assert_eq!(access(&a, "dev").unwrap(), "at-new");
}

#[test]
fn the_tombstone_of_a_logout_goes_away_and_logins_live_for_as_long_as_is_said() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let settings = RedisSettings::new().with_life(Duration::from_secs(7 * 86_400));
    let store =
        RedisStore::open_with(&server.url(), &SealKey::from_bytes([7; 32]), settings).unwrap();
    store.save(&key("dev"), &session("a")).unwrap();
    let record = server.records().remove(0);
    let days = |server: &RedisServer| server.number(&["TTL", &record]).div_euclid(86_400);
    assert!((6..=7).contains(&days(&server)));
    take(&store, "dev").save(&session("b")).unwrap();
    assert!((6..=7).contains(&days(&server)));
    store.delete(&key("dev")).unwrap();
    assert!((0..=1).contains(&days(&server)));
    drop(take(&store, "nothing"));
    for record in server.records() {
        assert!(server.number(&["TTL", &record]) > 0, "nothing is left for ever");
    }
}

#[test]
fn a_refresh_that_began_and_sent_nothing_explains_nothing() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = open(&server);
    store.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&store, "dev");
    lock.prove_writable().unwrap();
    drop(lock);
    let mut lock = take(&store, "dev");
    lock.prove_writable().unwrap();
    let refusal = RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", None));
    let at = Timestamp::from_unix(7);
    lock.note(&RefreshFailure::new(session("a").fingerprint(), at, refusal)).unwrap();
    assert!(store.take_notices().is_empty());
}

#[test]
fn a_refresh_that_began_and_never_ended_explains_the_rejection_that_follows() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (dies, next) = (open(&server), abroad(&server));
    dies.save(&key("dev"), &session("a")).unwrap();
    let mut lock = take(&dies, "dev");
    lock.prove_writable().unwrap();
    std::mem::forget(lock);
    server.lapse();
    server.time_is_over();
    let mut lock = take(&next, "dev");
    lock.prove_writable().unwrap();
    let passing = RefreshFailureKind::transient("http 503");
    let at = Timestamp::from_unix(7);
    lock.note(&RefreshFailure::new(session("a").fingerprint(), at, passing)).unwrap();
    assert!(next.take_notices().is_empty(), "nothing to explain yet");
    let refusal = RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", None));
    lock.note(&RefreshFailure::new(session("a").fingerprint(), at, refusal)).unwrap();
    let notices = next.take_notices();
    assert!(notices[0].text.contains("'dev' was rejected"), "{notices:?}");
    assert!(!notices[0].text.contains("rt-a"));
}
