//! What u2m writes is what Go's writer writes, and what it did not change keeps its bytes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, go_reads, key, session};
use u2m_cache::TokenStore;
use u2m_core::{AccessToken, Lifetime, RefreshToken, Session};

const EMPTY: &str = "{\n  \"version\": 1,\n  \"tokens\": {}\n}";

const TWO_PROFILES: &str = r#"{
  "version": 1,
  "tokens": {
    "dev": {
      "access_token": "at-dev-1",
      "token_type": "Bearer",
      "refresh_token": "rt-dev-1",
      "expiry": "2026-03-10T22:33:09.12+01:00",
      "expires_in": 3600
    },
    "https://ws-1.cloud.databricks.com": {
      "access_token": "at-prod-1",
      "token_type": "Bearer",
      "refresh_token": "rt-prod-1",
      "expiry": "2026-03-10T22:40:00.000000001+01:00",
      "expires_in": 3600
    },
    "prod": {
      "access_token": "at-prod-1",
      "token_type": "Bearer",
      "refresh_token": "rt-prod-1",
      "expiry": "2026-03-10T22:40:00.000000001+01:00",
      "expires_in": 3600
    }
  }
}"#;

const ACCOUNT: &str = r#"{
  "version": 1,
  "tokens": {
    "https://accounts.cloud.databricks.com/oidc/accounts/1111-2222": {
      "access_token": "at-acc",
      "token_type": "Bearer",
      "refresh_token": "rt-acc",
      "expiry": "2026-03-10T21:33:09.123456789Z"
    },
    "short-lived": {
      "access_token": "at-no-offline",
      "token_type": "Bearer",
      "expiry": "0001-01-01T00:00:00Z"
    }
  }
}"#;

#[test]
fn a_new_cache_without_logins_is_the_34_bytes_that_go_writes() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    store.delete(&key("dev")).unwrap();
    assert_eq!(place.text(), EMPTY);
    assert_eq!(EMPTY.len(), 34);
}

#[test]
fn file_3_files_by_go_come_out_byte_for_byte_when_a_login_comes_and_goes() {
    for text in [EMPTY, TWO_PROFILES, ACCOUNT] {
        for name in ["a", "m", "zz", "\u{10ffff}"] {
            let place = Place::with(text);
            let store = place.store();
            store.save(&key(name), &session(name)).unwrap();
            assert_ne!(place.text(), text);
            go_reads(&place.text());
            store.delete(&key(name)).unwrap();
            assert_eq!(place.text(), text);
        }
    }
}

#[test]
fn a_login_is_added_in_gos_order_and_everything_else_keeps_its_bytes() {
    let place = Place::with(ACCOUNT);
    // An end that nobody knows is the same text in every zone.
    let session = Session::new(AccessToken::new("at-<&>\u{2028}"))
        .with_refresh_token(RefreshToken::new("rt-é"))
        .with_lifetime(Lifetime::from_seconds(3600));
    place.store().save(&key("https://b.example/<x>"), &session).unwrap();
    let added = r#"    "https://b.example/\u003cx\u003e": {
      "access_token": "at-\u003c\u0026\u003e\u2028",
      "token_type": "Bearer",
      "refresh_token": "rt-é",
      "expiry": "0001-01-01T00:00:00Z",
      "expires_in": 3600
    },
    "short-lived""#;
    assert_eq!(place.text(), ACCOUNT.replace("    \"short-lived\"", added));
}

#[test]
fn keys_are_sorted_by_their_bytes_and_found_again_whatever_they_hold() {
    let place = Place::new();
    let store = place.store();
    let names = ["", "Z", "a", "a\"\\\n\u{1}", "https://h/oidc/accounts/1", "é", "\u{ffff}", "😀"];
    for name in names.iter().rev() {
        store.save(&key(name), &session("x")).unwrap();
    }
    let found: Vec<String> =
        store.keys().unwrap().iter().map(|key| key.as_str().to_owned()).collect();
    assert_eq!(found, names);
    let at = |name: &str| place.text().find(&format!("\"{name}\": {{")).unwrap();
    assert!(at("") < at("Z") && at("Z") < at("a") && at("é") < at("\u{ffff}"));
    assert_eq!(go_reads(&place.text()).len(), names.len());
}

#[cfg(unix)]
#[test]
fn t12_a_new_cache_and_all_that_stands_beside_it_is_private() {
    let place = Place::new();
    let folder = place.folder().join("home/.databricks");
    let store = u2m_cache::FileStore::at(folder.join("token-cache.json"));
    assert!(store.load(&key("dev")).unwrap().is_none());
    assert!(!folder.exists(), "reading creates nothing");
    store.save(&key("dev"), &common::bound("dev")).unwrap();
    drop(common::locked(&store, "dev"));
    assert_eq!(common::mode(&folder), 0o700);
    assert_eq!(common::mode(folder.parent().unwrap()), 0o700);
    let names = common::names(&folder);
    let beside =
        ["token-cache.json", "token-cache.lock", "token-cache.locks", "token-cache.u2m.json"];
    assert_eq!(names, beside);
    for name in names {
        let wanted = if name.ends_with(".locks") { 0o700 } else { 0o600 };
        assert_eq!(common::mode(&folder.join(&name)), wanted, "{name}");
    }
}
