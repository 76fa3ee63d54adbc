//! The encrypted file: what others can do to it, and what they can learn from it.
#![cfg(all(feature = "encrypted", unix))]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod keys;
mod many;
mod tampering;

use common::{Place, key, put};
use std::fs;
use std::path::{Path, PathBuf};
use u2m_cache::{EncryptedFileStore, SealKey, SealKeySource, StoreAddress, StoreError, TokenStore};
use u2m_core::{AccessToken, RefreshToken, Session};

pub(crate) const NAME: &str = "token-cache.sealed.json";

pub(crate) fn file(place: &Place) -> PathBuf {
    place.folder().join(NAME)
}

pub(crate) fn source(byte: u8) -> SealKeySource {
    SealKeySource::Bytes(SealKey::from_bytes([byte; 32]))
}

pub(crate) fn at(path: &Path) -> EncryptedFileStore {
    EncryptedFileStore::at(path, source(7))
}

pub(crate) fn store(place: &Place) -> EncryptedFileStore {
    at(&file(place))
}

pub(crate) fn access(store: &EncryptedFileStore, name: &str) -> Option<String> {
    store.load(&key(name)).unwrap().map(|session| session.access_token.expose().to_owned())
}

/// Another process does this with the store.
#[test]
fn worker() {
    common::work(|job, store| many::work(job, &at(store.path())));
}

#[test]
fn a_login_comes_back_whole_and_whom_it_belongs_to_is_in_no_side_file() {
    let place = Place::new();
    let store = store(&place);
    assert!(store.load(&key("dev")).unwrap().is_none() && store.keys().unwrap().is_empty());
    assert!(place.names().is_empty(), "reading creates nothing");
    store.save(&key("dev"), &common::bound("dev")).unwrap();
    store.save(&key("other"), &common::session("other")).unwrap();
    store.save(&key("bare"), &common::bare("bare")).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap(), Some(common::bound("dev")));
    assert_eq!(store.load(&key("other")).unwrap(), Some(common::session("other")));
    assert_eq!(store.load(&key("bare")).unwrap(), Some(common::bare("bare")));
    assert_eq!(store.keys().unwrap(), [key("bare"), key("dev"), key("other")]);
    store.delete(&key("bare")).unwrap();
    assert_eq!(store.keys().unwrap(), [key("dev"), key("other")]);
    assert_eq!(place.names(), [NAME, "token-cache.sealed.lock"]);
    let text = fs::read_to_string(file(&place)).unwrap();
    for word in ["a.example", "at-dev", "rt-dev", "databricks-cli"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["version"], &value["format"]), (&1.into(), &"u2m-sealed".into()));
    assert_eq!(common::mode(&file(&place)), 0o600);
}

#[test]
fn the_rules_of_the_shared_file_hold_here_too() {
    let place = Place::new();
    let store = store(&place);
    store.save(&key("dev"), &common::bound("one")).unwrap();
    let error = store.save(&key("dev"), &common::bare("two")).unwrap_err();
    assert!(matches!(error, StoreError::WouldLoseRefreshToken { .. }), "{error}");
    // A copy under another key is renewed with it.
    store.save(&key("copy"), &common::bound("one")).unwrap();
    let mut lock = store.lock(&key("dev"), common::LONG).unwrap().unwrap();
    lock.prove_writable().unwrap();
    lock.save(&common::bound("two")).unwrap();
    assert_eq!(access(&store, "copy").as_deref(), Some("at-two"));
    drop(lock);
    common::chmod(&file(&place), 0o644);
    assert_eq!(access(&store, "dev").as_deref(), Some("at-two"));
    assert_eq!((store.take_notices().len(), common::mode(&file(&place))), (1, 0o600));
}

#[test]
fn key_1_a_token_of_64_kib_is_no_matter() {
    let place = Place::new();
    let large = Session::new(AccessToken::new("a".repeat(64 << 10)))
        .with_refresh_token(RefreshToken::new("r".repeat(64 << 10)));
    let store = store(&place);
    let mut lock = store.lock(&key("dev"), common::LONG).unwrap().unwrap();
    lock.prove_writable().unwrap();
    lock.save(&large).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap(), Some(large));
}

