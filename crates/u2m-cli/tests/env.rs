//! What `env` prints is what a program needs that reads nothing else.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, ran};
use std::process::Command;
use u2m_testkit::{Endpoint, Fault, HostMetadata, Settings, Times};

const PROFILE: &str = "[dev]\nhost = {URL}\nauth_type = databricks-cli\n";

fn world() -> World {
    let world = World::new();
    world.write(".databrickscfg", &PROFILE.replace("{URL}", world.url()));
    world
}

/// The variables of a dotenv file whose values need no quotes.
fn variables(text: &str) -> Vec<(&str, &str)> {
    text.lines().map(|line| line.split_once('=').unwrap()).collect()
}

#[test]
fn a_shell_that_evaluates_it_has_a_token_that_is_good() {
    let world = world();
    let old = world.seed("dev", -60);
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "eval \"$(\"$0\" env dev --with-token --format shell)\" && printf '%s %s' \"$DATABRICKS_HOST\" \"$DATABRICKS_TOKEN\"",
        env!("CARGO_BIN_EXE_u2m"),
    ]);
    world.surround(&mut command);
    let ran = ran(command);
    let (host, token) = ran.stdout.split_once(' ').unwrap_or_else(|| panic!("{}", ran.stderr));
    assert_eq!(host, world.url());
    assert!(world.server.is_active(token) && token != old.access_token());
    assert_eq!(world.server.counts().refreshes, 1);
}

#[test]
fn a_program_with_these_variables_uses_the_token_and_nothing_of_the_profile() {
    let world = world();
    let login = world.seed("dev", 1790);
    let printed = world.run("env dev --with-token --format dotenv").stdout;
    let mut again = world.command("env --sensitive --format dotenv");
    again.envs(variables(&printed));
    let found = ran(again).stdout;
    assert_eq!(found, printed);
    assert!(variables(&found).contains(&("DATABRICKS_TOKEN", login.access_token())));
    assert!(variables(&found).contains(&("DATABRICKS_AUTH_TYPE", "pat")));
}

#[test]
fn without_the_token_it_leads_back_to_the_profile() {
    let world = world();
    let login = world.seed("dev", 1790);
    let printed = world.run("env dev --format dotenv").stdout;
    assert!(!printed.contains(login.access_token()));
    let mut token = world.command("token -o text");
    token.envs(variables(&printed));
    assert_eq!(ran(token).stdout.trim_end(), login.access_token());
}

/// What `auth env` prints, and how often the host has been asked about itself by then.
fn of_databricks_cli(world: &World, line: &str) -> (Vec<(String, String)>, u64) {
    let mut command = world.command(line);
    command.env("DATABRICKS_CACHE_DIR", world.path("hosts"));
    let ran = ran(command);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let pair = |(name, value): (&String, &serde_json::Value)| {
        (name.clone(), value.as_str().unwrap().to_owned())
    };
    let found = json["env"].as_object().unwrap().iter().map(pair).collect();
    (found, world.server.counts().host_metadata)
}

#[test]
fn in_the_place_of_databricks_cli_it_hands_on_what_the_host_says_of_itself() {
    let world = world();
    let url = world.url();
    let wanted = [
        ("DATABRICKS_AUTH_TYPE", "databricks-cli"),
        ("DATABRICKS_CLI_PATH", common::U2M),
        ("DATABRICKS_CLOUD", "AWS"),
        ("DATABRICKS_CONFIG_PROFILE", "dev"),
        ("DATABRICKS_DISCOVERY_URL", &format!("{url}/oidc/.well-known/oauth-authorization-server")),
        ("DATABRICKS_HOST", url),
        ("DATABRICKS_WORKSPACE_ID", "900800700600"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    for _ in 0..2 {
        let (found, asked) = of_databricks_cli(&world, "auth env --profile dev");
        assert_eq!((found.as_slice(), asked), (wanted.as_slice(), 1));
    }
    let requests = world.server.counts().requests;
    let ours = world.run("env --profile dev --format dotenv");
    assert_eq!(variables(&ours.stdout).len(), 3, "{}", ours.stdout);
    assert_eq!(world.server.counts().requests, requests, "ours asks nobody");
}

#[test]
fn a_host_that_never_answers_costs_a_moment_once_and_nothing_else() {
    let world = world();
    world.server.inject(Endpoint::HostMetadata, Times::Always, Fault::never_answer());
    for _ in 0..2 {
        let (found, asked) = of_databricks_cli(&world, "auth env --profile dev");
        assert_eq!((found.len(), asked), (5, 1), "{found:?}");
    }
}

#[test]
fn what_it_hands_on_of_the_host_leads_back_to_the_same_login() {
    let unified = Settings::new().with_host_metadata(HostMetadata::unified("acc-1"));
    for settings in [Settings::new(), unified] {
        let world = World::with(settings);
        // Without a profile the login stands under the host, signed in to without an account.
        let login = world.seed(world.url(), 1790);
        let (found, _) = of_databricks_cli(&world, "auth env --host {URL}");
        let mut token = world.command("token -o text");
        token.envs(found.iter().map(|(name, value)| (name, value)));
        let ran = ran(token);
        assert_eq!(ran.stdout.trim_end(), login.access_token(), "{found:?}: {}", ran.stderr);
    }
}
