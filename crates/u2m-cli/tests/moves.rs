//! Moving logins by hand: the one that counts is moved, and what stands elsewhere under its name is neither moved nor spent.
//! The program that prints the key of the encrypted file runs once a command.
#![cfg(unix)]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod common;

use common::{Ran, World, printed_token, ran};
use std::fs;
use std::time::Instant;
use u2m::store::{CacheKey, StorageMode, TokenStore};

/// A workspace's profile, and a program that prints the key and counts how often it is run.
fn world() -> World {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    let count = world.path("runs").display().to_string();
    let text = format!("#!/bin/sh\necho run >> '{count}'\necho {}\n", "ab".repeat(32));
    world.script("print-key", &text);
    world
}

fn run(world: &World, storage: Option<StorageMode>, line: &str) -> Ran {
    let mut command = world.command(line);
    command.env("U2M_STORAGE_KEY_COMMAND", world.path("print-key"));
    command.env_remove("DATABRICKS_AUTH_STORAGE");
    command.envs(storage.map(|mode| ("DATABRICKS_AUTH_STORAGE", mode.as_str())));
    ran(command)
}

/// How often the key was printed since the last time.
fn runs(world: &World) -> usize {
    let text = fs::read_to_string(world.path("runs")).unwrap_or_default();
    let _ = fs::remove_file(world.path("runs"));
    text.lines().count()
}

#[test]
fn the_key_command_runs_once_a_refresh_and_never_for_a_login_of_another_store() {
    let world = world();
    world.seed("dev", 5);
    let refreshed = run(&world, None, "token dev");
    assert_eq!((refreshed.code, world.server.counts().refreshes), (Some(0), 1), "{refreshed:?}");
    assert_eq!(runs(&world), 0, "it is in the file");
    world.seed("dev", 1790);
    assert_eq!(run(&world, None, "storage migrate --to encrypted dev").code, Some(0));
    assert_eq!(runs(&world), 1);
    assert_eq!(run(&world, None, "token dev").code, Some(0));
    assert_eq!(runs(&world), 1);
    let refreshed = run(&world, None, "token dev --force-refresh");
    assert_eq!((refreshed.code, world.server.counts().refreshes), (Some(0), 2), "{refreshed:?}");
    assert_eq!(runs(&world), 1, "the process that refreshes is told it");
}

#[test]
fn a_stale_copy_that_is_named_by_hand_is_not_spent_and_never_moved_over_the_login() {
    let world = world();
    let spent = world.seed("dev", 1790);
    assert_eq!(run(&world, None, "storage migrate --to encrypted dev").code, Some(0));
    let refreshed = run(&world, None, "token dev --force-refresh");
    assert_eq!(refreshed.code, Some(0), "{refreshed:?}");
    // A backup of the file is put back: its refresh token was spent since.
    world.keep("dev", 5, &spent);
    let asked = world.server.counts();
    let named = run(&world, Some(StorageMode::Plaintext), "token dev --force-refresh");
    assert_eq!(
        (named.code, world.server.counts().refreshes),
        (Some(4), asked.refreshes),
        "{named:?}"
    );
    // Nor on the program's own advice, whoever says where it is to go.
    for storage in [None, Some(StorageMode::Plaintext), Some(StorageMode::Encrypted)] {
        let moved = run(&world, storage, "storage migrate --to encrypted dev");
        assert_eq!(moved.code, Some(0), "{moved:?}");
        assert!(moved.stderr.contains("kept in encrypted already"), "{moved:?}");
        assert!(moved.stderr.contains("another login dev is in plaintext"), "{moved:?}");
    }
    let moved = run(&world, Some(StorageMode::Plaintext), "storage migrate --to plaintext dev");
    assert_eq!(moved.code, Some(0), "{moved:?}");
    let token = run(&world, None, "token dev --force-refresh");
    assert_eq!(token.code, Some(0), "{token:?}");
    printed_token(&token.stdout);
    assert_eq!(world.server.counts().reuse_detections, 0);
}

