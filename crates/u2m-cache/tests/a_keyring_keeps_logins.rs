//! Logins in a keyring: the items of Databricks' CLI, in one piece or in parts.
#![cfg(feature = "keyring")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/fakes.rs"]
mod fakes;

use common::{LATER, LONG, Place, bare, bound, key, session};
use fakes::{Fake, Mood};
use std::error::Error;
use std::time::Duration;
use u2m_cache::{
    EntryLock, FileStore, KeyringError, KeyringStore, StoreAddress, StoreError, TokenStore,
};
use u2m_core::{
    AccessToken, CacheKey, ErrorResponse, RefreshFailure, RefreshFailureKind, RefreshToken,
    Session, Timestamp,
};

/// What Windows takes at once, in bytes.
const WINDOWS: usize = 2560;

fn store(place: &Place, fake: &Fake) -> KeyringStore {
    KeyringStore::new(fake.arc(), place.file())
}

fn locked(store: &KeyringStore) -> Box<dyn EntryLock> {
    store.lock(&key("dev"), LONG).unwrap().unwrap()
}

/// A login of about this many bytes.
fn long(len: usize, mark: &str) -> Session {
    Session::new(AccessToken::new(mark.repeat(len / mark.len())))
        .with_refresh_token(RefreshToken::new(format!("rt-{mark}")))
        .with_expiry(Timestamp::from_unix(LATER))
}

fn cause(error: &StoreError) -> &KeyringError {
    let StoreError::Keyring { source, .. } = error else { panic!("{error}") };
    source
}

#[test]
fn an_item_is_byte_for_byte_that_of_the_cli_under_the_cache_key() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    store.save(&key("dev"), &bound("dev")).unwrap();
    assert_eq!(fake.names(), ["dev"]);
    let expiry = u2m_cache::format_local(Timestamp::from_unix(LATER));
    assert_eq!(
        fake.raw("dev").unwrap(),
        format!(
            r#"{{"token":{{"access_token":"at-dev","token_type":"Bearer","refresh_token":"rt-dev","expiry":"{expiry}"}}}}"#
        )
    );
    assert_eq!(store.load(&key("dev")).unwrap().unwrap(), bound("dev"));
    assert_eq!(store.keys().unwrap(), [key("dev")]);
    store.delete(&key("dev")).unwrap();
    store.delete(&key("dev")).unwrap();
    assert!(fake.names().is_empty());
    assert!(store.load(&key("dev")).unwrap().is_none());
}

