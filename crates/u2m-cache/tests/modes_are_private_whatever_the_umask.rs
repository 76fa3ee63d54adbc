//! Modes: private from the first moment, tightened with a notice where they were not, refused where that is no help.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, LONG, Place, access, bound, chmod, key, mode, session, shell};
use std::fs;
use u2m_cache::{StoreError, TokenStore};

#[test]
fn worker() {
    common::work(|job, store| {
        if job == "reads" {
            assert_eq!(access(&store, "dev").as_deref(), Some("a"));
            return store.take_notices().iter().for_each(|notice| common::say(&notice.text));
        }
        store.save(&key("dev"), &bound("dev")).unwrap();
        let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
        lock.prove_writable().unwrap();
        common::say("reserved");
        common::hear();
        lock.save(&bound("again")).unwrap();
        fs::write(store.path(), "garbage").unwrap();
        store.save(&key("dev"), &bound("dev")).unwrap();
    });
}

#[test]
fn t12_everything_is_made_private_whatever_the_umask() {
    // Under the last one only root gets into the folders that it makes.
    let last = if common::is_root() { 4 } else { 3 };
    for umask in &["000", "022", "077", "277"][..last] {
        let place = Place::new();
        let folder = place.folder().join("a/b");
        let mut child =
            Child::of(shell(&format!("umask {umask}"), "all", &folder.join("token-cache.json")));
        // While it holds a reserve, temporary files can be seen.
        child.until("reserved");
        let check = || {
            for path in [place.folder().join("a"), folder.clone()] {
                assert_eq!(mode(&path) & 0o077, 0, "{umask} {}", path.display());
            }
            let names = common::names(&folder);
            for name in &names {
                assert_eq!(mode(&folder.join(name)) & 0o077, 0, "{umask} {name}");
            }
            for name in common::names(&folder.join("token-cache.locks")) {
                assert_eq!(mode(&folder.join("token-cache.locks").join(&name)) & 0o077, 0);
            }
            names
        };
        assert!(check().iter().any(|name| name.ends_with(".tmp")), "no temporary file was seen");
        child.go_on();
        child.done();
        assert!(check().iter().any(|name| name.contains(".corrupt-")));
    }
}

#[test]
fn file_5_a_file_that_others_could_read_is_tightened_with_one_notice() {
    let place = Place::with(r#"{"version":1,"tokens":{"dev":{"access_token":"a"}}}"#);
    for loose in [0o644, 0o660, 0o604, 0o666] {
        chmod(&place.file(), loose);
        let store = place.store();
        assert_eq!(access(&store, "dev").as_deref(), Some("a"));
        assert_eq!(mode(&place.file()), 0o600);
        let notices = store.take_notices();
        assert_eq!(notices.len(), 1);
        assert!(notices[0].text.contains("could be read by other users"), "{}", notices[0].text);
        assert!(notices[0].text.contains("now private"), "{}", notices[0].text);
        assert!(access(&store, "dev").is_some() && store.take_notices().is_empty());
    }
}

#[test]
fn t12_a_folder_that_everybody_may_write_is_refused() {
    let place = Place::with(r#"{"version":1,"tokens":{}}"#);
    chmod(place.folder(), 0o777);
    let store = place.store();
    let errors = [
        store.load(&key("dev")).unwrap_err(),
        store.keys().unwrap_err(),
        store.save(&key("dev"), &session("dev")).unwrap_err(),
        store.delete(&key("dev")).unwrap_err(),
        store.lock(&key("dev"), LONG).err().unwrap(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::OpenFolder { .. }), "{error}");
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }
    assert_eq!(place.names(), ["token-cache.json"]);
    // As /tmp is: others can add files, and not replace this user's.
    chmod(place.folder(), 0o1777);
    store.save(&key("dev"), &session("dev")).unwrap();
    chmod(place.folder(), 0o700);
}

#[test]
fn t12_a_loose_file_on_a_read_only_file_system_is_read_and_not_called_private() {
    if !common::can_mount() {
        return common::skip("nothing can be mounted here");
    }
    let place = Place::with(r#"{"version":1,"tokens":{"dev":{"access_token":"a"}}}"#);
    chmod(&place.file(), 0o644);
    let folder = place.folder().display();
    let script = format!("mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}");
    let script = format!("{script} && exec \"$0\" \"$@\"");
    let command = common::wrapped(&["unshare", "-rm", "sh", "-c", &script], "reads", &place.file());
    let said = Child::of(command).done();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("can be read by other users"), "{said:?}");
    assert!(!said[0].contains("now private"), "{said:?}");
}
