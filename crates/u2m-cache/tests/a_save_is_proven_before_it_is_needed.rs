//! Before a refresh token is spent, the store is shown to be writable; what was shown holds when the disk fills up.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, Place, access, bound, key, locked, session};
use std::fs;
use std::io::Write;
use std::path::Path;
use u2m_cache::{FileStore, StoreError, TokenStore};
use u2m_core::{AccessToken, RefreshToken, Session};

/// Fills the disk that `folder` is on to the last byte.
fn fill(folder: &Path) {
    let mut file = fs::File::create(folder.join("filler")).unwrap();
    for size in [4096, 512, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

/// Uses up the names too: not even an empty file can be made.
fn fill_names(folder: &Path) {
    for at in 0.. {
        if fs::File::create(folder.join(format!("filler-{at}"))).is_err() {
            return;
        }
    }
}

#[test]
fn worker() {
    common::work(|job, store| {
        let folder = store.path().parent().unwrap().to_owned();
        if job == "mounted" {
            return mounted(&store);
        }
        store.save(&key("dev"), &bound("dev")).unwrap();
        store.save(&key("other"), &bound("other")).unwrap();
        let before = fs::read(store.path()).unwrap();
        let mut lock = locked(&store, "dev");
        match job {
            "full" => {
                fill(&folder);
                let error = lock.prove_writable().unwrap_err();
                assert!(matches!(error, StoreError::Io { .. }), "{error}");
                let big = Session::new(AccessToken::new("a".repeat(100_000)))
                    .with_refresh_token(RefreshToken::new("r"));
                assert!(store.save(&key("dev"), &big).is_err());
                assert!(lock.save(&big).is_err());
                assert_eq!(fs::read(store.path()).unwrap(), before);
                assert_eq!(access(&store, "other").as_deref(), Some("at-other"));
                // What failed took no room with it.
                fs::remove_file(folder.join("filler")).unwrap();
                lock.prove_writable().unwrap();
                lock.save(&session("new")).unwrap();
            }
            "fills up" => {
                lock.prove_writable().unwrap();
                fill(&folder);
                fill_names(&folder);
                lock.save(&bound("new")).unwrap();
                assert_eq!(access(&store, "dev").as_deref(), Some("at-new"));
                assert!(store.load(&key("dev")).unwrap().unwrap().binding.is_some());
                assert_eq!(access(&store, "other").as_deref(), Some("at-other"));
            }
            "no size" => {
                let error = lock.prove_writable().unwrap_err();
                assert!(matches!(error, StoreError::Io { .. }), "{error}");
                let big = Session::new(AccessToken::new("a".repeat(100_000)))
                    .with_refresh_token(RefreshToken::new("r"));
                assert!(lock.save(&big).is_err());
                assert_eq!(fs::read(store.path()).unwrap(), before);
            }
            other => panic!("{other}"),
        }
        drop(lock);
        let names = common::names(&folder);
        assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
        common::say("fine");
    });
}

fn mounted(store: &FileStore) {
    let mut lock = locked(store, "dev");
    lock.prove_writable().unwrap();
    lock.save(&bound("new")).unwrap();
    drop(lock);
    assert_eq!(access(store, "dev").as_deref(), Some("at-new"));
    common::say("fine");
}

/// Runs `job` in a folder on a small disk of its own.
fn on_a_small_disk(options: &str, job: &str) {
    if !common::can_mount() {
        return common::skip("nothing can be mounted here");
    }
    let place = Place::new();
    let folder = place.folder().display();
    let script =
        format!("mount -t tmpfs -o mode=700,{options} small {folder} && exec \"$0\" \"$@\"");
    let command = common::wrapped(&["unshare", "-rm", "sh", "-c", &script], job, &place.file());
    assert_eq!(Child::of(command).done(), ["fine"]);
}

#[test]
fn a8_on_a_full_disk_nothing_is_spent_and_nothing_is_torn() {
    on_a_small_disk("size=256k", "full");
}

#[test]
fn a8_what_was_proven_can_be_saved_although_the_disk_fills_up_meanwhile() {
    on_a_small_disk("size=512k,nr_inodes=64", "fills up");
}

#[test]
fn a8_where_files_may_not_grow_nothing_is_spent_and_nothing_is_torn() {
    let place = Place::new();
    // In blocks of 512 bytes: enough for two small logins, and too little for a reserve.
    let command = common::shell("trap '' XFSZ; ulimit -f 64", "no size", &place.file());
    assert_eq!(Child::of(command).done(), ["fine"]);
}

#[test]
fn a8_a_file_that_cannot_be_replaced_is_written_as_it_stands() {
    if !common::can_mount() {
        return common::skip("nothing can be mounted here");
    }
    // A container with this one file mounted into it: it can be written, and cannot be replaced.
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &bound("dev")).unwrap();
    let file = place.file();
    let script = "mount --bind \"$U2M_STORY_FILE\" \"$U2M_STORY_FILE\" && exec \"$0\" \"$@\"";
    let command = common::wrapped(&["unshare", "-rm", "sh", "-c", script], "mounted", &file);
    assert_eq!(Child::of(command).done(), ["fine"]);
    assert_eq!(access(&store, "dev").as_deref(), Some("at-new"));
}

#[test]
fn a_reserve_is_given_back_when_nothing_is_saved() {
    let place = Place::new();
    let store = place.store();
    let mut lock = locked(&store, "dev");
    lock.prove_writable().unwrap();
    lock.prove_writable().unwrap();
    drop(lock);
    let names = place.names();
    assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
    assert!(!place.file().exists());
}

#[test]
fn a_reserve_that_is_gone_is_an_error_or_no_matter_and_never_a_torn_file() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    let mut lock = locked(&store, "dev");
    lock.prove_writable().unwrap();
    for name in place.names().iter().filter(|name| name.ends_with(".tmp")) {
        fs::remove_file(place.folder().join(name)).unwrap();
    }
    let saved = lock.save(&session("new"));
    let found = access(&FileStore::at(place.file()), "dev").unwrap();
    assert_eq!(found, if saved.is_ok() { "at-new" } else { "at-dev" });
    lock.save(&session("new")).unwrap();
    assert_eq!(access(&store, "dev").as_deref(), Some("at-new"));
}

#[test]
fn the_cache_may_grow_between_the_proof_and_the_save() {
    let place = Place::new();
    let store = place.store();
    let mut lock = locked(&store, "dev");
    lock.prove_writable().unwrap();
    for at in 0..20 {
        store.save(&key(&format!("{at}")), &session(&"x".repeat(8192))).unwrap();
    }
    lock.save(&session("dev")).unwrap();
    assert_eq!(common::go_reads(&place.text()).len(), 21);
}

#[test]
fn refr_4_in_a_folder_to_which_files_are_only_added_nothing_is_spent() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    // The folder of locks takes what it needs; only what is in the cache's own folder cannot be replaced any more.
    drop(locked(&store, "dev"));
    let folder = place.folder().display().to_string();
    if !common::can(&["chattr", "+a", &folder]) {
        return common::skip("no folder can be marked here");
    }
    let mut lock = locked(&store, "dev");
    let proven = lock.prove_writable();
    let saved = lock.save(&session("new"));
    assert!(common::can(&["chattr", "-a", &folder]));
    assert!(matches!(proven, Err(StoreError::Io { .. })), "{proven:?}");
    assert!(saved.is_err());
    assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
}
