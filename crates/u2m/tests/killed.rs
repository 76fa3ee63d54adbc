//! A process dies while it refreshes. Nobody hangs, the file stays whole, and the login lives if it can.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;

use common::{LONG, World, report, within};
use std::time::{Duration, Instant};
use u2m::TokenError;
use u2m::source::Lifetime;
use u2m::store::TokenStore;
use u2m_testkit::{Endpoint, Fault, Settings, Times};

const KILLS: u64 = 30;

#[test]
fn worker() {
    common::work(|job, abroad| match job {
        // Has the lock, and has not sent anything yet.
        "hold" => {
            let key = abroad.target.cache_key();
            let mut lock = abroad.store.lock(&key, LONG).unwrap().unwrap();
            lock.prove_writable().unwrap();
            common::say("held");
            common::hear();
        }
        _ => {
            let start = Instant::now();
            report(&abroad.builder().build().unwrap().blocking().token(), start.elapsed());
        }
    });
}

#[test]
fn refr_1_a_holder_that_is_killed_before_its_request_costs_nothing() {
    let world = World::expired();
    let mut holder = world.child("hold");
    holder.until("ready");
    holder.go_on();
    holder.until("held");
    assert!(!world.leftovers().is_empty(), "what was set aside for the save");
    holder.kill();
    let auth = world.auth().blocking();
    within(LONG, move || auth.token()).unwrap();
    world.assert_refreshed(1);
    world.assert_alive();
    assert_eq!(world.leftovers(), [""; 0]); // T28
}

#[test]
fn t23_who_waits_for_a_holder_is_woken_by_its_death() {
    let world = World::expired();
    let mut holder = world.child("hold");
    holder.until("ready");
    holder.go_on();
    holder.until("held");
    // Waits for longer than this test may take, unless it is woken.
    let auth = world.builder().with_lock_wait(LONG * 10).build().unwrap().blocking();
    let waiter = std::thread::spawn(move || auth.token());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(world.refreshes(), 0);
    holder.kill();
    within(LONG, move || waiter.join().unwrap()).unwrap();
    world.assert_refreshed(1);
    world.assert_alive();
}

/// What the next caller gets after a process was killed `after` it was let go.
fn kill_once(world: &World, after: Duration) -> Result<(), TokenError> {
    world.seed(-5);
    let mut victim = world.child("token");
    victim.until("ready");
    victim.go_on();
    std::thread::sleep(after);
    victim.kill();
    let text = std::fs::read_to_string(world.file()).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let auth = world.auth().blocking();
    let outcome = within(LONG, move || auth.token()).map(drop);
    match &outcome {
        Ok(()) => world.assert_alive(),
        Err(error) => assert!(error.needs_login(), "{}", common::chain(error)),
    }
    outcome
}

/// Kills one process after another, from the moment it is let go to well after it has its answer.
fn kill_all(world: &World) -> usize {
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_millis(60)));
    let moments = (0..KILLS).map(|at| Duration::from_millis(at * 4));
    let lost = moments.filter(|after| kill_once(world, *after).is_err()).count();
    println!("{lost} of {KILLS} logins lost");
    // What the last victims left is gone with the next save.
    world.seed(3600);
    assert_eq!(world.leftovers(), [""; 0]); // T28
    lost
}

#[test]
fn a8_killed_at_any_moment_the_next_caller_has_a_token_or_is_told_to_log_in() {
    let world = World::new();
    let lost = kill_all(&world);
    assert!(lost < KILLS as usize, "before the request, and after the save, nothing is lost");
}

#[test]
fn a8_where_the_server_allows_a_retry_no_login_is_lost() {
    let grace = Lifetime::from_seconds(60);
    let world = World::with(Settings::new().with_retry_grace(grace));
    assert_eq!(kill_all(&world), 0);
    assert_eq!(world.server.counts().reuse_detections, 0);
}
