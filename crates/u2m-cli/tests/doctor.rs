//! `u2m doctor` where a case cannot play it: clocks that differ, a server that never answers, what a refresh remembered.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use serde_json::Value;
use std::time::{Duration, Instant};
use u2m_testkit::{Endpoint, Fault, Lifetime, Times};

fn world(left: i64) -> World {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", left);
    world
}

/// The report in JSON, and the exit code.
fn report(world: &World, line: &str) -> (Value, Option<i32>) {
    let ran = world.run(&format!("doctor -o json {line}"));
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    (report, ran.code)
}

#[test]
fn a_port_that_somebody_holds_is_named_and_is_no_failure() {
    let world = world(1800);
    let held = (8020..=8040).find_map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).ok());
    let Some(held) = held else { return };
    let port = held.local_addr().unwrap().port().to_string();
    let (level, text) = check(&report(&world, "--offline").0, "callback ports");
    assert!(level == "ok" && text.contains(&port) && text.ends_with(" not"), "{text}");
}

#[test]
fn the_command_that_sdks_would_call_is_found_by_link_and_by_variable() {
    let world = world(1800);
    std::fs::create_dir(world.path("bin")).unwrap();
    let link = world.path("bin/databricks");
    std::os::unix::fs::symlink(common::U2M, &link).unwrap();
    let mut command = world.command("doctor --offline -o json");
    command.env("PATH", world.path("bin")).env("DATABRICKS_CLI_PATH", "databricks");
    let ran = common::ran(command);
    let report = serde_json::from_str(&ran.stdout).unwrap();
    for name in ["databricks on PATH", "DATABRICKS_CLI_PATH"] {
        let found = check(&report, name);
        assert_eq!(found, ("ok".into(), "~/bin/databricks, which is this program".into()));
    }
    // A wrapper is what SDKs pass over.
    std::fs::remove_file(&link).unwrap();
    world.script("bin/databricks", "#!/bin/sh\n");
    let mut command = world.command("doctor --offline -o json");
    let ran = common::ran({
        command.env("PATH", world.path("bin"));
        command
    });
    let report = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(check(&report, "databricks on PATH").0, "warn");
}

/// The level and the text of a check.
fn check(report: &Value, name: &str) -> (String, String) {
    let all = report["checks"].as_array().unwrap();
    let found = all.iter().find(|one| one["check"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {report:#}"));
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("level"), text("text"))
}

#[test]
fn the_report_in_json_says_whether_all_is_well_and_advises_where_it_is_not() {
    let world = world(1800);
    let (report, code) = report(&world, "-p dev");
    assert_eq!((report["ok"].as_bool(), code), (Some(true), Some(0)), "{report:#}");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["level"] == "ok", check["advice"].is_null(), "{check}");
    }
    world.server.inject(Endpoint::HostMetadata, Times::Always, Fault::drop_connection());
    let (report, code) = self::report(&world, "-p dev");
    assert_eq!((report["ok"].as_bool(), code), (Some(false), Some(1)), "{report:#}");
    assert_eq!(check(&report, "host").0, "fail");
}

#[test]
fn a_clock_that_is_more_than_half_a_minute_off_is_a_warning() {
    let world = world(1800);
    assert_eq!(check(&report(&world, "-p dev").0, "clock").0, "ok");
    for (ahead, words) in [(90, "behind"), (-180, "ahead of")] {
        world.server.advance(Lifetime::from_seconds(ahead));
        let (report, code) = report(&world, "-p dev");
        let (level, text) = check(&report, "clock");
        assert_eq!((level.as_str(), code), ("warn", Some(0)));
        assert!(text.contains(words) && text.ends_with("the host's"), "{text}");
    }
}

#[test]
fn a_host_that_never_answers_is_given_up_and_all_else_is_said() {
    let world = world(1800);
    world.server.inject(Endpoint::HostMetadata, Times::Always, Fault::never_answer());
    let start = Instant::now();
    let (report, code) = report(&world, "-p dev");
    assert_eq!(code, Some(1));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(check(&report, "host").0, "fail");
    for other in ["login", "saving", "callback ports", "browser"] {
        check(&report, other);
    }
}

#[test]
fn a_refresh_that_was_rejected_is_remembered_and_told_without_asking_again() {
    let world = world(-5);
    world.server.revoke_all();
    assert_eq!(world.run("token dev").code, Some(4));
    let asked = world.server.counts().requests;
    let (report, code) = report(&world, "--offline -p dev");
    assert_eq!((check(&report, "login").0.as_str(), code), ("fail", Some(1)));
    assert_eq!(world.server.counts().requests, asked);
}

#[test]
fn nothing_is_changed_by_looking() {
    let world = world(1800);
    world.run("token dev");
    let before = world.read(".databricks/token-cache.json");
    for line in ["doctor", "doctor -p dev", "doctor --offline --host {URL}"] {
        assert!(!world.run(line).stderr.contains("internal error"));
    }
    assert_eq!(world.read(".databricks/token-cache.json"), before);
    let left: Vec<_> = world.tree().into_keys().filter(|path| path.contains("tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
    world.assert_alive("dev");
    assert_eq!(world.server.counts().refreshes, 0);

    let empty = World::new();
    empty.run("doctor");
    empty.run("doctor --host {URL}");
    assert!(empty.tree().is_empty(), "{:?}", empty.tree().keys());
}

#[test]
fn no_secret_of_the_login_or_the_environment_is_shown() {
    let world = world(1800);
    let tokens = world.seed("dev", 1800);
    for line in ["doctor -p dev", "doctor -p dev -o json", "doctor --debug"] {
        let mut command = world.command(line);
        command.env("HTTPS_PROXY", "http://me:canary@127.0.0.1:9").env("BROWSER", "no-such canary");
        command.env("DATABRICKS_TOKEN", "canary").env("U2M_STORAGE_KEY", "canary");
        let ran = common::ran(command);
        let said = ran.stdout + &ran.stderr;
        for secret in [tokens.access_token(), tokens.refresh_token().unwrap(), "canary"] {
            assert!(!said.contains(secret), "{line}: {said}");
        }
    }
}
