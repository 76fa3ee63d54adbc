//! What is left after a logout, what is told of it, and what is not for revoking because somebody still needs it.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use u2m::login::log_out;
use u2m::oauth::RefreshToken;
use u2m::store::{
    AutoStore, Binding, CacheKey, EntryLock, FileStore, MemoryStore, Session, StorageMode,
    StoreError, TokenStore,
};
use u2m::{AccessToken, Host};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

fn key(name: &str) -> CacheKey {
    CacheKey::new(name)
}

fn session(name: &str) -> Session {
    let host = Host::parse("https://a.example").unwrap();
    let endpoint = url::Url::parse("https://a.example/oidc/v1/token").unwrap();
    Session::new(AccessToken::new(format!("at-{name}")))
        .with_refresh_token(RefreshToken::new(format!("rt-{name}")))
        .with_binding(Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host))
}

fn place() -> (tempfile::TempDir, AutoStore) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let store = AutoStore::new(file(folder.path()));
    (folder, store)
}

fn file(folder: &Path) -> FileStore {
    FileStore::at(folder.join("token-cache.json"))
}

/// The files below `folder` in which `text` stands.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &PathBuf| {
        path.is_file() && String::from_utf8_lossy(&fs::read(path).unwrap()).contains(text)
    };
    all.filter(holds).collect()
}

#[test]
fn no_file_names_the_login_any_more_and_the_others_are_as_they_were() {
    let (folder, store) = place();
    for name in ["zebra", "other"] {
        store.save(&key(name), &session(name)).unwrap();
    }
    assert!(holding(folder.path(), "zebra").len() >= 2, "the cache and the side file name it");
    let out = log_out(&store, &[key("zebra")], LONG);
    assert!(out.failed.is_empty(), "{out:?}");
    assert_eq!(holding(folder.path(), "zebra"), [] as [PathBuf; 0]);
    assert_eq!(store.home(&key("zebra")), None);
    assert_eq!(store.home(&key("other")), Some(StorageMode::Plaintext));
    let other = store.load(&key("other")).unwrap().unwrap();
    assert!(other.binding.is_some(), "what is known of the other one is still known");
}

#[test]
fn t28_a_damaged_cache_that_was_set_aside_goes_with_the_login() {
    let (folder, store) = place();
    let path = folder.path().join("token-cache.json");
    store.save(&key("zebra"), &session("first")).unwrap();
    fs::write(&path, fs::read_to_string(&path).unwrap() + "}").unwrap();
    file(folder.path()).save(&key("zebra"), &session("second")).unwrap();
    assert_eq!(holding(folder.path(), "rt-first").len(), 1, "set aside by the new login");
    let out = log_out(&store, &[key("zebra")], LONG);
    assert_eq!((out.removed.len(), out.failed.len()), (1, 0), "{out:?}");
    for secret in ["rt-first", "rt-second"] {
        assert_eq!(holding(folder.path(), secret), [] as [PathBuf; 0], "{secret}");
    }
}

#[test]
fn t28_what_may_hold_tokens_and_cannot_be_removed_is_named() {
    let (folder, store) = place();
    fs::write(folder.path().join("token-cache.json.corrupt-1"), "rt-first zebra").unwrap();
    // Nobody can take the writers' lock.
    fs::create_dir(folder.path().join("token-cache.lock")).unwrap();
    let out = log_out(&store, &[key("zebra")], SHORT);
    assert_eq!((out.removed.len(), out.failed.len()), (0, 1), "{out:?}");
    assert_eq!(out.failed[0].0, key("zebra"));
}

#[test]
fn tokens_that_another_entry_holds_are_not_for_revoking() {
    let (_folder, store) = place();
    for name in ["one", "two", "three"] {
        store.save(&key(name), &session(if name == "three" { "own" } else { "shared" })).unwrap();
    }
    let out = log_out(&store, &[key("one")], LONG);
    assert_eq!((out.removed.len(), out.ended.len()), (1, 0), "two still needs them: {out:?}");
    let out = log_out(&store, &[key("two")], LONG);
    let ended: Vec<_> = out.ended.iter().map(Session::fingerprint).collect();
    assert_eq!(ended, [session("shared").fingerprint()]);
    let out = log_out(&store, &[key("three")], LONG);
    assert_eq!(out.ended.len(), 1, "nobody else has ever held them");
}

