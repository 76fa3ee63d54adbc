//! The crate `keyring`, by which many programs in Rust reach the system's keyring, and u2m read each other's items of a real GNOME
//! Keyring.
#![cfg(all(feature = "keyring", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/secret_service.rs"]
mod secret_service;

use common::{Child, bound, key};
use keyring::Entry;
use secret_service::SecretService;
use std::sync::Arc;
use u2m_cache::{KeyringStore, SystemKeyring, TimeoutKeyring, TokenStore};

/// What the worker is to do, with this test's bus in its environment. Each line that it says is asserted on.
#[test]
fn worker() {
    common::work(|job, file| {
        let (verb, rest) = job.split_once(' ').unwrap_or((job, ""));
        let keyring = TimeoutKeyring::new(SystemKeyring::new("databricks-cli"));
        let store = KeyringStore::new(Arc::new(keyring), file.path());
        let entry = Entry::new("databricks-cli", "dev").unwrap();
        match verb {
            "save" => store.save(&key("dev"), &bound(rest)).unwrap(),
            "load" => {
                let found = store.load(&key("dev")).unwrap();
                let token = found.map(|found| found.access_token.expose().to_owned());
                common::say(&token.unwrap_or("none".into()));
            }
            "get" => {
                common::say(&entry.get_password().unwrap_or_else(|error| format!("{error:?}")))
            }
            "set" => entry.set_password(rest).unwrap(),
            "remove" => entry.delete_credential().unwrap(),
            other => panic!("{other}"),
        }
    });
}

/// Does one job in a process that lives on the service's bus.
fn run(service: &SecretService, job: &str) -> Vec<String> {
    let file = service.home().join(".databricks/token-cache.json");
    let mut command = common::command(job, &file);
    service.invite(&mut command);
    Child::of(command).done()
}

#[test]
fn an_entry_reads_and_removes_what_u2m_has_saved() {
    let Some(service) = SecretService::start() else { return };
    assert_eq!(run(&service, "get"), ["NoEntry"]);
    run(&service, "save one");
    let stored = service.lookup("dev");
    assert!(stored.contains("at-one"), "{stored}");
    assert_eq!(run(&service, "get"), [stored]);
    run(&service, "remove");
    assert_eq!(run(&service, "load"), ["none"]);
}

#[test]
fn u2m_reads_and_replaces_what_an_entry_has_set() {
    let Some(service) = SecretService::start() else { return };
    let entry = r#"{"token":{"access_token":"at-theirs","expiry":"2099-01-01T00:00:00Z"}}"#;
    run(&service, &format!("set {entry}"));
    assert_eq!(run(&service, "load"), ["at-theirs"]);
    run(&service, "save ours");
    assert_eq!(run(&service, "load"), ["at-ours"]);
    let stored = run(&service, "get");
    assert!(stored[0].contains("at-ours"), "{stored:?}");
    let items = service.search(&["service", "databricks-cli"]).matches("label = ").count();
    assert_eq!(items, 1, "and nothing hides it");
}