#[test]
fn what_the_cli_wrote_is_read_and_belongs_to_nobody_in_particular() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    store.save(&key("dev"), &bound("dev")).unwrap();
    fake.put("dev", r#"{"token":{"access_token":"at-cli","token_type":"Bearer","refresh_token":"rt-cli","expiry":"2099-01-01T01:00:00.5+01:00","expires_in":3600},"origin":"cli"}"#);
    let found = store.load(&key("dev")).unwrap().unwrap();
    assert_eq!(found.access_token.expose(), "at-cli");
    assert_eq!(found.expiry, Some(Timestamp::from_unix(LATER)));
    assert!(found.binding.is_none());
    fake.put("dev", r#"{"token":null}"#);
    assert!(store.load(&key("dev")).unwrap().is_none());
}

#[test]
fn no_secret_stands_beside_the_keyring_and_the_side_file_says_where_the_login_is() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    store.save(&key("dev"), &bound("dev")).unwrap();
    locked(&store).prove_writable().unwrap();
    let beside = common::everything(place.folder());
    assert!(!common::holds(&beside, "at-dev") && !common::holds(&beside, "rt-dev"));
    assert!(!place.file().exists());
    let side = || std::fs::read_to_string(place.folder().join("token-cache.u2m.json")).unwrap();
    assert!(side().contains(r#""dev": "secure""#), "{}", side());
    store.delete(&key("dev")).unwrap();
    assert!(!side().contains("secure") && !side().contains("a.example"), "{}", side());
}

#[test]
fn refr_1_whoever_holds_an_entry_of_the_file_holds_that_of_the_keyring() {
    let (place, fake) = (Place::new(), Fake::new());
    let (store, file) = (store(&place, &fake), FileStore::at(place.file()));
    let held = file.lock(&key("dev"), LONG).unwrap().unwrap();
    assert!(store.lock(&key("dev"), Duration::ZERO).unwrap().is_none());
    assert!(store.lock(&key("other"), Duration::ZERO).unwrap().is_some());
    drop(held);
    let lock = locked(&store);
    assert!(file.lock(&key("dev"), Duration::ZERO).unwrap().is_none());
    drop(lock);
    assert!(file.lock(&key("dev"), Duration::ZERO).unwrap().is_some());
}

#[cfg(unix)]
#[test]
fn a_lock_is_handed_over_and_the_address_says_where_to() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    let path = place.file();
    let service = "databricks-cli".to_owned();
    assert_eq!(store.address(), Some(StoreAddress::Keyring { path, service }));
    assert!(store.is_slow());
    let file = locked(&store).hand_over().unwrap();
    assert!(store.lock(&key("dev"), Duration::ZERO).unwrap().is_none());
    let mut adopted = store.adopt(&key("dev"), file).unwrap();
    adopted.save(&session("new")).unwrap();
    drop(adopted);
    assert!(store.lock(&key("dev"), Duration::ZERO).unwrap().is_some());
}

#[test]
fn a_login_that_can_be_renewed_is_not_replaced_by_one_that_cannot_unless_it_is_dead() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    store.save(&key("dev"), &session("old")).unwrap();
    let error = store.save(&key("dev"), &bare("new")).unwrap_err();
    assert!(matches!(error, StoreError::WouldLoseRefreshToken { .. }), "{error}");
    assert!(fake.raw("dev").unwrap().contains("at-old"));
    let kind = RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", None));
    let refresh_failure =
        RefreshFailure::new(session("old").fingerprint(), Timestamp::from_unix(1), kind);
    let mut lock = locked(&store);
    lock.note(&refresh_failure).unwrap();
    assert_eq!(lock.refresh_failure(), Some(refresh_failure));
    drop(lock);
    store.save(&key("dev"), &bare("new")).unwrap();
    assert!(fake.raw("dev").unwrap().contains("at-new"));
}

#[test]
fn key_10_a_damaged_item_is_an_error_that_a_login_heals() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    for damaged in ["", "{", "at-raw", r#"{"token":{"access_token":7}}"#] {
        fake.put("dev", damaged);
        let error = store.load(&key("dev")).unwrap_err();
        assert!(matches!(error, StoreError::BadEntry { .. }), "{error}");
        assert!(!error.to_string().contains("at-raw"), "{error}");
        store.save(&key("dev"), &session("new")).unwrap();
        assert_eq!(store.load(&key("dev")).unwrap().unwrap(), session("new"));
    }
}

#[test]
fn an_item_of_a_newer_form_is_named_and_left_alone() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    let newer = r#"{"token":"x","u2m":{"form":2}}"#;
    fake.put("dev", newer);
    for error in [
        store.load(&key("dev")).unwrap_err(),
        store.save(&key("dev"), &session("new")).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::NewerEntry { form: 2, .. }), "{error}");
        assert!(error.to_string().contains("update u2m"), "{error}");
    }
    assert_eq!(fake.raw("dev").unwrap(), newer);
    store.delete(&key("dev")).unwrap();
    assert!(fake.names().is_empty());
}

#[test]
fn key_13_names_that_tools_would_misread_are_refused_before_anything_is_asked() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    for bad in ["", "dev\nadd-generic-password", "a\0b", "\u{85}", "[u2m-part]0/0/0"] {
        let key = CacheKey::new(bad);
        for error in [
            store.load(&key).unwrap_err(),
            store.save(&key, &session("x")).unwrap_err(),
            store.delete(&key).unwrap_err(),
        ] {
            assert!(matches!(cause(&error), KeyringError::InvalidAccount), "{error}");
        }
    }
    assert_eq!(fake.take_calls(), [""; 0]);
}

