//! The lock of an entry: one holder among all processes, passed on promptly, given back by death, and never a trap.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, LONG, Place, eventually, key, locked, session};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use u2m_cache::TokenStore;
use u2m_core::{
    ErrorResponse, Fingerprint, RefreshFailure, RefreshFailureKind, RefreshToken, Timestamp,
};

fn refresh_failure(of: &str, kind: RefreshFailureKind) -> RefreshFailure {
    let of = Fingerprint::of_refresh(&RefreshToken::new(of));
    RefreshFailure::new(of, Timestamp::from_unix(1_774_000_000), kind)
}

fn rejected(of: &str) -> RefreshFailure {
    let refusal = ErrorResponse::new(400, "invalid_grant", Some("the token was revoked"));
    refresh_failure(of, RefreshFailureKind::Rejected(refusal))
}

#[test]
fn worker() {
    common::work(|job, store| match job {
        "holds" => {
            let lock = locked(&store, "dev");
            common::say("held");
            common::hear();
            drop(lock);
            common::say("free");
            common::hear();
        }
        "waits" => {
            common::say("waiting");
            let lock = locked(&store, "dev");
            common::say("got");
            common::hear();
            drop(lock);
        }
        "counts" => {
            // One at a time, or the sum is wrong.
            let path = store.path().with_extension("count");
            for _ in 0..50 {
                let lock = locked(&store, "dev");
                let count: u64 = fs::read_to_string(&path).unwrap_or_default().parse().unwrap_or(0);
                fs::write(&path, (count + 1).to_string()).unwrap();
                drop(lock);
            }
        }
        "refused" => {
            let mut lock = locked(&store, "dev");
            lock.note(&rejected("rt-dev")).unwrap();
            std::process::abort();
        }
        other => panic!("{other}"),
    });
}

#[test]
fn refr_1_one_process_at_a_time_holds_the_lock_of_an_entry() {
    let place = Place::new();
    let workers: Vec<Child> = (0..6).map(|_| Child::start("counts", &place.file())).collect();
    workers.into_iter().for_each(|worker| {
        worker.done();
    });
    assert_eq!(fs::read_to_string(place.file().with_extension("count")).unwrap(), "300");
}

#[test]
fn refr_1_a_waiter_in_another_process_gets_the_lock_promptly() {
    let place = Place::new();
    let store = place.store();
    for _ in 0..5 {
        let lock = locked(&store, "dev");
        let mut waiter = Child::start("waits", &place.file());
        waiter.until("waiting");
        eventually("the waiter stands in line", || in_line(&waiter) == 1);
        let start = Instant::now();
        drop(lock);
        waiter.until("got");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        waiter.done();
    }
}

/// How many threads of a process stand in line for a lock's file.
fn in_line(child: &Child) -> usize {
    threads(child.id())
}

fn threads(process: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let names =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "u2m-lock").count()
}

#[test]
fn refr_1_a_killed_holder_gives_the_lock_back_at_once() {
    let place = Place::new();
    let mut holder = Child::start("holds", &place.file());
    holder.until("held");
    let store = place.store();
    assert!(store.lock(&key("dev"), Duration::ZERO).unwrap().is_none());
    let waiter = std::thread::spawn(move || {
        let lock = store.lock(&key("dev"), LONG).unwrap();
        (lock.is_some(), Instant::now())
    });
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    holder.kill();
    let (got, at) = waiter.join().unwrap();
    assert!(got && at.duration_since(start) < Duration::from_secs(1));
}

#[test]
fn refr_1_many_threads_of_a_process_send_one_waiter_to_the_file() {
    let place = Place::new();
    let mut holder = Child::start("holds", &place.file());
    holder.until("held");
    let me = std::process::id();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..32)
            .map(|_| {
                // A store for each: they share one line all the same.
                let store = place.store();
                scope.spawn(move || store.lock(&key("dev"), LONG).unwrap().is_some())
            })
            .collect();
        // Other stories of this process wait for locks of their own; theirs are few.
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(5));
            assert!(threads(me) < 8, "{} threads stand in line", threads(me));
        }
        holder.go_on();
        assert!(workers.into_iter().all(|worker| worker.join().unwrap()));
    });
    holder.done();
}

#[test]
fn t23_waiting_ends_with_the_callers_patience_and_the_lock_is_free_afterwards() {
    let place = Place::new();
    let mut holder = Child::start("holds", &place.file());
    holder.until("held");
    let store = place.store();
    for patience in [0, 30, 100] {
        let start = Instant::now();
        assert!(store.lock(&key("dev"), Duration::from_millis(patience)).unwrap().is_none());
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(patience) && waited < LONG / 6, "{waited:?}");
    }
    holder.go_on().until("free");
    // The one who gave up still stood in line; what it got it gave back.
    assert!(store.lock(&key("dev"), LONG).unwrap().is_some());
    assert!(store.lock(&key("dev"), LONG).unwrap().is_some());
    holder.done();
}