#[test]
fn beside_an_entry_that_cannot_be_read_nothing_is_for_revoking() {
    let (folder, store) = place();
    store.save(&key("zebra"), &session("a")).unwrap();
    let path = folder.path().join("token-cache.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["tokens"]["odd"] = serde_json::json!({"access_token": 5});
    fs::write(&path, document.to_string()).unwrap();
    let out = log_out(&store, &[key("zebra")], LONG);
    assert_eq!((out.removed.len(), out.ended.len()), (1, 0), "{out:?}");
}

#[test]
fn a_login_that_is_being_refreshed_is_named_and_stays() {
    let (folder, store) = place();
    store.save(&key("zebra"), &session("a")).unwrap();
    let held = file(folder.path()).lock(&key("zebra"), LONG).unwrap().unwrap();
    let out = log_out(&store, &[key("zebra")], SHORT);
    assert!(matches!(out.failed.as_slice(), [(_, StoreError::Busy { .. })]), "{out:?}");
    assert!(out.removed.is_empty() && out.ended.is_empty());
    assert_eq!(store.home(&key("zebra")), Some(StorageMode::Plaintext));
    drop(held);
    assert_eq!(log_out(&store, &[key("zebra")], LONG).removed.len(), 1);
}

#[test]
fn a_login_that_is_nowhere_is_looked_for_without_a_trace() {
    let (folder, store) = place();
    let out = log_out(&store, &[key("zebra")], LONG);
    assert!(out.removed.is_empty() && out.failed.is_empty(), "{out:?}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "no lock was made for it");
}

#[test]
fn a_login_that_stands_in_two_stores_is_removed_from_both() {
    let (_folder, store) = place();
    let keyring = Arc::new(MemoryStore::new());
    let store = store.with_keyring(keyring.clone());
    keyring.save(&key("zebra"), &session("a")).unwrap();
    let plain = store.part(StorageMode::Plaintext).unwrap();
    plain.save(&key("zebra"), &session("b")).unwrap();
    let out = log_out(&store, &[key("zebra")], LONG);
    let mut modes: Vec<_> = out.removed.iter().map(|(_, mode)| mode.as_str()).collect();
    modes.sort_unstable();
    assert_eq!((modes, out.ended.len()), (vec!["plaintext", "secure"], 2), "{out:?}");
    assert!(keyring.keys().unwrap().is_empty() && plain.keys().unwrap().is_empty());
}

/// A store whose entries cannot be read, each for the same reason.
#[derive(Debug)]
struct Unreadable {
    why: fn() -> StoreError,
    held: MemoryStore,
}

impl TokenStore for Unreadable {
    fn load(&self, _: &CacheKey) -> Result<Option<Session>, StoreError> {
        Err((self.why)())
    }
    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.held.save(key, session)
    }
    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.held.delete(key)
    }
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.held.keys()
    }
    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.held.lock(key, patience)
    }
}

/// What a logout of `name` comes to where the keyring holds `zebra` and answers so; and whether that is still there.
fn unreadable(why: fn() -> StoreError, name: &str) -> (u2m::login::LoggedOut, bool) {
    let (_folder, store) = place();
    let keyring = Arc::new(Unreadable { why, held: MemoryStore::new() });
    keyring.save(&key("zebra"), &session("a")).unwrap();
    let store = store.with_keyring(keyring.clone());
    let out = log_out(&store, &[key(name)], LONG);
    (out, !keyring.keys().unwrap().is_empty())
}

#[test]
fn what_cannot_be_read_now_is_left_and_named() {
    let newer = || StoreError::NewerEntry { key: key("zebra"), form: 9 };
    let busy = || StoreError::Busy { key: key("zebra") };
    for why in [newer as fn() -> StoreError, busy] {
        let (out, is_there) = unreadable(why, "zebra");
        assert!(is_there && out.removed.is_empty(), "{out:?}");
        assert_eq!(out.failed.len(), 1, "{out:?}");
    }
}

#[test]
fn a_store_that_is_not_here_is_passed_over_and_left_alone() {
    let (out, is_there) = unreadable(|| StoreError::NoStore { why: "no keyring" }, "zebra");
    assert!(is_there && out.removed.is_empty() && out.failed.is_empty(), "{out:?}");
}

#[test]
fn what_nobody_can_read_any_more_is_removed_and_not_taken_for_anybody_elses() {
    let bad = || StoreError::BadEntry { key: key("zebra"), why: "odd" };
    let (out, is_there) = unreadable(bad, "zebra");
    assert_eq!((out.removed.len(), out.ended.len(), is_there), (1, 0, false), "{out:?}");
    let (out, is_there) = unreadable(bad, "horse");
    assert!(is_there && out.removed.is_empty() && out.failed.is_empty(), "{out:?}");
}

#[test]
fn a_store_that_was_asked_for_by_name_has_to_be_there() {
    let (_folder, store) = place();
    let none = || StoreError::NoStore { why: "no keyring" };
    let keyring = Arc::new(Unreadable { why: none, held: MemoryStore::new() });
    let store = store.with_keyring(keyring).with_mode(StorageMode::Secure);
    let out = log_out(&store, &[key("zebra")], LONG);
    assert!(matches!(out.failed.as_slice(), [(_, StoreError::NoStore { .. })]), "{out:?}");
}

#[test]
fn whoever_was_never_signed_in_leaves_no_trace_by_signing_out() {
    let (folder, store) = place();
    let out = log_out(&store, &[key("nobody")], SHORT);
    assert!(out.removed.is_empty() && out.failed.is_empty(), "{out:?}");
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|one| one.unwrap().path()).collect();
    assert!(names.is_empty(), "{names:?}");
}