#[test]
fn many_logins_are_moved_in_few_writes() {
    const COUNT: usize = 300;
    let world = world();
    world.seed("dev", 1790);
    let session = world.stored("dev");
    let names: Vec<_> = (0..COUNT - 1).map(|at| CacheKey::new(format!("p{at}"))).collect();
    let logins: Vec<_> = names.iter().map(|name| (name.clone(), session.clone())).collect();
    assert!(world.store().save_all(&logins).iter().all(Result::is_ok));
    for (to, from) in [("encrypted", "plaintext"), ("plaintext", "encrypted")] {
        let start = Instant::now();
        let moved = run(&world, None, &format!("storage migrate --all --to {to}"));
        assert_eq!(moved.code, Some(0), "{}", moved.stderr);
        eprintln!("{COUNT} logins from {from} to {to}: {:?}", start.elapsed());
        assert_eq!(moved.stderr.matches(&format!("from {from} to ")).count(), COUNT);
        let left = world.store().keys().unwrap().len();
        assert_eq!(left, if to == "plaintext" { COUNT } else { 0 });
        assert_eq!(runs(&world), 1);
    }
}

/// The profile `dev` and its login in the file, where the profile file names that store as well.
fn named(settings: &str, of_profile: &str) -> World {
    let world = world();
    let config = format!("{settings}[dev]\nhost = {}\n{of_profile}", world.url());
    world.write(".databrickscfg", &config);
    world.seed("dev", 1790);
    world
}

fn shown(world: &World, line: &str) -> String {
    let shown = run(world, None, line);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    shown.stdout
}

const SETTINGS: &str = "[__settings__]\nauth_storage = plaintext\n\n";
const OF_PROFILE: &str = "auth_storage = plaintext\n";

#[test]
fn a_move_that_ends_before_the_setting_followed_leaves_a_login_that_works_and_is_finished_by_the_next()
 {
    for (settings, of_profile) in [("", OF_PROFILE), (SETTINGS, ""), (SETTINGS, OF_PROFILE)] {
        let world = named(settings, of_profile);
        let before = world.read(".databrickscfg");
        // Nobody can write the profile file: its lock cannot be opened.
        let lock = world.path(".databrickscfg.lock");
        fs::create_dir(&lock).unwrap();
        let moved = run(&world, None, "storage migrate --to encrypted dev");
        assert_ne!(moved.code, Some(0), "{moved:?}");
        assert!(moved.stderr.contains("auth_storage could not be set"), "{moved:?}");
        assert_eq!(world.read(".databrickscfg"), before);
        for line in ["token dev", "token dev --force-refresh", "token dev"] {
            let token = run(&world, None, line);
            assert_eq!(token.code, Some(0), "{line} {token:?}");
            printed_token(&token.stdout);
        }
        assert!(!world.read(".databricks/token-cache.json").contains("\"dev\""));
        // Whoever explains where it is tells the truth.
        let used: serde_json::Value =
            serde_json::from_str(&shown(&world, "storage show --output json")).unwrap();
        let rows = used["logins"].as_array().unwrap();
        assert_eq!((rows.len(), &rows[0]["used"]), (1, &true.into()), "{used}");
        let text = shown(&world, "describe dev");
        assert!(text.contains("encrypted, ") && text.contains("where it was saved; "), "{text}");
        let text = run(&world, None, "doctor --profile dev").stdout;
        assert!(text.contains("\"dev\" is in encrypted, where it was saved"), "{text}");
        assert!(text.contains("storage migrate --to encrypted dev"), "{text}");
        // The same move again.
        fs::remove_dir(&lock).unwrap();
        let again = run(&world, None, "storage migrate --to encrypted dev");
        assert_eq!(again.code, Some(0), "{again:?}");
        assert!(again.stderr.contains("kept in encrypted already"), "{again:?}");
        assert!(again.stderr.contains("Set auth_storage of dev to encrypted.\n"), "{again:?}");
        let config = u2m::config::ConfigFile::read(world.config()).unwrap();
        assert_eq!(config.get("dev", "auth_storage"), Some("encrypted"));
        let third = run(&world, None, "storage migrate --to encrypted dev");
        assert_eq!(third.stderr, "The login dev is kept in encrypted already.\n");
        assert_eq!(run(&world, None, "token dev").code, Some(0));
        let text = run(&world, None, "doctor --profile dev").stdout;
        assert!(!text.contains("where it was saved"), "{text}");
        let counts = world.server.counts();
        assert_eq!((counts.rejected, counts.reuse_detections), (0, 0));
    }
}

