//! A login that cannot be saved although that was shown before: it is tried, and then given back to its server; what became of it
//! is said, and no token with it.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Ran, Running, World, eventually, free_port, slow};
use std::time::Duration;
use u2m::store::{CacheKey, TokenStore};
use u2m_testkit::{
    Client, Device, DeviceAnswer, Endpoint, Fault, Iss, Settings, Times, WellKnown, follow_login,
    http::StatusCode,
};

/// Longer than saving is tried.
const LONGER: Duration = Duration::from_secs(170);

const WORKSPACE: &str = "login --host {URL} --profile dev";
const ISSUER: &str = "login --issuer {URL}/oidc --client-id my-cli --profile dev";

fn settings() -> Settings {
    Settings::new().with_device(Device::new([DeviceAnswer::Approved]))
}

fn issuer() -> Settings {
    let client = Client::public("my-cli");
    settings().with_client(client).with_well_known(WellKnown::OpenId).with_iss(Iss::Present)
}

/// A login that is signed in to while its cache is taken away, up to the word that it cannot be saved yet.
fn unsaved(world: &World, line: &str) -> Running {
    world.write(".databricks/empty", "");
    slow(world, Duration::from_secs(1));
    let mut command = world.command(line);
    let is_device = line.contains("--device");
    if !is_device {
        command.args(["--no-browser", "--port", &free_port().to_string()]);
    }
    let mut running = Running::start(command);
    if !is_device {
        let url = running.url();
        std::thread::spawn(move || follow_login(&url));
    }
    eventually("the tokens are on their way", || world.server.counts().issued == 1);
    std::fs::create_dir(world.cache()).unwrap();
    running.line(|line| line.contains("the login cannot be saved yet"));
    running
}

/// It was interrupted, or gave up by itself: no token is said, and nothing is stored.
fn assert_given_up(world: &World, ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{}", ran.stderr);
    let said = ran.stderr.lines().filter(|line| line.contains("the login could not be saved"));
    let said: Vec<_> = said.collect();
    assert_eq!(said.len(), 1, "{}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "'{part}' in {}", ran.stderr);
    }
    let sent = world.server.seen();
    let secrets =
        sent.iter().flat_map(|seen| ["token", "code", "device_code"].map(|it| seen.parameter(it)));
    for secret in secrets.flatten() {
        assert!(secret.len() > 8 && !ran.stderr.contains(secret), "{}", ran.stderr);
    }
    assert!(!world.config().exists(), "no profile leads to it");
}

#[test]
fn a_login_of_every_kind_that_cannot_be_saved_is_ended_at_its_server() {
    for (settings, line) in [
        (settings(), WORKSPACE.to_owned()),
        (settings(), format!("{WORKSPACE} --device")),
        (issuer(), ISSUER.to_owned()),
        (issuer(), format!("{ISSUER} --device")),
    ] {
        let world = World::with(settings.with_revocation());
        let running = unsaved(&world, &line);
        // Who gives up does not wait for the minute to end.
        running.signal("INT");
        let ran = running.done();
        let again = line.replace("{URL}", world.url());
        let parts = ["was revoked at ", &format!("u2m {again}"), "is not a regular file"];
        assert_given_up(&world, &ran, 130, &parts);
        let counts = world.server.counts();
        assert_eq!((counts.revocations, counts.revoked_families), (1, 1), "{counts:?}");
        let seen = world.server.seen();
        let sent = seen.iter().find(|seen| seen.endpoint() == Endpoint::Revocation).unwrap();
        assert_eq!(sent.parameter("token_type_hint"), Some("refresh_token"));
    }
}

#[test]
fn after_a_minute_it_is_given_up_and_where_nothing_is_revoked_that_is_said() {
    let world = World::with(settings());
    let ran = unsaved(&world, WORKSPACE).end(LONGER).1;
    let parts = ["offers no revocation", "DATABRICKS_AUTH_STORAGE=plaintext", "U2M_TOKEN_CACHE"];
    assert_given_up(&world, &ran, 7, &parts);
    assert_eq!(world.server.counts().revocations, 0);
}

#[test]
fn a_server_that_does_not_say_that_it_has_revoked_it_is_not_said_to_have() {
    let world = World::with(settings().with_revocation());
    let broken = Fault::status(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "broken");
    world.server.inject(Endpoint::Revocation, Times::Always, broken);
    let running = unsaved(&world, WORKSPACE);
    running.signal("INT");
    let ran = running.done();
    assert_given_up(&world, &ran, 130, &["It is not known whether", "500"]);
    assert!(!ran.stderr.contains("was revoked at"), "{}", ran.stderr);
}

#[test]
fn a_server_that_never_answers_is_given_seconds() {
    let world = World::with(settings().with_revocation());
    world.server.inject(Endpoint::Revocation, Times::Always, Fault::never_answer());
    let running = unsaved(&world, WORKSPACE);
    running.signal("INT");
    let ran = running.end(LONG).1;
    assert_given_up(&world, &ran, 130, &["It is not known whether"]);
}

#[test]
fn what_is_mended_meanwhile_is_saved_and_nothing_is_revoked() {
    let world = World::with(settings().with_revocation());
    let running = unsaved(&world, WORKSPACE);
    std::fs::remove_dir(world.cache()).unwrap();
    let ran = running.done();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    world.assert_alive("dev");
    assert_eq!(world.server.counts().revocations, 0);
    assert!(world.config().exists());
    assert_eq!(world.run("token dev").code, Some(0));
}

#[test]
fn an_older_login_stays_what_it_was() {
    let world = World::with(settings().with_revocation());
    world.seed("dev", 1800);
    let aside = world.path("aside");
    std::fs::rename(world.cache(), &aside).unwrap();
    let running = unsaved(&world, WORKSPACE);
    running.signal("INT");
    assert_eq!(running.done().code, Some(130));
    std::fs::remove_dir(world.cache()).unwrap();
    std::fs::rename(&aside, world.cache()).unwrap();
    assert!(world.store().load(&CacheKey::new("dev")).unwrap().is_some());
    world.assert_alive("dev");
    assert_eq!(world.server.counts().revoked_families, 1);
}
