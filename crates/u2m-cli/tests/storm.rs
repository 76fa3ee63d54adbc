//! Many processes at once: one refresh, a token for each, and a login that lives on.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World, printed_token};
use std::collections::BTreeSet;
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Times};

/// Starts `count` processes as fast as can be, and gathers the tokens that they print.
fn storm(world: &World, count: usize, line: &str) -> Vec<String> {
    let all: Vec<Running> = (0..count).map(|_| Running::start(world.command(line))).collect();
    let ran = all.into_iter().map(Running::done);
    ran.map(|ran| {
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        printed_token(&ran.stdout)
    })
    .collect()
}

fn world(left: i64) -> World {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", left);
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_millis(400)));
    world
}

fn assert_one_refresh(world: &World, tokens: &[String]) {
    let counts = world.server.counts();
    assert_eq!(
        (counts.refreshes, counts.rejected, counts.reuse_detections),
        (1, 0, 0),
        "{counts:?}"
    );
    assert!(tokens.iter().all(|token| world.server.is_active(token)));
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 1);
    world.assert_alive("dev");
}

#[test]
fn sixty_four_processes_that_force_a_refresh_make_one() {
    let world = world(1800);
    let tokens = storm(&world, 64, "token dev --force-refresh");
    assert_eq!(tokens.len(), 64);
    assert_one_refresh(&world, &tokens);
}

#[test]
fn twenty_processes_with_a_fresh_token_ask_nobody() {
    let world = world(1800);
    let tokens = storm(&world, 20, "token dev");
    assert_eq!((tokens.len(), world.server.counts().requests), (20, 0));
}

#[test]
fn a23_32_processes_with_an_expired_token_make_one_refresh_and_nothing_is_revoked() {
    let world = world(-5);
    let tokens = storm(&world, 32, "token dev");
    assert_one_refresh(&world, &tokens);
}
