//! An issuer whose token endpoint is on another host, which a person has allowed by name when signing in: the login is
//! used, renewed, shown and ended like any other, wherever it is kept. (The keyring has the same story among its own.)
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/elsewhere.rs"]
mod elsewhere;

use common::{World, eventually, ran};
use elsewhere::{Elsewhere, LOGIN};
use std::process::Command;
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Times};

fn in_store<'w>(world: &'w World, mode: &'static str) -> impl Fn(&str) -> Command + use<'w> {
    move |line: &str| {
        let mut command = world.command(line);
        command.env("DATABRICKS_AUTH_STORAGE", mode);
        command.env("U2M_STORAGE_KEY_FILE", world.path("key"));
        command
    }
}

#[test]
fn a_login_in_the_shared_file_lives_from_signing_in_to_signing_out() {
    let elsewhere = Elsewhere::new(World::new());
    elsewhere.live(in_store(&elsewhere.world, "plaintext"));
}

#[test]
fn a_login_in_the_sealed_file_lives_from_signing_in_to_signing_out() {
    let elsewhere = Elsewhere::new(World::new());
    elsewhere.live(in_store(&elsewhere.world, "encrypted"));
}

#[test]
fn without_a_word_of_the_person_nobody_is_asked_to_sign_in() {
    let elsewhere = Elsewhere::new(World::new());
    let ran = elsewhere.world.run(&format!("{LOGIN} --no-browser"));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("name it with --allow-issuer HOST"), "{}", ran.stderr);
    assert!(elsewhere.tokens_asked_of().is_empty());
}

#[test]
fn a_caller_that_is_killed_during_a_refresh_leaves_a_login_that_still_knows_what_was_allowed() {
    let elsewhere = Elsewhere::new(World::new());
    let world = &elsewhere.world;
    elsewhere.sign_in(in_store(world, "plaintext"));
    let before = world.stored("corp");
    world.server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_millis(300)));
    let asked = elsewhere.tokens_asked_of().len();
    let running = common::Running::start(world.command("token corp"));
    eventually("the refresh token was sent", || elsewhere.tokens_asked_of().len() > asked);
    running.signal("KILL");
    running.done();
    eventually("what it bought is saved", || {
        world.stored("corp").refresh_token != before.refresh_token
    });
    let after = world.stored("corp");
    assert_eq!(after.binding, before.binding);
    assert_eq!(after.binding.unwrap().allowed[0].as_str(), elsewhere.tokens);
    world.assert_alive("corp");
}

#[test]
fn t20_a_record_without_what_was_allowed_sends_nothing_there_and_a_profile_allows_nothing() {
    let elsewhere = Elsewhere::new(World::new());
    let world = &elsewhere.world;
    elsewhere.sign_in(in_store(world, "plaintext"));
    let side = ".databricks/token-cache.u2m.json";
    let mut record: serde_json::Value = serde_json::from_str(&world.read(side)).unwrap();
    let allowed = record["sessions"]["corp"].as_object_mut().unwrap().remove("allowed").unwrap();
    assert_eq!(allowed, serde_json::json!([elsewhere.tokens]));
    world.write(side, &record.to_string());
    let profile = world.read(".databrickscfg");
    let more = format!("{profile}\nallow_issuer = {0}\nu2m_allow_issuer = {0}\n", elsewhere.tokens);
    for text in [&profile, &more.replace("[corp]\n", "[corp]\nu2m_allowed = localhost\n")] {
        world.write(".databrickscfg", text);
        let asked = elsewhere.tokens_asked_of().len();
        let ran = world.run("token corp");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
        assert_eq!(elsewhere.tokens_asked_of().len(), asked, "nothing was sent");
    }
    // Signing in anew is all that it takes.
    elsewhere.sign_in(in_store(world, "plaintext"));
    assert_eq!(ran(world.command("token corp")).code, Some(0));
}
