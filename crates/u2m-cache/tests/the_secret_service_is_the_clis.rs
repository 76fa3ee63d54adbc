//! GNOME Keyring, for real: the items are those of Databricks' CLI, and a keyring that is locked, stopped or killed is an
//! error in time.
#![cfg(all(feature = "keyring-encrypted-transport", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/secret_service.rs"]
mod secret_service;

use common::{Child, LATER, bound, key, session};
use secret_service::SecretService;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use u2m_cache::{
    FileStore, Keyring, KeyringError, KeyringStore, SystemKeyring, TimeoutKeyring, TokenStore,
};
use u2m_core::{AccessToken, RefreshToken, Session, Timestamp};

/// What the worker is to do, with this test's bus in its environment. Each line that it says is asserted on.
#[test]
fn worker() {
    common::work(|job, file| {
        let (verb, rest) = job.split_once(' ').unwrap_or((job, ""));
        if verb == "outcomes" {
            return outcomes();
        }
        let plain = SystemKeyring::new("databricks-cli");
        let keyring = if rest == "encrypted" { plain.with_encrypted_transport() } else { plain };
        let store =
            KeyringStore::new(std::sync::Arc::new(TimeoutKeyring::new(keyring)), file.path());
        work(verb, rest, &file, &store);
    });
}

fn work(verb: &str, rest: &str, file: &FileStore, store: &KeyringStore) {
    let dev = key("dev");
    match verb {
        "save" => store.save(&dev, &bound(if rest.is_empty() { "dev" } else { rest })).unwrap(),
        "load" => {
            let found = store.load(&dev).unwrap();
            let token = found.map(|found| found.access_token.expose().to_owned());
            common::say(&format!("{} {}", token.unwrap_or("none".into()), threads()));
        }
        "long" => {
            let long = Session::new(AccessToken::new("x".repeat(200_000)))
                .with_refresh_token(RefreshToken::new("r"))
                .with_expiry(Timestamp::from_unix(LATER));
            store.save(&dev, &long).unwrap();
            let mut found = store.load(&dev).unwrap().unwrap();
            // What is known of the name from an earlier login is no part of what was saved.
            found.ties.clear();
            assert!(found == long);
        }
        "delete" => store.delete(&dev).unwrap(),
        "keys" => {
            for key in store.keys().unwrap() {
                common::say(key.as_str());
            }
        }
        "probe" => store.probe_room(8 << 10).unwrap(),
        "refresh" => {
            let mut lock = store.lock(&dev, common::LONG).unwrap().unwrap();
            lock.prove_writable().unwrap();
            assert!(file.lock(&dev, Duration::ZERO).unwrap().is_none());
            lock.save(&session("renewed")).unwrap();
        }
        "slow-refresh" => slow_refresh(store, rest),
        "age" => {
            let age = store.keyring().age("dev").unwrap().unwrap();
            assert!(age < common::LONG, "{age:?}");
        }
        other => panic!("{other}"),
    }
}

