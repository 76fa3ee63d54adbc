//! Odd files: what Go accepts is accepted, what Go stumbles over concerns one entry, and nothing crashes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, access, go_reads, key, session};
use u2m_cache::{StoreError, TokenStore};

fn place(entry: &str) -> Place {
    Place::with(format!(
        r#"{{"version":1,"tokens":{{"a":{{"access_token":"at-a"}},"dev":{entry},"z":{{"access_token":"at-z"}}}}}}"#
    ))
}

#[test]
fn file_7_entries_without_a_token_are_misses() {
    for entry in [
        "null",
        "{}",
        r#"{"scopes":["all-apis"]}"#,
        r#"{"access_token":null,"refresh_token":null,"token_type":null,"expires_in":null}"#,
        r#"{"access_token":"","refresh_token":""}"#,
    ] {
        let place = place(entry);
        let store = place.store();
        assert!(store.load(&key("dev")).unwrap().is_none(), "{entry}");
        assert_eq!(access(&store, "z").as_deref(), Some("at-z"));
        store.save(&key("dev"), &session("dev")).unwrap();
        assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
    }
}

#[test]
fn file_2_an_entry_that_go_refuses_is_reported_by_its_key_and_the_others_are_served() {
    for entry in [
        r#""text""#,
        "[]",
        "7",
        "true",
        r#"{"access_token":7}"#,
        r#"{"refresh_token":{}}"#,
        r#"{"access_token":"a","expires_in":"3600"}"#,
        r#"{"access_token":"a","expires_in":1.5}"#,
        r#"{"access_token":"a","expires_in":1e3}"#,
        r#"{"access_token":"a","expires_in":99999999999999999999}"#,
        r#"{"access_token":"a","token_type":"mac"}"#,
        r#"{"access_token":"a","token_type":1}"#,
    ] {
        let place = place(entry);
        let store = place.store();
        let error = store.load(&key("dev")).unwrap_err();
        assert!(matches!(&error, StoreError::BadEntry { .. }), "{entry}: {error}");
        assert!(error.to_string().contains("'dev'"), "{error}");
        for name in ["a", "z"] {
            assert_eq!(access(&store, name), Some(format!("at-{name}")), "{entry}");
        }
        store.save(&key("dev"), &session("dev")).unwrap();
        assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
        assert_eq!(access(&store, "a").as_deref(), Some("at-a"));
    }
}

#[test]
fn entries_deeper_than_any_stack_are_one_bad_entry() {
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let place = place(&format!(r#"{{"access_token":{deep}}}"#));
    let store = place.store();
    assert!(matches!(store.load(&key("dev")), Err(StoreError::BadEntry { .. })));
    assert_eq!(access(&store, "z").as_deref(), Some("at-z"));
}

#[test]
fn members_in_other_letters_are_read_and_written_in_gos() {
    let place = Place::with(
        r#"{"Version":1,"TOKENS":{"dev":{"Access_Token":"a","REFRESH_TOKEN":"r","Token_Type":"BEARER","Expires_In":7}}}"#,
    );
    let store = place.store();
    let found = store.load(&key("dev")).unwrap().unwrap();
    assert_eq!(found.refresh_token.as_ref().unwrap().expose(), "r");
    assert_eq!(found.lifetime.unwrap().seconds(), 7);
    store.save(&key("dev"), &found).unwrap();
    assert_eq!(go_reads(&place.text())["dev"].1, "r");
    assert!(place.text().contains(r#""token_type": "Bearer""#));
}

#[test]
fn of_members_and_keys_that_stand_twice_the_last_counts() {
    for text in [
        r#"{"version":2,"version":1,"tokens":{"dev":{"access_token":"old"},"dev":{"access_token":"new"}}}"#,
        r#"{"version":1,"tokens":{"dev":{"access_token":"old","access_token":"new"}}}"#,
        r#"{"version":1,"tokens":{"dev":{"access_token":"old","ACCESS_TOKEN":"new"}}}"#,
        r#"{"version":1,"tokens":{"dev":{"ACCESS_TOKEN":"old","access_token":"new"}}}"#,
        r#"{"version":1,"tokens":{"dev":{"access_token":"old"}},"Tokens":{"dev":{"access_token":"new"}}}"#,
    ] {
        let place = Place::with(text);
        let store = place.store();
        assert_eq!(access(&store, "dev").as_deref(), Some("new"), "{text}");
        assert_eq!(store.keys().unwrap(), [key("dev")]);
        store.save(&key("other"), &session("other")).unwrap();
        assert_eq!(access(&store, "dev").as_deref(), Some("new"), "{text}");
    }
}

#[test]
fn absent_and_null_tokens_are_no_logins() {
    for text in
        [r#"{"version":1}"#, r#"{"version":1,"tokens":null}"#, r#"{"version":1,"tokens":{}}"#]
    {
        let place = Place::with(text);
        let store = place.store();
        assert!(store.keys().unwrap().is_empty() && store.load(&key("dev")).unwrap().is_none());
        store.save(&key("dev"), &session("dev")).unwrap();
        assert_eq!(go_reads(&place.text()).len(), 1);
    }
}

#[test]
fn the_empty_key_is_a_key() {
    let place = Place::with(r#"{"version":1,"tokens":{"":{"access_token":"a"}}}"#);
    assert_eq!(access(&place.store(), "").as_deref(), Some("a"));
}

#[test]
fn bytes_that_are_not_utf_8_spoil_one_entry_and_no_other() {
    let mut text =
        br#"{"version":1,"tokens":{"good":{"access_token":"g"},"dev":{"access_token":"a"#.to_vec();
    text.extend(b"\xff\"}}}");
    let place = Place::with(&text);
    let store = place.store();
    assert_eq!(access(&store, "good").as_deref(), Some("g"));
    store.save(&key("other"), &session("other")).unwrap();
    assert_eq!(access(&store, "good").as_deref(), Some("g"));
}

#[test]
fn t13_no_flipped_byte_crashes_a_reader_or_a_writer() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    store.save(&key("prod"), &session("prod")).unwrap();
    let sound = place.text().into_bytes();
    for at in 0..sound.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = sound.clone();
            bytes[at] ^= flip;
            common::put(&place.file(), &bytes);
            let _ = (store.load(&key("dev")), store.load(&key("prod")), store.keys());
        }
    }
    for end in (0..sound.len()).step_by(7) {
        common::put(&place.file(), &sound[..end]);
        match store.save(&key("new"), &session("new")) {
            Ok(()) => assert_eq!(access(&store, "new").as_deref(), Some("at-new")),
            Err(error) => assert!(matches!(error, StoreError::Version { .. }), "{end}: {error}"),
        }
    }
}