#[test]
fn a_login_without_a_profile_is_given_no_section_when_its_move_is_made_again() {
    let world = named(SETTINGS, "");
    let host = world.url().to_owned();
    world.seed(&host, 1790);
    let line = format!("storage migrate --to encrypted {host}");
    let refused = run(&world, None, &line);
    assert_eq!(refused.code, Some(7), "{refused:?}");
    assert!(refused.stderr.contains("without a profile"), "{refused:?}");
    // For this once another store is named: then it is moved, and that is all.
    let moved = run(&world, Some(StorageMode::Encrypted), &line);
    assert_eq!(moved.code, Some(0), "{moved:?}");
    let before = world.read(".databrickscfg");
    let again = run(&world, None, &line);
    assert_eq!((again.code, world.read(".databrickscfg")), (Some(0), before), "{again:?}");
    let token = run(&world, None, &format!("token --host {host}"));
    assert_eq!(token.code, Some(0), "{token:?}");
}

#[test]
fn a_setting_follows_whatever_the_environment_names() {
    let world = named("", OF_PROFILE);
    let line = "storage migrate --to encrypted dev";
    let moved = run(&world, Some(StorageMode::Plaintext), line);
    assert_eq!(moved.code, Some(0), "{moved:?}");
    assert!(moved.stderr.contains("DATABRICKS_AUTH_STORAGE still names another"), "{moved:?}");
    let config = u2m::config::ConfigFile::read(world.config()).unwrap();
    assert_eq!(config.get("dev", "auth_storage"), Some("encrypted"));
    // What is named for one command is used alone.
    let alone = run(&world, Some(StorageMode::Plaintext), "token dev");
    assert_eq!(alone.code, Some(3), "{alone:?}");
}

#[test]
fn all_logins_moved_again_let_the_setting_for_all_follow() {
    let world = named("[__settings__]\nauth_storage = encrypted\n\n", "");
    // As it is after a move of all that was killed.
    u2m::store::AutoStore::new(world.store())
        .set_home(&CacheKey::new("dev"), Some(StorageMode::Plaintext))
        .unwrap();
    assert_eq!(run(&world, None, "token dev").code, Some(0));
    let again = run(&world, None, "storage migrate --all --to plaintext");
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("Set auth_storage of [__settings__] to plaintext.\n"));
    let config = u2m::config::ConfigFile::read(world.config()).unwrap();
    assert_eq!(config.setting("auth_storage"), Some("plaintext"));
}

#[test]
fn a_moved_login_is_used_though_a_program_writes_its_old_copy_back_where_a_setting_says() {
    for (settings, of_profile) in [("", OF_PROFILE), (SETTINGS, "")] {
        let world = named(settings, of_profile);
        let (config, old) = (world.read(".databrickscfg"), world.seed("dev", 1790));
        let moved = run(&world, None, "storage migrate --to encrypted dev");
        assert_eq!(moved.code, Some(0), "{moved:?}");
        // A program without our locks writes what it read before, both files.
        world.keep("dev", -60, &old);
        world.write(".databrickscfg", &config);
        u2m::store::AutoStore::new(world.store())
            .set_home(&CacheKey::new("dev"), Some(StorageMode::Encrypted))
            .unwrap();
        for line in ["token dev", "token dev --force-refresh", "token dev"] {
            let token = run(&world, None, line);
            assert_eq!(token.code, Some(0), "{line} {token:?}");
            printed_token(&token.stdout);
        }
        let counts = world.server.counts();
        assert_eq!((counts.refreshes, counts.rejected, counts.reuse_detections), (1, 0, 0));
        // Whoever explains it tells the truth.
        let text = shown(&world, "storage show");
        assert_eq!(text.matches("(not used)").count(), 1, "{text}");
        assert!(text.contains("dev is used from encrypted, where it was saved"), "{text}");
        let text = shown(&world, "describe dev");
        assert!(text.contains("encrypted, ") && text.contains("where it was saved; "), "{text}");
        let text = run(&world, None, "doctor --profile dev").stdout;
        assert!(text.contains("another one stands that is not used"), "{text}");
        // By name it is a copy, which was never refreshed.
        let named = run(&world, Some(StorageMode::Plaintext), "token dev");
        assert_eq!(named.code, Some(4), "{named:?}");
        assert!(named.stderr.contains("'dev' is kept in encrypted storage"), "{named:?}");
        assert!(named.stderr.contains("a copy that does not count"), "{named:?}");
        assert!(
            !named.stderr.contains("spent") && !named.stderr.contains("refreshed"),
            "{named:?}"
        );
    }
}
