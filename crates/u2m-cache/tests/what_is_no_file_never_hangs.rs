//! Folders, pipes, sockets and devices in the place of a file: an error at once.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Place, key, promptly, session};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use u2m_cache::{FileStore, StoreError, TokenStore};

fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

fn refused(store: &FileStore) -> [StoreError; 3] {
    let store = store.clone();
    promptly(move || {
        [
            store.load(&key("dev")).unwrap_err(),
            store.save(&key("dev"), &session("dev")).unwrap_err(),
            common::locked(&store, "dev").prove_writable().unwrap_err(),
        ]
    })
}

#[test]
fn t11_a_pipe_or_a_folder_in_the_place_of_the_cache_is_an_error_at_once() {
    let place = Place::new();
    pipe(&place.file());
    for error in refused(&place.store()) {
        assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
    }
    fs::remove_file(place.file()).unwrap();
    fs::create_dir(place.file()).unwrap();
    for error in refused(&place.store()) {
        assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
    }
    fs::remove_dir(place.file()).unwrap();
    symlink("/dev/zero", place.file()).unwrap();
    for error in refused(&place.store()) {
        assert!(
            matches!(error, StoreError::NotAFile { .. } | StoreError::ForeignOwner { .. }),
            "{error}"
        );
    }
    fs::remove_file(place.file()).unwrap();
    let _socket = UnixListener::bind(place.file()).unwrap();
    refused(&place.store());
}

#[test]
fn t23_a_pipe_or_a_link_in_the_place_of_a_lock_is_an_error_at_once() {
    let place = Place::new();
    let victim = place.folder().join("victim");
    common::put(&victim, "victim");
    let writer = place.folder().join("token-cache.lock");
    for plant in [&pipe as &dyn Fn(&Path), &|path| symlink(&victim, path).unwrap()] {
        plant(&writer);
        let store = place.store();
        assert!(promptly(move || store.save(&key("dev"), &session("dev"))).is_err());
        fs::remove_file(&writer).unwrap();
    }
    let store = place.store();
    drop(common::locked(&store, "dev"));
    let locks = place.folder().join("token-cache.locks");
    let lock = locks.join(&common::names(&locks)[0]);
    for plant in [&pipe as &dyn Fn(&Path), &|path| symlink(&victim, path).unwrap()] {
        fs::remove_file(&lock).unwrap();
        plant(&lock);
        let store = place.store();
        assert!(promptly(move || store.lock(&key("dev"), LONG).map(drop)).is_err());
    }
    assert_eq!(fs::read_to_string(victim).unwrap(), "victim");
}

#[test]
fn a_pipe_in_the_place_of_the_side_file_costs_no_login() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    let side = place.folder().join("token-cache.u2m.json");
    fs::remove_file(&side).unwrap();
    pipe(&side);
    let there = store.clone();
    assert!(promptly(move || there.load(&key("dev"))).unwrap().is_some());
    promptly(move || store.save(&key("dev"), &session("dev"))).unwrap();
    assert!(side.is_file());
}

#[test]
fn a_file_in_the_place_of_the_folder_is_a_miss_to_read_and_an_error_to_write() {
    let place = Place::new();
    common::put(&place.folder().join(".databricks"), "");
    let store = FileStore::at(place.folder().join(".databricks/token-cache.json"));
    assert!(store.load(&key("dev")).unwrap().is_none());
    assert!(matches!(store.save(&key("dev"), &session("dev")), Err(StoreError::Io { .. })));
    assert!(matches!(store.lock(&key("dev"), LONG), Err(StoreError::Io { .. })));
}

#[test]
fn t23_a_folder_of_locks_that_another_user_planted_is_refused() {
    if !common::is_root() {
        return common::skip("only root can make a folder of another user");
    }
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    let locks = place.folder().join("token-cache.locks");
    let theirs = place.folder().join("theirs");
    for is_link in [false, true] {
        let folder = if is_link { &theirs } else { &locks };
        fs::create_dir(folder).unwrap();
        // Open to this user: it could lock there, and its owner could swap the lock.
        common::chmod(folder, 0o777 | 0o1000);
        std::os::unix::fs::chown(folder, Some(12345), None).unwrap();
        if is_link {
            symlink(&theirs, &locks).unwrap();
        }
        let error = store.lock(&key("dev"), LONG).err().unwrap();
        assert!(matches!(error, StoreError::ForeignOwner { owner: 12345, .. }), "{error}");
        assert!(common::names(folder).is_empty());
        if !is_link {
            fs::remove_dir(&locks).unwrap();
        }
    }
    // A login needs no lock of its entry.
    store.save(&key("dev"), &session("again")).unwrap();
}

#[test]
fn t23_a_writers_lock_that_another_user_planted_is_refused_and_a_reader_needs_none() {
    if !common::is_root() {
        return common::skip("only root can make a file of another user");
    }
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    let lock = place.folder().join("token-cache.lock");
    std::os::unix::fs::chown(&lock, Some(12345), None).unwrap();
    // Something to clear, or no lock is needed for it.
    fs::write(place.folder().join("token-cache.json.corrupt-1"), "dev").unwrap();
    for error in [
        store.save(&key("dev"), &session("new")).unwrap_err(),
        store.clear_leftovers(&key("dev")).unwrap_err(),
        common::locked(&store, "dev").prove_writable().unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::ForeignOwner { owner: 12345, .. }), "{error}");
    }
    assert_eq!(common::access(&store, "dev").as_deref(), Some("at-dev"));
}
