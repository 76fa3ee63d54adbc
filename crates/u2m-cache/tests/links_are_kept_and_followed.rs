//! Symbolic links, as dotfile managers make them: kept, and their target updated; those of others are refused.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, access, bound, chmod, key, session};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, lchown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use u2m_cache::{FileStore, StoreError, TokenStore};

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().file_type().is_symlink()
}

#[test]
fn file_6_a_link_is_kept_and_its_target_updated() {
    let place = Place::new();
    let real = place.folder().join("dotfiles");
    fs::create_dir(&real).unwrap();
    for target in [real.join("real.json"), "dotfiles/real.json".into()] {
        symlink(&target, place.file()).unwrap();
        let store = place.store();
        assert!(store.load(&key("dev")).unwrap().is_none(), "its target is not there yet");
        store.save(&key("dev"), &bound("dev")).unwrap();
        assert!(is_link(&place.file()));
        assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
        assert!(store.load(&key("dev")).unwrap().unwrap().binding.is_some());
        assert_eq!(common::mode(&real.join("real.json")), 0o600);
        store.save(&key("dev"), &session("again")).unwrap();
        assert!(is_link(&place.file()) && !is_link(&real.join("real.json")));
        assert_eq!(
            access(&FileStore::at(real.join("real.json")), "dev").as_deref(),
            Some("at-again")
        );
        assert_eq!(common::names(&real).iter().filter(|name| name.ends_with(".tmp")).count(), 0);
        fs::remove_file(place.file()).unwrap();
        fs::remove_dir_all(&real).unwrap();
        fs::create_dir(&real).unwrap();
    }
}

#[test]
fn file_6_a_link_may_lead_to_another_file_system() {
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        return common::skip("there is no second file system at /dev/shm");
    };
    let place = Place::new();
    symlink(other.path().join("real.json"), place.file()).unwrap();
    let store = place.store();
    store.save(&key("dev"), &bound("dev")).unwrap();
    let mut lock = common::locked(&store, "dev");
    lock.prove_writable().unwrap();
    lock.save(&bound("again")).unwrap();
    drop(lock);
    assert!(is_link(&place.file()));
    assert!(store.load(&key("dev")).unwrap().unwrap().binding.is_some());
    for folder in [place.folder(), other.path()] {
        let names = common::names(folder);
        assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
    }
}

#[test]
fn t28_what_a_killed_writer_left_beside_the_target_of_a_link_is_swept() {
    let place = Place::new();
    let real = place.folder().join("dotfiles");
    fs::create_dir(&real).unwrap();
    symlink(real.join("real.json"), place.file()).unwrap();
    for folder in [place.folder(), &real] {
        common::put(&folder.join(".token-cache-u2m-7-0.tmp"), "canary");
    }
    place.store().save(&key("dev"), &session("dev")).unwrap();
    assert!(!common::holds(&common::everything(place.folder()), "canary"));
}

#[test]
fn t11_a_link_that_leads_round_in_a_circle_is_an_error() {
    let place = Place::new();
    symlink(place.file(), place.file()).unwrap();
    let store = place.store();
    assert!(matches!(store.load(&key("dev")), Err(StoreError::Io { .. })));
    assert!(matches!(store.save(&key("dev"), &session("dev")), Err(StoreError::Io { .. })));
}

#[test]
fn t11_a_link_of_another_user_is_refused_and_its_target_untouched() {
    if !common::is_root() {
        return common::skip("only root can make a link of another user");
    }
    let place = Place::new();
    let victim = place.folder().join("victim");
    common::put(&victim, "{}");
    symlink(&victim, place.file()).unwrap();
    lchown(place.file(), Some(12345), None).unwrap();
    let store = place.store();
    for error in [
        store.load(&key("dev")).unwrap_err(),
        store.save(&key("dev"), &session("dev")).unwrap_err(),
        common::locked(&store, "dev").prove_writable().unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::ForeignOwner { owner: 12345, .. }), "{error}");
        assert!(error.to_string().contains("belongs to another user (uid 12345)"), "{error}");
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "{}");
}

