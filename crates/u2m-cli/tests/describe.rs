//! Stories of `u2m describe`: what its deadline must not break, and what it tells of the host in the place of Databricks' CLI.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, eventually, ran};
use std::process::Command;
use std::time::{Duration, Instant};
use u2m_testkit::{Endpoint, Fault, HostMetadata, Settings, Times};

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

/// The value and the source of an attribute of a description in JSON.
fn configured(text: &str, key: &str) -> Option<(String, serde_json::Value)> {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let found = json["details"]["configuration"].get(key)?.clone();
    assert_eq!(found["auth_type_mismatch"], false, "{key}");
    Some((found["value"].as_str().unwrap().to_owned(), found["source"].clone()))
}

#[test]
fn in_the_place_of_databricks_cli_it_shows_what_the_host_says_of_itself_login_or_not() {
    for (settings, id, value) in [
        (Settings::new(), "workspace_id", "900800700600"),
        (Settings::new().with_host_metadata(HostMetadata::unified("acc-1")), "account_id", "acc-1"),
    ] {
        for has_login in [true, false] {
            let world = World::with(settings.clone());
            world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
            if has_login {
                world.seed("dev", 3000);
            }
            let ran = world.run("auth describe --profile dev -o json");
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let dynamic = serde_json::json!({"type": "dynamic configuration"});
            let derived = |key| {
                let (value, source) = configured(&ran.stdout, key).unwrap();
                assert_eq!(source, dynamic, "{key}");
                value
            };
            assert_eq!(derived(id), value);
            assert_eq!(derived("cloud"), "AWS");
            assert_eq!(derived("databricks_cli_path"), common::U2M);
            let root = match id {
                "account_id" => format!("{}/oidc/accounts/acc-1", world.url()),
                _ => format!("{}/oidc", world.url()),
            };
            let url = format!("{root}/.well-known/oauth-authorization-server");
            assert_eq!(derived("discovery_url"), url);
            assert_eq!(world.server.counts().host_metadata, 1, "it is asked once");
        }
    }
}

#[test]
fn what_the_profile_says_is_not_replaced_by_what_its_host_says() {
    let world = World::new();
    let own =
        "workspace_id = 7\naccount_id = mine\ncloud = GCP\ndiscovery_url = https://d.example\n";
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n{own}", world.url()));
    let ran = world.run("auth describe --profile dev -o json");
    for line in own.lines() {
        let (key, value) = line.split_once(" = ").unwrap();
        let (found, source) = configured(&ran.stdout, key).unwrap();
        assert_eq!((found.as_str(), &source["type"]), (value, &"config file".into()));
    }
}

#[test]
fn the_path_of_this_program_is_told_where_it_was_called_by_one() {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    let folder = world.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let link = folder.join("databricks");
    std::os::unix::fs::symlink(common::U2M, &link).unwrap();
    let described = |program: &str, told: Option<&str>| {
        let mut command = Command::new("sh");
        let line = format!("exec {program} auth describe --profile dev -o json");
        command.args(["-c", line.as_str()]);
        world.surround(&mut command);
        command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        command.envs(told.map(|told| ("DATABRICKS_CLI_PATH", told)));
        let found = configured(&ran(command).stdout, "databricks_cli_path");
        found.map(|(path, _)| path)
    };
    let link = link.to_str().unwrap();
    assert_eq!(described(link, Some("/opt/databricks")).as_deref(), Some(link));
    assert_eq!(described("bin/databricks", None).as_deref(), Some("bin/databricks"));
    assert_eq!(described("databricks", None), None);
    assert_eq!(described("databricks", Some("/opt/x")).as_deref(), Some("/opt/x"));
}

#[test]
fn a_host_that_says_nothing_of_itself_is_waited_for_once_and_the_rest_is_told() {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.server.inject(Endpoint::HostMetadata, Times::Always, Fault::never_answer());
    for _ in 0..2 {
        let mut command = world.command("auth describe --profile dev -o json");
        command.env("DATABRICKS_CACHE_DIR", world.path("hosts"));
        let ran = ran(command);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(configured(&ran.stdout, "workspace_id"), None);
        assert_eq!(configured(&ran.stdout, "cloud").unwrap().0, "AWS");
    }
    assert_eq!(world.server.counts().host_metadata, 1);
}

#[test]
fn ours_asks_nobody_for_what_it_can_do_without() {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    for line in ["describe dev -o json", "auth describe -p dev --offline -o json"] {
        let ran = world.run(line);
        assert_eq!(configured(&ran.stdout, "workspace_id"), None, "{line}");
    }
    assert_eq!(world.server.counts().requests, 0);
    // What the check asked is shown.
    world.seed("dev", 3000);
    let ran = world.run("describe dev -o json");
    assert_eq!(configured(&ran.stdout, "workspace_id").unwrap().0, "900800700600");
    assert_eq!(configured(&ran.stdout, "databricks_cli_path"), None);
}
