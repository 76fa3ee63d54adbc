//! A token cache that is mounted by itself, as containers mount single files, can be written and never replaced. Here it is really
//! mounted; every step of such a write failing, and kills at each, are in the crate's own tests.
#![cfg(all(target_os = "linux", feature = "encrypted"))]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod common;

use common::{LONG, Place, access, bound, go_reads, key, put, session};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use u2m_cache::{Claim, EncryptedFileStore, FileStore, SealKey, SealKeySource, TokenStore};

const FILE: &str = "U2M_CACHE_STORY_FILE";

/// Runs the story of this name in a mount namespace of its own, in which `mount` was run; `false` where nothing can be mounted.
fn inside(story: &str, mount: &str, file: &Path) -> bool {
    let can =
        Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/tmp"]).output();
    if !can.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: nothing can be mounted here");
        return false;
    }
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    let done = Command::new("unshare")
        .args(["-rm", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", story, "--nocapture"])
        .env(FILE, file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("1 passed"), "{said}{done:?}");
    true
}

fn by_itself() -> String {
    format!("mount --bind \"${FILE}\" \"${FILE}\"")
}

fn file() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

fn live(store: &dyn TokenStore) {
    store.prepare_login(&key("dev")).unwrap();
    let notices = store.take_notices();
    let said = notices.iter().filter(|notice| notice.text.contains("mounted by itself")).count();
    assert_eq!((said, notices.len()), (1, 1), "{notices:?}");
    // A refresh token of its own: that it was spent is remembered for longer than this lives.
    let mine = format!("old-{}-{:?}", std::process::id(), SystemTime::now());
    store.save(&key("dev"), &bound(&mine)).unwrap();
    store.save(&key("other"), &bound("other")).unwrap();
    let old = store.load(&key("dev")).unwrap().unwrap();
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    assert!(matches!(lock.claim(&old.fingerprint(), LONG).unwrap(), Claim::Taken));
    lock.prove_writable().unwrap();
    lock.save(&bound("next")).unwrap();
    drop(lock);
    store.save(&key("gone"), &session("gone")).unwrap();
    store.delete(&key("gone")).unwrap();
    assert_eq!(store.keys().unwrap(), [key("dev"), key("other")]);
    assert!(store.take_notices().is_empty());
}

#[test]
fn worker_that_lives() {
    if let Some(path) = file() {
        live(&FileStore::at(path));
    }
}

#[test]
fn worker_that_lives_sealed() {
    if let Some(path) = file() {
        let source = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
        live(&EncryptedFileStore::at(path, source));
    }
}

#[test]
fn logins_reach_the_file_that_is_mounted_whatever_was_in_it_before() {
    for before in ["", "{\"version\": 1, \"tokens\": {}}"] {
        let place = Place::with(before);
        if !inside("worker_that_lives", &by_itself(), &place.file()) {
            return;
        }
        assert_eq!(go_reads(&place.text()).len(), 2);
        let store = place.store();
        assert_eq!(access(&store, "dev").as_deref(), Some("at-next"));
        assert_eq!(access(&store, "other").as_deref(), Some("at-other"));
        assert!(place.names().iter().all(|name| !name.ends_with(".tmp")), "{:?}", place.names());
        assert_eq!(common::mode(&place.file()), 0o600);
    }
    let place = Place::with("");
    assert!(inside("worker_that_lives_sealed", &by_itself(), &place.file()));
    assert!(place.text().contains("u2m-sealed") && !place.text().contains("at-next"));
}

#[test]
fn worker_that_heals() {
    let Some(path) = file() else { return };
    let store = FileStore::at(&path);
    store.save(&key("dev"), &session("dev")).unwrap();
    let notices = store.take_notices();
    assert!(notices[0].text.contains("was damaged; it is kept as"), "{notices:?}");
}

#[test]
fn a_damaged_one_is_kept_as_a_copy_and_written_over() {
    let damaged = "{\"version\":1,\"tokens\":{\"old\":{\"access_token\":\"at-old\"}}} and more";
    let place = Place::with(damaged);
    if inside("worker_that_heals", &by_itself(), &place.file()) {
        assert_eq!(fs::read_to_string(&place.aside()[0]).unwrap(), damaged);
        assert_eq!(access(&place.store(), "dev").as_deref(), Some("at-dev"));
        assert_eq!(access(&place.store(), "old").as_deref(), Some("at-old"));
    }
}

#[test]
fn worker_that_is_told() {
    let Some(path) = file() else { return };
    let store = FileStore::at(path);
    let error = store.prepare_login(&key("dev")).unwrap_err();
    assert!(error.to_string().contains("cannot"), "{error}");
    assert!(store.save(&key("dev"), &session("dev")).is_err());
}

#[test]
fn one_that_is_mounted_read_only_is_found_out_before_anybody_signs_in() {
    let place = Place::new();
    put(&place.file(), "{\"version\": 1, \"tokens\": {}}");
    let read_only =
        |what: &str| format!("mount --bind {what} {what} && mount -o remount,ro,bind {what}");
    let folder = format!("\"$(dirname \"${FILE}\")\"");
    let _ = inside("worker_that_is_told", &read_only(&format!("\"${FILE}\"")), &place.file())
        && inside("worker_that_is_told", &read_only(&folder), &place.file());
    assert_eq!(place.text(), "{\"version\": 1, \"tokens\": {}}");
}