#[test]
fn a_caller_may_wait_for_ever() {
    let place = Place::new();
    let store = place.store();
    drop(store.lock(&key("dev"), Duration::MAX).unwrap().unwrap());
    let mut holder = Child::start("holds", &place.file());
    holder.until("held");
    let waiter =
        std::thread::spawn(move || store.lock(&key("dev"), Duration::MAX).unwrap().is_some());
    std::thread::sleep(Duration::from_millis(20));
    holder.go_on().until("free");
    assert!(waiter.join().unwrap());
    holder.done();
}

#[test]
fn locks_of_different_entries_and_files_have_nothing_to_do_with_each_other() {
    let (place, other) = (Place::new(), Place::new());
    let _dev = locked(&place.store(), "dev");
    for name in ["prod", "", "DEV", "dev ", "../dev", "https://a.example/oidc/accounts/1"] {
        assert!(place.store().lock(&key(name), Duration::ZERO).unwrap().is_some(), "{name}");
    }
    assert!(other.store().lock(&key("dev"), Duration::ZERO).unwrap().is_some());
    assert!(place.store().lock(&key("dev"), Duration::ZERO).unwrap().is_none());
    // Nor does a refresh stop a writer.
    place.store().save(&key("dev"), &session("dev")).unwrap();
}

#[test]
fn a8_a_verdict_outlives_its_process_and_is_about_one_refresh_token() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    let mut child = Child::start("refused", &place.file());
    assert_eq!(child.hears(), None);
    let found = locked(&store, "dev").refresh_failure().unwrap();
    assert_eq!(found, rejected("rt-dev"));
    assert!(found.is_final_for(&session("dev")));
    assert!(!found.is_final_for(&session("new")));
    assert!(locked(&store, "prod").refresh_failure().is_none());
    let passing = refresh_failure("rt-dev", RefreshFailureKind::transient("timed out"));
    locked(&store, "dev").note(&passing).unwrap();
    assert_eq!(locked(&store, "dev").refresh_failure(), Some(passing));
}

fn lock_file(place: &Place) -> PathBuf {
    let locks = place.folder().join("token-cache.locks");
    locks.join(&common::names(&locks)[0])
}

#[test]
fn t23_a_lock_file_that_was_left_behind_means_nothing_whatever_it_holds() {
    let place = Place::new();
    let store = place.store();
    drop(locked(&store, "dev"));
    for text in ["", "null", "{", "[]", "{\"pid\":1,\"key\":\"dev\"}", "\u{0}\u{0}", "{\"pid\":-1}"]
    {
        common::put(&lock_file(&place), text);
        let mut lock = store.lock(&key("dev"), Duration::ZERO).unwrap().unwrap();
        assert!(lock.refresh_failure().is_none(), "{text}");
        lock.note(&rejected("rt-dev")).unwrap();
        assert_eq!(lock.refresh_failure(), Some(rejected("rt-dev")));
    }
    common::put(&lock_file(&place), vec![b'x'; 1 << 20]);
    assert!(locked(&store, "dev").refresh_failure().is_none());
    locked(&store, "dev").note(&rejected("rt-dev")).unwrap();
    assert_eq!(locked(&store, "dev").refresh_failure(), Some(rejected("rt-dev")));
}

#[test]
fn a_lock_file_that_is_deleted_while_it_is_held_lets_no_two_in_afterwards() {
    let place = Place::new();
    let store = place.store();
    let mut holder = Child::start("holds", &place.file());
    holder.until("held");
    let mut waiter = Child::start("waits", &place.file());
    waiter.until("waiting");
    eventually("the waiter stands in line", || in_line(&waiter) == 1);
    // What people do with a lock file that is in their way.
    fs::remove_file(lock_file(&place)).unwrap();
    let mine = store.lock(&key("dev"), Duration::ZERO).unwrap();
    assert!(mine.is_some(), "that lock is lost, and nobody can help it");
    holder.go_on().until("free");
    // The waiter got the lock of a file that is no more, and lines up for the one that is.
    std::thread::sleep(Duration::from_millis(100));
    drop(mine);
    waiter.until("got");
    assert!(store.lock(&key("dev"), Duration::ZERO).unwrap().is_none(), "two have it");
    waiter.done();
    holder.done();
}

#[test]
fn who_holds_a_lock_stands_in_it() {
    let place = Place::new();
    let mut holder = Child::start("holds", &place.file());
    holder.until("held");
    let text = fs::read_to_string(lock_file(&place)).unwrap();
    assert!(
        text.contains(&format!("\"pid\":{}", holder.id())) && text.contains("\"dev\""),
        "{text}"
    );
}

#[test]
fn what_is_remembered_of_a_failure_goes_with_a_lock_that_is_handed_over() {
    let place = Place::new();
    let mut lock = locked(&place.store(), "dev");
    lock.note(&rejected("rt-old")).unwrap();
    let mut adopted = place.store().adopt(&key("dev"), lock.hand_over().unwrap()).unwrap();
    assert_eq!(adopted.refresh_failure(), Some(rejected("rt-old")));
    drop(adopted);
    assert_eq!(locked(&place.store(), "dev").refresh_failure(), Some(rejected("rt-old")));
}
