//! What would not be read is never written, and what is read is kept.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Place, access, key, session};
use u2m_cache::{Claim, FileStore, StoreError, TokenStore};
use u2m_core::{AccessToken, RefreshFailure, RefreshFailureKind, RefreshToken, Session};

const MIB: usize = 1 << 20;

/// A cache of a thousand logins that is `len` bytes long. One of them, the 500th, is much longer than the others.
fn crowded(len: usize) -> Place {
    let mut text = String::from("{\n  \"version\": 1,\n  \"tokens\": {");
    for at in 0..1000 {
        let comma = if at == 0 { "" } else { "," };
        // A login of this cache alone: a token is one login wherever it is.
        let token = format!("rt-{len}-{at}-{}", std::process::id());
        let head = format!(
            "{comma}\n    \"login-{at:04}\": {{\"refresh_token\": \"{token}\", \"access_token\": \""
        );
        let room = match at {
            500 => len / 1000 + 200_000,
            999 => len - text.len() - head.len() - "\"}\n  }\n}".len(),
            _ => len / 1000 - 500,
        };
        text.push_str(&head);
        text.push_str(&"a".repeat(room));
        text.push_str("\"}");
    }
    text.push_str("\n  }");
    text.push_str("\n}");
    assert_eq!(text.len(), len);
    let place = Place::fast();
    common::put(&place.file(), text);
    place
}

/// A refresh of a login; what it bought is longer by `more`.
fn refresh(store: &FileStore, name: &str, more: usize) -> Result<(), StoreError> {
    let mut lock = store.lock(&key(name), LONG)?.unwrap();
    let old = store.load(&key(name))?.unwrap();
    let unique = format!("{}-{name}-{:?}", store.path().display(), std::process::id());
    lock.claim(&old.fingerprint(), LONG).map(|claim| assert_eq!(claim, Claim::Taken))?;
    lock.prove_writable()?;
    let access = old.access_token.expose().to_owned() + &"b".repeat(more);
    let bought =
        Session::new(AccessToken::new(access)).with_refresh_token(RefreshToken::new(unique));
    lock.save(&bought)
}

#[test]
fn file_13_a_refresh_that_grows_beyond_the_limit_for_new_logins_is_saved_and_read() {
    let place = crowded(16 * MIB - 2000);
    let store = place.store();
    refresh(&store, "login-0007", 9000).unwrap();
    assert!(place.text().len() > 16 * MIB);
    assert!(access(&store, "login-0007").unwrap().ends_with("bbb"));
    assert_eq!(store.keys().unwrap().len(), 1000);
    assert!(access(&store, "login-0999").is_some());
    // Nobody is asked to sign in to what could not be kept, and nothing is set aside for it.
    let error = store.prepare_login(&key("new")).unwrap_err();
    assert!(matches!(error, StoreError::WouldBeTooLarge { limit: 16, .. }), "{error}");
    let error = store.save(&key("new"), &session("new")).unwrap_err();
    assert!(matches!(error, StoreError::WouldBeTooLarge { limit: 16, .. }), "{error}");
    // Who has a login in it signs in again, and room can be made.
    store.prepare_login(&key("login-0003")).unwrap();
    store.save(&key("login-0003"), &session("again")).unwrap();
    store.delete(&key("login-0500")).unwrap();
    store.prepare_login(&key("new")).unwrap();
    store.save(&key("new"), &session("new")).unwrap();
    assert_eq!(store.keys().unwrap().len(), 1000);
    assert!(place.aside().is_empty());
}

#[test]
fn file_13_where_a_new_token_might_not_be_read_it_is_not_bought() {
    let place = crowded(32 * MIB - 2000);
    let store = place.store();
    assert_eq!(store.keys().unwrap().len(), 1000);
    let error = refresh(&store, "login-0007", 9000).unwrap_err();
    assert!(matches!(error, StoreError::WouldBeTooLarge { limit: 32, .. }), "{error}");
    assert!(access(&store, "login-0007").is_some());
}

#[test]
fn file_4_of_a_file_that_is_too_large_a_login_keeps_what_is_ever_read() {
    let place = crowded(34 * MIB);
    let store = place.store();
    assert!(matches!(store.load(&key("login-0001")), Err(StoreError::TooLarge { .. })));
    store.save(&key("login-0001"), &session("again")).unwrap();
    let kept = store.keys().unwrap().len();
    assert!((900..1000).contains(&kept), "{kept}");
    assert_eq!(access(&store, "login-0001").as_deref(), Some("at-again"));
    assert_eq!(place.aside().len(), 1);
}

#[test]
fn what_is_remembered_of_a_login_with_a_name_without_end_is_read_again() {
    let place = Place::new();
    let (store, long) = (place.store(), key(&"n".repeat(100_000)));
    let of = session("x").fingerprint();
    let refresh_failure = RefreshFailure::new(
        of,
        u2m_core::Timestamp::from_unix(7),
        RefreshFailureKind::transient("no answer"),
    );
    store.lock(&long, LONG).unwrap().unwrap().note(&refresh_failure).unwrap();
    assert_eq!(store.lock(&long, LONG).unwrap().unwrap().refresh_failure(), Some(refresh_failure));
}
