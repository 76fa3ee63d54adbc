//! What can be renewed is not replaced by what cannot, and copies of a spent refresh token are renewed with it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, bare, go_reads, key, locked, session};
use u2m_cache::{MemoryStore, StoreError, TokenStore};
use u2m_core::{ErrorResponse, RefreshFailure, RefreshFailureKind, Timestamp};

fn refresh_failure(name: &str, kind: RefreshFailureKind) -> RefreshFailure {
    RefreshFailure::new(session(name).fingerprint(), Timestamp::from_unix(7), kind)
}

fn rejected(name: &str) -> RefreshFailure {
    refresh_failure(
        name,
        RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", None)),
    )
}

fn is_refused(result: Result<(), StoreError>) -> bool {
    match result {
        Err(StoreError::WouldLoseRefreshToken { key }) => key.as_str() == "dev",
        _ => false,
    }
}

fn keeps(store: &dyn TokenStore) {
    let dev = key("dev");
    store.save(&dev, &bare("zero")).unwrap();
    store.save(&dev, &bare("one")).unwrap();
    store.save(&dev, &session("two")).unwrap();
    assert!(is_refused(store.save(&dev, &bare("three"))));
    let mut lock = store.lock(&dev, common::LONG).unwrap().unwrap();
    assert!(is_refused(lock.save(&bare("three"))));
    // A failure that may pass, or one of another token, is no licence.
    lock.note(&refresh_failure("two", RefreshFailureKind::transient("timed out"))).unwrap();
    assert!(is_refused(lock.save(&bare("three"))));
    lock.note(&rejected("one")).unwrap();
    assert!(is_refused(lock.save(&bare("three"))));
    assert_eq!(store.load(&dev).unwrap(), Some(session("two")));
    lock.note(&rejected("two")).unwrap();
    lock.save(&bare("three")).unwrap();
    drop(lock);
    assert_eq!(store.load(&dev).unwrap(), Some(bare("three")));
    store.save(&dev, &session("four")).unwrap();
    store.delete(&dev).unwrap();
    store.save(&dev, &bare("five")).unwrap();
}

#[test]
fn a8_a_login_that_can_be_renewed_is_not_replaced_by_one_that_cannot() {
    let place = Place::new();
    keeps(&place.store());
    keeps(&MemoryStore::new());
}

#[test]
fn a8_the_refusal_leaves_every_byte_and_says_what_to_do() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &common::bound("dev")).unwrap();
    let before = common::everything(place.folder());
    let error = store.save(&key("dev"), &bare("new")).unwrap_err();
    assert!(error.to_string().contains("ask for offline access"), "{error}");
    assert_eq!(common::everything(place.folder()), before);
}

const TWINS: &str = r#"{
  "version": 1,
  "tokens": {
    "dev": {"access_token": "at-old", "refresh_token": "rt-old", "expiry": "2026-03-10T22:33:09.12+01:00"},
    "https://a.example": {"access_token": "at-old", "refresh_token": "rt-old", "expiry": "2026-03-10T22:33:09.12+01:00", "note": "kept"},
    "other": {"access_token": "at-old", "refresh_token": "rt-other", "expiry": "0001-01-01T00:00:00Z"},
    "bad": {"refresh_token": "rt-old", "expiry": "never"}
  }
}"#;

#[test]
fn dual_1_copies_of_the_spent_refresh_token_get_the_new_tokens() {
    let place = Place::with(TWINS);
    let store = place.store();
    let mut lock = locked(&store, "dev");
    lock.prove_writable().unwrap();
    lock.save(&common::bound("new")).unwrap();
    for name in ["dev", "https://a.example"] {
        let found = store.load(&key(name)).unwrap().unwrap();
        assert_eq!(found.refresh_token, session("new").refresh_token, "{name}");
        assert_eq!(found.binding, common::bound("new").binding, "{name}");
    }
    assert!(place.text().contains(r#""note": "kept""#));
    let other = store.load(&key("other")).unwrap().unwrap();
    assert_eq!(other.refresh_token.unwrap().expose(), "rt-other");
    assert!(place.text().contains(r#""expiry": "never""#), "a bad entry is left as it is");
    assert!(matches!(store.load(&key("bad")), Err(StoreError::BadEntry { .. })));
}

#[test]
fn dual_1_copies_are_not_deleted_with_the_login_and_logins_without_tokens_are_no_copies() {
    let place = Place::with(
        r#"{"version":1,"tokens":{"dev":{"access_token":"a","expiry":"0001-01-01T00:00:00Z"},"empty":{"access_token":"a","expiry":"0001-01-01T00:00:00Z"}}}"#,
    );
    let store = place.store();
    store.save(&key("dev"), &session("new")).unwrap();
    assert_eq!(go_reads(&place.text())["empty"].0, "a");
    let place = Place::with(TWINS.replace("\"bad\"", "\"odd\"").replace("\"never\"", "null"));
    place.store().delete(&key("dev")).unwrap();
    assert_eq!(place.store().keys().unwrap().len(), 3);
}
