//! Whatever is waited for at a terminal is said within a moment: what it is, and of whom.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/session.rs"]
mod session;

use common::{World, free_port, world_of_dev};
use session::{Look, Session};
use std::time::{Duration, Instant};
use u2m::store::{CacheKey, TokenStore};
use u2m_testkit::{Device, DeviceAnswer, Endpoint, Fault, Settings, Times, follow_login};

/// A second, and what a busy machine takes besides.
const SOON: Duration = Duration::from_secs(20);

fn never(world: &World, endpoint: Endpoint) {
    world.server.inject(endpoint, Times::Always, Fault::never_answer());
}

/// Whether `line` says at each kind of terminal that it waits for `whom`; `false` where no terminal can be made.
fn says(world: &World, line: &str, whom: &str) -> bool {
    for look in [Look::FULL, Look { columns: 40, ..Look::FULL }, Look::DUMB] {
        let Some(mut session) = Session::open(world, line, &[], look) else { return false };
        let start = Instant::now();
        match look.term {
            "dumb" => session.until(whom),
            // What does not fit is cut.
            _ => session
                .until_seen(&whom.chars().take(usize::from(look.columns) - 12).collect::<String>()),
        }
        assert!(start.elapsed() < SOON, "{line}: {:?}", start.elapsed());
    }
    true
}

#[test]
fn a_host_that_is_asked_what_it_is() {
    let world = World::new();
    never(&world, Endpoint::HostMetadata);
    let line = "login --host {URL} -p dev --no-browser";
    let _ = says(&world, line, "Waiting for the server");
}

#[test]
fn a_server_that_is_asked_where_to_sign_in() {
    let world = World::new();
    never(&world, Endpoint::Metadata);
    let line = "login --host {URL} -p dev --no-browser";
    let _ = says(&world, line, "Waiting for the server");
}

#[test]
fn a_person_who_is_to_enter_a_code() {
    let pending = Device::new([DeviceAnswer::Pending]);
    let world = World::with(Settings::new().with_device(pending));
    let Some(mut session) =
        Session::open(&world, "login --device --host {URL} -p dev", &[], Look::FULL)
    else {
        return;
    };
    session.until_seen("Waiting for you to enter the code (9:5");
    assert!(!session.shown.contains("Waiting..."), "{}", session.shown);
    session.types("\u{3}");
    let ended = session.ended();
    assert_eq!(ended.code, Some(130), "{}", ended.shown);
    assert!(ended.is_sane() && !ended.seen.contains("Waiting for"), "{}", ended.seen);
}

#[test]
fn a_server_that_is_to_redeem_the_browsers_answer() {
    let world = World::new();
    never(&world, Endpoint::Token);
    let line = format!("login --host {{URL}} --profile dev --no-browser --port {}", free_port());
    let Some(mut session) = Session::open(&world, &line, &[], Look::FULL) else { return };
    let url = session.url();
    session.until_seen("Waiting for the browser");
    follow_login(&url).unwrap();
    session.until_seen("Waiting for the server");
    session.types("\u{3}");
}

#[test]
fn a_server_that_is_to_renew_a_token() {
    let world = world_of_dev();
    world.seed("dev", -10);
    never(&world, Endpoint::Token);
    for line in ["token dev", "exec -p dev -- true", "env dev --with-token"] {
        if !says(&world, line, "Waiting for the server to renew the token") {
            return;
        }
    }
    let Some(session) = Session::open(&world, "token dev --quiet --timeout 2s", &[], Look::FULL)
    else {
        return;
    };
    let ended = session.ended();
    assert!(!ended.shown.contains("Waiting for"), "{}", ended.shown);
}

#[test]
fn servers_that_are_to_say_whether_logins_work() {
    let world = world_of_dev();
    world.seed("dev", 1800);
    never(&world, Endpoint::Api);
    let _ = says(&world, "describe dev --timeout 60s", "Waiting for the server")
        && says(&world, "profiles --timeout 60s", "Waiting for the server of 1 profile");
    never(&world, Endpoint::Metadata);
    never(&world, Endpoint::HostMetadata);
    let _ = says(&world, "doctor dev --timeout 60s", "Looking at this machine and the host");
}

#[test]
fn a_server_that_is_to_revoke_a_login() {
    let world = World::with(Settings::new().with_revocation());
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    never(&world, Endpoint::Revocation);
    for look in [Look::FULL, Look::DUMB] {
        world.seed("dev", 1800);
        let line = "logout dev --auto-approve --timeout 30s";
        let Some(mut session) = Session::open(&world, line, &[], look) else { return };
        session.until("Waiting for the server to revoke the login");
    }
}

#[test]
fn another_process_that_holds_the_lock_of_a_login() {
    let world = world_of_dev();
    world.seed("dev", 1800);
    let lock = world.store().lock(&CacheKey::new("dev"), Duration::from_secs(5)).unwrap();
    assert!(lock.is_some());
    let _ = says(&world, "logout dev --auto-approve", "Waiting for another process that");
}
