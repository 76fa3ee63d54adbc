//! Eight logins in one file, all run out: none of them waits for another.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, World, eventually, report, within};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use u2m::store::{CacheKey, FileStore, TokenStore};
use u2m::{PersistentAuth, Target};
use u2m_testkit::{Endpoint, Fault, Times};

const LOGINS: usize = 8;

/// Long enough for eight processes to have sent their requests before the first has its answer.
const ANSWER: Duration = Duration::from_millis(1500);

fn key(at: usize) -> CacheKey {
    CacheKey::new(format!("login-{at}"))
}

fn auth(target: &Target, file: FileStore, key: CacheKey) -> PersistentAuth {
    PersistentAuth::builder(target.clone().with_key(key)).with_store(file).build().unwrap()
}

#[test]
fn worker() {
    common::work(|job, abroad| {
        let file = FileStore::at(abroad.store.path());
        let auth = auth(&abroad.target, file, CacheKey::new(job)).blocking();
        let start = Instant::now();
        report(&auth.token(), start.elapsed());
    });
}

fn world() -> World {
    let world = World::new();
    (0..LOGINS).for_each(|at| drop(world.seed_as(&key(at), -5)));
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(ANSWER));
    world
}

/// All requests are there before anybody has an answer: by the server's own count, not by a clock.
fn tell(world: &World, answered: &AtomicUsize) {
    eventually("eight requests", || world.refreshes() == LOGINS as u64);
    assert_eq!(answered.load(Ordering::SeqCst), 0, "one waited for another");
}

fn assert_all_live(world: &World) {
    world.assert_refreshed(LOGINS as u64);
    for at in 0..LOGINS {
        let stored = world.store().load(&key(at)).unwrap().unwrap();
        assert!(world.server.is_refreshable(stored.refresh_token.unwrap().expose()), "{at}");
    }
    assert_eq!(world.leftovers(), [""; 0]);
}

#[test]
fn refr_1_logins_of_eight_threads_are_refreshed_side_by_side() {
    let world = world();
    let answered = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..LOGINS)
        .map(|at| {
            let auth = auth(&world.target(), world.store(), key(at)).blocking();
            let answered = Arc::clone(&answered);
            std::thread::spawn(move || {
                auth.token().unwrap();
                answered.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    tell(&world, &answered);
    within(LONG, || threads.into_iter().for_each(|thread| thread.join().unwrap()));
    assert_all_live(&world);
}

#[test]
fn refr_1_logins_of_eight_processes_are_refreshed_side_by_side() {
    let world = world();
    let mut children: Vec<_> = (0..LOGINS).map(|at| world.child(key(at).as_str())).collect();
    children.iter_mut().for_each(|child| child.until("ready"));
    let answered = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = children
        .into_iter()
        .map(|mut child| {
            child.go_on();
            let answered = Arc::clone(&answered);
            std::thread::spawn(move || {
                let said = child.hears().unwrap();
                answered.fetch_add(1, Ordering::SeqCst);
                assert!(said.starts_with("token "), "{said}");
            })
        })
        .collect();
    tell(&world, &answered);
    within(LONG, || threads.into_iter().for_each(|thread| thread.join().unwrap()));
    assert_all_live(&world);
}