#[test]
fn key_1_a_login_of_64_kib_goes_through_a_keyring_that_takes_2560_bytes() {
    let (place, fake) = (Place::new(), Fake::limited(WINDOWS));
    let store = store(&place, &fake);
    let first = long(64 << 10, "a");
    store.save(&key("dev"), &first).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap().unwrap(), first);
    let parts = fake.names().len();
    assert_eq!(parts, 1 + (65_536_usize + 130).div_ceil(WINDOWS), "{:?}", fake.names());
    assert_eq!(store.keys().unwrap(), [key("dev")]);
    // The next one stands under other names until it is whole; then the old parts go.
    store.save(&key("dev"), &long(64 << 10, "b")).unwrap();
    assert_eq!(fake.names().len(), parts);
    assert_eq!(store.load(&key("dev")).unwrap().unwrap(), long(64 << 10, "b"));
    // One that needs no parts is the CLI's item again.
    store.save(&key("dev"), &session("short")).unwrap();
    assert_eq!(fake.names(), ["dev"]);
    assert!(fake.raw("dev").unwrap().starts_with(r#"{"token":{"access_token":"at-short""#));
    store.save(&key("dev"), &first).unwrap();
    store.delete(&key("dev")).unwrap();
    assert!(fake.names().is_empty(), "{:?}", fake.names());
}

#[test]
fn key_1_a_writer_that_dies_at_any_moment_leaves_the_old_login_or_the_new_one() {
    let (old, new) = (long(9_000, "a"), long(9_000, "b"));
    let mut seen = [0, 0];
    for writes in 0..12 {
        let (place, fake) = (Place::new(), Fake::limited(WINDOWS));
        let store = store(&place, &fake);
        store.save(&key("dev"), &old).unwrap();
        fake.die_after(writes);
        let saved = store.save(&key("dev"), &new);
        let found = store.load(&key("dev")).unwrap().unwrap();
        assert!(found == old || found == new, "after {writes} writes");
        assert!(found == new || saved.is_err(), "after {writes} writes");
        seen[usize::from(found == new)] += 1;
        // What it left is swept by the next save.
        fake.die_after(1000);
        store.save(&key("dev"), &session("short")).unwrap();
        assert_eq!(fake.names(), ["dev"], "after {writes} writes");
    }
    assert!(seen.iter().all(|times| *times > 2), "{seen:?}");
}

#[test]
fn t24_parts_that_were_changed_lost_or_mixed_up_are_no_login() {
    let (place, fake) = (Place::new(), Fake::limited(WINDOWS));
    let store = store(&place, &fake);
    store.save(&key("dev"), &long(9_000, "a")).unwrap();
    let part = fake.names().into_iter().find(|name| name.ends_with("/0/1")).unwrap();
    let good = fake.raw(&part).unwrap();
    for bad in [good.replacen('a', "b", 1), good[1..].to_owned(), String::new()] {
        fake.put(&part, bad);
        let error = store.load(&key("dev")).unwrap_err();
        assert!(matches!(error, StoreError::BadEntry { .. }), "{error}");
    }
    fake.put(&part, &good);
    assert!(store.load(&key("dev")).is_ok());
    store.save(&key("dev"), &session("healed")).unwrap();
    assert_eq!(fake.names(), ["dev"]);
}

#[test]
fn key_1_what_will_not_fit_is_said_before_a_grant_is_spent() {
    let (place, fake) = (Place::new(), Fake::limited(WINDOWS));
    let store = store(&place, &fake);
    assert!(store.fits(64 << 10).is_ok());
    let error = store.fits(WINDOWS * 1024 + 1).unwrap_err();
    assert!(matches!(error, KeyringError::TooBig { limit: 2_621_440, .. }), "{error}");
    assert_eq!(fake.take_calls(), [""; 0]);
    let tiny = Fake::limited(100);
    let small = self::store(&place, &tiny);
    assert!(small.fits(101).is_err() && small.fits(100).is_ok());
    let error = locked(&small).prove_writable().unwrap_err();
    assert!(matches!(cause(&error), KeyringError::TooBig { .. }), "{error}");
    assert!(tiny.names().is_empty());
}

#[test]
fn key_1_proving_writes_a_secret_of_the_coming_size_and_leaves_nothing() {
    let (place, fake) = (Place::new(), Fake::limited(WINDOWS));
    let store = store(&place, &fake);
    store.save(&key("dev"), &session("old")).unwrap();
    fake.take_calls();
    let mut lock = locked(&store);
    lock.prove_writable().unwrap();
    let calls = fake.take_calls();
    let kinds: Vec<_> = calls.iter().map(|call| call.split("-").next().unwrap()).collect();
    assert!(
        matches!(kinds.as_slice(), ["get dev", set, replace, get, delete]
        if set.starts_with("set __probe_") && replace == set && get.starts_with("get __probe_") && delete.starts_with("delete __probe_")),
        "{calls:?}"
    );
    assert_eq!(fake.names(), ["dev"]);
    lock.save(&session("new")).unwrap();
    assert!(fake.raw("dev").unwrap().contains("rt-new"));
    for mood in [Mood::Locked, Mood::Denied, Mood::Dies, Mood::Absent, Mood::Forgets, Mood::Garbage]
    {
        fake.be(mood);
        assert!(lock.prove_writable().is_err(), "{mood:?}");
    }
}

#[test]
fn key_12_logins_are_listed_without_probes_and_parts_and_by_the_side_file_where_the_keyring_cannot()
{
    let (place, fake) = (Place::new(), Fake::limited(WINDOWS));
    let store = store(&place, &fake);
    fake.put("__probe_01234567-89ab-4cde-8f01-23456789abcd", "x");
    fake.put("https://a.example", r#"{"token":{"access_token":"cli"}}"#);
    store.save(&key("dev"), &long(9_000, "a")).unwrap();
    assert_eq!(store.keys().unwrap(), [key("dev"), key("https://a.example")]);
    let (place, mute) = (Place::new(), Fake::with(Some(WINDOWS), false));
    let store = self::store(&place, &mute);
    store.save(&key("b"), &long(9_000, "b")).unwrap();
    store.save(&key("a"), &session("a")).unwrap();
    store.save(&key("c"), &session("c")).unwrap();
    store.delete(&key("c")).unwrap();
    assert_eq!(store.keys().unwrap(), [key("a"), key("b")]);
    store.delete(&key("b")).unwrap();
    assert_eq!(mute.names(), ["a"]);
}

#[test]
fn t14_no_token_reaches_an_error_or_a_debug_text() {
    let (place, fake) = (Place::new(), Fake::limited(WINDOWS));
    let store = store(&place, &fake);
    let canary = "canary-of-this-test";
    fake.put("dev", format!(r#"{{"token":{{"access_token":"{canary}","expiry":"{canary}"}}}}"#));
    let mut texts = vec![format!("{store:?}")];
    let mut say = |error: StoreError| {
        texts.push(format!("{error} {error:?}"));
        texts.extend(error.source().map(|source| format!("{source} {source:?}")));
    };
    say(store.load(&key("dev")).unwrap_err());
    let secret =
        Session::new(AccessToken::new(canary)).with_refresh_token(RefreshToken::new(canary));
    for mood in [Mood::Locked, Mood::Denied, Mood::Dies, Mood::Absent, Mood::Forgets] {
        fake.be(mood);
        say(store.save(&key("dev"), &secret).unwrap_err());
    }
    assert!(texts.iter().all(|text| !text.contains(canary)), "{texts:?}");
}