#[test]
fn files_of_another_form_or_version_are_refused_and_keep_their_bytes() {
    let place = Place::new();
    store(&place).save(&key("dev"), &common::session("dev")).unwrap();
    let sound = fs::read_to_string(file(&place)).unwrap();
    let plain = r#"{"version":1,"tokens":{"dev":{"access_token":"a"}}}"#.to_owned();
    for text in [
        sound.replace("\"version\": 1", "\"version\": 2"),
        sound.replace("u2m-sealed", "u2m-sealed-2"),
        sound.replace("\"format\": \"u2m-sealed\",", "\"format\": {\"of\": \"u2m\"},"),
        sound.replace("\"tokens\": {", "\"tokens\": [").replace("u2m-sealed", "u2m-sealed-3"),
        plain,
    ] {
        put(&file(&place), &text);
        let store = store(&place);
        let mut lock = store.lock(&key("dev"), common::LONG).unwrap().unwrap();
        let errors = [
            store.load(&key("dev")).unwrap_err(),
            store.keys().unwrap_err(),
            store.save(&key("dev"), &common::session("dev")).unwrap_err(),
            store.delete(&key("dev")).unwrap_err(),
            lock.prove_writable().unwrap_err(),
            lock.save(&common::session("dev")).unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(error, StoreError::OtherForm { .. } | StoreError::Version { .. }),
                "{text}: {error}"
            );
            assert!(error.to_string().contains("left untouched"), "{error}");
        }
        assert_eq!(fs::read_to_string(file(&place)).unwrap(), text);
    }
    assert!(place.aside().is_empty());
}

#[test]
fn t25_no_plain_token_is_ever_written_into_a_sealed_file() {
    let place = Place::new();
    store(&place).save(&key("dev"), &common::session("dev")).unwrap();
    let before = fs::read(file(&place)).unwrap();
    let plain = u2m_cache::FileStore::at(file(&place));
    for error in [
        plain.load(&key("dev")).unwrap_err(),
        plain.save(&key("dev"), &common::session("dev")).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::OtherForm { .. }), "{error}");
    }
    assert_eq!(fs::read(file(&place)).unwrap(), before);
}

#[test]
fn file_9_the_sealed_file_is_where_its_own_variable_says_and_never_the_shared_one() {
    let at = |set: &[(&str, &str)]| {
        let env = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        };
        EncryptedFileStore::from_env(&env, source(7)).map(|store| store.path().to_owned())
    };
    let home = ("HOME", "/h");
    let (shared, own) = (("U2M_TOKEN_CACHE", "/a"), ("U2M_SEALED_TOKEN_CACHE", "/b"));
    assert_eq!(at(&[home, shared]).unwrap(), Path::new("/h/.databricks").join(NAME));
    assert_eq!(at(&[home, shared, own]).unwrap(), Path::new("/b"));
    assert_eq!(at(&[own]).unwrap(), Path::new("/b"));
    assert!(matches!(at(&[shared]), Err(StoreError::NoHome)));
}

#[test]
fn t14_neither_the_store_nor_its_address_shows_the_key() {
    let key = SealKey::from_bytes([b'k'; 32]);
    let written = key.to_text().to_string();
    let store = EncryptedFileStore::at("/tmp/x", SealKeySource::Bytes(key));
    let address = store.address().unwrap();
    assert_eq!(address, store.clone().address().unwrap());
    let StoreAddress::EncryptedFile { path, .. } = &address else { panic!("{address:?}") };
    assert_eq!(path, Path::new("/tmp/x"));
    let shown = format!("{store:?} {store:#?} {address:?} {address:#?}");
    assert!(!shown.contains("107") && !shown.contains("kkk") && !shown.contains(&written));
    let command = SealKeySource::Command(vec!["tool".into(), "--secret=canary".into()]);
    assert!(!format!("{:?}", EncryptedFileStore::at("/tmp/x", command)).contains("canary"));
}