/// Claims and proves, and saves when it is told that the keyring is away, and when it is told that it is back.
fn slow_refresh(store: &KeyringStore, old: &str) {
    let mut lock = store.lock(&key("dev"), common::LONG).unwrap().unwrap();
    let claim = lock.claim(&session(old).fingerprint(), common::LONG).unwrap();
    assert_eq!(claim, u2m_cache::Claim::Taken);
    let new = format!("renewed-{old}");
    lock.prove_writable().unwrap();
    common::say("proven");
    common::hear();
    let error = lock.save(&bound(&new)).unwrap_err();
    assert!(error.is_transient() && !error.is_absent_store(), "{error:?}");
    common::say("away");
    common::hear();
    // Each try has a connection of its own.
    let start = Instant::now();
    while let Err(error) = lock.save(&bound(&new)) {
        assert!(start.elapsed() < common::LONG, "{error:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    common::say("saved");
}

/// Says how each operation ends, and how many seconds it took.
fn outcomes() {
    let keyring = TimeoutKeyring::new(SystemKeyring::new("databricks-cli"));
    let fresh = || TimeoutKeyring::new(SystemKeyring::new("databricks-cli"));
    let say = |name: &str, start: Instant, result: Result<(), KeyringError>| {
        let took = start.elapsed().as_secs();
        common::say(&format!("{name} {took} {:?}", result.map_err(|error| kind(&error))));
    };
    let start = Instant::now();
    say("get", start, keyring.get("dev").map(drop));
    for (name, run) in [
        ("set", (|of| of.set("dev", b"{}")) as fn(&TimeoutKeyring<SystemKeyring>) -> _),
        ("delete", |of| of.delete("dev")),
        ("list", |of| of.accounts().map(drop)),
    ] {
        let (start, of) = (Instant::now(), fresh());
        say(name, start, run(&of));
    }
}

fn kind(error: &KeyringError) -> String {
    let text = format!("{error:?}");
    text.split(['(', ' ']).next().unwrap().to_owned()
}

fn threads() -> usize {
    // The test harness has two: its own, and that of this test.
    fs::read_dir("/proc/self/task").unwrap().count() - 2
}

/// Does one job in a process that lives on the service's bus.
fn run(service: &SecretService, job: &str) -> Vec<String> {
    let file = service.home().join(".databricks/token-cache.json");
    let mut command = common::command(job, &file);
    service.invite(&mut command);
    Child::of(command).done()
}

#[test]
fn an_item_has_the_service_the_account_the_label_and_the_bytes_of_the_cli_and_no_more() {
    let Some(service) = SecretService::start() else { return };
    run(&service, "save");
    let expiry = u2m_cache::format_local(Timestamp::from_unix(LATER));
    let bytes = format!(
        r#"{{"token":{{"access_token":"at-dev","token_type":"Bearer","refresh_token":"rt-dev","expiry":"{expiry}"}}}}"#
    );
    assert_eq!(service.lookup("dev"), bytes);
    let found = service.search(&["service", "databricks-cli", "username", "dev"]);
    assert!(found.contains("label = Password for 'dev' on 'databricks-cli'\n"), "{found}");
    let attributes: Vec<_> = found.lines().filter(|line| line.starts_with("attribute.")).collect();
    let mut wanted = vec!["attribute.service = databricks-cli", "attribute.username = dev"];
    // The daemon adds its own name for an item without a schema.
    wanted.retain(|line| !attributes.contains(line));
    assert!(wanted.is_empty() && attributes.len() == 2, "{found}");
    let said = service
        .ask("org.freedesktop.Secret.Service.SearchItems", &["dict:string:string:username,dev"]);
    assert!(said.contains("/collection/login/"), "{said}");
}

#[test]
fn key_11_what_secret_tool_stored_is_read_without_a_thread_also_over_an_encrypted_transport() {
    let Some(service) = SecretService::start() else { return };
    assert_eq!(run(&service, "load"), ["none 0"]);
    let item = ["store", "--label=by hand", "service", "databricks-cli", "username", "dev"];
    let entry = r#"{"token":{"access_token":"at-by-hand","expiry":"2099-01-01T00:00:00Z"}}"#;
    assert!(service.secret_tool(&item, entry).status.success());
    assert_eq!(run(&service, "load"), ["at-by-hand 0"]);
    let encrypted = run(&service, "load encrypted");
    assert!(encrypted[0].starts_with("at-by-hand "), "{encrypted:?}");
    assert_eq!(run(&service, "keys"), ["dev"]);
}

#[test]
fn key_9_a_save_leaves_one_item_whoever_stored_others_and_a_delete_none() {
    let Some(service) = SecretService::start() else { return };
    let items = || service.search(&["service", "databricks-cli"]).matches("label = ").count();
    // Two items that answer to the same name; the further attribute makes them different ones. Whichever was written last
    // is read, whatever their order in the keyring.
    for (extra, found) in [("one", 1), ("two", 2), ("one", 2)] {
        let item =
            ["store", "--label=x", "service", "databricks-cli", "username", "dev", "extra", extra];
        let entry = format!(r#"{{"token":{{"access_token":"at-{extra}"}}}}"#);
        assert!(service.secret_tool(&item, &entry).status.success());
        assert_eq!(items(), found);
        assert_eq!(run(&service, "load"), [format!("at-{extra} 0")]);
        // Times of items are whole seconds.
        std::thread::sleep(Duration::from_millis(1100));
    }
    run(&service, "save three");
    assert_eq!(items(), 1);
    assert_eq!(run(&service, "load"), ["at-three 0"]);
    run(&service, "save encrypted");
    assert_eq!(items(), 1);
    assert_eq!(run(&service, "load"), ["at-encrypted 0"]);
    let item = ["store", "--label=x", "service", "databricks-cli", "username", "dev", "extra", "x"];
    assert!(service.secret_tool(&item, "{}").status.success());
    run(&service, "delete");
    assert_eq!(items(), 0);
    run(&service, "delete");
    assert_eq!(run(&service, "keys"), [""; 0]);
}

#[test]
fn a_refresh_proves_saves_and_leaves_only_the_login() {
    let Some(service) = SecretService::start() else { return };
    run(&service, "save");
    run(&service, "probe");
    run(&service, "refresh");
    assert_eq!(run(&service, "keys"), ["dev"]);
    let found = service.search(&["service", "databricks-cli"]);
    assert_eq!(found.matches("label = ").count(), 1, "{found}");
    assert_eq!(run(&service, "load"), ["at-renewed 0"]);
    run(&service, "age");
    run(&service, "long");
}

#[test]
fn t24_a_stopped_keyring_and_a_stopped_bus_are_timeouts_in_time() {
    let Some(service) = SecretService::start() else { return };
    run(&service, "save");
    for stop in [SecretService::signal_keyring, SecretService::signal_bus] as [fn(&_, &str); 2] {
        stop(&service, "STOP");
        let said = run(&service, "outcomes");
        stop(&service, "CONT");
        assert_eq!(said.len(), 4, "{said:?}");
        for line in said {
            let [operation, seconds, outcome] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!()
            };
            assert_eq!(outcome, r#"Err("Timeout")"#, "{operation}");
            // Three seconds, and what a busy machine adds.
            assert!(seconds.parse::<u64>().unwrap() < 10, "{operation} {seconds}");
        }
    }
    assert_eq!(run(&service, "load"), ["at-dev 0"]);
}

#[test]
fn fall_4_a_killed_keyring_is_no_service_and_its_logins_come_back_with_it() {
    let Some(mut service) = SecretService::start() else { return };
    run(&service, "save");
    service.kill_keyring();
    for line in run(&service, "outcomes") {
        assert!(line.ends_with(r#"Err("NoService")"#), "{line}");
    }
    service.start_keyring();
    assert_eq!(run(&service, "load"), ["at-dev 0"]);
}

#[test]
fn key_4_a_locked_keyring_whose_prompt_nobody_sees_is_refused_and_neither_absent_nor_stored() {
    let Some(mut service) = SecretService::start() else { return };
    run(&service, "save");
    service.lock();
    let said = run(&service, "outcomes");
    let outcomes: Vec<_> = said.iter().map(|line| line.splitn(3, ' ').nth(2).unwrap()).collect();
    let denied = r#"Err("Denied")"#;
    // Names are no secret: they are told by a locked keyring too.
    assert_eq!(outcomes, [denied, denied, denied, "Ok(())"], "{said:?}");
    service.kill_keyring();
    service.start_keyring();
    assert_eq!(run(&service, "load"), ["at-dev 0"]);
}

/// A refresh that has spent its token when the keyring goes `away`, and is told when it is `back`.
fn survives(
    service: &mut SecretService,
    away: fn(&mut SecretService),
    back: fn(&mut SecretService),
    round: &str,
) {
    // Of this story alone: what was spent is remembered by the token.
    let name = format!("{round}-{}", std::process::id());
    run(service, &format!("save {name}"));
    let file = service.home().join(".databricks/token-cache.json");
    let mut command = common::command(&format!("slow-refresh {name}"), &file);
    service.invite(&mut command);
    let mut refresh = Child::of(command);
    refresh.until("proven");
    away(service);
    refresh.go_on().until("away");
    back(service);
    refresh.go_on().until("saved");
    refresh.done();
    assert_eq!(run(service, "load"), [format!("at-renewed-{name} 0")]);
}

#[test]
fn a_keyring_that_is_restarted_locked_or_stopped_during_a_refresh_keeps_what_it_bought() {
    let Some(mut service) = SecretService::start() else { return };
    survives(&mut service, SecretService::kill_keyring, SecretService::start_keyring, "restarted");
    // Unlocked as by somebody who signs in again.
    let unlock = |service: &mut SecretService| {
        service.kill_keyring();
        service.start_keyring();
    };
    survives(&mut service, |service| service.lock(), unlock, "locked");
    let (stop, go_on) = (
        |service: &mut SecretService| service.signal_keyring("STOP"),
        |service: &mut SecretService| service.signal_keyring("CONT"),
    );
    survives(&mut service, stop, go_on, "stopped");
}

#[test]
fn a_keyring_without_a_collection_is_empty_and_says_that_it_needs_one() {
    let Some(mut service) = SecretService::without_keyring() else { return };
    service.start_empty_keyring();
    let said = run(&service, "outcomes");
    let outcomes: Vec<_> = said.iter().map(|line| line.splitn(3, ' ').nth(2).unwrap()).collect();
    assert_eq!(outcomes, ["Ok(())", r#"Err("NoCollection")"#, "Ok(())", "Ok(())"], "{said:?}");
}

/// A program called dbus-launch that leaves a mark.
fn trap(folder: &Path) -> std::path::PathBuf {
    let (program, mark) = (folder.join("dbus-launch"), folder.join("was-run"));
    fs::write(&program, format!("#!/bin/sh\necho run > '{}'\n", mark.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    mark
}

#[test]
fn without_a_bus_nothing_is_asked_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let mark = trap(folder.path());
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    for address in [None, Some(""), Some("autolaunch:"), Some("unix:path=/nonexistent;autolaunch:")]
    {
        let mut command = common::command("outcomes", &folder.path().join("token-cache.json"));
        command.env("PATH", &path).env("DISPLAY", ":99").env("XDG_RUNTIME_DIR", folder.path());
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
        command.envs(address.map(|address| ("DBUS_SESSION_BUS_ADDRESS", address)));
        let said = Child::of(command).done();
        assert_eq!(said.len(), 4);
        for line in said {
            assert!(line.ends_with(r#" 0 Err("NoBus")"#), "{address:?}: {line}");
        }
    }
    assert!(!mark.exists());
    // The trap works.
    assert!(Command::new("dbus-launch").env("PATH", &path).status().unwrap().success());
    assert!(mark.exists());
}

#[test]
fn a_bus_that_is_gone_or_hangs_up_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let outcome = || {
        let mut command = common::command("outcomes", &folder.path().join("token-cache.json"));
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()));
        Child::of(command).done().swap_remove(0)
    };
    let hangs_up = std::thread::spawn(move || {
        for connection in listener.incoming().take(1) {
            drop(connection.unwrap());
        }
    });
    assert!(outcome().ends_with(r#"Err("Broken")"#));
    hangs_up.join().unwrap();
    assert!(outcome().ends_with(r#"Err("NoBus")"#));
}
