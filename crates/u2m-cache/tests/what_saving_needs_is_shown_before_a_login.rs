//! What a login needs to be saved is shown before anybody is asked to sign in, whichever store it goes to.
#![cfg(all(unix, feature = "encrypted", feature = "keyring"))]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/fakes.rs"]
mod fakes;

use common::{Place, key, put, session};
use fakes::{Fake, Mood};
use std::fs;
use std::path::{Path, PathBuf};
use u2m_cache::{EncryptedFileStore, KeyringStore, SealKey, SealKeySource, StoreError, TokenStore};

fn sealed(path: PathBuf, source: SealKeySource) -> EncryptedFileStore {
    EncryptedFileStore::at(path, source)
}

/// Stores of each kind in a folder.
fn stores(folder: &Path, keyring: &Fake) -> Vec<(&'static str, Box<dyn TokenStore>)> {
    let bytes = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
    vec![
        (
            "token-cache",
            Box::new(KeyringStore::new(keyring.arc(), folder.join("token-cache.json"))),
        ),
        ("token-cache", Box::new(u2m_cache::FileStore::at(folder.join("token-cache.json")))),
        ("sealed", Box::new(sealed(folder.join("sealed.json"), bytes))),
    ]
}

#[test]
fn a_lock_that_cannot_be_had_is_said_by_every_store() {
    let keyring = Fake::new();
    for at in 0..3 {
        let place = Place::new();
        let (name, store) = stores(place.folder(), &keyring).remove(at);
        store.prepare_login(&key("dev")).unwrap();
        // As one is left by a program that ran as another user: nobody can lock anything in it.
        let locks = place.folder().join(format!("{name}.locks"));
        fs::remove_dir_all(&locks).unwrap();
        fs::write(&locks, "").unwrap();
        let error = store.prepare_login(&key("dev")).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{at}: {error}");
        assert!(store.lock(&key("dev"), common::LONG).is_err(), "{at}: as it would be afterwards");
    }
}

#[test]
fn a_keyring_of_which_nothing_can_be_locked_or_known_beside_it_is_none() {
    for in_the_way in ["token-cache.keyring.lock", "token-cache.u2m.json"] {
        let (place, keyring) = (Place::new(), Fake::new());
        let (_, store) = stores(place.folder(), &keyring).remove(0);
        let path = place.folder().join(in_the_way);
        match in_the_way.ends_with("lock") {
            true => fs::create_dir(&path).unwrap(),
            // A link that leads to itself cannot be read by anyone.
            false => std::os::unix::fs::symlink(in_the_way, &path).unwrap(),
        }
        let error = store.prepare_login(&key("dev")).unwrap_err();
        assert!(error.to_string().contains(in_the_way), "{error}");
        assert!(store.save(&key("dev"), &session("dev")).is_err());
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_said_and_one_that_can_is_not_made() {
    let (place, keyring) = (Place::new(), Fake::new());
    put(&place.folder().join("file"), "");
    for (_, store) in stores(&place.folder().join("file/below"), &keyring) {
        assert!(store.prepare_login(&key("dev")).is_err(), "{store:?}");
    }
    for (_, store) in stores(&place.folder().join("new"), &keyring) {
        store.prepare_login(&key("dev")).unwrap();
    }
    assert!(!place.folder().join("new").exists());
}

#[test]
fn a_key_that_cannot_be_had_is_said_where_nothing_was_sealed_yet_too() {
    let place = Place::new();
    let (log, new) = (place.folder().join("log"), place.folder().join("new/sealed.json"));
    let shell = |script: String| SealKeySource::Command(vec!["sh".into(), "-c".into(), script]);
    put(&place.folder().join("file"), "");
    put(&place.folder().join("bad"), "no key");
    for source in [
        shell("exit 1".into()),
        SealKeySource::File(place.folder().join("file/key")),
        SealKeySource::File(place.folder().join("bad")),
    ] {
        let error = sealed(new.clone(), source).prepare_login(&key("dev"));
        assert!(error.is_err());
    }
    // A program that may ask a person is asked once, and a key that can be made is not made yet.
    let hex = "ab".repeat(32);
    let asked = sealed(new.clone(), shell(format!("echo >> '{}'; echo {hex}", log.display())));
    asked.prepare_login(&key("dev")).unwrap();
    let file = place.folder().join("key");
    sealed(new.clone(), SealKeySource::File(file.clone())).prepare_login(&key("dev")).unwrap();
    assert!(!file.exists() && !place.folder().join("new").exists(), "{:?}", place.names());
    asked.save(&key("dev"), &session("dev")).unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 1);
    assert_eq!(asked.load(&key("dev")).unwrap(), Some(session("dev")));
}

#[test]
fn a_keyring_that_answers_nothing_is_asked_nothing_that_a_person_would_be_waited_for() {
    let (place, keyring) = (Place::new(), Fake::new());
    keyring.be(Mood::Dies);
    let (_, store) = stores(place.folder(), &keyring).remove(0);
    assert!(store.prepare_login(&key("dev")).is_err());
    let calls = keyring.take_calls();
    assert!(calls.iter().all(|call| call.starts_with("get ")), "{calls:?}");
}
