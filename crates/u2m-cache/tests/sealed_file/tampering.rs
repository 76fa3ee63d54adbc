//! T13: whoever can write the file can spoil it, and cannot make it say something else.

use crate::common::{Place, bound, everything, holds, key, put, session};
use crate::{access, file, source, store};
use std::fs;
use u2m_cache::{EncryptedFileStore, StoreError, TokenStore};
use u2m_core::Session;

/// Two logins in a file, and its bytes.
fn two() -> (Place, Vec<u8>) {
    let place = Place::fast();
    let store = store(&place);
    store.save(&key("dev"), &bound("dev")).unwrap();
    store.save(&key("prod"), &bound("prod")).unwrap();
    let bytes = fs::read(file(&place)).unwrap();
    (place, bytes)
}

/// What a spoiled file may answer: the login as it was saved, none, or an error with a remedy.
fn check(store: &EncryptedFileStore, name: &str) -> Result<bool, StoreError> {
    match store.load(&key(name)) {
        Ok(Some(found)) => {
            assert_eq!(found, bound(name), "a wrong login");
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(error) => {
            let text = error.to_string();
            let helps = text.contains("log in again") || text.contains("left untouched");
            assert!(helps && !text.contains("at-") && !text.contains("rt-"), "{text}");
            Err(error)
        }
    }
}

#[test]
fn t13_with_any_byte_changed_no_wrong_login_is_served_and_the_others_still_are() {
    let (place, sound) = two();
    let tokens = sound.windows(8).position(|window| window == b"\"tokens\"").unwrap();
    let dev = sound.windows(5).position(|window| window == b"\"dev\"").unwrap();
    let prod = sound.windows(6).position(|window| window == b"\"prod\"").unwrap();
    let sealed = |from: usize| from + sound[from..].iter().position(|c| *c == b'.').unwrap();
    for at in 0..sound.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut bytes = sound.clone();
            bytes[at] ^= change;
            put(&file(&place), &bytes);
            let found = ["dev", "prod"].map(|name| check(&store(&place), name));
            // A letter of a sealed value spoils that login, and that one alone.
            let in_dev = at > sealed(dev) && at < prod && sound[at].is_ascii_alphanumeric();
            if in_dev && bytes[at].is_ascii_alphanumeric() {
                assert!(matches!(found[0], Err(StoreError::BadEntry { .. })), "{at}: {found:?}");
                assert!(matches!(found[1], Ok(true)), "{at}: {found:?}");
            }
            // A letter of the check value spoils nothing.
            let check = sealed(sound.windows(7).position(|part| part == b"\"check\"").unwrap());
            let in_check = at > check && at < tokens && sound[at].is_ascii_alphanumeric();
            if in_check && bytes[at].is_ascii_alphanumeric() {
                assert!(matches!(found, [Ok(true), Ok(true)]), "{at}: {found:?}");
            }
        }
    }
}

