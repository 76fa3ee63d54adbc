//! Stories of `u2m profiles`: many profiles, some of whose hosts say nothing, and what looking must not change.
#![cfg(unix)]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod common;

use common::World;
use serde_json::Value;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use u2m_testkit::{Endpoint, Fault, RunningServer, Settings, Times};

/// A host that takes every connection and says nothing: the system accepts for it.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn rows(stdout: &str) -> Vec<Value> {
    let json: Value = serde_json::from_str(stdout).unwrap();
    json["profiles"].as_array().unwrap().clone()
}

#[test]
fn fifty_profiles_of_which_ten_hosts_never_answer_are_done_within_six_seconds() {
    let personal = "dapi-fifty";
    let others: Vec<_> = (0..4)
        .map(|_| RunningServer::start_with(Settings::new().with_personal_token(personal)).unwrap())
        .collect();
    let silent: Vec<_> = (0..8).map(|_| silent()).collect();
    // Addresses for documentation, where nobody is.
    let nowhere = ["https://192.0.2.1", "https://192.0.2.2"];
    let dead: Vec<&str> = silent.iter().map(|(_, url)| url.as_str()).chain(nowhere).collect();
    let world = World::new();
    let mut config = String::new();
    for at in 0..50 {
        // The dead ones come first in pairs, so that they are in the way of the others.
        let (host, rest) = match at {
            _ if at < 20 && at % 2 == 0 => (dead[at / 2], format!("token = {personal}")),
            _ if at % 10 == 9 => (world.url(), "auth_type = databricks-cli".to_owned()),
            _ if at % 10 == 7 => (others[0].base_url(), "token = wrong".to_owned()),
            _ => (others[at % 4].base_url(), format!("token = {personal}")),
        };
        let _ = writeln!(config, "[p{at}]\nhost = {host}\n{rest}\n");
        if at % 10 == 9 {
            world.seed(&format!("p{at}"), 3000);
        }
    }
    world.write(".databrickscfg", &config);

    let start = Instant::now();
    let ran = world.run("profiles --output json");
    let took = start.elapsed();
    eprintln!("50 profiles, 10 of dead hosts: {took:?}");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    let rows = rows(&ran.stdout);
    assert_eq!(rows.len(), 50);
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row["name"], format!("p{at}"), "the order is that of the file");
        let (valid, category) = match at {
            _ if at < 20 && at % 2 == 0 => (false, row["error"]["category"].clone()),
            _ if at % 10 == 7 => (false, Value::from("unauthorized")),
            _ => (true, Value::Null),
        };
        assert_eq!(
            (&row["valid"], &row["error"]["category"]),
            (&Value::from(valid), &category),
            "{row}"
        );
    }
    for at in (0..16).step_by(2) {
        assert_eq!(rows[at]["error"]["category"], "timeout", "{}", rows[at]);
    }
    for server in &others {
        assert_eq!(server.counts().host_metadata, 1, "a host is asked what it is once");
    }
    assert_eq!(world.server.counts().refreshes, 0);
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn looking_renews_nothing_that_is_good_and_only_what_has_run_out() {
    let world = World::new();
    world.seed("soon", 60);
    world.seed("over", -5);
    let bare = "host = {URL}\nauth_type = databricks-cli\n".replace("{URL}", world.url());
    world.write(".databrickscfg", &format!("[soon]\n{bare}\n[over]\n{bare}\n[none]\n{bare}"));
    let before = world.stored("soon");

    let rows = rows(&world.run("profiles -o json").stdout);
    let valid: Vec<_> = rows.iter().map(|row| row["valid"].as_bool().unwrap()).collect();
    assert_eq!(valid, [true, true, false]);
    assert_eq!(rows[2]["error"]["category"], "not-configured");
    assert_eq!(world.server.counts().refreshes, 1);
    assert!(world.stored("soon") == before, "a good token is left as it is");
    assert_eq!(rows[1]["storage"], "plaintext");
    assert!(rows[1]["expiry"].is_string() && rows[2]["expiry"].is_null(), "{rows:?}");
    world.assert_alive("soon");
    world.assert_alive("over");
}

#[test]
fn a_host_is_asked_what_it_is_once_an_hour_and_only_if_that_may_be_remembered() {
    let world = World::with(Settings::new().with_personal_token("dapi-one"));
    world.write(".databrickscfg", &format!("[a]\nhost = {}\ntoken = dapi-one\n", world.url()));
    world.seed("elsewhere", 3000);
    let asked = |expected: u64, off: bool| {
        let mut command = world.command("profiles");
        if off {
            command.env("DATABRICKS_CACHE_ENABLED", "false");
        }
        let ran = common::ran(command);
        assert!(ran.stdout.contains("YES"), "{}", ran.stdout);
        assert_eq!(world.server.counts().host_metadata, expected);
    };
    asked(1, true);
    assert!(!world.path(".databricks/u2m-hosts.json").exists());
    asked(2, false);
    asked(2, false);
    asked(3, true);
    world.write(".databricks/u2m-hosts.json", "damaged");
    asked(4, false);
    asked(4, false);
}

#[test]
fn a_host_that_does_not_say_what_it_is_in_time_can_still_say_who_one_is() {
    let world = World::with(Settings::new().with_personal_token("dapi-one"));
    world.server.inject(Endpoint::HostMetadata, Times::Always, Fault::never_answer());
    world.write(".databrickscfg", &format!("[a]\nhost = {}\ntoken = dapi-one\n", world.url()));
    let rows = rows(&world.run("profiles -o json").stdout);
    assert_eq!(rows[0]["valid"], true, "{rows:?}");
}

#[test]
fn two_surveys_in_a_row_ask_each_host_about_itself_once() {
    let world = World::new();
    let profile = |name: &str| format!("[{name}]\nhost = {}\n", world.url());
    world.write(".databrickscfg", &(profile("dev") + &profile("prod")));
    world.seed("dev", 3000);
    world.seed("prod", 3000);
    for _ in 0..2 {
        let mut command = world.command("auth profiles");
        command.env("DATABRICKS_CACHE_DIR", world.path("caches/databricks"));
        let ran = common::ran(command);
        assert_eq!((ran.code, ran.stdout.matches("YES").count()), (Some(0), 2), "{}", ran.stderr);
    }
    assert_eq!(world.server.counts().host_metadata, 1);
}
