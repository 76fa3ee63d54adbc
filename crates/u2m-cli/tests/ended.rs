//! When the server has ended a login, every command that shows logins says so, with no question to it.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, world_of_dev};
use u2m_testkit::{Endpoint, Fault, Times, http::StatusCode};

/// A login that has run out, and whose refresh was refused for good.
fn ended() -> World {
    let world = world_of_dev();
    world.seed("dev", -10);
    let refusal = r#"{"error":"invalid_grant","error_description":"the session was ended"}"#;
    let refused = Fault::status(StatusCode::BAD_REQUEST, "application/json", refusal);
    world.server.inject(Endpoint::Token, Times::Always, refused);
    assert_eq!(world.run("token dev").code, Some(4));
    world
}

#[test]
fn describe_storage_profiles_and_doctor_agree_that_the_login_has_ended() {
    let world = ended();
    let asked = world.server.counts().requests;
    let described = world.run("describe dev --offline");
    assert_eq!(described.code, Some(4), "{}", described.stderr);
    assert!(
        described.stdout.contains("Refreshable: no, the server has ended this login\n"),
        "{}",
        described.stdout
    );
    let shown = world.run("storage show");
    assert!(shown.stdout.contains("expired       no, ended by the server\n"), "{}", shown.stdout);
    let listed = world.run("profiles --skip-validate");
    assert!(listed.stdout.contains("  NO     "), "{}", listed.stdout);
    let looked = world.run("doctor dev --offline");
    assert!(looked.stdout.contains("login: the server has ended \"dev\""), "{}", looked.stdout);
    assert_eq!(world.server.counts().requests, asked, "nobody was asked");
    let described = world.run("describe dev");
    assert!(described.stdout.contains("the login of profile dev has ended"), "{described:?}");
    let listed = world.run("profiles");
    assert!(listed.stdout.contains("  NO     the refresh token was rejected"), "{listed:?}");
}

#[test]
fn programs_are_told_the_same() {
    let world = ended();
    let json = |line: &str| -> serde_json::Value {
        serde_json::from_str(&world.run(line).stdout).unwrap()
    };
    let described = json("describe dev --offline --json");
    assert_eq!(described["error"]["category"], "refresh-invalid");
    assert_eq!(
        (&described["token"]["ended"], &described["token"]["refreshable"]),
        (&true.into(), &false.into())
    );
    let shown = json("storage show --json");
    assert_eq!(
        (&shown["logins"][0]["ended"], &shown["logins"][0]["renewable"]),
        (&true.into(), &false.into())
    );
    let listed = json("profiles --skip-validate --json");
    assert_eq!(listed["profiles"][0]["error"]["category"], "refresh-invalid");
    assert_eq!(listed["profiles"][0]["valid"], false);
}

#[test]
fn a_login_that_was_made_anew_has_not_ended() {
    let world = ended();
    world.seed("dev", 1800);
    let shown = world.run("storage show");
    assert!(
        shown.stdout.contains("29m left      yes\n")
            || shown.stdout.contains("30m left      yes\n"),
        "{}",
        shown.stdout
    );
    assert!(world.run("describe dev --offline").stdout.contains("Refreshable: yes\n"));
}
