//! Where a login may be, for whoever removes it, and what else may hold its tokens.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, key, session};
use std::sync::Arc;
use u2m_cache::{AutoStore, FileStore, MemoryStore, StorageMode, TokenStore};

#[test]
fn out_2_every_store_that_holds_a_login_is_named_also_where_it_cannot_be_read() {
    let place = Place::new();
    let (file, keyring) = (place.store(), MemoryStore::new());
    let auto = AutoStore::new(file.clone()).with_keyring(Arc::new(keyring.clone()));
    assert_eq!(auto.holders(&key("dev")), []);
    keyring.save(&key("dev"), &session("dev")).unwrap();
    assert_eq!(auto.holders(&key("dev")), [StorageMode::Secure]);
    file.save(&key("dev"), &session("dev")).unwrap();
    file.save(&key("other"), &session("other")).unwrap();
    let mut both = auto.holders(&key("dev"));
    both.sort_by_key(|mode| mode.as_str());
    assert_eq!(both, [StorageMode::Plaintext, StorageMode::Secure]);
    assert_eq!(auto.holders(&key("other")), [StorageMode::Plaintext]);
    // It is there, and cannot be read.
    common::put(&place.file(), place.text().replace("\"at-other\"", "7"));
    assert_eq!(auto.holders(&key("other")), [StorageMode::Plaintext]);
    // A store that cannot be asked holds nothing that could be removed.
    common::put(&place.file(), "garbage");
    assert_eq!(auto.holders(&key("dev")), [StorageMode::Secure]);
}

#[test]
fn t28_of_what_was_set_aside_a_logout_removes_what_may_be_its_own_and_a_logout_of_all_everything() {
    let place = Place::new();
    let store = place.store();
    let aside = |at: usize| place.folder().join(format!("token-cache.json.corrupt-{at}"));
    let text = |name: &str| {
        format!(r#"{{"version":1,"tokens":{{"{name}":{{"access_token":"at-{name}"}}}}}}}}"#)
    };
    store.save(&key("stays"), &session("stays")).unwrap();
    for (at, name) in ["dev", "other", "third"].iter().enumerate() {
        common::put(&aside(at), text(name));
    }
    common::put(&place.folder().join("other.json.corrupt-1"), "of another cache");
    assert_eq!(store.clear_leftovers(&key("dev")).unwrap(), 1);
    assert!(!aside(0).exists() && aside(1).exists() && aside(2).exists());
    assert_eq!(store.clear_leftovers(&key("dev")).unwrap(), 0);
    assert_eq!(
        AutoStore::new(FileStore::at(place.file())).clear_leftovers(&key("third")).unwrap(),
        1
    );
    common::put(&place.folder().join(".token-cache-u2m-0000000000000007.tmp"), "left by the dead");
    assert_eq!(store.clear_all_leftovers().unwrap(), 2, "the rest, and what a dead writer left");
    let left = place.names();
    assert!(left.iter().all(|name| !name.starts_with("token-cache.json.corrupt")), "{left:?}");
    assert!(left.contains(&"other.json.corrupt-1".to_owned()));
    assert!(store.load(&key("stays")).unwrap().is_some());
}
