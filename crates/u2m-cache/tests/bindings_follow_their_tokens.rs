//! The side file: whom a login belongs to is found again for exactly the tokens that it was recorded for.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, access, bound, key, session};
use u2m_cache::{FileStore, TokenStore};
use u2m_core::{Binding, Timestamp};

fn binding(store: &FileStore, name: &str) -> Option<Binding> {
    store.load(&key(name)).unwrap().unwrap().binding
}

/// Rewrites the cache as a Go program does that knows the five members: `name` gets new tokens, the rest is decoded and
/// written out anew.
fn go_writes(place: &Place, name: &str, refresh: &str) {
    let old: serde_json::Value = serde_json::from_str(&place.text()).unwrap();
    let mut tokens = serde_json::Map::new();
    for (key, entry) in old["tokens"].as_object().unwrap() {
        let mut kept = serde_json::Map::new();
        for member in ["access_token", "token_type", "refresh_token", "expiry", "expires_in"] {
            if let Some(value) = entry.get(member) {
                kept.insert(member.to_owned(), value.clone());
            }
        }
        tokens.insert(key.clone(), kept.into());
    }
    tokens[name]["refresh_token"] = refresh.into();
    let text = serde_json::to_string_pretty(&serde_json::json!({"version": 1, "tokens": tokens}));
    // Go makes a temporary file and renames it, without a lock.
    let temporary = place.folder().join(".token-cache-123.tmp");
    common::put(&temporary, text.unwrap());
    std::fs::rename(temporary, place.file()).unwrap();
}

#[test]
fn a_binding_is_found_again_after_our_own_writes() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &bound("one")).unwrap();
    store.save(&key("other"), &session("other")).unwrap();
    store.save(&key("third"), &bound("third")).unwrap();
    store.delete(&key("other")).unwrap();
    let found = place.store().load(&key("dev")).unwrap().unwrap();
    assert_eq!(found, bound("one"));
    assert_eq!(found.issued_at, Some(Timestamp::from_unix(7)));
    store.save(&key("dev"), &bound("two")).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap(), Some(bound("two")));
}

#[test]
fn file_3_a_binding_is_gone_with_its_tokens_and_the_others_survive_a_write_by_go() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &bound("dev")).unwrap();
    store.save(&key("other"), &bound("other")).unwrap();
    go_writes(&place, "dev", "rt-by-go");
    let dev = store.load(&key("dev")).unwrap().unwrap();
    assert_eq!(dev.refresh_token.unwrap().expose(), "rt-by-go");
    assert_eq!((dev.binding, dev.issued_at), (None, None), "those may be another user's tokens");
    assert_eq!(store.load(&key("other")).unwrap(), Some(bound("other")));
    // The next refresh of ours brings it back.
    store.save(&key("dev"), &bound("again")).unwrap();
    assert!(binding(&store, "dev").is_some() && binding(&store, "other").is_some());
}

#[test]
fn a_deleted_login_leaves_no_binding_for_the_next_one() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &bound("dev")).unwrap();
    store.delete(&key("dev")).unwrap();
    store.save(&key("dev"), &session("dev")).unwrap();
    assert_eq!(binding(&store, "dev"), None);
}

#[test]
fn a_side_file_that_is_damaged_or_gone_costs_no_login() {
    for text in ["", "null", "garbage", "{\"version\":1,\"sessions\":{\"dev\":7}}"] {
        let place = Place::new();
        let store = place.store();
        store.save(&key("dev"), &bound("dev")).unwrap();
        common::put(&place.folder().join("token-cache.u2m.json"), text);
        assert_eq!(binding(&store, "dev"), None);
        assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
        store.save(&key("dev"), &bound("new")).unwrap();
        assert!(binding(&store, "dev").is_some());
    }
}

#[test]
fn t20_a_side_file_that_points_elsewhere_is_not_believed() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &bound("dev")).unwrap();
    let side = place.folder().join("token-cache.u2m.json");
    let text = std::fs::read_to_string(&side).unwrap();
    for endpoint in [
        "https://evil.example/t",
        "http://a.example/oidc/v1/token",
        "https://a.example@evil.example/",
    ] {
        common::put(&side, text.replace("https://a.example/oidc/v1/token", endpoint));
        assert_eq!(binding(&store, "dev"), None, "{endpoint}");
    }
    #[cfg(unix)]
    if common::is_root() {
        common::put(&side, &text);
        assert!(binding(&store, "dev").is_some());
        std::os::unix::fs::chown(&side, Some(12345), None).unwrap();
        assert_eq!(binding(&store, "dev"), None, "another user's");
    }
}

#[test]
fn out_1_a_logout_leaves_nothing_of_the_login_in_the_side_file() {
    let place = Place::new();
    let host = "https://ws-1.cloud.databricks.com";
    let mirror = u2m_cache::Mirror::to(key(host));
    let store = place.store().with_mirror(key("dev"), mirror).unwrap();
    store.save(&key("dev"), &bound("dev")).unwrap();
    // A state before it is known, too.
    store.save(&key("dev"), &bound("next")).unwrap();
    store.save(&key("other"), &bound("other")).unwrap();
    let side = || std::fs::read_to_string(place.folder().join("token-cache.u2m.json")).unwrap();
    let names = ["dev", "next", "other"].map(|name| bound(name).fingerprint());
    assert!(names.iter().all(|name| side().contains(name.as_str())) && side().contains(host));
    store.delete(&key("dev")).unwrap();
    let left = side();
    assert!(left.contains(names[2].as_str()), "{left}");
    for gone in [names[0].as_str(), names[1].as_str(), "\"dev\"", host] {
        assert!(!left.contains(gone), "{gone} in {left}");
    }
}
