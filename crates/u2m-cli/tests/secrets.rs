//! Nothing secret is said, whatever happens; and the process shows its memory to nobody.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World, eventually, free_port};
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Settings, Times, follow_login, http::StatusCode};

/// Every code, state, verifier and token that has passed between the program and the server.
fn secrets(world: &World) -> Vec<String> {
    let names = ["code", "state", "code_verifier", "refresh_token"];
    let seen = world.server.seen();
    let sent =
        seen.iter().flat_map(|seen| names.map(|name| seen.parameter(name).map(str::to_owned)));
    let stored = world.store().path().exists().then(|| world.stored("dev"));
    let kept = stored.into_iter().flat_map(|session| {
        let refresh = session.refresh_token.map(|token| token.expose().to_owned());
        [Some(session.access_token.expose().to_owned()), refresh]
    });
    sent.chain(kept).flatten().collect()
}

fn assert_silent(world: &World, said: &str) {
    let secrets = secrets(world);
    assert!(!secrets.is_empty());
    for secret in secrets {
        assert!(!said.contains(&secret), "'{secret}' in {said}");
    }
    assert!(!said.contains("canary"), "{said}");
}

/// A login; what it says besides the address.
fn login(world: &World) -> String {
    let mut command =
        world.command("login --host {URL} --profile dev --no-browser --debug --log-level trace");
    command.args(["--port", &free_port().to_string()]).env("DATABRICKS_TOKEN", "canary");
    let mut running = Running::start(command);
    let url = running.url();
    follow_login(&url).unwrap();
    let ran = running.done();
    ran.stdout + &ran.stderr.replace(&url, "")
}

#[test]
fn a_login_says_no_secret_whether_it_goes_well_or_not() {
    let world = World::new();
    assert_silent(&world, &login(&world));
    for fault in [
        Fault::status(
            StatusCode::BAD_REQUEST,
            "application/json",
            r#"{"error":"invalid_grant","code":"canary"}"#,
        ),
        Fault::junk(r#"{"access_token":"canary-1","refresh_token":"canary-2","token_type":"mac"}"#),
        Fault::junk(r#"{"access_token":"canary-1","expires_in":"canary"}"#),
        Fault::junk("<html>canary</html>"),
        Fault::drop_connection(),
    ] {
        let world = World::new();
        world.server.inject(Endpoint::Token, Times::Always, fault);
        let said = login(&world);
        assert!(said.contains("Error: "), "{said}");
        assert_silent(&world, &said);
    }
}

#[test]
fn a_refresh_says_no_secret_whether_it_goes_well_or_not() {
    for fault in [
        Fault::delay(Duration::ZERO),
        Fault::junk(r#"{"access_token":"canary-1","refresh_token":"canary-2","token_type":"mac"}"#),
        Fault::junk(r#"{"access_token":"canary-1","#),
        Fault::status(
            StatusCode::BAD_REQUEST,
            "application/json",
            r#"{"error":"x","refresh_token":"canary"}"#,
        ),
        Fault::status(StatusCode::BAD_GATEWAY, "text/plain", "canary"),
        Fault::redirect(StatusCode::TEMPORARY_REDIRECT, "http://127.0.0.1:1/canary"),
        Fault::drop_connection(),
        Fault::cut_short(),
    ] {
        let world = World::new();
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        world.seed("dev", -5);
        world.server.inject(Endpoint::Token, Times::Always, fault);
        assert_silent(&world, &world.run("token dev --debug").stderr);
    }
}

/// The kernel gives what belongs to a process that must not be looked at to root.
#[cfg(target_os = "linux")]
#[test]
fn other_processes_of_the_same_user_cannot_look_into_it() {
    use std::os::unix::fs::MetadataExt;
    let world = World::with(Settings::new());
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_secs(2)));
    let mut command = world.command("token dev");
    if !world.unprivileged(&mut command) {
        return;
    }
    let running = Running::start(command);
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let process = std::path::PathBuf::from(format!("/proc/{}", running.child.id()));
    assert_eq!(std::fs::metadata(process.join("environ")).unwrap().uid(), 0);
    assert_eq!(running.done().code, Some(0));
}