#[test]
fn t11_a_file_of_another_user_is_refused_directly_and_behind_a_link() {
    if !common::is_root() {
        return common::skip("only root can make a file of another user");
    }
    let text = r#"{"version":1,"tokens":{}}"#;
    let place = Place::with(text);
    chown(place.file(), Some(12345), None).unwrap();
    let link = place.folder().join("link.json");
    symlink(place.file(), &link).unwrap();
    for store in [place.store(), FileStore::at(&link)] {
        for error in [
            store.load(&key("dev")).unwrap_err(),
            store.keys().unwrap_err(),
            store.save(&key("dev"), &session("dev")).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::ForeignOwner { owner: 12345, .. }), "{error}");
        }
    }
    assert_eq!(place.text(), text);
}

#[test]
fn t12_a_link_into_a_folder_that_everybody_may_write_is_refused() {
    let place = Place::new();
    let open = place.folder().join("open");
    fs::create_dir(&open).unwrap();
    common::put(&open.join("real.json"), r#"{"version":1,"tokens":{}}"#);
    chmod(&open, 0o777);
    symlink(open.join("real.json"), place.file()).unwrap();
    let store = place.store();
    for error in [
        store.load(&key("dev")).unwrap_err(),
        store.save(&key("dev"), &session("dev")).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::OpenFolder { .. }), "{error}");
    }
}

/// Swaps the cache's path between a file and a link, as fast as it can, while others read and write.
fn under_stress(place: &Place, plant: impl Fn(&Path) + Sync) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let spare = place.folder().join("spare");
            while !stop.load(Ordering::Relaxed) {
                plant(&spare);
                let _ = fs::rename(&spare, place.file());
                common::put(&spare, r#"{"version":1,"tokens":{}}"#);
                let _ = fs::rename(&spare, place.file());
            }
        });
        let writers: Vec<_> = (0..3)
            .map(|at| {
                let store = place.store();
                let name = format!("dev-{at}");
                scope.spawn(move || {
                    for _ in 0..100 {
                        let _ = store.load(&key(&name));
                        let _ = store.save(&key(&name), &session(&name));
                        let _ = store.delete(&key(&name));
                    }
                    let _ = common::locked(&store, &name).prove_writable();
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn t11_swapping_the_file_for_a_link_again_and_again_never_touches_the_victim() {
    let place = Place::fast();
    let victim = place.folder().join("victim.txt");
    // Not a cache, and readable by all: a reader that followed a swapped link would tighten it.
    fs::write(&victim, "victim").unwrap();
    chmod(&victim, 0o644);
    under_stress(&place, |spare| drop(symlink("dangling", spare)));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "victim");
    assert_eq!(common::mode(&victim), 0o644);
}

#[test]
fn t11_swapping_the_file_for_another_users_link_to_a_victim_never_changes_the_victim() {
    if !common::is_root() {
        return common::skip("only root can make a link of another user");
    }
    let place = Place::fast();
    let folder = place.folder().join("victims");
    fs::create_dir(&folder).unwrap();
    // A cache itself, so that nothing but the link's owner speaks against writing to it.
    let victim = folder.join("victim.json");
    let text = r#"{"version":1,"tokens":{"dev-0":{"access_token":"victim"}}}"#;
    fs::write(&victim, text).unwrap();
    chmod(&victim, 0o644);
    let before = fs::metadata(&victim).unwrap();
    under_stress(&place, |spare| {
        let _ = symlink(&victim, spare);
        let _ = lchown(spare, Some(12345), None);
    });
    let after = fs::metadata(&victim).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), text);
    let identity = |meta: &fs::Metadata| (meta.ino(), meta.mode(), meta.mtime(), meta.ctime());
    assert_eq!(identity(&after), identity(&before));
    assert_eq!(common::names(&folder), ["victim.json"], "nothing was put beside it either");
}

#[test]
fn t12_a_link_to_a_file_that_is_not_there_yet_in_an_open_folder_is_refused() {
    let place = Place::new();
    let open = place.folder().join("open");
    fs::create_dir(&open).unwrap();
    chmod(&open, 0o777);
    symlink(open.join("real.json"), place.file()).unwrap();
    let error = place.store().save(&key("dev"), &session("dev")).unwrap_err();
    assert!(matches!(error, StoreError::OpenFolder { .. }), "{error}");
    assert!(common::names(&open).is_empty());
}
