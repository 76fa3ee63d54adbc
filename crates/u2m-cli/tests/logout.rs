//! After a logout nothing of a login is left, and nothing brings it back.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World, eventually, free_port, printed_token};
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Settings, Times, follow_login};

fn sign_in(world: &World) -> String {
    let mut command = world.command("login --host {URL} --profile dev --no-browser");
    command.args(["--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    follow_login(&running.url()).unwrap();
    let ran = running.done();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stderr
}

/// The tokens that are stored under `dev`.
fn tokens(world: &World) -> [String; 2] {
    let session = world.stored("dev");
    [session.access_token.expose(), session.refresh_token.unwrap().expose()].map(str::to_owned)
}

#[test]
fn t28_no_token_of_a_login_is_in_any_file_after_a_logout() {
    let world = World::new();
    sign_in(&world);
    let first = tokens(&world);
    // A crash of some program leaves the file damaged, and a temporary file beside it; the next login sets it aside.
    let damaged = world.read(".databricks/token-cache.json") + "}";
    world.write(".databricks/token-cache.json", &damaged);
    let said = sign_in(&world);
    assert!(said.contains(".corrupt-"), "{said}");
    let second = tokens(&world);
    let left = ".databricks/.token-cache-u2m-2147483646-0.tmp";
    world.write(left, &damaged);
    let all: Vec<_> = first.iter().chain(&second).collect();
    let found = |secret: &str| world.tree().values().filter(|held| held.contains(secret)).count();
    assert!(all.iter().all(|secret| found(secret) > 0), "what is looked for was there");
    let ran = world.run("logout dev --auto-approve");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for secret in all {
        assert_eq!(found(secret), 0, "{:?}", world.tree().keys());
    }
    assert_eq!(world.run("token dev").code, Some(3));
}

#[test]
fn t28_the_backup_of_a_deleted_profile_holds_no_token() {
    let world = World::new();
    sign_in(&world);
    let secrets = tokens(&world);
    assert_eq!(world.run("logout dev --delete --auto-approve").code, Some(0));
    let tree = world.tree();
    assert!(tree["~/.databrickscfg.bak"].contains("[dev]"));
    assert!(!tree["~/.databrickscfg"].contains("[dev]"));
    assert!(secrets.iter().all(|secret| !tree.values().any(|held| held.contains(secret))));
}

/// The refresh that was begun before is saved, and then goes with the login.
#[test]
fn a_logout_while_a_refresh_is_under_way_ends_signed_out() {
    let world = World::with(Settings::new());
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_secs(2)));
    let token = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let logout = world.run("logout dev --auto-approve");
    assert_eq!(logout.code, Some(0), "{}", logout.stderr);
    assert!(logout.stderr.starts_with("Logged out of"), "{}", logout.stderr);
    let token = token.done();
    assert_eq!(token.code, Some(0), "{}", token.stderr);
    let fetched = printed_token(&token.stdout);
    assert!(world.server.is_active(&fetched));
    assert!(!world.tree().values().any(|held| held.contains(&fetched)), "it was brought back");
    assert_eq!(world.run("token dev").code, Some(3));
    assert_eq!(world.server.counts().refreshes, 1);
}

/// A refresh has replaced the token that was there when the logout began: the successor is the one to revoke.
#[test]
fn a40_what_is_revoked_is_what_the_last_refresh_has_left() {
    let world = World::with(Settings::new().with_revocation());
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_secs(2)));
    let token = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let logout = world.run("logout dev --auto-approve");
    assert_eq!(logout.code, Some(0), "{}", logout.stderr);
    let fetched = printed_token(&token.done().stdout);
    let counts = world.server.counts();
    assert_eq!((counts.revocations, counts.revoked_families, counts.reuse_detections), (1, 1, 0));
    assert!(!world.server.is_active(&fetched), "its access token has ended with it");
}

#[test]
fn a_waiting_caller_gets_no_token_of_a_login_that_has_ended() {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    assert_eq!(world.run("logout dev --auto-approve").code, Some(0));
    let ran = world.run("token dev --force-refresh");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("profile dev is not signed in. Run: u2m login --profile dev"));
    assert_eq!(world.server.counts().refreshes, 0);
}
