//! Everybody wants a token at the same moment, and the login has run out.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;

use common::{LONG, World, parse, report, runtime, together};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use u2m::PersistentAuth;
use u2m_testkit::{Endpoint, Fault, Times};

/// `<token|force> <shared|own> <threads>`
fn threads(job: &str, abroad: &common::Abroad) {
    let words: Vec<&str> = job.split(' ').collect();
    let (is_forced, is_shared) = (words[0] == "force", words[1] == "shared");
    let shared = abroad.builder().build().unwrap();
    let outcomes = together(words[2].parse().unwrap(), |_| {
        let own = if is_shared { shared.clone() } else { abroad.builder().build().unwrap() };
        let (auth, start) = (own.blocking(), Instant::now());
        let outcome = if is_forced { auth.force_refresh() } else { auth.token() };
        (outcome, start.elapsed())
    });
    outcomes.iter().for_each(|(outcome, took)| report(outcome, *took));
}

#[test]
fn worker() {
    common::work(|job, abroad| threads(job, &abroad));
}

/// All have the same new token, for one request, and the login lives.
fn tell(world: &World, jobs: Vec<&str>, callers: usize, what: &str) {
    let reports = world.at_once(jobs);
    assert_eq!(reports.len(), callers);
    let reports: Vec<_> = reports.iter().map(|report| parse(report)).collect();
    assert!(reports.iter().all(|(kind, ..)| *kind == "token"), "{reports:?}");
    let names: HashSet<&str> = reports.iter().map(|(_, _, name)| *name).collect();
    assert_eq!(names.len(), 1, "one token for all");
    world.assert_refreshed(1);
    world.assert_alive();
    let slowest = reports.iter().map(|(_, took, _)| took).max().unwrap();
    println!("{what}: {callers} tokens, 1 refresh, slowest caller {slowest} ms");
}

fn late(by: u64) -> World {
    let world = World::expired();
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_millis(by)));
    world
}

#[test]
fn refr_1_refr_2_a23_8_processes_of_8_threads_cost_one_refresh() {
    tell(&late(50), vec!["token shared 8"; 8], 64, "8 x 8, one PersistentAuth a process");
}

#[test]
fn refr_1_refr_2_8_processes_of_8_threads_with_objects_of_their_own_cost_one_refresh() {
    tell(&late(50), vec!["token own 8"; 8], 64, "8 x 8, one PersistentAuth a thread");
}

#[test]
fn refr_1_half_of_the_processes_share_an_object_and_half_do_not() {
    let jobs = ["token own 8", "token shared 8"].repeat(4);
    tell(&late(50), jobs, 64, "8 x 8, mixed");
}

#[test]
fn refr_1_a23_32_processes_of_32_threads_cost_one_refresh() {
    tell(&late(50), vec!["token shared 32"; 32], 1024, "32 x 32");
}

// An answer that takes longer than starting 64 threads: one that asks after it has come asks for the next token.
#[test]
fn refr_5_8_processes_of_8_threads_that_force_at_the_same_moment_cost_one_refresh() {
    tell(&late(500), vec!["force shared 8"; 8], 64, "force 8 x 8, 500 ms");
}

#[test]
fn refr_5_forcing_with_objects_of_their_own_costs_one_refresh() {
    tell(
        &late(500),
        vec!["force own 8"; 8],
        64,
        "force 8 x 8, 500 ms, one PersistentAuth a thread",
    );
}

#[test]
fn refr_2_a_login_of_another_program_is_discovered_once_and_refreshed_once() {
    let world = World::new();
    use u2m::store::TokenStore;
    world.store().save(&world.key(), &world.bare_session(-5)).unwrap();
    tell(&world, vec!["token own 8"; 8], 64, "8 x 8, without endpoints");
    assert_eq!(world.server.counts().metadata, 1);
    assert!(world.stored().binding.is_some(), "ENDP-2: the next refresh asks nobody");
}

async fn tasks(auth: impl Fn() -> PersistentAuth) -> Vec<u2m::Token> {
    let tasks: Vec<_> = (0..64)
        .map(|_| auth())
        .map(|auth| tokio::spawn(async move { auth.token().await.unwrap() }))
        .collect();
    let mut tokens = Vec::new();
    for task in tasks {
        tokens.push(tokio::time::timeout(LONG, task).await.unwrap().unwrap());
    }
    tokens
}

#[test]
fn refr_2_64_tasks_of_one_process_cost_one_refresh() {
    let world = late(50);
    let shared = world.auth();
    let tokens = runtime().block_on(tasks(|| shared.clone()));
    assert!(tokens.iter().all(|token| token == &tokens[0]));
    world.assert_refreshed(1);
    world.assert_alive();
}

#[test]
fn refr_2_64_tasks_with_objects_of_their_own_cost_one_refresh_on_a_single_thread_too() {
    let world = Arc::new(late(50));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tokens = runtime.block_on(tasks(|| world.auth()));
    assert!(tokens.iter().all(|token| token == &tokens[0]));
    world.assert_refreshed(1);
    world.assert_alive();
}
