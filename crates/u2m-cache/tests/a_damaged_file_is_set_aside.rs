//! Damage: reading reports it and changes nothing; the next login sets the file aside, whole, and keeps what it can.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, access, go_reads, key, session};
use std::fs;
use u2m_cache::{StoreError, TokenStore};

const SOUND: &str = r#"{
  "version": 1,
  "tokens": {
    "a": {"access_token": "at-a", "expiry": "0001-01-01T00:00:00Z"},
    "b": {"access_token": "at-b", "expiry": "0001-01-01T00:00:00Z"}
  }
}"#;

/// Damage, and the logins that survive it.
fn damaged() -> Vec<(Vec<u8>, &'static [&'static str])> {
    let cut = |at: &str| SOUND.as_bytes()[..SOUND.find(at).unwrap()].to_vec();
    let with = |end: &[u8]| [SOUND.as_bytes(), end].concat();
    vec![
        (b"garbage".to_vec(), &[]),
        (b"abc: {not json at all".to_vec(), &[]),
        (b"null".to_vec(), &[]),
        (b"[]".to_vec(), &[]),
        (b"7".to_vec(), &[]),
        (b"\"text\"".to_vec(), &[]),
        (vec![0; 4096], &[]),
        (vec![0xff, 0xfe, b'{', 0], &[]),
        (format!("\u{feff}{SOUND}").into_bytes(), &[]),
        (br#"{"version":1,"tokens":[]}"#.to_vec(), &[]),
        (br#"{"version":1,"tokens":7}"#.to_vec(), &[]),
        (cut("\"a\""), &[]),
        (cut(", \"expiry\": \"0001-01-01T00:00:00Z\"}\n"), &["a"]),
        (cut("\n  }\n}"), &["a", "b"]),
        // What two writers without a lock leave.
        (with(b"}"), &["a", "b"]),
        (with(b"\n  }\n}"), &["a", "b"]),
        (with(&[0; 512]), &["a", "b"]),
        (with(b"\xff"), &["a", "b"]),
    ]
}

#[test]
fn file_4_damage_is_reported_with_a_remedy_and_nothing_is_changed_by_reading() {
    for (bytes, _) in damaged() {
        let place = Place::with(&bytes);
        let store = place.store();
        for error in [store.load(&key("a")).unwrap_err(), store.keys().unwrap_err()] {
            assert!(
                matches!(error, StoreError::Corrupt { .. } | StoreError::TooLarge { .. }),
                "{error}"
            );
            assert!(error.to_string().contains("log in again"), "{error}");
            assert!(!error.to_string().contains("at-"), "{error}");
        }
        assert!(fs::read(place.file()).unwrap() == bytes);
        assert_eq!(place.names(), ["token-cache.json"]);
        assert!(store.take_notices().is_empty());
    }
}

#[test]
fn file_4_a_login_sets_the_damaged_file_aside_whole_and_keeps_what_can_be_read() {
    for (bytes, kept) in damaged() {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let place = Place::with(&bytes);
        let store = place.store();
        store.save(&key("dev"), &session("dev")).unwrap();
        assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"), "{shown}");
        for name in kept {
            assert_eq!(access(&store, name), Some(format!("at-{name}")), "{shown}");
        }
        assert_eq!(go_reads(&place.text()).len(), kept.len() + 1, "{shown}");
        let aside = place.aside();
        assert_eq!(aside.len(), 1, "{shown}");
        assert!(fs::read(&aside[0]).unwrap() == bytes, "{shown}");
        #[cfg(unix)]
        assert_eq!(common::mode(&aside[0]), 0o600);
        let notices = store.take_notices();
        assert_eq!(notices.len(), 1, "{shown}");
        let text = &notices[0].text;
        assert!(text.contains(".corrupt-") && text.contains(&kept.len().to_string()), "{text}");
        // It is over with that.
        store.save(&key("dev"), &session("again")).unwrap();
        assert!(store.take_notices().is_empty() && place.aside().len() == 1);
    }
}

#[test]
fn file_4_an_empty_file_is_an_empty_cache() {
    for text in ["", " \n"] {
        let place = Place::with(text);
        let store = place.store();
        assert!(store.load(&key("dev")).unwrap().is_none());
        store.save(&key("dev"), &session("dev")).unwrap();
        assert!(place.aside().is_empty() && store.take_notices().is_empty());
    }
}

#[test]
fn file_4_damage_that_comes_twice_in_a_second_is_kept_twice() {
    let place = Place::new();
    let store = place.store();
    for text in ["one", "two", "three"] {
        common::put(&place.file(), text);
        store.save(&key("dev"), &session("dev")).unwrap();
    }
    let mut kept: Vec<String> =
        place.aside().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    kept.sort();
    assert_eq!(kept, ["one", "three", "two"]);
}

#[cfg(unix)]
#[test]
fn t12_a_damaged_file_that_all_could_read_is_private_when_it_is_set_aside() {
    let place = Place::with("garbage");
    common::chmod(&place.file(), 0o644);
    place.store().save(&key("dev"), &session("dev")).unwrap();
    assert_eq!(common::mode(&place.aside()[0]), 0o600);
}

#[cfg(unix)]
#[test]
fn file_6_a_damaged_file_behind_a_link_is_set_aside_beside_its_target() {
    let place = Place::new();
    let real = place.folder().join("real");
    fs::create_dir(&real).unwrap();
    common::put(&real.join("cache.json"), "garbage");
    std::os::unix::fs::symlink(real.join("cache.json"), place.file()).unwrap();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    assert!(fs::symlink_metadata(place.file()).unwrap().file_type().is_symlink());
    let aside = common::names(&real).into_iter().find(|name| name.contains(".corrupt-")).unwrap();
    assert_eq!(fs::read_to_string(real.join(aside)).unwrap(), "garbage");
}

/// A torn write of a program that writes in place: the file ends anywhere, also where the disk filled the rest with zeros.
#[test]
fn t13_a_file_that_ends_at_any_byte_is_an_error_and_never_another_login() {
    let place = Place::fast();
    let store = place.store();
    store.save(&key("a"), &session("a")).unwrap();
    store.save(&key("b"), &session("b")).unwrap();
    let whole = fs::read(place.file()).unwrap();
    for at in 1..whole.len() {
        let mut zeros = whole.clone();
        zeros[at..].fill(0);
        for torn in [&whole[..at], &zeros] {
            common::put(&place.file(), torn);
            assert!(store.load(&key("a")).is_err() && store.keys().is_err(), "{at}");
            store.save(&key("c"), &session("c")).unwrap();
            let kept = go_reads(&place.text());
            assert_eq!(kept["c"].1, "rt-c", "{at}");
            for name in ["a", "b"] {
                let whole = [format!("at-{name}"), format!("rt-{name}")];
                let is_whole =
                    |kept: &(String, String, i64)| [&kept.0, &kept.1] == [&whole[0], &whole[1]];
                assert!(kept.get(name).is_none_or(is_whole), "{at}: half an entry");
            }
            for aside in place.aside() {
                assert!(fs::read(&aside).unwrap() == torn, "{at}: what was there is kept whole");
                fs::remove_file(aside).unwrap();
            }
        }
    }
}

#[test]
fn all_that_was_set_aside_is_cleared_at_once_and_counted() {
    let place = Place::new();
    let store = u2m_cache::AutoStore::new(place.store());
    for text in ["one", "two"] {
        common::put(&place.file(), text);
        place.store().save(&key("dev"), &session("dev")).unwrap();
    }
    assert_eq!(place.aside().len(), 2);
    assert_eq!(store.clear_all_leftovers().unwrap(), 2);
    assert!(place.aside().is_empty());
    assert_eq!(store.clear_all_leftovers().unwrap(), 0);
}

#[test]
fn what_is_set_aside_alone_in_its_second_is_named_by_that_second() {
    let place = Place::new();
    common::put(&place.file(), "one");
    place.store().save(&key("dev"), &session("dev")).unwrap();
    let aside = place.aside();
    let name = aside[0].file_name().unwrap().to_str().unwrap();
    let (_, second) = name.split_once(".corrupt-").unwrap();
    assert!(second.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
}
