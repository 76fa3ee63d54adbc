//! Stories of `u2m describe`: what its deadline must not break.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, eventually};
use std::time::{Duration, Instant};
use u2m_testkit::{Endpoint, Fault, Times};

fn expired() -> World {
    let world = World::new();
    world.seed("dev", -60);
    let config = format!("[dev]\nhost = {}\nauth_type = databricks-cli\n", world.url());
    world.write(".databrickscfg", &config);
    world
}

#[test]
fn a_refresh_that_takes_longer_than_the_check_is_saved_all_the_same() {
    for line in ["describe dev --timeout 1s", "profiles --timeout 1s"] {
        let world = expired();
        let spent = world.stored("dev").refresh_token.unwrap();
        world.server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_secs(4)));
        let start = Instant::now();
        let ran = world.run(line);
        assert!(start.elapsed() < Duration::from_secs(4), "{line}: {:?}", start.elapsed());
        assert!(ran.stdout.contains("no answer within 1 s"), "{line}: {}", ran.stdout);
        eventually("the successor is saved", || {
            world.stored("dev").refresh_token.unwrap() != spent
        });
        world.assert_alive("dev");
    }
}

#[test]
fn a_host_that_never_answers_costs_no_longer_than_was_said() {
    let world = expired();
    world.seed("dev", 3000);
    world.server.inject(Endpoint::Any, Times::Always, Fault::never_answer());
    let start = Instant::now();
    let ran = world.run("describe dev --timeout 1s -o json");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["status"], &json["error"]["category"]), (&"error".into(), &"timeout".into()));
    assert_eq!(json["token"]["refreshable"], true, "the report is whole");
}
