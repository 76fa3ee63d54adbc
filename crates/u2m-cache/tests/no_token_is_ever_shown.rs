//! A canary in every token: nothing that is shown, and nothing beside the cache, holds it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Place, bound, everything, holds, key};
use std::error::Error;
use std::fs;
use u2m_cache::{MemoryStore, StoreError, TokenStore};
use u2m_core::{
    AccessToken, ErrorResponse, RefreshFailure, RefreshFailureKind, RefreshToken, Session,
    Timestamp,
};

const CANARY: &str = "canary";

fn secret() -> Session {
    let mut session = bound("x");
    session.access_token = AccessToken::new("canary-access");
    session.refresh_token = Some(RefreshToken::new("canary-refresh"));
    session
}

fn shown(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[test]
fn t14_no_error_shows_a_token_however_the_file_is_broken() {
    let sound = {
        let place = Place::new();
        place.store().save(&key("dev"), &secret()).unwrap();
        place.text()
    };
    let mut broken = vec![
        sound.replace("\"version\": 1", "\"version\": 2"),
        sound.replace("\"version\": 1", "\"version\": \"x\""),
        sound.replace("\"canary-access\"", "[\"canary\"]"),
        sound.replace("\"Bearer\"", "\"canary\""),
        sound.replace("\"token_type\"", "\"expires_in\": \"canary\", \"token_type\""),
        sound.replace("\"expiry\": \"", "\"expiry\": \"canary"),
        sound.replace("canary-access", "canary-\u{1}access"),
        sound.replace("\"tokens\": {", "\"tokens\": canary {"),
        sound.replace("\"dev\": {", "\"dev\": \"canary\", {"),
        format!("canary{sound}"),
        format!("{sound}canary"),
        "\"canary\"".to_owned(),
        "{\"canary\":canary}".to_owned(),
    ];
    broken.extend((1..sound.len()).step_by(11).map(|end| sound[..end].to_owned()));
    for text in broken {
        let place = Place::with(&text);
        let store = place.store();
        for error in [store.load(&key("dev")).err(), store.keys().err()].into_iter().flatten() {
            let shown = shown(&error);
            assert!(!shown.contains(CANARY), "{text}: {shown}");
        }
        if let Err(error) = store.save(&key("other"), &common::session("other")) {
            assert!(!shown(&error).contains(CANARY), "{text}");
        }
        for notice in store.take_notices() {
            assert!(!format!("{notice:?}").contains(CANARY), "{text}");
        }
        assert!(!format!("{store:?} {store:#?}").contains(CANARY));
    }
}

#[test]
fn t14_a_refused_save_shows_no_token() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &secret()).unwrap();
    let error = store.save(&key("dev"), &Session::new(AccessToken::new("canary-new"))).unwrap_err();
    assert!(!shown(&error).contains(CANARY));
    let memory = MemoryStore::new();
    memory.save(&key("dev"), &secret()).unwrap();
    let error = memory.save(&key("dev"), &Session::new(AccessToken::new("canary"))).unwrap_err();
    assert!(!shown(&error).contains(CANARY) && !format!("{memory:?}").contains(CANARY));
}

#[test]
fn t14_nothing_beside_the_cache_holds_a_token() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &secret()).unwrap();
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    lock.prove_writable().unwrap();
    let kind =
        RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", Some("revoked")));
    lock.note(&RefreshFailure::new(secret().fingerprint(), Timestamp::from_unix(7), kind)).unwrap();
    fs::remove_file(place.file()).unwrap();
    let all = everything(place.folder());
    assert!(holds(&all, "invalid_grant") && holds(&all, "token_endpoint"), "the story sees them");
    assert!(!holds(&all, CANARY));
}

#[test]
fn t28_a_deleted_login_leaves_no_token_behind() {
    let place = Place::new();
    let store = place.store();
    for _ in 0..3 {
        store.save(&key("dev"), &secret()).unwrap();
    }
    common::put(&place.folder().join(".token-cache-u2m-1-0.tmp"), "canary");
    store.delete(&key("dev")).unwrap();
    assert!(!holds(&everything(place.folder()), CANARY));
}

#[test]
fn t14_a_hostile_key_cannot_paint_the_terminal() {
    let place = Place::with(r#"{"version":1,"tokens":{"\u001b[2Jdev":7}}"#);
    let error = place.store().load(&key("\u{1b}[2Jdev")).unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    let place = Place::with(r#"{"version":"\u001b[2J","tokens":{}}"#);
    assert!(!place.store().load(&key("dev")).unwrap_err().to_string().contains('\u{1b}'));
    let odd = place.folder().join("\u{1b}[2Jcache.json");
    common::put(&odd, "garbage");
    let store = u2m_cache::FileStore::at(&odd);
    assert!(!store.load(&key("dev")).unwrap_err().to_string().contains('\u{1b}'));
    store.save(&key("dev"), &common::session("dev")).unwrap();
    assert!(!store.take_notices()[0].text.contains('\u{1b}'));
}
