//! A pause at a token endpoint is remembered for all logins of a store, in every process of this user, and is never in the way.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Place};
use std::fs;
use std::time::Duration;
use u2m_cache::{AutoStore, EntryLock, MemoryStore, TokenStore};
use u2m_core::{AccessToken, CacheKey, Fingerprint, RefreshFailure, RefreshFailureKind, Timestamp};

fn door(name: &str) -> Fingerprint {
    Fingerprint::of_access(&AccessToken::new(name))
}

fn pause(at: &Fingerprint, seconds: u64) -> RefreshFailure {
    let fell = Timestamp::from_unix(1_800_000_000);
    RefreshFailure::new(at.clone(), fell, RefreshFailureKind::transient("slow down"))
        .with_pause(Duration::from_secs(seconds))
}

fn lock(store: &impl TokenStore, key: &str) -> Box<dyn EntryLock> {
    store.lock(&CacheKey::new(key), LONG).unwrap().unwrap()
}

/// The names of what is remembered of pauses.
fn files(place: &Place) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(place.folder().join("token-cache.locks")).unwrap();
    let all = all.map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("p-")).collect()
}

#[test]
fn what_one_login_notes_all_others_of_the_store_read() {
    let place = Place::new();
    let (one, other) = (door("one"), door("other"));
    lock(&place.store(), "dev").note_pause(&pause(&one, 30)).unwrap();
    // While the one is still at it, and from another store of several.
    let mut dev = lock(&place.store(), "dev");
    let mut prod = lock(&AutoStore::new(place.store()), "prod");
    assert_eq!(prod.pause(&one), Some(pause(&one, 30)));
    assert_eq!(prod.pause(&other), None);
    assert_eq!(
        (dev.refresh_failure(), prod.refresh_failure()),
        (None, None),
        "it is about no login"
    );
    // The last word counts, whichever is shorter.
    prod.note_pause(&pause(&one, 5)).unwrap();
    prod.note_pause(&pause(&other, 7)).unwrap();
    assert_eq!(dev.pause(&one), Some(pause(&one, 5)));
    assert_eq!(dev.pause(&other), Some(pause(&other, 7)));
    let memory = MemoryStore::new();
    lock(&memory, "dev").note_pause(&pause(&one, 30)).unwrap();
    assert_eq!(lock(&memory.clone(), "prod").pause(&one), Some(pause(&one, 30)));
    assert_eq!(lock(&memory, "prod").pause(&other), None);
}

#[test]
fn a_note_that_cannot_be_read_is_as_good_as_none_and_is_written_anew() {
    let place = Place::new();
    let at = door("one");
    let mut dev = lock(&place.store(), "dev");
    dev.note_pause(&pause(&at, 30)).unwrap();
    let file = files(&place).pop().unwrap();
    let of_another = fs::read_to_string(&file).unwrap().replace(at.as_str(), door("x").as_str());
    for junk in ["", "{", "[]", "{\"of\":7}", &of_another] {
        fs::write(&file, junk).unwrap();
        assert_eq!(dev.pause(&at), None, "{junk}");
        dev.note_pause(&pause(&at, 30)).unwrap();
        assert_eq!(dev.pause(&at), Some(pause(&at, 30)));
    }
}

#[test]
fn of_many_doors_the_files_of_those_that_were_open_for_long_go() {
    let place = Place::new();
    let mut dev = lock(&place.store(), "dev");
    for name in 0..70 {
        dev.note_pause(&pause(&door(&name.to_string()), 30)).unwrap();
    }
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    for file in files(&place) {
        fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
    }
    dev.note_pause(&pause(&door("next"), 30)).unwrap();
    assert_eq!(files(&place).len(), 1);
    assert!(dev.pause(&door("next")).is_some());
}

#[cfg(unix)]
#[test]
fn what_is_remembered_is_private_and_a_link_in_its_place_is_not_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::new();
    let at = door("one");
    let mut dev = lock(&place.store(), "dev");
    dev.note_pause(&pause(&at, 30)).unwrap();
    let file = files(&place).pop().unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let target = place.folder().join("mine");
    fs::write(&target, "mine").unwrap();
    fs::remove_file(&file).unwrap();
    symlink(&target, &file).unwrap();
    assert!(dev.note_pause(&pause(&at, 30)).is_err());
    assert_eq!((dev.pause(&at), fs::read_to_string(&target).unwrap()), (None, "mine".to_owned()));
}
