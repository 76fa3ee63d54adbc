//! Ctrl-C at any moment: the process ends soon with 128 and the signal's number, and nothing that was paid for is lost (T29).
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World, eventually, free_port, is_free, printed_token};
use std::time::{Duration, Instant};
use u2m_testkit::{Endpoint, Fault, Times, follow_login_in_background};

const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 143)];

#[test]
fn while_the_browser_is_waited_for() {
    for (signal, code) in SIGNALS {
        let (world, port) = (World::new(), free_port());
        let mut running = Running::start(
            world.command(&format!("login --host {{URL}} --no-browser --port {port}")),
        );
        running.url();
        let (before, start) = (world.tree(), Instant::now());
        running.signal(signal);
        let (_, ran) = running.end(Duration::from_secs(5));
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{}", ran.stderr);
        assert_eq!(world.tree(), before);
        assert!(is_free(port));
    }
}

#[test]
fn t29_while_a_spent_refresh_token_waits_for_its_answer() {
    for (signal, code) in SIGNALS {
        for line in ["token dev", "token dev --force-refresh"] {
            let world = World::new();
            world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
            let old = world.seed("dev", -5);
            world.server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_secs(1)));
            let running = Running::start(world.command(line));
            eventually("the refresh is sent", || world.server.counts().refreshes == 1);
            running.signal(signal);
            let (_, ran) = running.end(Duration::from_secs(5));
            assert_eq!(ran.code, Some(code), "{}", ran.stderr);
            // The process that was asked to refresh is still at it.
            eventually("the refresh is saved", || {
                world.stored("dev").access_token.expose() != old.access_token()
            });
            world.assert_alive("dev");
            let next = world.run("token dev");
            assert!(world.server.is_active(&printed_token(&next.stdout)), "{}", next.stderr);
            assert_eq!(world.server.counts().refreshes, 1);
        }
    }
}

#[test]
fn a_browser_that_came_back_while_the_login_was_stopped_beyond_its_limit_counts() {
    let world = World::new();
    let mut running = Running::start(world.command(&format!(
        "login --host {{URL}} --profile dev --no-browser --timeout 2s --port {}",
        free_port()
    )));
    let url = running.url();
    running.signal("STOP");
    let browser = follow_login_in_background(url);
    std::thread::sleep(Duration::from_secs(3));
    running.signal("CONT");
    let ran = running.done();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    browser.join().unwrap().unwrap();
    world.assert_alive("dev");
}

#[test]
fn while_a_code_is_redeemed() {
    let world = World::new();
    world.server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_secs(1)));
    let mut running = Running::start(world.command(&format!(
        "login --host {{URL}} --profile dev --no-browser --port {}",
        free_port()
    )));
    let browser = follow_login_in_background(running.url());
    eventually("the code is sent", || world.server.counts().exchanges == 1);
    running.signal("INT");
    let (_, ran) = running.end(Duration::from_secs(5));
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    // The page may be lost; the login is not.
    let _ = browser.join().unwrap();
    world.assert_alive("dev");
}

#[test]
fn while_another_process_refreshes() {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_secs(2)));
    let first = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let second = Running::start(world.command("token dev"));
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    second.signal("INT");
    assert_eq!(second.end(Duration::from_secs(5)).1.code, Some(130));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let ran = first.done();
    assert!(world.server.is_active(&printed_token(&ran.stdout)), "{}", ran.stderr);
}
