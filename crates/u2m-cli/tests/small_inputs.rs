//! What stands at the edge of what is typed and configured.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, printed_token, world_of_dev};
use std::process::Command;

#[test]
fn a_carriage_return_behind_a_variable_is_no_part_of_it() {
    let world = world_of_dev();
    let login = world.seed("dev", 3_600);
    for (name, value) in [
        ("DATABRICKS_CONFIG_PROFILE", "dev".to_owned()),
        ("DATABRICKS_HOST", world.url().to_owned()),
        ("DATABRICKS_CONFIG_FILE", world.home().join(".databrickscfg").display().to_string()),
        ("DATABRICKS_AUTH_STORAGE", "plaintext".to_owned()),
    ] {
        for odd in [format!("{value}\r"), format!("{value}\r\n"), format!(" {value} ")] {
            let line = if name.ends_with("PROFILE") || name.ends_with("HOST") {
                "token"
            } else {
                "token dev"
            };
            let mut command = world.command(line);
            command.env(name, &odd);
            let ran = common::ran(command);
            assert_eq!(ran.code, Some(0), "{name}={odd:?}: {}", ran.stderr);
            assert_eq!(printed_token(&ran.stdout), login.access_token(), "{name}={odd:?}");
        }
    }
}

#[test]
fn what_is_no_file_in_the_place_of_one_is_an_error_at_once() {
    let world = world_of_dev();
    world.seed("dev", 3_600);
    let at = |name: &str| world.home().join(name);
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    std::fs::create_dir(at("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["pipe", "folder", "socket"] {
        for line in ["token dev", "profiles", "login --host {URL} --profile x --no-browser"] {
            let mut command = world.command(line);
            command.env("DATABRICKS_CONFIG_FILE", at(name));
            let ran = Running::start(command).done();
            assert!(ran.code.is_some_and(|code| code != 0), "{name} {line}: {}", ran.stderr);
            let text = format!("{name} is not a regular file");
            assert!(ran.stderr.contains(&text), "{line}: {}", ran.stderr);
        }
    }
    // The one device that is no mistake: no profiles at all.
    let mut command = world.command("profiles");
    command.env("DATABRICKS_CONFIG_FILE", "/dev/null");
    let ran = common::ran(command);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let cache = at(".databricks/token-cache.json");
    std::fs::remove_file(&cache).unwrap();
    assert!(Command::new("mkfifo").arg(&cache).status().unwrap().success());
    let ran = Running::start(world.command("token dev")).done();
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
    assert!(ran.stderr.contains("token-cache.json"), "{}", ran.stderr);
}
