//! Of a server that fails: who sends a request to it, and who does not, from process to process.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World, eventually, printed_token, world_of_dev as world};
use std::time::Duration;
use u2m_testkit::http::StatusCode;
use u2m_testkit::{Endpoint, Fault, Times};

fn sent(world: &World) -> u64 {
    world.server.counts().refreshes
}

#[test]
fn a_pause_that_the_server_asked_for_is_kept_by_every_process_and_said_by_each() {
    let world = world();
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Always, Fault::too_many_requests(Some(1_800)));
    let first = world.run("token dev");
    assert_eq!((first.code, first.stdout.as_str()), (Some(6), ""), "{}", first.stderr);
    assert!(first.stderr.contains("slow down"), "{}", first.stderr);
    assert!(first.stderr.contains("no further request for 1800 s"), "{}", first.stderr);
    world.server.clear_faults();
    for line in ["token dev", "token dev --force-refresh", "env --profile dev --with-token"] {
        let ran = world.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), ""), "{line}: {}", ran.stderr);
        for part in ["slow down", "Nothing was sent, and the login is kept; try again in 1"] {
            assert!(ran.stderr.contains(part), "{line}: {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("another process"), "{}", ran.stderr);
    }
    let doctor = world.run("doctor dev");
    assert!(doctor.stdout.contains("wants no refresh of \"dev\""), "{}", doctor.stdout);
    assert_eq!(sent(&world), 1);
    world.assert_alive("dev");
}

#[test]
fn a_pause_takes_no_token_away_that_is_still_good_and_ends() {
    let world = world();
    let old = world.seed("dev", 120);
    world.server.inject(Endpoint::Token, Times::Always, Fault::too_many_requests(Some(12)));
    for _ in 0..2 {
        let ran = world.run("token dev");
        assert_eq!(printed_token(&ran.stdout), old.access_token(), "{}", ran.stderr);
        assert_eq!(sent(&world), 1);
    }
    let forced = world.run("token dev --force-refresh");
    assert_eq!((forced.code, sent(&world)), (Some(6), 1), "new means new: {}", forced.stderr);
    world.server.clear_faults();
    eventually("the pause is over", || world.run("token dev --force-refresh").code == Some(0));
    world.assert_alive("dev");
}

#[test]
fn who_comes_after_a_failure_has_a_request_of_its_own_and_who_waited_shares_it() {
    let world = world();
    world.seed("dev", -5);
    let fault = Fault::status(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "");
    world.server.inject(Endpoint::Token, Times::Exactly(2), fault.clone());
    for requests in [1, 2] {
        let ran = world.run("token dev");
        assert_eq!(ran.code, Some(6), "{}", ran.stderr);
        assert!(ran.stderr.contains("http 500"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("another process"), "{}", ran.stderr);
        assert_eq!(sent(&world), requests, "as fast as they come");
    }
    let slow = fault.after(Duration::from_secs(10));
    world.server.inject(Endpoint::Token, Times::Once, slow);
    let first = Running::start(world.command("token dev"));
    eventually("the request is there", || sent(&world) == 3);
    let others: Vec<_> = (0..4).map(|_| Running::start(world.command("token dev"))).collect();
    for ran in std::iter::once(first).chain(others).map(Running::done) {
        assert_eq!(ran.code, Some(6), "{}", ran.stderr);
        assert!(ran.stderr.contains("http 500"), "{}", ran.stderr);
    }
    assert_eq!(sent(&world), 3, "one for all who waited");
    assert_eq!(world.run("token dev").code, Some(0));
    world.assert_alive("dev");
}
