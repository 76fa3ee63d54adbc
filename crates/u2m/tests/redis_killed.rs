//! A machine dies while it refreshes a login that others share. Who has to log in again, and how long the others wait.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;
#[path = "common/redis.rs"]
mod redis;
#[path = "../../u2m-cache/tests/common/redis_server.rs"]
mod redis_server;

use common::{LONG, eventually, report, together};
use redis::{ANSWER, SharedToken, inherited};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use u2m::source::Lifetime;
use u2m::store::TokenStore;
use u2m::{PersistentAuth, Token, TokenError};
use u2m_testkit::{Endpoint, Fault, Settings, Times};

const LEASE: Duration = Duration::from_secs(1);

#[test]
fn worker() {
    common::work(|job, abroad| match job {
        // Has the lease, and has not sent anything yet.
        "hold" => {
            let key = abroad.target.cache_key();
            let mut lock = inherited().lock(&key, LONG).unwrap().unwrap();
            lock.prove_writable().unwrap();
            common::say("held");
            common::hear();
        }
        _ => {
            let start = Instant::now();
            let auth = PersistentAuth::builder(abroad.target.clone()).with_store(inherited());
            report(&auth.build().unwrap().blocking().token(), start.elapsed());
        }
    });
}

fn grace() -> Settings {
    Settings::new().with_retry_grace(Lifetime::from_seconds(60))
}

/// Kills a machine that has the lease.
fn kill_before_it_sends(shared: &SharedToken) {
    let mut holder = shared.child("hold");
    holder.until("ready");
    holder.go_on();
    holder.until("held");
    holder.kill();
}

/// Kills a machine whose refresh token is spent, and whose answer has not come.
fn kill_after_it_sent(shared: &SharedToken) {
    let server = &shared.world.server;
    server.inject(Endpoint::Token, Times::Once, Fault::delay(LONG));
    let mut holder = shared.child("token");
    holder.until("ready");
    holder.go_on();
    eventually("the request", || shared.world.refreshes() == 1);
    holder.kill();
}

/// Sixteen callers with objects of their own, eight of them of another machine.
fn others(shared: &SharedToken) -> Vec<Result<Token, TokenError>> {
    let start = Instant::now();
    let outcomes = together(16, |at| {
        let store = if at % 2 == 0 { shared.store() } else { shared.abroad() };
        let auth = PersistentAuth::builder(shared.world.target()).with_store(store);
        auth.build().unwrap().blocking().token()
    });
    println!("after the kill: all answered in {:?}, lease {LEASE:?}", start.elapsed());
    let most = LEASE * ANSWER + Duration::from_secs(10);
    assert!(start.elapsed() < most, "not for longer than an answer may take");
    outcomes
}

#[test]
fn a23_a_holder_that_is_killed_before_its_request_costs_the_time_of_an_answer_and_nothing_else() {
    let Some(shared) = SharedToken::expired(LEASE) else { return };
    kill_before_it_sends(&shared);
    let tokens: Vec<Token> = others(&shared).into_iter().map(Result::unwrap).collect();
    assert!(tokens.iter().all(|token| token == &tokens[0]));
    shared.world.assert_refreshed(1);
    shared.assert_alive();
}

#[test]
fn a23_a_holder_that_is_killed_after_its_request_costs_one_more_where_the_server_allows_a_retry() {
    let Some(shared) = SharedToken::with(grace(), LEASE, -5) else { return };
    kill_after_it_sent(&shared);
    let tokens: Vec<Token> = others(&shared).into_iter().map(Result::unwrap).collect();
    assert!(tokens.iter().all(|token| token == &tokens[0]));
    shared.world.assert_refreshed(2);
    assert_eq!(shared.world.server.counts().reuse_detections, 0);
    shared.assert_alive();
}

#[test]
fn a8_where_the_server_allows_none_all_are_told_to_log_in_and_one_request_says_so() {
    let Some(shared) = SharedToken::expired(LEASE) else { return };
    kill_after_it_sent(&shared);
    let outcomes = others(&shared);
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(TokenError::needs_login)));
    assert_eq!(shared.world.refreshes(), 2, "the killed one's, and one for all the others");
    let auth = shared.auth().blocking();
    assert!(auth.token().unwrap_err().needs_login());
    assert_eq!(shared.world.refreshes(), 2, "and it is not tried again and again");
    // A new login is a login.
    shared.sign_in(3600);
    auth.token().unwrap();
    assert_eq!(shared.world.refreshes(), 2);
}

#[test]
fn a8_the_one_that_meets_the_rejection_says_why() {
    let Some(shared) = SharedToken::expired(LEASE) else { return };
    kill_after_it_sent(&shared);
    let auth = shared.auth();
    assert!(auth.blocking().token().unwrap_err().needs_login());
    let notices = auth.take_notices();
    let says = notices.iter().any(|notice| notice.text.contains("had been sent before"));
    assert!(says, "{notices:?}");
}

/// A refresh that takes three leases and is under way.
fn slow(shared: &SharedToken) -> JoinHandle<Token> {
    let slow = Fault::delay(LEASE * 3);
    shared.world.server.inject(Endpoint::Token, Times::Once, slow);
    let first = shared.auth().blocking();
    let first = std::thread::spawn(move || first.token().unwrap());
    eventually("the request", || shared.world.refreshes() == 1);
    first
}

#[test]
fn redis_1_a_holder_that_waits_for_the_server_for_longer_than_a_lease_keeps_the_others_waiting() {
    let Some(shared) = SharedToken::expired(LEASE) else { return };
    let first = slow(&shared);
    let next = PersistentAuth::builder(shared.world.target()).with_store(shared.abroad());
    let second = next.build().unwrap().blocking().token().unwrap();
    assert_eq!(first.join().unwrap(), second);
    assert_eq!(shared.stored().unwrap().token(), second);
    shared.world.assert_refreshed(1);
    shared.assert_alive();
}

#[test]
fn redis_1_a_holder_that_loses_its_lease_while_it_waits_for_the_server_saves_what_it_gets() {
    // A minute and a half is more than its answer takes.
    let Some(shared) = SharedToken::expired(Duration::from_secs(45)) else { return };
    let first = slow(&shared);
    shared.redis.lapse();
    let next = PersistentAuth::builder(shared.world.target()).with_store(shared.abroad());
    let second = next.build().unwrap().blocking().token().unwrap();
    assert_eq!(first.join().unwrap(), second, "nobody has sent it again meanwhile");
    assert_eq!(shared.stored().unwrap().token(), second);
    shared.world.assert_refreshed(1);
    shared.assert_alive();
}
