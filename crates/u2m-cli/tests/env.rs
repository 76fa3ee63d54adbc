//! What `env` prints is what a program needs that reads nothing else.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, ran};
use std::process::Command;

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
