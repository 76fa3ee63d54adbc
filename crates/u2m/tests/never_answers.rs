//! A server that takes requests and says nothing: everybody has an error in time, and few requests are spent on it.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;

use common::{World, hasty, parse, report, together, within};
use std::time::{Duration, Instant};
use u2m::store::TokenStore;
use u2m::transport::RetryPolicy;
use u2m_testkit::{Endpoint, Fault, Times};

/// The budget of a request and the wait for somebody else's, and time for a busy machine.
const BOUND: u64 = 400 + 600 + 4_000;

#[test]
fn worker() {
    common::work(|_, abroad| {
        let shared = hasty(abroad.builder());
        let outcomes = together(4, |at| {
            let auth = if at < 2 { shared.clone() } else { hasty(abroad.builder()) };
            let start = Instant::now();
            (auth.blocking().token(), start.elapsed())
        });
        outcomes.iter().for_each(|(outcome, took)| report(outcome, *took));
    });
}

/// 8 processes of 4 threads get an error that may pass, in time.
fn tell(world: &World, what: &str) {
    let reports = world.at_once(["token"; 8]);
    assert_eq!(reports.len(), 32);
    let reports: Vec<_> = reports.iter().map(|report| parse(report)).collect();
    for (kind, took, error) in &reports {
        assert_eq!(*kind, "later", "{error}");
        assert!(*took < BOUND, "{took} ms: {error}");
    }
    let slowest = reports.iter().map(|(_, took, _)| took).max().unwrap();
    let counts = world.server.counts();
    println!(
        "{what}: slowest of 32 errors {slowest} ms, {} metadata requests, {} refreshes",
        counts.metadata, counts.refreshes
    );
}

#[test]
fn async_4_a_token_endpoint_that_never_answers_costs_one_request_and_everybody_little_time() {
    let world = World::expired();
    world.server.inject(Endpoint::Token, Times::Always, Fault::never_answer());
    tell(&world, "token endpoint");
    assert!(world.refreshes() <= 3, "the failure is shared: {:?}", world.server.counts());
    world.server.clear_faults();
    // Times are whole seconds: who asks in the second in which the failure fell still shares it.
    let auth = world.auth().blocking();
    common::eventually("a token", || auth.token().is_ok());
    world.assert_alive();
}

#[test]
fn host_4_a_metadata_endpoint_that_never_answers_costs_everybody_little_time() {
    let world = World::new();
    world.store().save(&world.key(), &world.bare_session(-5)).unwrap();
    world.server.inject(Endpoint::Metadata, Times::Always, Fault::never_answer());
    tell(&world, "metadata endpoint");
    let counts = world.server.counts();
    assert!(counts.metadata <= 8 && counts.refreshes == 0, "{counts:?}");
    world.server.clear_faults();
    world.auth().blocking().token().unwrap();
    world.assert_alive();
}

#[test]
fn async_4_waiters_of_one_process_share_one_failure() {
    let world = World::expired();
    world.server.inject(Endpoint::Token, Times::Always, Fault::never_answer());
    let auth = hasty(world.builder());
    let outcomes = within(Duration::from_millis(BOUND), move || {
        together(32, |_| auth.blocking().token().is_err_and(|error| error.is_transient()))
    });
    assert!(outcomes.into_iter().all(|is_transient| is_transient));
    assert!(world.refreshes() <= 2);
}

#[test]
fn flow_1_a_caller_may_have_a_deadline_of_its_own() {
    let world = World::expired();
    world.server.inject(Endpoint::Token, Times::Always, Fault::never_answer());
    let auth = hasty(world.builder());
    let outcome = common::runtime()
        .block_on(async { tokio::time::timeout(Duration::from_millis(50), auth.token()).await });
    assert!(outcome.is_err());
}

#[test]
fn a_wait_for_others_that_is_no_longer_than_a_request_is_refused_when_built() {
    let world = World::new();
    let patience = RetryPolicy::default().with_budget(Duration::from_secs(5));
    let built = world.builder().with_retry_policy(patience).with_lock_wait(Duration::from_secs(5));
    assert!(matches!(built.build(), Err(u2m::BuildError::Impatient)));
}