#[test]
fn t13_after_any_change_a_login_can_be_stored_again_or_is_told_why_not_and_nothing_is_lost() {
    let (place, sound) = two();
    for at in (0..sound.len()).step_by(3) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x01;
        put(&file(&place), &bytes);
        let again = store(&place);
        match again.save(&key("dev"), &bound("new")) {
            Ok(()) => assert_eq!(access(&again, "dev").as_deref(), Some("at-new"), "{at}"),
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("left untouched") || text.contains("move"), "{at}: {text}");
                assert_eq!(fs::read(file(&place)).unwrap(), bytes, "{at}");
            }
        }
        for path in place.aside() {
            assert_eq!(fs::read(&path).unwrap(), bytes);
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn t13_a_file_cut_at_any_byte_is_damage_and_what_stands_before_the_cut_is_kept() {
    let (place, sound) = two();
    let end_of_dev = sound.windows(6).position(|window| window == b"\"prod\"").unwrap();
    for at in 0..sound.len() {
        put(&file(&place), &sound[..at]);
        let spoiled = store(&place);
        let found = check(&spoiled, "dev");
        assert!(
            if at == 0 { matches!(found, Ok(false)) } else { found.is_err() },
            "{at}: {found:?}"
        );
        spoiled.save(&key("new"), &bound("new")).unwrap();
        assert_eq!(access(&spoiled, "new").as_deref(), Some("at-new"), "{at}");
        let kept = spoiled.keys().unwrap().contains(&key("dev"));
        assert!(kept || at < end_of_dev, "{at}: dev is lost");
        if kept {
            assert!(check(&spoiled, "dev").unwrap(), "{at}");
        }
        for path in place.aside() {
            assert_eq!(fs::read(&path).unwrap(), &sound[..at]);
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn t13_entries_that_were_swapped_or_renamed_are_refused() {
    let (place, sound) = two();
    let text = String::from_utf8(sound).unwrap();
    let swapped = text.replace("\"dev\"", "\"x\"").replace("\"prod\"", "\"dev\"");
    put(&file(&place), swapped.replace("\"x\"", "\"prod\""));
    for name in ["dev", "prod"] {
        let error = check(&store(&place), name).unwrap_err();
        assert!(error.to_string().contains("put in the place of another"), "{error}");
    }
    put(&file(&place), text.replace("\"dev\"", "\"evil\""));
    assert!(matches!(check(&store(&place), "dev"), Ok(false)));
    assert!(matches!(store(&place).load(&key("evil")), Err(StoreError::BadEntry { .. })));
    assert!(check(&store(&place), "prod").unwrap());
    // The check value is no entry, and an entry no check value.
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let check_value = value["check"].as_str().unwrap();
    let dev = value["tokens"]["dev"]["sealed"].as_str().unwrap();
    put(&file(&place), text.replace(dev, check_value));
    assert!(matches!(check(&store(&place), "dev"), Err(StoreError::BadEntry { .. })));
}

#[test]
fn t20_a_side_file_that_points_elsewhere_is_not_even_read() {
    let (place, _) = two();
    let side = r#"{"version":1,"sessions":{"dev":{"fingerprints":["x"],"issuer":"https://evil.example",
        "token_endpoint":"https://evil.example/t","client_id":"c","host":"https://evil.example"}}}"#;
    put(&place.folder().join("token-cache.sealed.u2m.json"), side);
    let found: Session = store(&place).load(&key("dev")).unwrap().unwrap();
    assert_eq!(found.binding, bound("dev").binding);
}

#[test]
fn with_a_wrong_key_nothing_is_served_and_nothing_is_written() {
    let (place, sound) = two();
    let wrong = EncryptedFileStore::at(file(&place), source(8));
    let mut lock = wrong.lock(&key("dev"), crate::common::LONG).unwrap().unwrap();
    for error in [
        wrong.load(&key("dev")).unwrap_err(),
        wrong.save(&key("dev"), &session("dev")).unwrap_err(),
        wrong.save(&key("new"), &session("new")).unwrap_err(),
        lock.prove_writable().unwrap_err(),
        lock.save(&session("dev")).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
        assert!(error.to_string().contains("move the file away and log in again"), "{error}");
    }
    // Neither does damage let it in, nor the want of a check value.
    let text = String::from_utf8(sound.clone()).unwrap();
    let line = text.lines().find(|line| line.contains("\"check\"")).unwrap();
    for spoiled in [
        text[..text.len() - 9].to_owned(),
        text.replace(line, ""),
        text.replace("\"check\"", "\"x\""),
    ] {
        put(&file(&place), &spoiled);
        assert!(matches!(
            EncryptedFileStore::at(file(&place), source(8)).save(&key("new"), &session("new")),
            Err(StoreError::WrongKey { .. })
        ));
        assert_eq!(fs::read_to_string(file(&place)).unwrap(), spoiled);
    }
    put(&file(&place), &sound);
    assert!(wrong.load(&key("absent")).unwrap().is_none());
    // Names are no secret, and a login can be removed without the key; the right key fits as before.
    assert_eq!(wrong.keys().unwrap().len(), 2);
    wrong.delete(&key("prod")).unwrap();
    assert!(check(&store(&place), "dev").unwrap());
    assert!(matches!(wrong.load(&key("dev")), Err(StoreError::WrongKey { .. })));
    store(&place).delete(&key("dev")).unwrap();
    let error = wrong.save(&key("dev"), &session("dev")).unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { .. }), "an empty file has its key too: {error}");
    store(&place).save(&key("dev"), &session("dev")).unwrap();
    assert!(place.aside().is_empty() && !holds(&everything(place.folder()), "rt-dev"));
}
