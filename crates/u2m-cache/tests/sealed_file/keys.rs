//! Where the key comes from.

use crate::common::{Place, chmod, key, mode, put, session};
use crate::{access, file};
use std::fs;
use std::path::PathBuf;
use u2m_cache::{EncryptedFileStore, SealKey, SealKeySource, StoreError, TokenStore};

const HEX: &str = "abababababababababababababababababababababababababababababababab";

fn key_file(place: &Place) -> PathBuf {
    place.folder().join("keys/u2m.key")
}

fn with_key_file(place: &Place) -> EncryptedFileStore {
    EncryptedFileStore::at(file(place), SealKeySource::File(key_file(place)))
}

#[test]
fn t12_a_key_file_is_made_by_the_first_save_and_is_private() {
    let place = Place::new();
    let store = with_key_file(&place);
    assert!(store.load(&key("dev")).unwrap().is_none() && store.keys().unwrap().is_empty());
    assert!(!key_file(&place).exists(), "reading creates nothing");
    store.save(&key("dev"), &session("dev")).unwrap();
    assert_eq!(mode(&key_file(&place)), 0o600);
    assert_eq!(mode(key_file(&place).parent().unwrap()), 0o700);
    assert_eq!(crate::common::names(key_file(&place).parent().unwrap()), ["u2m.key"]);
    let text = fs::read_to_string(key_file(&place)).unwrap();
    assert_eq!(access(&with_key_file(&place), "dev").as_deref(), Some("at-dev"));
    with_key_file(&place).save(&key("other"), &session("other")).unwrap();
    assert_eq!(fs::read_to_string(key_file(&place)).unwrap(), text);
    let same = SealKeySource::Bytes(SealKey::parse(&text).unwrap());
    let store = EncryptedFileStore::at(file(&place), same);
    assert_eq!(access(&store, "other").as_deref(), Some("at-other"));
}

#[test]
fn t12_a_key_file_that_others_can_read_is_refused_and_not_quietly_tightened() {
    let place = Place::new();
    with_key_file(&place).save(&key("dev"), &session("dev")).unwrap();
    for loose in [0o644, 0o640, 0o604, 0o660] {
        chmod(&key_file(&place), loose);
        let store = with_key_file(&place);
        for error in [
            store.load(&key("dev")).unwrap_err(),
            store.save(&key("dev"), &session("new")).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::LooseKey { .. }), "{error}");
            let line = format!("chmod 600 '{}'", key_file(&place).display());
            assert!(error.to_string().contains(&line), "{error}");
        }
        assert_eq!(mode(&key_file(&place)), loose);
    }
    chmod(&key_file(&place), 0o600);
    assert_eq!(access(&with_key_file(&place), "dev").as_deref(), Some("at-dev"));
}

#[test]
fn t11_a_key_file_is_no_link_no_pipe_and_nobody_elses() {
    let place = Place::new();
    with_key_file(&place).save(&key("dev"), &session("dev")).unwrap();
    let real = place.folder().join("real.key");
    fs::rename(key_file(&place), &real).unwrap();
    std::os::unix::fs::symlink(&real, key_file(&place)).unwrap();
    assert!(matches!(with_key_file(&place).load(&key("dev")), Err(StoreError::Io { .. })));
    fs::remove_file(key_file(&place)).unwrap();
    fs::create_dir(key_file(&place)).unwrap();
    assert!(matches!(with_key_file(&place).load(&key("dev")), Err(StoreError::NotAFile { .. })));
    fs::remove_dir(key_file(&place)).unwrap();
    fs::rename(&real, key_file(&place)).unwrap();
    if crate::common::is_root() {
        std::os::unix::fs::chown(key_file(&place), Some(12345), None).unwrap();
        let error = with_key_file(&place).load(&key("dev")).unwrap_err();
        assert!(matches!(error, StoreError::ForeignOwner { owner: 12345, .. }), "{error}");
    }
}

#[test]
fn a_key_file_that_is_gone_or_spoiled_is_never_replaced_while_something_is_sealed_with_it() {
    let place = Place::new();
    with_key_file(&place).save(&key("dev"), &session("dev")).unwrap();
    let sealed = fs::read(file(&place)).unwrap();
    let right = fs::read(key_file(&place)).unwrap();
    for text in ["", "canary", &"canary".repeat(2000), "AAAA", "\u{fffd}"] {
        put(&key_file(&place), text);
        for error in [
            with_key_file(&place).load(&key("dev")).unwrap_err(),
            with_key_file(&place).save(&key("new"), &session("new")).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::BadKey { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        assert_eq!(fs::read_to_string(key_file(&place)).unwrap(), text);
    }
    fs::remove_file(key_file(&place)).unwrap();
    let store = with_key_file(&place);
    for error in [
        store.load(&key("dev")).unwrap_err(),
        store.save(&key("new"), &session("new")).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::MissingKey { .. }), "{error}");
        assert!(error.to_string().contains("put the key back, or move"), "{error}");
    }
    assert!(!key_file(&place).exists());
    assert_eq!(fs::read(file(&place)).unwrap(), sealed);
    // The same store goes on when the key is back; a login can be removed without it.
    put(&key_file(&place), right);
    assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
    fs::remove_file(key_file(&place)).unwrap();
    with_key_file(&place).delete(&key("dev")).unwrap();
    assert!(with_key_file(&place).keys().unwrap().is_empty());
}

#[test]
fn a_program_is_asked_for_the_key_when_it_is_needed_and_once_for_each_store() {
    let place = Place::new();
    let asked = place.folder().join("asked");
    let script = format!("echo once >> '{}'; echo {HEX}", asked.display());
    let words = ["sh", "-c", &script].map(String::from).to_vec();
    let make = || EncryptedFileStore::at(file(&place), SealKeySource::Command(words.clone()));
    let times = || fs::read_to_string(&asked).map_or(0, |text| text.lines().count());
    let store = make();
    assert!(store.is_slow());
    assert!(store.load(&key("dev")).unwrap().is_none() && store.keys().unwrap().is_empty());
    assert_eq!(times(), 0);
    std::thread::scope(|scope| {
        for at in 0..4 {
            let store = store.clone();
            scope.spawn(move || store.save(&key(&format!("{at}")), &session("x")).unwrap());
        }
    });
    assert_eq!(access(&store, "0").as_deref(), Some("at-x"));
    assert!(!store.is_slow());
    assert_eq!(times(), 1);
    let second = make();
    assert_eq!(second.keys().unwrap().len(), 4);
    second.delete(&key("1")).unwrap();
    assert_eq!(times(), 1, "names are no secret, and nothing is opened to be removed");
    assert_eq!(access(&second, "0").as_deref(), Some("at-x"));
    assert_eq!(times(), 2);
}

#[test]
fn a_program_that_gives_no_key_is_an_error_that_names_it_and_nothing_is_written() {
    let place = Place::new();
    for (script, said) in [("echo canary; exit 7", "exit status: 7"), ("echo canary", "'sh' gave")]
    {
        let words = ["sh", "-c", script].map(String::from).to_vec();
        let store = EncryptedFileStore::at(file(&place), SealKeySource::Command(words));
        let error = store.save(&key("dev"), &session("dev")).unwrap_err();
        let text = format!("{error} {error:?}").replace("what sh", "what 'sh'");
        assert!(text.contains(said) && !text.contains("canary"), "{text}");
        assert!(!file(&place).exists());
    }
}
